"""RAW photos: the camera's preview, held as the RAW file says, with the RAW file's facts."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from archives import zipped
from conftest import draw
from imgsearch import images
from imgsearch.errors import PictureError
from imgsearch.images import ContainerFile, PhotoFile, Unreadable, find, members
from raw_photos import dng

pytestmark = pytest.mark.filterwarnings("error")
pytest.importorskip("rawpy")


def half_red(size: tuple[int, int] = (600, 400)) -> Image.Image:
    """Green, its left half red."""
    picture = Image.new("RGB", size, (0, 200, 0))
    picture.paste((200, 0, 0), (0, 0, size[0] // 2, size[1]))
    return picture


def is_red(picture: Image.Image, place: tuple[int, int]) -> bool:
    red, green, _ = np.asarray(picture)[place[1], place[0]].astype(int)
    return bool(red > green)


def test_the_preview_is_the_photo_and_the_facts_are_the_raw_files(tmp_path: Path) -> None:
    path = dng(tmp_path / "a.dng", preview=half_red())
    picture, facts = images.read(path)
    assert picture.size == (600, 400)
    assert is_red(picture, (10, 200)) and not is_red(picture, (590, 200))
    assert (facts.width, facts.height, facts.format) == (720, 480, "DNG")
    assert facts.taken_at == datetime(2023, 7, 1, 10, 0, 0, tzinfo=UTC)
    assert (facts.camera, facts.exposure.iso) == ("Testa Grey", 400)
    assert facts.size_bytes == path.stat().st_size
    assert images.read(path, short_side=100)[0].size == (150, 100)


@pytest.mark.parametrize(("orientation", "red"), [(6, (200, 10)), (8, (200, 590)), (3, (590, 200))])
def test_a_raw_photo_held_sideways_is_upright(
    tmp_path: Path, orientation: int, red: tuple[int, int]
) -> None:
    path = dng(tmp_path / "a.dng", preview=half_red(), orientation=orientation)
    picture, facts = images.read(path)
    assert picture.size == ((600, 400) if orientation == 3 else (400, 600))
    assert is_red(picture, red)
    assert (facts.width, facts.height) == ((720, 480) if orientation == 3 else (480, 720))


def test_a_preview_with_an_orientation_of_its_own_is_turned_once(tmp_path: Path) -> None:
    told = half_red()
    exif = told.getexif()
    exif[274] = 6
    told.info["exif"] = exif.tobytes()
    path = dng(tmp_path / "a.dng", preview=told, orientation=6)
    assert images.decode(path).size == (400, 600)


@pytest.mark.parametrize("preview", [None, half_red((96, 64))])
def test_a_raw_photo_without_a_preview_of_use_is_developed(
    tmp_path: Path, preview: Image.Image | None
) -> None:
    path = dng(tmp_path / "a.dng", preview=preview, orientation=6)
    picture, facts = images.read(path)
    assert picture.size == (240, 360) and (facts.width, facts.height) == (480, 720)
    assert facts.taken_at == datetime(2023, 7, 1, 10, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize("content", [b"", b"no photo", b"II*\0" + b"\0" * 500])
def test_what_is_no_raw_photo_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.nef"
    path.write_bytes(content)
    with pytest.raises(PictureError, match=r"no RAW photo|empty"):
        images.read(path)


def test_a_raw_photo_beside_its_jpeg_counts_once(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.HEIC.jpg", "sub/c.jpeg"):
        draw(tmp_path / name, "red")
    for name in ("A.NEF", "b.dng", "c.dng", "sub/c.cr3"):
        (tmp_path / name).write_bytes(b"x")
    found = [each.path.relative_to(tmp_path).as_posix() for each in find([tmp_path])]
    assert found == ["a.jpg", "b.HEIC.jpg", "b.dng", "c.dng", "sub/c.jpeg"]


def test_raw_photos_in_an_archive_are_read(tmp_path: Path) -> None:
    content = dng(tmp_path / "a.dng", preview=half_red()).read_bytes()
    path = zipped(tmp_path / "a.zip", {"a.dng": content, "b.dng": content, "b.jpg": b"x"})
    (found,) = find([path])
    assert isinstance(found, ContainerFile)
    assert [each.path.name for each in members(found, 1)] == ["a.dng", "b.jpg"]
    assert images.read(path / "a.dng")[1].format == "DNG"
    images.let_go()


def test_without_the_extra_raw_photos_are_passed_by_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rawpy", None)
    path = dng(tmp_path / "a.dng")
    for given in (tmp_path, path):
        (found,) = find([given])
        assert isinstance(found, Unreadable) and 'pip install "imgsearch[raw]"' in found.reason
    with pytest.raises(PictureError, match="imgsearch"):
        images.read(path)
    draw(tmp_path / "a.jpg", "red")
    assert [type(each) for each in find([tmp_path])] == [PhotoFile]
