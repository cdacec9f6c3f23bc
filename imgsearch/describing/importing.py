"""People's captions come into a library: from beside and inside its photos, or from files of pairs.

Without paths, sidecars and the descriptions that programs write into photos become captions of
source `sidecar`, which follow the disk. With paths, any format of `read_pairs` becomes captions of
source `user`, which stay. Of a file that `export_captions` wrote, a person's captions come back and
those that were generated do not: no machine's sentence becomes a person's, and the captioner says
the same again.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from imgsearch.catalog import audit
from imgsearch.describing.exporting import FIELDS
from imgsearch.describing.sidecars import (
    Sentence,
    SidecarChanges,
    by_language,
    compare,
    sentences_of,
    take_in,
)
from imgsearch.errors import UsageError
from imgsearch.library import Library, photos_of, recorded
from imgsearch.pairs import CaptionedPhotos, Picture, Unpaired, read_pairs

PHOTOS_AT_ONCE = 1000
NAMED = 5  # of the pictures that the library has not got

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Imported:
    """What came of an import: sentences that are new, those that were there already, and those
    dropped since they are gone from the disk.

    `unread` texts say nothing, do not read or have no picture; `generated` were a captioner's, and
    left out; `unknown` pictures are not in the library, the first few of them named.
    """

    added: int = 0
    known: int = 0
    dropped: int = 0
    unread: int = 0
    generated: int = 0
    unknown: int = 0
    unknown_names: tuple[str, ...] = ()


def import_captions(
    library: Library, paths: Sequence[Path] = (), *, progress: Progress | None = None
) -> Imported:
    """Take in captions that people wrote: those with the photos, or those in files of pairs.

    Without paths: `.txt` and `.json` beside the photos, `.xmp` beside them, and what XMP, EXIF and
    IPTC inside them say. With paths: photos with sentences as `read_pairs` reads them, matched with
    the library's by path or else by content. A sentence that a photo has already is not added
    twice. `progress` hears how many photos of how many are through.

    Raises UsageError for paths that do not read as photos with sentences, LibraryLockedError.
    """
    progress = progress or _ignore
    if not paths:
        return _import_sidecars(library, progress)
    exports = [path for path in paths if is_export(path)]
    others = [path for path in paths if path not in exports]
    generated = 0
    sets = [_read_others(others)] if others else []
    for path in exports:
        pairs, left = read_export(path)
        sets.append(pairs)
        generated += left
    with library.lock(), recorded(library, "import captions") as counts:
        imported = _import_pairs(library, sets, progress)
        counts["added"] = imported.added
    return Imported(**{**vars(imported), "generated": generated})


def is_export(path: Path) -> bool:
    """Whether `export_captions` wrote this file: a table or JSON lines with just its columns."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            first = file.readline(1 << 20)
    except OSError:  # a folder, or nothing: `read_pairs` knows what to say
        return False
    if first.rstrip("\r\n") == ",".join(FIELDS):
        return True
    try:
        row = json.loads(first)
    except ValueError:
        return False
    return isinstance(row, dict) and tuple(row) == FIELDS


def read_export(path: Path) -> tuple[CaptionedPhotos, int]:
    """The photos and people's sentences of an export, and how many generated ones it has.

    Raises UsageError naming file and line for a row that is cut or changed out of shape.
    """
    text = path.read_text(encoding="utf-8", errors="surrogateescape")
    captions: dict[Path, dict[str, tuple[str, ...]]] = {}
    generated = 0
    for place, row in _rows(path, text):
        if not all(isinstance(row.get(name), str) for name in ("path", "language", "text")):
            raise UsageError(
                f"{path}, line {place} lacks one of path, language and text: expected the columns "
                f"{', '.join(FIELDS)}"
            )
        if row.get("source") == "generated":
            generated += 1
            continue
        of_photo = captions.setdefault(Path(row["path"]), {})
        of_photo[row["language"]] = (*of_photo.get(row["language"], ()), row["text"])
    return CaptionedPhotos(tuple(captions), tuple(captions.values())), generated


def _rows(path: Path, text: str) -> Iterator[tuple[int, Mapping[str, str]]]:
    if text.startswith(",".join(FIELDS)):
        reader = csv.DictReader(io.StringIO(text, newline=""))
        yield from ((reader.line_num, row) for row in reader)
        return
    for place, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                row = json.loads(line)
            except ValueError as error:
                raise UsageError(f"{path}, line {place} is no JSON ({error})") from error
            yield place, row if isinstance(row, dict) else {}


def _read_others(paths: Sequence[Path]) -> CaptionedPhotos:
    pairs = read_pairs(paths)
    if not isinstance(pairs, CaptionedPhotos):
        raise UsageError(
            f"{paths[0]} holds photos with classes; captions are imported from photos with "
            "sentences"
        )
    return pairs


def _import_sidecars(library: Library, progress: Progress) -> Imported:
    total = audit.counts(library.catalog).live_photos
    seen, done = SidecarChanges(), 0
    with library.lock(), recorded(library, "import captions") as counts:
        for changes in compare(library, looks_inside=True):
            take_in(library, changes)
            seen.count(changes)
            done += changes.photos
            progress(done, total)
        counts["added"], counts["dropped"] = seen.added, seen.dropped
    return Imported(seen.added, seen.known, seen.dropped, seen.unread)


def _import_pairs(
    library: Library, sets: Sequence[CaptionedPhotos], progress: Progress
) -> Imported:
    said: dict[int, list[Sentence]] = {}
    unknown: list[Picture] = []
    unpaired = Unpaired()
    for pairs in sets:
        ids = photos_of(library, pairs.pictures)
        unpaired += pairs.unpaired
        for place, captions in enumerate(pairs.captions):
            if place in ids:
                said.setdefault(ids[place], []).extend(sentences_of(captions))
            else:
                unknown.append(pairs.pictures[place])
    added = known = 0
    photo_ids = sorted(said)
    for start in range(0, len(photo_ids), PHOTOS_AT_ONCE):
        part = photo_ids[start : start + PHOTOS_AT_ONCE]
        new = {photo_id: dict.fromkeys(said[photo_id]) for photo_id in part}
        for photo_id, rows in library.catalog.captions(part).items():
            for row in rows:
                if row.source != "generated":
                    known += (row.language, row.text) in new[photo_id]
                    new[photo_id].pop((row.language, row.text), None)
        with library.catalog.write() as writer:
            for photo_id, sentences in new.items():
                for language, texts in by_language(list(sentences)).items():
                    added += writer.add_captions(photo_id, texts, language, "user")
        progress(start + len(part), len(photo_ids))
    names = tuple(map(_name, unknown[:NAMED]))
    return Imported(added, known, 0, unpaired.texts, 0, len(unknown), names)


def _name(picture: Picture) -> str:
    if isinstance(picture, Path):
        return str(picture)
    place = getattr(picture, "path", None)
    return "a picture" if place is None else f"a picture in {place}"


def _ignore(done: int, total: int) -> None:
    """Nobody listens."""
