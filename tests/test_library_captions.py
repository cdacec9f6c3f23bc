"""The captions that lie beside a library's photos."""

import json
from pathlib import Path

import pytest

from conftest import ColourEncoder, draw
from imgsearch.indexing import index
from imgsearch.library import Library, captions_of, open_library
from imgsearch.pairs import Unpaired


def indexed(tmp_path: Path, *roots: Path) -> Library:
    library = open_library(tmp_path / "library")
    outcomes = list(index(library, list(roots), encoder=ColourEncoder()))
    assert outcomes
    return library


def test_photos_with_text_beside_them_come_with_their_ids(photos: Path, tmp_path: Path) -> None:
    (photos / "red.txt").write_text("a red field\n一片红色\n", "utf-8")
    (photos / "blue.json").write_text(json.dumps({"zh": ["蓝色"]}), "utf-8")
    with indexed(tmp_path, photos) as library:
        ids, captioned = captions_of(library)
        paths = library.catalog.live_paths(ids)
    assert list(ids) == sorted(ids)
    found = dict(zip((paths[i].name for i in ids), captioned.captions, strict=True))
    assert found == {
        "red.png": {"en": ("a red field",), "zh": ("一片红色",)},
        "blue.png": {"zh": ("蓝色",)},
    }
    assert captioned.pictures == tuple(paths[i] for i in ids)
    assert captioned.unpaired == Unpaired(pictures=1)
    assert captioned.labels == ()


def test_a_photo_in_two_places_has_the_text_of_either(tmp_path: Path) -> None:
    first = draw(tmp_path / "a" / "1.png", "red")
    second = draw(tmp_path / "b" / "2.png", "red")
    (tmp_path / "b" / "2.txt").write_text("red", "utf-8")
    with indexed(tmp_path, first.parent, second.parent) as library:
        ids, captioned = captions_of(library)
    assert len(ids) == 1
    assert captioned.pictures == (second,)
    assert captioned.unpaired == Unpaired()


@pytest.mark.parametrize("content", [b"\xff\xfe\xfd", b"[", b"[1]", b"{}", b""])
def test_text_that_was_not_written_as_captions_is_counted(
    content: bytes, photos: Path, tmp_path: Path
) -> None:
    (photos / "red.json").write_bytes(content)
    with indexed(tmp_path, photos) as library:
        ids, captioned = captions_of(library)
    assert ids == () and len(captioned) == 0
    assert captioned.unpaired == Unpaired(pictures=3, texts=1)


def test_a_photo_that_is_gone_from_the_disk_leaves_its_text_alone(
    photos: Path, tmp_path: Path
) -> None:
    for colour in ("red", "green"):
        (photos / f"{colour}.txt").write_text(colour, "utf-8")
    with indexed(tmp_path, photos) as library:
        (photos / "red.png").unlink()
        ids, captioned = captions_of(library)
    assert len(ids) == 1
    assert captioned.captions == ({"en": ("green",)},)
    assert captioned.unpaired == Unpaired(pictures=2, texts=1)


def test_photos_whose_folder_is_gone_have_no_captions(photos: Path, tmp_path: Path) -> None:
    (photos / "red.txt").write_text("red", "utf-8")
    with indexed(tmp_path, photos) as library:
        photos.rename(tmp_path / "elsewhere")
        ids, captioned = captions_of(library)
    assert ids == ()
    assert captioned.unpaired == Unpaired(pictures=3)
