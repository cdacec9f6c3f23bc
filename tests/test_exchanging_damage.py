"""Files of embeddings that are damaged or made up: each is refused by name, none ends in a bug."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.lib import format as npy

from conftest import ColourEncoder, draw
from imgsearch.errors import UsageError
from imgsearch.exchanging import export_embeddings, import_embeddings
from imgsearch.exchanging.formats import open_embeddings
from imgsearch.indexing import index
from imgsearch.library import Library, open_library

COLOURS = [(200, 30, 10), (10, 200, 77), (3, 9, 200)]
NESTED = "[" * 100_000


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    for number, colour in enumerate(COLOURS):
        draw(tmp_path / "gallery" / f"{number}.png", colour)
    return tmp_path / "gallery"


@pytest.fixture
def library(tmp_path: Path, gallery: Path) -> Iterator[Library]:
    with open_library(tmp_path / "library") as opened:
        list(index(opened, [gallery], encoder=ColourEncoder()))
        yield opened


@pytest.fixture
def table(library: Library, tmp_path: Path) -> dict[str, np.ndarray]:
    """The arrays of an `.npz` as we write it."""
    export_embeddings(library, tmp_path / "out.npz")
    return dict(np.load(tmp_path / "out.npz"))


@pytest.fixture
def folder(library: Library, tmp_path: Path) -> Path:
    """A folder as clip-retrieval has it."""
    pytest.importorskip("pyarrow", reason="needs pyarrow: pip install 'imgsearch[parquet]'")
    export_embeddings(library, tmp_path / "out")
    return tmp_path / "out"


@pytest.fixture
def lines(library: Library, tmp_path: Path) -> list[str]:
    """The lines of Chinese-CLIP's features."""
    export_embeddings(library, tmp_path / "out.jsonl")
    return (tmp_path / "out.jsonl").read_text("utf-8").splitlines()


def refused(library: Library, source: Path, complaint: str) -> None:
    before = library.catalog.photo_count(1)
    with pytest.raises(UsageError, match=complaint):
        import_embeddings(library, source)
    assert library.catalog.photo_count(1) == before


def claiming(path: Path, table: dict[str, np.ndarray], header: dict[str, object]) -> Path:
    """An `.npz` whose vectors claim to be what they are not."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in table.items():
            content = io.BytesIO()
            if name == "vectors":
                npy.write_array_header_1_0(content, {"descr": "<f4", **header})
            else:
                npy.write_array(content, array)
            archive.writestr(f"{name}.npy", content.getvalue())
    return path


def test_flipped_bytes_in_an_npz_are_told(
    library: Library, table: dict[str, np.ndarray], tmp_path: Path
) -> None:
    content = bytearray((tmp_path / "out.npz").read_bytes())
    start = content.find(table["vectors"].tobytes())
    content[start : start + 8] = bytes(8)
    (tmp_path / "flipped.npz").write_bytes(content)
    refused(library, tmp_path / "flipped.npz", r"flipped\.npz.*CRC")


def test_packed_bytes_that_do_not_unpack_are_told(
    library: Library, table: dict[str, np.ndarray], tmp_path: Path
) -> None:
    np.savez_compressed(tmp_path / "packed.npz", **{**table, "vectors": np.eye(3, dtype="f4")})
    content = bytearray((tmp_path / "packed.npz").read_bytes())
    start = content.find(b"vectors.npy") + 40
    content[start : start + 30] = b"\xff" * 30
    (tmp_path / "packed.npz").write_bytes(content)
    refused(library, tmp_path / "packed.npz", "packed.npz")


@pytest.mark.parametrize("name", ["paths", "sha256"])
def test_an_array_that_is_not_one_text_for_each_vector_is_refused(
    library: Library, table: dict[str, np.ndarray], tmp_path: Path, name: str
) -> None:
    for wrong in (table[name][:2], table[name].reshape(-1, 1), np.array(table[name][0])):
        np.savez(tmp_path / "wrong.npz", **{**table, name: wrong})
        refused(library, tmp_path / "wrong.npz", rf"its {name} are of shape .*expected \(3,\)")


@pytest.mark.parametrize(
    "said", [np.array([], "<U1"), np.array(["{}", "{}"]), np.array([NESTED[:20_000]])]
)
def test_an_encoder_that_is_no_json_says_nothing(
    library: Library, table: dict[str, np.ndarray], tmp_path: Path, said: np.ndarray
) -> None:
    np.savez(tmp_path / "said.npz", **{**table, "encoder": said})
    refused(library, tmp_path / "said.npz", "does not say which encoder")
    assert import_embeddings(library, tmp_path / "said.npz", encoder=ColourEncoder()).known == 3


@pytest.mark.parametrize(
    ("shape", "complaint"),
    [
        ((-5, 3), "shape"),
        ((3, -3), "shape"),
        ((1 << 70, 3), "3 values|shape"),
        ((3, 1 << 70), "values"),
        ((3, 3), "cut short"),
        ((3,), "shape"),
    ],
)
def test_a_shape_that_cannot_be_is_refused(
    library: Library,
    table: dict[str, np.ndarray],
    tmp_path: Path,
    shape: tuple[int, ...],
    complaint: str,
) -> None:
    header = {"fortran_order": False, "shape": shape}
    refused(library, claiming(tmp_path / "claim.npz", table, header), complaint)


def test_texts_wider_than_any_path_are_not_read(
    library: Library, table: dict[str, np.ndarray], tmp_path: Path
) -> None:
    """A megabyte that unpacks to a gigabyte."""
    wide = np.array(["x" * 100_000, "", ""])
    np.savez_compressed(tmp_path / "wide.npz", **{**table, "paths": wide})
    refused(library, tmp_path / "wide.npz", "paths: <U100000")


def test_a_number_without_end_in_jsonl_is_told_with_its_line(
    library: Library, lines: list[str], tmp_path: Path
) -> None:
    for digits in (400, 5000):
        line = {**json.loads(lines[1]), "feature": ["?", 0.5, 0.5]}
        long = json.dumps(line).replace('"?"', "1" + "0" * digits)
        (tmp_path / "long.jsonl").write_text("\n".join([lines[0], long]))
        refused(library, tmp_path / "long.jsonl", "line 2")


def test_deep_nesting_in_jsonl_is_told_with_its_line(
    library: Library, lines: list[str], tmp_path: Path
) -> None:
    (tmp_path / "deep.jsonl").write_text(lines[0] + '\n{"feature": ' + NESTED)
    refused(library, tmp_path / "deep.jsonl", "line 2")


def test_jsonl_with_a_byte_order_mark_is_read(
    library: Library, lines: list[str], tmp_path: Path
) -> None:
    (tmp_path / "mark.jsonl").write_text("\n".join(lines), "utf-8-sig")
    assert import_embeddings(library, tmp_path / "mark.jsonl").known == 3


def test_numbers_beyond_float32_have_no_direction(
    library: Library, lines: list[str], table: dict[str, np.ndarray], tmp_path: Path
) -> None:
    line = {**json.loads(lines[0]), "feature": [1e300, 0.5, 0.5]}
    (tmp_path / "far.jsonl").write_text(json.dumps(line))
    vectors = table["vectors"].astype("f8")
    vectors[0, 0] = 1e300
    np.savez(tmp_path / "far.npz", **{**table, "vectors": vectors})
    for name in ("far.jsonl", "far.npz"):
        (left_out,) = import_embeddings(library, tmp_path / name).left_out
        assert (left_out.count, left_out.names[0][-5:]) == (1, "0.png")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "cannot be read as a numpy array"),
        (b"PK\x05\x06" + bytes(18), "cannot be read as a numpy array"),
    ],
)
def test_a_matrix_that_is_none_is_named(
    library: Library, folder: Path, content: bytes, complaint: str
) -> None:
    (folder / "img_emb/img_emb_0.npy").write_bytes(content)
    refused(library, folder, rf"img_emb_0\.npy.* {complaint}")


def test_a_matrix_that_is_cut_short_is_named(library: Library, folder: Path) -> None:
    matrix = folder / "img_emb/img_emb_0.npy"
    matrix.write_bytes(matrix.read_bytes()[:-1])
    refused(library, folder, r"img_emb_0\.npy.*cut short")


def test_a_matrix_by_columns_is_refused(library: Library, folder: Path) -> None:
    np.save(folder / "img_emb/img_emb_0.npy", np.asfortranarray(np.ones((3, 3), "f2")))
    refused(library, folder, "by columns")


def test_a_table_that_says_no_encoder_says_nothing(library: Library, folder: Path) -> None:
    from pyarrow import parquet

    (table,) = (folder / "metadata").iterdir()
    rows = parquet.read_table(table)
    for said in (b"not json", b"\xff\xfe", NESTED.encode()):
        parquet.write_table(rows.replace_schema_metadata({b"imgsearch": said}), table)
        assert open_embeddings(folder).origin is None


def test_a_table_with_damaged_pages_is_named(library: Library, folder: Path) -> None:
    (table,) = (folder / "metadata").iterdir()
    content = bytearray(table.read_bytes())
    content[4:200] = b"\xff" * 196
    table.write_bytes(content)
    refused(library, folder, r"metadata_0\.parquet cannot be read as a parquet file")
