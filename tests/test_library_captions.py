"""The captions that lie beside a library's photos."""

import json
import shutil
import tarfile
from pathlib import Path

import pytest

from conftest import ColourEncoder, draw
from imgsearch.indexing import index
from imgsearch.library import Library, open_library
from imgsearch.library.captions import captions_among, captions_of
from imgsearch.pairs import CaptionedPhotos, Unpaired, read_pairs


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


def test_a_set_tells_of_files_by_their_path_and_of_other_pictures_by_their_bytes(
    tmp_path: Path, photos: Path
) -> None:
    shard = tmp_path / "shard.tar"
    white = draw(tmp_path / "white.png", "white")
    with tarfile.open(shard, "w") as tar:
        for picture, text in ((photos / "green.png", "a green one"), (white, "nobody's")):
            text_file = tmp_path / f"{picture.stem}.txt"
            text_file.write_text(text, "utf-8")
            for each in (picture, text_file):
                tar.add(each, each.name)
    copy = tmp_path / "copies" / "0.png"
    copy.parent.mkdir()
    shutil.copy(photos / "red.png", copy)
    (photos / "list.csv").write_text(
        "image,caption\nblue.png,a blue one\nred.png,one\nred.png,two\n", "utf-8"
    )
    (copy.parent / "list.csv").write_text("image,caption\n0.png,two\n0.png,three\n", "utf-8")
    with indexed(tmp_path, photos) as library:
        for given, expected, texts in (
            ([shard], {"green.png": ("a green one",)}, 1),
            (
                [photos / "list.csv", copy.parent / "list.csv"],
                {"blue.png": ("a blue one",), "red.png": ("one", "two", "three")},
                0,
            ),
        ):
            pairs = read_pairs(given)
            assert isinstance(pairs, CaptionedPhotos)
            ids, found = captions_among(library, pairs)
            names = [library.catalog.live_paths(ids)[i].name for i in ids]
            said = {name: each["en"] for name, each in zip(names, found.captions, strict=True)}
            assert said == expected and list(ids) == sorted(ids)
            assert len(found.pictures) == len(ids) and found.unpaired.texts == texts
