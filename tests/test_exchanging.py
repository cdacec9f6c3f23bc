"""Embeddings out of a library and into another: the same photos are found with the same scores."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from archives import png, tarred
from conftest import ColourEncoder, draw
from imgsearch.errors import NoEncoderError, UsageError
from imgsearch.exchanging import Shape, export_embeddings, import_embeddings
from imgsearch.indexing import index
from imgsearch.library import Library, open_library
from imgsearch.searching import search
from imgsearch.upkeep import doctor

pyarrow = pytest.importorskip("pyarrow", reason="needs pyarrow: pip install 'imgsearch[parquet]'")
parquet = pytest.importorskip("pyarrow.parquet")

COLOURS = [(200, 30, 10), (10, 200, 77), (3, 9, 200), (90, 90, 10), (120, 9, 130)]
QUERIES = ("red", "green", "blue", "red and green", "蓝")


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
def other(tmp_path: Path) -> Iterator[Library]:
    with open_library(tmp_path / "other") as opened:
        yield opened


def answers(library: Library) -> list[list[tuple[str, float]]]:
    return [[(hit.path.name, hit.score) for hit in search(library, each)] for each in QUERIES]


@pytest.mark.parametrize("name", ["out.npz", "out.jsonl"])
def test_a_round_trip_keeps_every_hit_and_every_score(
    library: Library, other: Library, gallery: Path, tmp_path: Path, name: str
) -> None:
    exported = export_embeddings(library, tmp_path / name)
    assert (exported.count, exported.dim, exported.encoder) == (5, 3, "toy/colour")
    imported = import_embeddings(other, tmp_path / name, encoder=ColourEncoder(), photos=gallery)
    assert (imported.added, imported.photos, imported.left_out) == (5, 5, ())
    assert imported.is_answering
    assert answers(other) == answers(library)
    assert not [each for each in doctor(other) if each.is_fault]


@pytest.mark.parametrize("is_float32", [True, False])
def test_the_layout_of_clip_retrieval_keeps_hits_and_with_float32_scores(
    library: Library, other: Library, gallery: Path, tmp_path: Path, is_float32: bool
) -> None:
    export_embeddings(library, tmp_path / "out", shape=Shape(is_float32=is_float32))
    imported = import_embeddings(other, tmp_path / "out", encoder=ColourEncoder(), photos=gallery)
    assert (imported.added, imported.normalised) == (5, 0)
    for ours, theirs in zip(answers(library), answers(other), strict=True):
        assert [name for name, _ in ours] == [name for name, _ in theirs]
        scores = [[score for _, score in each] for each in (ours, theirs)]
        np.testing.assert_allclose(*scores, atol=0 if is_float32 else 1e-3)

    # What came as float16 goes out as the same bytes.
    export_embeddings(other, tmp_path / "again", shape=Shape(is_float32=is_float32))
    first, second = (tmp_path / each / "img_emb/img_emb_0.npy" for each in ("out", "again"))
    assert first.read_bytes() == second.read_bytes()
    assert not [each for each in doctor(other) if each.is_fault]


def test_clip_retrieval_reads_what_is_written(library: Library, tmp_path: Path) -> None:
    """As its `clip_index.py` (autofaiss on every .npy of img_emb, by name) and `clip_back.py` (the
    tables of metadata in the order of their names, columns by name) do.
    """
    with library.catalog.write() as writer:
        writer.add_captions(2, ["a green wall"], "en", "user")
    export_embeddings(library, tmp_path / "out")
    matrices = [np.load(path) for path in sorted((tmp_path / "out/img_emb").glob("*.npy"))]
    tables = sorted((tmp_path / "out/metadata").glob("*.parquet"))
    assert [path.name for path in tables] == ["metadata_0.parquet"]
    table = parquet.read_table(tables[0], columns=["image_path", "caption"]).to_pydict()
    vectors = np.concatenate(matrices)
    assert (vectors.dtype, vectors.shape) == (np.float16, (5, 3))
    assert [Path(path).name for path in table["image_path"]] == [f"{n}.png" for n in range(5)]
    assert table["caption"] == [None, "a green wall", None, None, None]
    np.testing.assert_allclose(np.linalg.norm(vectors.astype(np.float32), axis=1), 1, atol=1e-3)


def test_two_lines_of_numpy_read_the_npz(library: Library, tmp_path: Path) -> None:
    export_embeddings(library, tmp_path / "out.npz")
    table = np.load(tmp_path / "out.npz", allow_pickle=False)
    best = table["paths"][np.argmax(table["vectors"] @ table["vectors"][3])]

    assert Path(best).name == "3.png"
    assert table["vectors"].dtype == np.float32
    assert table["ids"].tolist() == [1, 2, 3, 4, 5]
    _, vectors = library.catalog.embeddings(1)
    np.testing.assert_array_equal(table["vectors"], vectors)
    assert json.loads(str(table["encoder"][0]))["identity"] == "sha256-of-toy/colour"
    assert len(str(table["sha256"][0])) == 64


def test_chinese_clip_reads_what_is_written(library: Library, tmp_path: Path) -> None:
    """As its `eval/make_topk_predictions.py` reads: `image_id`, an int, and `feature` of a line."""
    export_embeddings(library, tmp_path / "out.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [line["image_id"] for line in lines] == [1, 2, 3, 4, 5]
    _, vectors = library.catalog.embeddings(1)
    np.testing.assert_array_equal(np.array([line["feature"] for line in lines], "f4"), vectors)


def test_importing_twice_changes_nothing(
    library: Library, other: Library, gallery: Path, tmp_path: Path
) -> None:
    export_embeddings(library, tmp_path / "out.npz")
    import_embeddings(other, tmp_path / "out.npz", encoder=ColourEncoder(), photos=gallery)
    before = answers(other)
    again = import_embeddings(other, tmp_path / "out.npz", encoder=ColourEncoder())
    assert (again.added, again.known, again.photos, again.left_out) == (0, 5, 0, ())
    assert answers(other) == before
    assert {type(each).__name__ for each in index(other, [])} == {"Unchanged"}


def test_what_is_imported_into_the_library_it_is_of_is_known(
    library: Library, tmp_path: Path
) -> None:
    export_embeddings(library, tmp_path / "out.npz")
    imported = import_embeddings(library, tmp_path / "out.npz")
    assert (imported.added, imported.known) == (0, 5)


def test_photos_that_moved_to_another_machine_are_told_by_their_content(
    library: Library, other: Library, gallery: Path, tmp_path: Path
) -> None:
    export_embeddings(library, tmp_path / "out.npz")
    gallery.rename(tmp_path / "gallery-of-old")
    shutil.copytree(tmp_path / "gallery-of-old", tmp_path / "here/gallery")
    draw(tmp_path / "here/gallery/3.png", "white")  # another picture of the same name
    imported = import_embeddings(
        other, tmp_path / "out.npz", encoder=ColourEncoder(), photos=tmp_path / "here"
    )
    assert imported.added == 4
    (left_out,) = imported.left_out
    assert (left_out.reason, left_out.count) == ("no such photo is on this disk", 1)
    assert left_out.names == (str(gallery / "3.png"),)


def test_a_photo_that_is_not_here_or_was_edited_is_left_out(
    library: Library, other: Library, gallery: Path, tmp_path: Path
) -> None:
    export_embeddings(library, tmp_path / "out.jsonl")
    (gallery / "0.png").unlink()
    draw(gallery / "1.png", "white")
    (gallery / "2.png").rename(tmp_path / "2.png")
    imported = import_embeddings(
        other, tmp_path / "out.jsonl", encoder=ColourEncoder(), photos=gallery
    )
    assert {(each.reason.partition(";")[0], each.count) for each in imported.left_out} == {
        ("no such photo is on this disk", 2),
        ("its file holds another picture by now", 1),
    }
    assert imported.added == 2


def test_no_file_outside_the_folders_that_were_named_is_taken(
    library: Library, other: Library, tmp_path: Path
) -> None:
    export_embeddings(library, tmp_path / "out.npz")
    imported = import_embeddings(other, tmp_path / "out.npz", encoder=ColourEncoder())
    assert (imported.added, imported.photos) == (0, 0)
    assert "--photos" in imported.left_out[0].reason and imported.left_out[0].count == 5


def clip_retrieval_folder(
    path: Path, vectors: np.ndarray, columns: dict[str, list], name: str = "0"
) -> Path:
    """As clip-retrieval's writer.py: matrix, and a table of the same rows."""
    (path / "img_emb").mkdir(parents=True, exist_ok=True)
    (path / "metadata").mkdir(exist_ok=True)
    np.save(path / f"img_emb/img_emb_{name}.npy", vectors)
    parquet.write_table(pyarrow.table(columns), path / f"metadata/metadata_{name}.parquet")
    return path


def vectors_of(colours: list[tuple[int, int, int]], dtype: str = "f2") -> np.ndarray:
    rows = np.array(colours, np.float32) + 1e-3
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(dtype)


def test_people_move_in_from_clip_retrieval_with_paths_and_captions(
    other: Library, gallery: Path, tmp_path: Path
) -> None:
    first = {"image_path": ["gallery/0.png", "gallery/1.png"], "caption": ["a red wall", None]}
    rest = {"image_path": [f"gallery/{n}.png" for n in (2, 3, 4)], "caption": ["海滩", "", "x"]}
    source = clip_retrieval_folder(tmp_path / "emb", vectors_of(COLOURS[:2]), first, "0")
    clip_retrieval_folder(source, vectors_of(COLOURS[2:]), rest, "1")
    imported = import_embeddings(other, source, encoder=ColourEncoder(), photos=tmp_path)
    assert (imported.added, imported.captions, imported.left_out) == (5, 3, ())
    assert search(other, "blue", k=1)[0].path == gallery / "2.png"
    captions = other.catalog.captions([1, 3])
    assert [(row.text, row.language, row.source) for rows in captions.values() for row in rows] == [
        ("a red wall", "en", "user"),
        ("海滩", "zh", "user"),
    ]
    assert import_embeddings(other, source, encoder=ColourEncoder(), photos=tmp_path).captions == 0


def test_keys_of_a_webdataset_are_found_in_its_tars(other: Library, tmp_path: Path) -> None:
    shards = tmp_path / "shards"
    shards.mkdir()
    tarred(shards / "00000.tar", {"000000000.png": png("red"), "000000001.png": png("green")})
    beside = {"000010000.png": png("blue"), "000010000.txt": b"a calm sea"}
    tarred(shards / "00001.tar", beside)
    keys = {"image_path": ["000010000", "000000001", "000000009"]}
    source = clip_retrieval_folder(
        tmp_path / "emb", vectors_of([(0, 0, 255), (0, 128, 0), (1, 1, 1)]), keys
    )
    imported = import_embeddings(other, source, encoder=ColourEncoder(), photos=shards)
    assert (imported.added, [each.names for each in imported.left_out]) == (2, [("000000009",)])
    assert search(other, "blue", k=1)[0].path == shards / "00001.tar/000010000.png"
    ((caption,),) = other.catalog.captions([1, 2]).values()
    assert (caption.text, caption.source) == ("a calm sea", "sidecar")


def test_ids_of_chinese_clip_are_names_of_photos(other: Library, tmp_path: Path) -> None:
    draw(tmp_path / "muge/1000004.jpg", (250, 5, 5))
    draw(tmp_path / "muge/1000016.jpg", (5, 5, 250))
    vectors = vectors_of([(250, 5, 5), (5, 5, 250)], "f4")
    lines = [
        json.dumps({"image_id": name, "feature": row.tolist()})
        for name, row in zip((1000004, 1000016), vectors, strict=True)
    ]
    features = tmp_path / "valid_imgs.img_feat.jsonl"
    features.write_text("\n".join(lines))
    muge = tmp_path / "muge"
    imported = import_embeddings(other, features, encoder=ColourEncoder(), photos=muge)
    assert imported.added == 2
    assert search(other, "蓝", k=1)[0].path.name == "1000016.jpg"


def test_vectors_without_direction_are_left_out_and_long_ones_normalised(
    other: Library, gallery: Path, tmp_path: Path
) -> None:
    vectors = vectors_of(COLOURS, "f4")
    vectors[0], vectors[1, 2], vectors[2] = 0, np.nan, 7 * vectors[2]
    paths = {"image_path": [f"{n}.png" for n in range(5)]}
    source = clip_retrieval_folder(tmp_path / "emb", vectors, paths)
    imported = import_embeddings(other, source, encoder=ColourEncoder(), photos=gallery)
    assert (imported.added, imported.normalised) == (3, 1)
    (left_out,) = imported.left_out
    assert left_out.names == ("0.png", "1.png")
    assert not [each for each in doctor(other) if each.is_fault]
    assert search(other, "blue", k=1)[0].path.name == "2.png"


def test_vectors_of_another_encoder_are_refused(
    library: Library, other: Library, gallery: Path, tmp_path: Path
) -> None:
    paths = {"image_path": [f"{n}.png" for n in range(5)]}
    wrong = clip_retrieval_folder(tmp_path / "emb", vectors_of(COLOURS)[:, ::-1].copy(), paths)
    with pytest.raises(UsageError, match=r"not of toy/colour: shown 5 .*median cosine 0\.6"):
        import_embeddings(other, wrong, encoder=ColourEncoder(), photos=gallery)
    wide = clip_retrieval_folder(tmp_path / "wide", np.ones((5, 8), "f2"), paths)
    with pytest.raises(UsageError, match="8 values and those of toy/colour have 3"):
        import_embeddings(other, wide, encoder=ColourEncoder(), photos=gallery)
    with pytest.raises(UsageError, match="does not say which encoder"):
        import_embeddings(other, wide, photos=gallery)
    export_embeddings(library, tmp_path / "out.npz")
    with pytest.raises(UsageError, match="vectors are of toy/colour, with other weights"):
        import_embeddings(other, tmp_path / "out.npz", encoder=ColourEncoder("toy/else"))
    assert other.catalog.encoders() == []


def test_an_import_that_is_stopped_goes_on(
    library: Library, other: Library, gallery: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imgsearch.exchanging.chinese_clip.ROWS_AT_ONCE", 2)
    export_embeddings(library, tmp_path / "out.jsonl")

    def stop(done: int, total: int) -> None:
        assert total == 5
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_embeddings(
            other, tmp_path / "out.jsonl", encoder=ColourEncoder(), photos=gallery, progress=stop
        )
    imported = import_embeddings(
        other, tmp_path / "out.jsonl", encoder=ColourEncoder(), photos=gallery
    )
    assert (imported.added, imported.known) == (1, 4)
    assert answers(other) == answers(library)


def test_many_rows_are_split_as_clip_retrieval_splits_them(
    library: Library, other: Library, gallery: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imgsearch.exchanging.clip_retrieval.PARTITION", 2)
    monkeypatch.setattr("imgsearch.exchanging.exporting.ROWS_AT_ONCE", 2)
    export_embeddings(library, tmp_path / "out", shape=Shape(is_float32=True))
    names = sorted(path.name for path in (tmp_path / "out/img_emb").iterdir())
    assert names == ["img_emb_0.npy", "img_emb_1.npy", "img_emb_2.npy"]
    import_embeddings(other, tmp_path / "out", encoder=ColourEncoder(), photos=gallery)
    assert answers(other) == answers(library)


def test_an_export_replaces_nothing_unless_told(library: Library, tmp_path: Path) -> None:
    for name in ("out", "out.npz"):
        export_embeddings(library, tmp_path / name)
        with pytest.raises(UsageError, match="--force"):
            export_embeddings(library, tmp_path / name)
        export_embeddings(library, tmp_path / name, shape=Shape(replaces=True))
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/diary.txt").write_text("dear diary")
    with pytest.raises(UsageError, match="holds other things"):
        export_embeddings(library, tmp_path / "precious", shape=Shape(replaces=True))
    assert not list(tmp_path.glob(".*"))


def test_an_export_is_of_the_photos_asked_for(
    library: Library, gallery: Path, tmp_path: Path
) -> None:
    (gallery / "4.png").unlink()
    list(index(library, [gallery], encoder=ColourEncoder()))
    export_embeddings(library, tmp_path / "out.npz", only=np.array([2, 4, 5, 77]))
    assert np.load(tmp_path / "out.npz")["ids"].tolist() == [2, 4]
    with pytest.raises(UsageError, match="no photo"):
        export_embeddings(library, tmp_path / "none.npz", only=np.array([5]))
    with pytest.raises(NoEncoderError, match="toy/colour, and not of builtin"):
        export_embeddings(library, tmp_path / "none.npz", encoder="builtin")
    with pytest.raises(UsageError, match="--format"):
        export_embeddings(library, tmp_path / "out.csv")


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("a.jsonl", b"hello", "no embeddings in a known format"),
        ("b.jsonl", b'{"text": 1}', "no features"),
        ("c.jsonl", b'{"image_id": 1, "feature": [0.1]}\n{"image_id": 2, "feature": []}', "line 2"),
        ("d.npz", b"PK\x03\x04 and nothing", "as an .npz"),
        ("nowhere", None, "cannot be read"),
    ],
)
def test_a_file_that_does_not_read_is_named(
    other: Library, tmp_path: Path, name: str, content: bytes | None, complaint: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=complaint):
        encoder = ColourEncoder()
        encoder.dim = 1
        import_embeddings(other, tmp_path / name, encoder=encoder)


def test_nothing_is_unpickled(other: Library, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", vectors=np.array([{}], object), paths=np.array(["x"]))
    with pytest.raises(UsageError, match="vectors"):
        import_embeddings(other, tmp_path / "a.npz", encoder=ColourEncoder())
    source = clip_retrieval_folder(tmp_path / "emb", np.array([{}], object), {"image_path": ["x"]})
    with pytest.raises(UsageError, match="img_emb_0"):
        import_embeddings(other, source, encoder=ColourEncoder())


def test_a_matrix_and_a_table_of_different_lengths_are_refused(
    other: Library, tmp_path: Path
) -> None:
    source = clip_retrieval_folder(tmp_path / "emb", vectors_of(COLOURS), {"image_path": ["0.png"]})
    with pytest.raises(UsageError, match=r"has 5 rows and .* 1:"):
        import_embeddings(other, source, encoder=ColourEncoder())
