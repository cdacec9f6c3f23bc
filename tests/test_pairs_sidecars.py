"""Pictures with text beside them, in folders and in tars, img2dataset's among them."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from conftest import draw
from imgsearch.errors import PictureError, UsageError
from imgsearch.pairs import (
    CaptionedPhotos,
    LabelledPhotos,
    Stored,
    Unpaired,
    content,
    read_pairs,
)


def tar_of(path: Path, members: dict[str, bytes]) -> Path:
    mode: Any = f"w:{path.suffix.removeprefix('.').replace('tar', '').replace('tgz', 'gz')}"
    with tarfile.open(path, mode) as tar:
        for name, text in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text))
    return path


def captioned(*paths: Path) -> CaptionedPhotos:
    pairs = read_pairs(paths)
    assert isinstance(pairs, CaptionedPhotos)
    return pairs


def metadata(caption: str | None, **more: object) -> bytes:
    """What img2dataset writes beside a picture."""
    return json.dumps(
        {
            "caption": caption,
            "url": "https://example.org/1.jpg",
            "key": "000000001",
            "status": "success",
            "error_message": None,
            "width": 256,
            "height": 256,
            "exif": "{}",
            "sha256": "0" * 64,
            **more,
        }
    ).encode()


@pytest.fixture
def picture(tmp_path: Path) -> bytes:
    return draw(tmp_path / "drawn" / "a.jpg", "red").read_bytes()


@pytest.mark.parametrize("ending", ["tar", "tar.gz", "tgz", "tar.bz2", "tar.xz"])
def test_pictures_stay_in_a_tar_unless_it_is_compressed(
    ending: str, picture: bytes, tmp_path: Path
) -> None:
    names = ("1.jpg", "deep/2.jpg", "deep/" + "x" * 200 + "猫.jpg")
    members = {name: picture + name.encode() for name in names}
    members |= {f"{name[:-4]}.txt": f"caption of {len(name)}".encode() for name in names}
    pairs = captioned(tar_of(tmp_path / f"x.{ending}", members))
    assert [content(each) for each in pairs.pictures] == [members[name] for name in names]
    assert [each["en"] for each in pairs.captions] == [(f"caption of {len(n)}",) for n in names]
    kind = Stored if ending == "tar" else bytes
    assert all(isinstance(each, kind) for each in pairs.pictures)


def test_stored_pictures_are_equal_where_their_places_are(picture: bytes, tmp_path: Path) -> None:
    tar = tar_of(
        tmp_path / "x.tar", {"1.jpg": picture, "1.txt": b"a", "2.jpg": picture, "2.txt": b"b"}
    )
    once, again = captioned(tar).pictures, captioned(tar).pictures
    assert once == again
    assert len({*once, *again}) == 2
    tar.write_bytes(tar.read_bytes()[:700])
    with pytest.raises(PictureError, match=r"x\.tar became shorter since it was read"):
        content(once[1])


def test_a_tar_by_any_name_is_a_tar(picture: bytes, tmp_path: Path) -> None:
    path = tar_of(tmp_path / "x.tar", {"1.jpg": picture, "1.txt": b"a"}).rename(tmp_path / "shard")
    assert captioned(path).captions == ({"en": ("a",)},)


def test_img2datasets_metadata_is_one_caption(picture: bytes, tmp_path: Path) -> None:
    tar = tar_of(
        tmp_path / "00000.tar",
        {
            "000000001.jpg": picture,
            "000000001.txt": b"A dog, 50% off",
            "000000001.json": metadata("A dog, 50% off", tags=["dog", "sale"], license=["MIT"]),
            "000000002.jpg": picture,
            "000000002.txt": b"",
            "000000002.json": metadata(None),
            "000000003.jpg": picture,
            "000000003.txt": "只有文字".encode(),
            "000000003.json": metadata(None),
            "000000004.txt": b"its picture failed",
            "000000004.json": metadata("its picture failed", status="failed_to_download"),
        },
    )
    pairs = captioned(tar)
    assert pairs.captions == ({"en": ("A dog, 50% off",)}, {"zh": ("只有文字",)})
    assert pairs.unpaired == Unpaired(pictures=1, texts=2)


def test_a_folder_of_tars_is_one_set_and_equal_names_are_different_photos(
    picture: bytes, tmp_path: Path
) -> None:
    folder = tmp_path / "laion"
    folder.mkdir()
    for shard in ("00000", "00001"):
        text = f"caption in {shard}".encode()
        tar_of(folder / f"{shard}.tar", {"1.jpg": picture, "1.txt": text})
        (folder / f"{shard}_stats.json").write_text('{"count": 1}', "utf-8")
    expected = ({"en": ("caption in 00000",)}, {"en": ("caption in 00001",)})
    assert captioned(folder).captions == expected
    assert captioned(*sorted(folder.glob("*.tar"))).captions == expected


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_a_line_of_text_is_in_the_language_it_is_written_in(ends: str, tmp_path: Path) -> None:
    draw(tmp_path / "沙滩.jpg", "red")
    lines = ["A beach.", "", " 沙滩上的狗 ", "sand, sea"]
    (tmp_path / "沙滩.txt").write_bytes(b"\xef\xbb\xbf" + ends.join(lines).encode())
    pairs = captioned(tmp_path)
    assert pairs.captions == ({"en": ("A beach.", "sand, sea"), "zh": ("沙滩上的狗",)},)


@pytest.mark.parametrize(
    ("document", "captions"),
    [
        ({"caption": "a dog"}, {"en": ("a dog",)}),
        ({"captions": ["a dog", "一只狗"]}, {"en": ("a dog",), "zh": ("一只狗",)}),
        ({"en": ["a dog"], "caption": "what?"}, {"en": ("a dog",)}),
        ({"zh": ["狗"], "zh_translated": ["犬"]}, {"zh": ("狗",), "zh_translated": ("犬",)}),
        ({"fr": ["un chien"]}, {"fr": ("un chien",)}),
        ({"text": " ", "tags": ["a"]}, {"tags": ("a",)}),
    ],
)
def test_a_json_beside_a_picture_says_a_caption_or_lists_them(
    document: object, captions: object, tmp_path: Path
) -> None:
    draw(tmp_path / "1.jpg", "red")
    (tmp_path / "1.json").write_text(json.dumps(document), "utf-8")
    assert captioned(tmp_path).captions == (captions,)


def test_lists_of_other_things_give_way_to_the_text(tmp_path: Path) -> None:
    draw(tmp_path / "1.jpg", "red")
    (tmp_path / "1.json").write_text('{"tags": ["dog", "beach"], "label": "dog"}', "utf-8")
    (tmp_path / "1.txt").write_text("a dog on a beach", "utf-8")
    pairs = captioned(tmp_path)
    assert pairs.captions == ({"en": ("a dog on a beach",)},)
    assert pairs.labels == ("dog",)


def test_halves_are_counted_and_left_out(tmp_path: Path) -> None:
    for name in ("both.jpg", "silent.jpg", "bare.png"):
        draw(tmp_path / "set" / name, "red")
    for name, text in (("both", "a dog"), ("silent", "\n"), ("lonely", "x"), ("alone", "y")):
        (tmp_path / "set" / f"{name}.txt").write_text(text, "utf-8")
    (tmp_path / "set" / "classes.json").write_text("{}", "utf-8")
    pairs = captioned(tmp_path / "set")
    assert pairs.pictures == (tmp_path / "set" / "both.jpg",)
    assert pairs.unpaired == Unpaired(pictures=2, texts=3)


def test_where_nothing_is_left_both_counts_are_said(tmp_path: Path) -> None:
    draw(tmp_path / "1.jpg", "red")
    for name in ("2", "3"):
        (tmp_path / f"{name}.txt").write_text("x", "utf-8")
    with pytest.raises(
        UsageError, match=r"no photo with text .*\(1 pictures without text, 2 texts without picture"
    ):
        read_pairs([tmp_path])


def test_captions_may_lie_in_a_folder_of_their_own(tmp_path: Path) -> None:
    for name in ("1", "2"):
        draw(tmp_path / "photos" / f"{name}.jpg", "red")
    (tmp_path / "texts").mkdir()
    for name in ("1", "3"):
        (tmp_path / "texts" / f"{name}.txt").write_text(f"caption {name}", "utf-8")
    pairs = captioned(tmp_path / "photos", tmp_path / "texts")
    assert pairs.pictures == (tmp_path / "photos" / "1.jpg",)
    assert pairs.captions == ({"en": ("caption 1",)},)
    assert pairs.unpaired == Unpaired(pictures=1, texts=1)


def test_a_shard_neither_gives_a_text_of_its_own_nor_takes_one_of_anothers(
    picture: bytes, tmp_path: Path
) -> None:
    shards = {
        "a": {"1.jpg": picture, "2.jpg": picture, "2.txt": b"two of a", "4.txt": b"four of a"},
        "b": {"1.txt": b"one of b", "2.jpg": picture, "2.txt": b"two of b", "4.txt": b"four of b"},
        "c": {"3.jpg": picture},
        "d": {"1.txt": b"one of d", "3.txt": b"three of d"},
    }
    tars = [tar_of(tmp_path / f"{name}.tar", members) for name, members in shards.items()]
    pairs = captioned(*tars)
    said = [text for each in pairs.captions for text in each["en"]]
    assert said == ["two of a", "two of b", "three of d"]
    assert pairs.unpaired == Unpaired(pictures=1, texts=4)


def test_a_readme_beside_photos_does_not_keep_their_captions_next_door_from_them(
    tmp_path: Path,
) -> None:
    draw(tmp_path / "photos" / "1.jpg", "red")
    (tmp_path / "photos" / "README.txt").write_text("free to use", "utf-8")
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "1.txt").write_text("a dog", "utf-8")
    pairs = captioned(tmp_path / "photos", tmp_path / "texts")
    assert pairs.captions == ({"en": ("a dog",)},)
    assert pairs.unpaired == Unpaired(texts=1)


def test_webdatasets_classes_are_labels(picture: bytes, tmp_path: Path) -> None:
    members = {"1.jpg": picture, "1.cls": b"3", "2.jpg": picture, "2.cls": b"7\n"}
    pairs = read_pairs([tar_of(tmp_path / "x.tar", members)])
    assert isinstance(pairs, LabelledPhotos)
    assert pairs.labels == ("3", "7")
    assert [content(each) for each in pairs.pictures] == [picture, picture]


def test_chinese_class_folders_have_chinese_names(tmp_path: Path) -> None:
    for label in ("金鱼", "热狗"):
        draw(tmp_path / "set" / label / "1.jpg", "red")
    draw(tmp_path / "set" / "0.jpg", "red")
    (tmp_path / "set" / "LICENSE.txt").write_text("free", "utf-8")
    pairs = read_pairs([tmp_path / "set"])
    assert isinstance(pairs, LabelledPhotos)
    assert pairs.languages == ("zh",)
    assert pairs.names["金鱼"] == {"zh": ("金鱼",)}
    assert pairs.unpaired == Unpaired(pictures=1)
