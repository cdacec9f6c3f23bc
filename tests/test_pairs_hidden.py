"""What systems leave beside photos (macOS's `._1.jpg` and `__MACOSX`, hidden files) is no photo."""

import base64
import io
import json
import tarfile
from pathlib import Path

import pytest

from conftest import draw
from imgsearch.pairs import CaptionedPhotos, LabelledPhotos, Unpaired, read_pairs

APPLE_DOUBLE = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        \xff\xfe"
LITTER = ("._{}", "__MACOSX/._{}", ".thumbnails/{}", "deep/.cache/deeper/{}")


def litter(folder: Path, name: str) -> None:
    """A file that is none of the set under every name systems give such files."""
    for place in LITTER:
        path = folder / place.format(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(APPLE_DOUBLE)


def tar_of(path: Path, folder: Path, prefix: str = "") -> Path:
    with tarfile.open(path, "w") as tar:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                entry = tarfile.TarInfo(prefix + file.relative_to(folder).as_posix())
                entry.size = file.stat().st_size
                tar.addfile(entry, io.BytesIO(file.read_bytes()))
    return path


@pytest.mark.parametrize("given", ["folder", "tar", "tar of ./"])
def test_text_beside_photos_is_read_without_them(given: str, tmp_path: Path) -> None:
    folder = tmp_path / ".set" / "photos"  # what is above the folder given is the person's matter
    draw(folder / "1.jpg", "red")
    (folder / "1.txt").write_text("a dog", "utf-8")
    for name in ("1.jpg", "1.txt", "2.json"):
        litter(folder, name)
    if given != "folder":
        folder = tar_of(tmp_path / "x.tar", folder, "./" if given == "tar of ./" else "")
    pairs = read_pairs([folder])
    assert isinstance(pairs, CaptionedPhotos)
    assert pairs.captions == ({"en": ("a dog",)},)
    assert pairs.unpaired == Unpaired()


def test_class_folders_are_read_without_them(tmp_path: Path) -> None:
    for label in ("cat", "dog"):
        draw(tmp_path / label / "1.jpg", "red")
        litter(tmp_path / label, "1.jpg")
    pairs = read_pairs([tmp_path])
    assert isinstance(pairs, LabelledPhotos)
    assert pairs.labels == ("cat", "dog")
    assert pairs.unpaired == Unpaired()


def test_a_folder_of_tars_is_read_without_them(tmp_path: Path) -> None:
    draw(tmp_path / "set" / "1.jpg", "red")
    (tmp_path / "set" / "1.txt").write_text("a dog", "utf-8")
    (tmp_path / "tars").mkdir()
    tar_of(tmp_path / "tars" / "0.tar", tmp_path / "set")
    litter(tmp_path / "tars", "0.tar")
    assert len(read_pairs([tmp_path / "tars"])) == 1


def test_a_table_and_its_photos_are_read_without_them(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    draw(folder / "images" / "1.jpg", "red")
    (folder / "captions.csv").write_text("image,caption\n1.jpg,a dog\n", "utf-8")
    (folder / ".captions.csv").write_text("image,caption\n1.jpg,a draft\n", "utf-8")
    litter(folder, "captions.csv")
    litter(folder / "images", "1.jpg")
    draw(folder / "__MACOSX" / "1.jpg", "green")
    draw(folder / "images" / ".2.jpg", "green")
    pairs = read_pairs([folder])
    assert isinstance(pairs, CaptionedPhotos)
    assert pairs.pictures == (folder / "images" / "1.jpg",)
    assert pairs.captions == ({"en": ("a dog",)},)
    assert pairs.unpaired == Unpaired()


def test_a_folder_with_a_split_is_read_without_them(tmp_path: Path) -> None:
    content = draw(tmp_path / "drawn" / "1.jpg", "red").read_bytes()
    folder = tmp_path / "muge"
    folder.mkdir()
    (folder / "valid_imgs.tsv").write_text(f"1\t{base64.b64encode(content).decode()}\n")
    (folder / "valid_texts.jsonl").write_text(
        json.dumps({"text_id": 1, "text": "红", "image_ids": [1]})
    )
    for name in ("valid_imgs.tsv", "valid_texts.jsonl"):
        litter(folder, name)
    assert len(read_pairs([folder])) == 1
