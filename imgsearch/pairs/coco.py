"""COCO's captions file: a list of images, a list of annotations that point into it.

A file goes in, rows come out; an image without annotation is a row without caption, an annotation
whose image is not in the list one whose picture is nowhere.
"""

from pathlib import Path

from imgsearch.errors import UsageError
from imgsearch.pairs.places import normal
from imgsearch.pairs.rows import Row
from imgsearch.pairs.texts import json_object, text_of

COCO_SHAPE = (
    '{"images": [{"id", "file_name"}], "annotations": [{"image_id", "caption"}]}, '
    "as in captions_val2017.json"
)


def coco_rows(path: Path) -> list[Row]:
    """The rows of a COCO captions file. Raises UsageError, naming the item, for another shape."""
    document = json_object(text_of(path), str(path), COCO_SHAPE)
    names: dict[object, str] = {}
    described = set()
    rows = []
    for place, image in enumerate(_items(document, "images", path), 1):
        name, key = image.get("file_name"), image.get("id")
        if not isinstance(name, str) or not isinstance(key, str | int):
            raise UsageError(
                f"{path}, image {place} has no id and file_name: expected {COCO_SHAPE}"
            )
        names[key] = normal(name)
    for place, annotation in enumerate(_items(document, "annotations", path), 1):
        key, caption = annotation.get("image_id"), annotation.get("caption")
        if not isinstance(key, str | int) or not isinstance(caption, str):
            raise UsageError(
                f"{path}, annotation {place} has no image_id and caption: expected {COCO_SHAPE}"
            )
        described.add(key)
        rows.append(Row(names.get(key, ""), caption, place))
    return rows + [Row(name, None, 0) for key, name in names.items() if key not in described]


def _items(document: dict[str, object], key: str, path: Path) -> list[dict[str, object]]:
    items = document.get(key)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise UsageError(f"{path} has no list of {key}: expected {COCO_SHAPE}")
    return items
