"""People's captions come into a library: from beside and inside its photos, or from files of pairs.

Without paths, sidecars and the descriptions that programs write into photos become captions of
source `sidecar`, which follow the disk. With paths, any format of `read_pairs` becomes captions of
source `user`, which stay. Of a file that `export_captions` wrote, a person's captions come back and
those that were generated do not: no machine's sentence becomes a person's.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from imgsearch.catalog import audit
from imgsearch.describing.exports import ReadExport, read_export
from imgsearch.describing.sidecars import SidecarChanges, compare, take_in
from imgsearch.errors import UsageError
from imgsearch.library import Library, recorded
from imgsearch.library.captions import photos_of
from imgsearch.library.sentences import Sentence, by_language, sentences_of
from imgsearch.pairs import CaptionedPhotos, Picture, read_pairs

PHOTOS_AT_ONCE = 1000
NAMED = 5  # of the pictures that the library has not got, and of texts that do not read

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Imported:
    """What came of an import: sentences that are new, those that were there already, and those
    dropped since they are gone from the disk.

    `unread` texts say nothing, do not read or have no picture; `generated` were a captioner's, and
    left out; `unknown` pictures are not in the library. The first few of those, and of the texts
    beside photos that do not read, are named.
    """

    added: int = 0
    known: int = 0
    dropped: int = 0
    unread: int = 0
    generated: int = 0
    unknown: int = 0
    unknown_names: tuple[str, ...] = ()
    unread_names: tuple[str, ...] = ()


def import_captions(
    library: Library, paths: Sequence[Path] = (), *, progress: Progress | None = None
) -> Imported:
    """Take in captions that people wrote: those with the photos, or those in files of pairs.

    Without paths: `.txt` and `.json` beside the photos, `.xmp` beside them, and what XMP, EXIF and
    IPTC inside them say. With paths: photos with sentences as `read_pairs` reads them, matched with
    the library's by path or else by content. A sentence that a photo has already is not added
    twice; one that a sidecar says is a person's own from then on, and stays when the sidecar goes.
    `progress` hears how many photos of how many are through.

    Raises UsageError for paths that do not read as photos with sentences, LibraryLockedError.
    """
    progress = progress or _ignore
    if not paths:
        return _import_sidecars(library, progress)
    exports = {path: found for path in paths if (found := read_export(path)) is not None}
    others = [path for path in paths if path not in exports]
    given = _Given()
    if others:
        given.take_pairs(library, _read_others(others))
    for export in exports.values():
        given.take_export(library, export)
    with library.lock(), recorded(library, "import captions") as counts:
        added, known = _keep(library, given.said, progress)
        counts["added"] = added
    names = tuple(map(_name, given.unknown[:NAMED]))
    return Imported(
        added, known, 0, given.unread, given.generated, len(given.unknown), unknown_names=names
    )


@dataclass
class _Given:
    """What files say of photos that the library has, and what else is in them."""

    said: dict[int, list[Sentence]] = field(default_factory=dict)
    unknown: list[Picture] = field(default_factory=list)
    unread: int = 0
    generated: int = 0

    def take_pairs(self, library: Library, pairs: CaptionedPhotos) -> None:
        ids = photos_of(library, pairs.pictures)
        for place, captions in enumerate(pairs.captions):
            if place in ids:
                self.said.setdefault(ids[place], []).extend(sentences_of(captions))
            else:
                self.unknown.append(pairs.pictures[place])
        self.unread += pairs.unpaired.texts

    def take_export(self, library: Library, export: ReadExport) -> None:
        hashes = {row.path: row.content_hash for row in export.rows}
        ids = photos_of(library, list(hashes), list(hashes.values()))
        by_path = {path: ids.get(place) for place, path in enumerate(hashes)}
        for row in export.rows:
            if (photo_id := by_path[row.path]) is not None:
                sentences = sentences_of({row.language: (row.text,)})
                self.said.setdefault(photo_id, []).extend(sentences)
                self.unread += not sentences
        self.unknown += [path for path, photo_id in by_path.items() if photo_id is None]
        self.generated += export.generated


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
    names = tuple(map(str, seen.unreadable_files[:NAMED]))
    return Imported(seen.added, seen.known, seen.dropped, seen.unread, unread_names=names)


def _keep(
    library: Library, said: Mapping[int, Sequence[Sentence]], progress: Progress
) -> tuple[int, int]:
    """Keep sentences as a person's; how many are new, and how many a photo has already."""
    added = known = 0
    photo_ids = sorted(said)
    for start in range(0, len(photo_ids), PHOTOS_AT_ONCE):
        part = photo_ids[start : start + PHOTOS_AT_ONCE]
        rows = library.catalog.captions(part)
        with library.catalog.write() as writer:
            for photo_id in part:
                new = dict.fromkeys(said[photo_id])
                theirs = {
                    (row.language, row.text): row
                    for row in reversed(rows.get(photo_id, ()))
                    if row.source != "generated"
                }
                known += len(new.keys() & theirs)
                # A sidecar's sentence becomes the person's own: it stays when the sidecar goes.
                own = [
                    theirs[each].id
                    for each in new.keys() & theirs
                    if theirs[each].source == "sidecar"
                ]
                writer.drop_captions(own)
                added -= len(own)
                for language, texts in by_language(list(new)).items():
                    added += writer.add_captions(photo_id, texts, language, "user")
        progress(start + len(part), len(photo_ids))
    return added, known


def _name(picture: Picture) -> str:
    if isinstance(picture, Path):
        return str(picture)
    place = getattr(picture, "path", None)
    return "a picture" if place is None else f"a picture in {place}"


def _ignore(done: int, total: int) -> None:
    """Nobody listens."""
