"""Rows of a table: a picture's name, a sentence about it, its language, its label.

Every kind of table becomes rows; rows of all tables of a set become photos here. Rows that name the
same picture are one photo, also across tables: English captions in one file and Chinese ones in
another describe the same photos.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from imgsearch.errors import UsageError
from imgsearch.pairs.photos import Described, Found, Unpaired
from imgsearch.pairs.places import Places
from imgsearch.prompts import language_of


class Row(NamedTuple):
    """One line of a table.

    `caption` is None where the line only names a picture or its label; `place` is the number of the
    line or item.
    """

    name: str
    caption: str | None
    place: int
    language: str | None = None
    label: str | None = None


@dataclass
class Gathered:
    """What the rows so far say of one picture."""

    captions: dict[str, list[str]] = field(default_factory=dict)
    label: str | None = None


def photos_of(tables: Sequence[tuple[Path, Sequence[Row]]], places: Places) -> Found:
    """The photos that rows describe; pictures are looked for by `places`.

    Captions that are empty or whose picture is nowhere, and pictures in the same folders that no
    row describes, are counted. Raises UsageError for a picture with two labels.
    """
    gathered: dict[Path, Gathered] = {}
    found: set[Path] = set()
    texts = 0
    for table, rows in tables:
        located = places.locate(table.parent, {row.name for row in rows})
        found.update(located.values())
        for row in rows:
            is_text = row.caption is not None
            if row.name not in located:
                texts += is_text
                continue
            photo = gathered.setdefault(located[row.name], Gathered())
            texts += is_text and not _add(photo, row)
            _label(photo, row, table)
    photos = tuple(
        Described(path, {key: tuple(each) for key, each in one.captions.items()}, one.label)
        for path, one in gathered.items()
        if one.captions or one.label
    )
    pictures = len(gathered) - len(photos) + places.unlisted(found)
    source = ", ".join(str(table) for table, _ in tables)
    return Found(source, photos, Unpaired(pictures, texts))


def _add(photo: Gathered, row: Row) -> bool:
    """Keep a row's sentence, if it says anything."""
    sentence = " ".join((row.caption or "").splitlines()).strip()
    if sentence:
        language = row.language or language_of(sentence)
        photo.captions.setdefault(language, []).append(sentence)
    return bool(sentence)


def _label(photo: Gathered, row: Row, table: Path) -> None:
    if row.label and photo.label and row.label != photo.label:
        raise UsageError(
            f"{table}, line {row.place}: {row.name} is {row.label!r} here and {photo.label!r} "
            "before; a photo has one label"
        )
    photo.label = row.label or photo.label
