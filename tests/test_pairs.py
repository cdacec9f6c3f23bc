"""Reading photos with text from tars and folders."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import draw
from imgsearch.errors import UsageError
from imgsearch.pairs import CaptionedPhotos, LabelledPhotos, Unpaired, content, read_pairs


def tar_of(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def test_a_webdataset_tar_gives_photos_with_sentences_per_language(tmp_path: Path) -> None:
    picture = draw(tmp_path / "a.jpg", "red").read_bytes()
    sentences = {"en": ["a red field", "all red"], "zh": ["一片红色"], "id": 7, "empty": []}
    tar = tar_of(
        tmp_path / "val.tar",
        {"1.jpg": picture, "1.json": json.dumps(sentences).encode(), "2.jpg": picture},
    )
    pairs = read_pairs([tar])
    assert isinstance(pairs, CaptionedPhotos)
    assert [content(each) for each in pairs.pictures] == [picture], "one has no text"
    assert pairs.unpaired == Unpaired(pictures=1)
    assert pairs.captions == ({"en": ("a red field", "all red"), "zh": ("一片红色",)},)
    assert pairs.languages == ("en", "zh")


def test_a_folder_with_text_beside_photos_reads_like_a_tar(tmp_path: Path) -> None:
    picture = draw(tmp_path / "deep" / "1.png", "red")
    (tmp_path / "deep" / "1.txt").write_text("a red field\n\n all red \n", "utf-8")
    pairs = read_pairs([tmp_path])
    assert isinstance(pairs, CaptionedPhotos)
    assert pairs.pictures == (picture,)
    assert pairs.captions == ({"en": ("a red field", "all red")},)


def test_class_folders_take_their_names_from_the_table_beside_them(tmp_path: Path) -> None:
    picture = draw(tmp_path / "a.jpg", "red").read_bytes()
    table = {
        "n01": {"en": ["goldfish", "Carassius"], "zh": ["金鱼"]},
        "n02": {"en": ["ray"], "zh": ["鳐鱼"]},
    }
    (tmp_path / "classes.json").write_text(json.dumps(table), "utf-8")
    tar = tar_of(
        tmp_path / "val.tar", {"n01/x.jpg": picture, "n02/y.jpg": picture, "n01/z.jpg": picture}
    )
    pairs = read_pairs([tar])
    assert isinstance(pairs, LabelledPhotos)
    assert pairs.labels == ("n01", "n02", "n01")
    assert pairs.names["n01"] == {"en": ("goldfish", "Carassius"), "zh": ("金鱼",)}
    assert pairs.languages == ("en", "zh")


def test_class_folders_without_a_table_are_named_after_themselves(tmp_path: Path) -> None:
    draw(tmp_path / "hot_dog" / "1.jpg", "red")
    pairs = read_pairs([tmp_path])
    assert isinstance(pairs, LabelledPhotos)
    assert pairs.names == {"hot_dog": {"en": ("hot dog",)}}


@pytest.mark.parametrize("inside", ["images", "images/full"])
@pytest.mark.parametrize("shape", ["folder", "tar", "tar a class"])
def test_a_folder_that_every_class_has_names_none(inside: str, shape: str, tmp_path: Path) -> None:
    train = tmp_path / "train"
    members = {}
    for label in ("n01", "n02"):
        name = f"{label}/{inside}/{label}_0.JPEG"
        members[name] = draw(train / name, "red").read_bytes()
        (train / label / "boxes.txt").write_text("x.JPEG\t0\t0\t62\t62\n")
    (train / "labels.csv").write_text("image,label\nn01_0.JPEG,cat\n")
    given = {
        "folder": [train],
        "tar": [tar_of(tmp_path / "x.tar", members)],
        "tar a class": [
            tar_of(tmp_path / f"{name.partition('/')[0]}.tar", {name: content})
            for name, content in members.items()
        ],
    }
    pairs = read_pairs(given[shape])
    assert isinstance(pairs, LabelledPhotos)
    assert pairs.labels == ("n01", "n02")


@pytest.mark.parametrize(
    "names", [["set/dog/1.jpg", "set/dog/2.jpg"], ["dog/1.jpg", "x/dog/2.jpg"]]
)
def test_photos_of_one_class_keep_its_name(names: list[str], tmp_path: Path) -> None:
    for name in names:
        draw(tmp_path / "photos" / name, "red")
    pairs = read_pairs([tmp_path / "photos"])
    assert isinstance(pairs, LabelledPhotos)
    assert pairs.labels == ("dog", "dog")


def test_a_path_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.tar does not exist"):
        read_pairs([tmp_path / "nowhere.tar"])


def test_photos_without_any_text_are_refused_with_what_was_expected(tmp_path: Path) -> None:
    draw(tmp_path / "1.jpg", "red")
    with pytest.raises(UsageError, match="no photo with text"):
        read_pairs([tmp_path])


def test_a_file_that_is_no_tar_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(b"not a tar" * 100)
    with pytest.raises(UsageError, match="no tar"):
        read_pairs([path])


def test_a_broken_sidecar_is_named(tmp_path: Path) -> None:
    draw(tmp_path / "1.jpg", "red")
    (tmp_path / "1.json").write_text("{", "utf-8")
    with pytest.raises(UsageError, match=r"1\.json is no JSON"):
        read_pairs([tmp_path])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("1.json", b'["a dog"]', r"1\.json holds no object: expected \{language: \[sentences\]\}"),
        ("1.json", "{é}".encode("latin-1"), r"1\.json is no JSON"),
        ("1.json", b"[" * 100_000, r"1\.json is no JSON"),
        ("1.txt", "café".encode("latin-1"), r"1\.txt is no UTF-8 text .*; save it as UTF-8"),
        ("1.json", b'{"en": "a dog", "id": 7}', "no sentence beside any photo"),
        ("1.txt", b" \n", "no sentence beside any photo"),
    ],
)
def test_a_sidecar_of_another_shape_is_named(
    name: str, content: bytes, message: str, tmp_path: Path
) -> None:
    draw(tmp_path / "1.jpg", "red")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=message):
        read_pairs([tmp_path])


@pytest.mark.parametrize(
    "table",
    [
        "{",
        "[]",
        '{"dog": "dog"}',
        '{"dog": {"en": "dog"}}',
        '{"dog": {"en": []}}',
        '{"dog": {"en": [7]}}',
        '{"dog": {"en": [""]}}',
        '{"dog": {}}',
    ],
)
def test_a_table_of_names_of_another_shape_is_refused(table: str, tmp_path: Path) -> None:
    draw(tmp_path / "dog" / "1.jpg", "red")
    (tmp_path / "classes.json").write_text(table, "utf-8")
    with pytest.raises(UsageError, match=r'classes\.json .*: expected \{label: \{"en": \[names\]'):
        read_pairs([tmp_path])


@pytest.mark.parametrize("ending", ["tar", "tar.gz", "tar.bz2", "tar.xz"])
def test_a_tar_that_was_cut_off_is_refused(ending: str, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, 200_000, np.uint8).tobytes()
    path = tmp_path / f"x.{ending}"
    mode: Any = f"w:{ending.removeprefix('tar').removeprefix('.')}"
    with tarfile.open(path, mode) as tar:
        info = tarfile.TarInfo("1.jpg")
        info.size = len(noise)
        tar.addfile(info, io.BytesIO(noise))
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(UsageError, match=rf"x\.{ending} is no tar that can be read"):
        read_pairs([path])
