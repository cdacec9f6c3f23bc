"""Photos and captions in parquet files, as img2dataset and data sets of Hugging Face have them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from archives import png
from imgsearch import images
from imgsearch.errors import PictureError
from imgsearch.images import ContainerFile, PhotoFile, Unreadable, find, members
from imgsearch.library import open_library
from runs import CountingEncoder, kinds, run

pytestmark = pytest.mark.filterwarnings("error")
pyarrow = pytest.importorskip("pyarrow")
from pyarrow import parquet  # noqa: E402


@pytest.fixture(autouse=True)
def nothing_stays_open() -> Iterator[None]:
    yield
    images.let_go()


def shard(path: Path, count: int = 7, rows_in_a_group: int = 3) -> Path:
    """A shard of photos of widths 1 to `count`; the second row could not be fetched."""
    table = pyarrow.table(
        {
            "url": [f"https://example.org/{n}" for n in range(count)],
            "caption": [f"photo {n}" if n else "第一张照片" for n in range(count)],
            "key": [f"{n:05}" for n in range(count)],
            "status": ["failed_to_download" if n == 1 else "success" for n in range(count)],
            "jpg": [None if n == 1 else png(size=(n + 1, 5)) for n in range(count)],
        }
    )
    parquet.write_table(table, path, row_group_size=rows_in_a_group)
    return path


def listed(path: Path) -> list[PhotoFile | Unreadable]:
    (found,) = find([path])
    assert isinstance(found, ContainerFile)
    return list(members(found, 1))


def test_every_row_with_bytes_is_a_photo_with_its_caption(tmp_path: Path) -> None:
    path = shard(tmp_path / "00000.parquet")
    found = listed(path)
    assert [each.path.name for each in found] == [f"{n:05}.png" for n in (0, 2, 3, 4, 5, 6)]
    for each in reversed(found):
        n = int(each.path.stem)
        assert images.decode(each.path).size == (n + 1, 5)
        assert isinstance(each, PhotoFile) and each.size_bytes == len(png(size=(n + 1, 5)))
    assert images.texts_beside(path / "00000.png") == {".txt": "第一张照片".encode()}
    assert images.is_gone(path / "00001.png")


def test_a_data_set_with_bytes_and_path_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    rows = [{"bytes": png(size=(n + 1, 5)), "path": f"{n}.png"} for n in range(3)]
    parquet.write_table(pyarrow.table({"image": rows, "label": [1, 2, 3]}), path)
    assert [each.path.name for each in listed(path)] == [f"0000-00000{n}.png" for n in range(3)]
    assert images.decode(path / "0000-000002.png").size == (3, 5)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + b"\0" * 99 + b"PAR1"])
def test_what_is_no_parquet_file_is_one_finding(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(content)
    (told,) = listed(path)
    assert isinstance(told, Unreadable) and "no parquet file" in told.reason


def test_a_table_without_pictures_is_told_with_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    parquet.write_table(pyarrow.table({"price": [1.5]}), path)
    (told,) = listed(path)
    assert isinstance(told, Unreadable) and "there are price" in told.reason


def test_damage_in_the_middle_is_told(tmp_path: Path) -> None:
    path = shard(tmp_path / "a.parquet")
    content = bytearray(path.read_bytes())
    content[4 : len(content) // 2] = b"\xff" * (len(content) // 2 - 4)
    path.write_bytes(content)
    told = listed(path)[-1]
    assert isinstance(told, Unreadable) and told.path == path
    with pytest.raises(PictureError):
        images.content_hash(path / "00000.png")


def test_a_shard_is_indexed_with_its_captions(tmp_path: Path) -> None:
    path = shard(tmp_path / "00000.parquet")
    with open_library(tmp_path / "library") as library:
        outcomes = run(library, path)
        assert kinds(outcomes) == {"Added": 6}
        photo_id = outcomes["00000.png"].photo_id  # type: ignore[union-attr]
        (row,) = library.catalog.captions([photo_id])[photo_id]
        assert (row.text, row.language, row.source) == ("第一张照片", "zh", "sidecar")
        encoder = CountingEncoder("toy/colour")
        assert kinds(run(library, path, encoder=encoder)) == {"Unchanged": 6}
        assert encoder.seen == 0
