"""COCO's captions file."""

import json
from pathlib import Path

import pytest

from conftest import draw
from imgsearch.errors import UsageError
from imgsearch.pairs import CaptionedPhotos, Unpaired, read_pairs


def captioned(*paths: Path) -> CaptionedPhotos:
    pairs = read_pairs(paths)
    assert isinstance(pairs, CaptionedPhotos)
    return pairs


def by_name(pairs: CaptionedPhotos) -> dict[str, dict[str, tuple[str, ...]]]:
    """Picture name -> captions."""
    names = [picture.name for picture in pairs.pictures if isinstance(picture, Path)]
    return dict(zip(names, map(dict, pairs.captions), strict=True))


def coco(path: Path, images: object, annotations: object, indent: int | None = None) -> Path:
    document = {"info": {}, "images": images, "annotations": annotations}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=indent), "utf-8")
    return path


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("place", ["annotations", "."])
def test_coco_captions_find_their_pictures_in_the_folder_next_door(
    indent: int | None, place: str, tmp_path: Path
) -> None:
    for number in (1, 2, 3):
        draw(tmp_path / "coco" / "val2017" / f"{number:012}.jpg", "red")
    draw(tmp_path / "coco" / "train2017" / "000000000009.jpg", "red")
    images = [{"id": n, "file_name": f"{n:012}.jpg", "height": 24} for n in (1, 2, 3, 4)]
    annotations = [
        {"id": 11, "image_id": 2, "caption": "A dog.\n"},
        {"id": 12, "image_id": 1, "caption": "A cat."},
        {"id": 13, "image_id": 2, "caption": "一只狗。"},
        {"id": 14, "image_id": 4, "caption": "Its picture is gone."},
        {"id": 15, "image_id": 99, "caption": "Of no image."},
    ]
    path = coco(tmp_path / "coco" / place / "captions_val2017.json", images, annotations, indent)
    pairs = captioned(path)
    assert by_name(pairs) == {
        "000000000002.jpg": {"en": ("A dog.",), "zh": ("一只狗。",)},
        "000000000001.jpg": {"en": ("A cat.",)},
    }
    assert pairs.unpaired == Unpaired(pictures=1, texts=2)
    assert captioned(tmp_path / "coco") == pairs, "the folder will do"


@pytest.mark.parametrize(
    ("images", "annotations", "message"),
    [
        ([{"id": 1, "file_name": "1.jpg"}], [{"image_id": 1, "bbox": []}], "annotation 1 has no"),
        ([{"id": 1}], [], "image 1 has no id and file_name"),
        ({}, [], "no list of images"),
        ([], None, "no list of annotations"),
    ],
)
def test_another_file_of_coco_is_refused_with_what_was_expected(
    images: object, annotations: object, message: str, tmp_path: Path
) -> None:
    path = coco(tmp_path / "x.json", images, annotations)
    with pytest.raises(UsageError, match=message + r".*captions_val2017\.json"):
        read_pairs([path])
