"""Captions written down: a table, JSON lines, or a `.txt` beside each photo that has no text.

A library goes in, a file or many come out. Columns are named as `read_pairs` reads them, so an
export is also a set of pairs; `import_captions` knows one by its columns, and takes back into the
library exactly what a person wrote of it. A `.txt` cannot say who wrote it, and whoever reads one
(this library on its next run, another one, training) takes it for a person's: so it gets people's
captions alone. Captions of photos without a live file are not exported.
"""

import contextlib
import csv
import io
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal, NamedTuple, TextIO

from imgsearch.catalog import CaptionRow, Ids, facts
from imgsearch.describing.choosing import selected
from imgsearch.errors import UsageError
from imgsearch.images import ENDINGS
from imgsearch.library import Library
from imgsearch.library.replacement import replacing

FIELDS = (
    *("path", "id", "sha256", "language", "text", "source"),
    *("captioner", "log_probability", "made_at"),
)
SIDECARS = "sidecars"
TEXT_BESIDE = (".txt", ".json")
PHOTOS_AT_ONCE = 1000

Value = str | int | float | None


@dataclass(frozen=True)
class Exported:
    """How many captions of how many photos were written.

    `kept` photos had text beside them already, `shared` have a name that differs from another
    photo's by its ending alone, so that one text would be about both; `absent` ones are not on the
    disk now; `generated` ones have no caption of a person's, and so get no text beside them.
    """

    captions: int
    photos: int
    kept: int = 0
    shared: int = 0
    absent: int = 0
    generated: int = 0


def export_captions(
    library: Library,
    target: Path | Literal["sidecars"],
    *,
    languages: Sequence[str] | None = None,
    only: Ids | None = None,
) -> Exported:
    """Write the captions of all photos, or of `only` these, in all languages or in these.

    A target ending in `.csv` or `.jsonl` gets one row a caption, and is replaced where it is there;
    "sidecars" writes people's captions to a `.txt` beside each photo that has no `.txt` or `.json`,
    a caption a line. Empty captions are left out. Raises UsageError for another ending, for a
    language that no caption has, and for what cannot be written.
    """
    photo_ids = selected(library, only)
    _check_languages(library, photo_ids, languages)
    every = _captions(library, photo_ids, languages)
    if target == SIDECARS:
        return _write_sidecars(every)
    target = Path(target)
    write = WRITERS.get(target.suffix.lower())
    if write is None:
        raise UsageError(
            f"captions are exported to OUT.csv, OUT.jsonl or `sidecars`, not to {str(target)!r}"
        )
    try:
        with replacing(target) as stream:
            text = io.TextIOWrapper(stream, "utf-8", errors="surrogateescape", newline="")
            written = write(text, every)
            text.detach()  # all is written; the stream is closed by who opened it
            return written
    except OSError as error:
        raise UsageError(
            f"captions cannot be written to {str(target)!r}: {error.strerror}; give a file in a "
            "folder that exists"
        ) from error


def _check_languages(library: Library, photo_ids: Ids, languages: Sequence[str] | None) -> None:
    for language in languages or ():
        if not library.catalog.has_captions(language):
            rows = library.catalog.captions(photo_ids).values()
            there = sorted({row.language for of_photo in rows for row in of_photo})
            raise UsageError(
                f"no caption is in {language!r}; there are captions in "
                f"{', '.join(there) or 'no language yet'}"
            )


class _Captioned(NamedTuple):
    """A photo's first live file, its content hash and what there is to write of it."""

    path: Path
    content_hash: str
    rows: list[CaptionRow]


def _captions(
    library: Library, photo_ids: Ids, languages: Sequence[str] | None
) -> Iterator[_Captioned]:
    """Photos with captions by ascending id."""
    for start in range(0, len(photo_ids), PHOTOS_AT_ONCE):
        part = photo_ids[start : start + PHOTOS_AT_ONCE]
        captions = library.catalog.captions(part)
        paths = library.catalog.live_paths(list(captions))
        hashes = facts.content_hashes(library.catalog, list(captions))
        for photo_id in sorted(paths):
            rows = [
                row
                for row in captions[photo_id]
                if row.text and (languages is None or row.language in languages)
            ]
            if rows:
                yield _Captioned(paths[photo_id], hashes[photo_id], rows)


def _values(photo: _Captioned, row: CaptionRow) -> dict[str, Value]:
    return {
        "path": str(photo.path),
        "id": row.photo_id,
        "sha256": photo.content_hash,
        "language": row.language,
        "text": row.text,
        "source": row.source,
        "captioner": row.captioner,
        "log_probability": row.log_probability,
        "made_at": row.made_at.isoformat(),
    }


def _write_table(stream: TextIO, every: Iterator[_Captioned]) -> Exported:
    writer = csv.DictWriter(stream, FIELDS, lineterminator="\n")
    writer.writeheader()
    counts = Counter[str]()
    for photo in every:
        writer.writerows(_values(photo, row) for row in photo.rows)
        counts.update(captions=len(photo.rows), photos=1)
    return Exported(counts["captions"], counts["photos"])


def _write_json_lines(stream: TextIO, every: Iterator[_Captioned]) -> Exported:
    counts = Counter[str]()
    for photo in every:
        is_text = str(photo.path).isprintable()  # else a byte of it may be none: JSON escapes it
        for row in photo.rows:
            stream.write(json.dumps(_values(photo, row), ensure_ascii=not is_text) + "\n")
        counts.update(captions=len(photo.rows), photos=1)
    return Exported(counts["captions"], counts["photos"])


WRITERS: dict[str, Callable[[TextIO, Iterator[_Captioned]], Exported]] = {
    ".csv": _write_table,
    ".jsonl": _write_json_lines,
}


@dataclass
class _Folder:
    """What lies in a folder: files, how many pictures have each name without its ending, and which
    of these names have text."""

    names: set[str] = field(default_factory=set)
    pictures: Counter[str] = field(default_factory=Counter)
    texts: set[str] = field(default_factory=set)

    @classmethod
    def listed(cls, path: Path) -> "_Folder":
        folder = cls()
        with contextlib.suppress(OSError):  # not mounted: nothing lies there today
            folder.names.update(os.listdir(path))
        for name in folder.names:
            stem, ending = os.path.splitext(name)
            folder.pictures[stem] += ending.lower() in ENDINGS
            if ending.lower() in TEXT_BESIDE:
                folder.texts.add(stem)
        return folder


def _write_sidecars(every: Iterator[_Captioned]) -> Exported:
    counts = Counter[str]()
    folders: dict[Path, _Folder] = {}
    for path, _, rows in every:
        texts = dict.fromkeys(row.text for row in rows if row.source != "generated")
        if path.parent not in folders:
            folders[path.parent] = _Folder.listed(path.parent)
        folder = folders[path.parent]
        if path.name not in folder.names:
            counts["absent"] += 1
        elif path.stem in folder.texts:
            counts["kept"] += 1
        elif folder.pictures[path.stem] > 1:
            counts["shared"] += 1
        elif not texts:
            counts["generated"] += 1
        else:
            _write_new(path.with_suffix(".txt"), "".join(f"{text}\n" for text in texts))
            counts.update(captions=len(texts), photos=1)
    return Exported(**{each.name: counts[each.name] for each in fields(Exported)})


def _write_new(path: Path, text: str) -> None:
    try:
        with open(path, "x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}; what was written before it is kept, and "
            "the same command goes on"
        ) from error
