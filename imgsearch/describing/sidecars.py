"""The text beside photos, kept in step with the captions of source `sidecar` in the catalog.

A library goes in; what has changed on the disk comes out, piece by piece, and a writer takes it in.
All texts are read and compared each time, since dates lie (a copy keeps them): 10,000 of them take
about two seconds. What `--import` found inside a photo or in its `.xmp` has the same source; it is
looked for there before it is dropped. A drive that is not mounted drops nothing, and neither does a
text that does not read: it is a person's, whatever it says.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from imgsearch.catalog import CaptionRow, FileRow
from imgsearch.errors import PictureError
from imgsearch.images import descriptions, stat
from imgsearch.library import Library
from imgsearch.library.captions import Beside, beside
from imgsearch.library.sentences import Sentence, by_language, sentences_of

PHOTOS_AT_ONCE = 1000


@dataclass
class Changes:
    """Of some photos: sentences to take in, by photo, and ids of captions to drop."""

    photos: int = 0
    known: int = 0
    unread: int = 0
    added: dict[int, list[Sentence]] = field(default_factory=dict)
    dropped: list[int] = field(default_factory=list)
    languages: dict[int, set[str]] = field(default_factory=dict)  # of sidecars, as they are now
    unreadable: dict[int, tuple[Path, ...]] = field(default_factory=dict)


@dataclass
class SidecarChanges:
    """What a look at all sidecars came to: sentences taken in, there already, and dropped; texts
    that do not read or say nothing.

    `told` says which photos have a sidecar's sentence now, by language; `unreadable` which have one
    that does not read, and which files those are.
    """

    added: int = 0
    known: int = 0
    dropped: int = 0
    unread: int = 0
    told: dict[str, set[int]] = field(default_factory=dict)
    unreadable: dict[int, tuple[Path, ...]] = field(default_factory=dict)

    def told_in(self, language: str) -> set[int]:
        """The photos of which a sidecar may say something in a language."""
        return self.told.get(language, set()) | self.unreadable.keys()

    @property
    def unreadable_files(self) -> tuple[Path, ...]:
        """The sidecars that do not read."""
        return tuple(itertools.chain.from_iterable(self.unreadable.values()))

    def count(self, changes: Changes) -> None:
        """Count some photos' changes."""
        self.added += sum(map(len, changes.added.values()))
        self.dropped += len(changes.dropped)
        self.known += changes.known
        self.unread += changes.unread
        self.unreadable |= changes.unreadable
        for photo_id, languages in changes.languages.items():
            for language in languages:
                self.told.setdefault(language, set()).add(photo_id)


def compare(library: Library, *, looks_inside: bool = False) -> Iterator[Changes]:
    """What differs between the disk and the catalog, some photos at a time.

    `looks_inside` reads the descriptions inside every photo as well, and the `.xmp` beside it.
    """
    photos = beside(library)
    while some := list(itertools.islice(photos, PHOTOS_AT_ONCE)):
        rows = library.catalog.captions([each.photo_id for each in some])
        changes = Changes(len(some))
        for each in some:
            _compare(each, rows.get(each.photo_id, ()), changes, looks_inside)
        yield changes


def take_in(library: Library, changes: Changes) -> None:
    """Write some photos' changes, all or none. The caller holds the library's lock."""
    if not (changes.added or changes.dropped):
        return
    with library.catalog.write() as writer:
        writer.drop_captions(changes.dropped)
        for photo_id, sentences in changes.added.items():
            for language, texts in by_language(sentences).items():
                writer.add_captions(photo_id, texts, language, "sidecar")


def _compare(
    each: Beside, rows: Sequence[CaptionRow], changes: Changes, looks_inside: bool
) -> None:
    changes.unread += each.unread
    if each.unreadable:
        changes.unreadable[each.photo_id] = each.unreadable
    told = sentences_of(each.described.captions) if each.described else []
    if looks_inside:
        told = list(dict.fromkeys([*told, *_inside(each.files)]))
    ours = {(row.language, row.text): row.id for row in rows if row.source == "sidecar"}
    # An exported caption that comes back is no person's: it is there already, as what it is.
    others = {row.text for row in rows if row.source != "sidecar"}
    told = [(language, text) for language, text in told if text not in others]
    gone = ours.keys() - set(told)
    if gone and (each.unreadable or not each.files or any(map(_has_changed, each.files))):
        gone = set()
    elif gone and not looks_inside:
        gone -= set(_inside(each.files))
    changes.known += len(told)
    if new := [sentence for sentence in told if sentence not in ours]:
        changes.added[each.photo_id] = new
        changes.known -= len(new)
    changes.dropped += [ours[sentence] for sentence in gone]
    if languages := {language for language, _ in {*told, *ours} - gone}:
        changes.languages[each.photo_id] = languages


def _inside(files: Sequence[tuple[Path, FileRow]]) -> list[Sentence]:
    for path, _ in files:
        try:
            if found := sentences_of(descriptions(path)):
                return found
        except PictureError:  # gone or changed since the last run of index, which says so
            continue
    return []


def _has_changed(file: tuple[Path, FileRow]) -> bool:
    """Whether a file may be another photo by now: what it says is not about this one."""
    path, row = file
    try:
        status = stat(path)
        return (status.size_bytes, status.mtime_ns) != (row.size_bytes, row.mtime_ns)
    except OSError:
        return True
