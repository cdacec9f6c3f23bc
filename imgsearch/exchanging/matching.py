"""Which photo a row is about: one that the library has, or a file that is not in it yet.

Rows go in; each is given the photo's id, or the file with its content hash and facts, or a reason
why there is neither. A hash that the library knows is the surest; then a path, whose file must hold
what the row says it holds, where the row says so.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from imgsearch import images
from imgsearch.errors import PictureError, UsageError
from imgsearch.exchanging.places import Places
from imgsearch.exchanging.rows import AnyVectors, Sentence
from imgsearch.images import Facts, PhotoFile
from imgsearch.images.perceptual import SHORT_SIDE, perceptual_hash
from imgsearch.library import Library
from imgsearch.library.sentences import sentences_beside

ABSENT = "no such photo is on this disk"
OUTSIDE = "it lies in no folder of the library; name one with --photos FOLDER"
CHANGED = "its file holds another picture by now"
MAX_THREADS = 16


@dataclass(eq=False, slots=True)
class Row:
    """One embedding and what becomes of it.

    `content_hash` is what the row says until its file was read, and then that of the file. A photo
    that is new has `facts`, a file that is new to the catalog is `file`.
    """

    vector: AnyVectors
    name: str
    content_hash: str | None = None
    caption: Sentence | None = None
    photo_id: int | None = None
    path: Path | None = None
    file: PhotoFile | None = None
    facts: Facts | None = None
    perceptual_hash: bytes | None = None
    beside: list[tuple[str, str]] = field(default_factory=list)  # said in its archive, by language
    is_unread: bool = False  # what is said there
    reason: str | None = None


class Matching:
    """Finds photos. `is_ours` says that hashes in a file are those of the photos' bytes: elsewhere
    they may be of what was downloaded, before it was made smaller.
    """

    def __init__(self, library: Library, places: Places, *, is_ours: bool) -> None:
        self._catalog = library.catalog
        self._places = places
        self._is_ours = is_ours

    def match(self, rows: Sequence[Row]) -> None:
        """Find the photo of every row that has no reason yet."""
        self._match_hashes([row for row in rows if row.reason is None])
        self._match_files([row for row in rows if row.reason is None and row.photo_id is None])

    def _match_hashes(self, rows: Sequence[Row]) -> None:
        wanted = [row.content_hash for row in rows if row.content_hash is not None]
        photos = self._catalog.photos_with_hashes(wanted)
        paths = self._catalog.live_paths(list(photos.values()))
        for row in rows:
            photo_id = photos.get(row.content_hash or "")
            if photo_id in paths:
                row.photo_id, row.path = photo_id, paths[photo_id]

    def _match_files(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self._find(row)
        found = {row: row.file for row in rows if row.file is not None}
        files = self._catalog.files_under([file.path for file in found.values()])
        unknown = []
        for row, file in found.items():
            known = files.get(os.fspath(file.path))
            as_known = (file.size_bytes, file.mtime_ns, "live")
            if known is None or (known.size_bytes, known.mtime_ns, known.state) != as_known:
                unknown.append(row)
            elif self._is_ours and row.content_hash is not None:
                row.reason = CHANGED  # else its hash would have been found
            else:
                row.photo_id, row.file = known.photo_id, None
        self._read(unknown)

    def _find(self, row: Row) -> None:
        """The first place where the row's photo is; a guess counts if it has the row's hash."""
        row.reason = ABSENT
        for path in self._places.named(row.name):
            if self._is_taken(row, path):
                return
        if self._is_ours and row.content_hash is not None:
            for path in self._places.guessed(row.name):
                if self._is_taken(row, path) and _hash_or_none(path) == row.content_hash:
                    return
            if row.reason is None:
                row.reason, row.file = ABSENT, None

    def _is_taken(self, row: Row, path: Path) -> bool:
        try:
            status = images.stat(path)
        except (OSError, ValueError):  # ValueError: no file can be called so
            return False
        if not status.is_file:
            return False
        root = self._places.root_of(path)
        if root is None:
            row.reason = OUTSIDE
            return False
        row.path, row.reason = path, None
        row.file = PhotoFile(path, root, status.size_bytes, status.mtime_ns)
        return True

    def _read(self, rows: Sequence[Row]) -> None:
        """Hash files that are not as known, and decode those whose bytes are new."""
        self._in_threads(self._hash, rows)
        hashed = [row for row in rows if row.reason is None and row.content_hash is not None]
        photos = self._catalog.photos_with_hashes([row.content_hash or "" for row in hashed])
        for row in hashed:
            row.photo_id = photos.get(row.content_hash or "")
        self._in_threads(_decode, [row for row in hashed if row.photo_id is None])

    def _hash(self, row: Row) -> None:
        assert row.path is not None
        told = row.content_hash
        try:
            row.content_hash = images.content_hash(row.path)
        except (PictureError, OSError) as error:
            row.reason = str(error)
            return
        if self._is_ours and told is not None and told != row.content_hash:
            row.reason = CHANGED

    def _in_threads(self, work: Callable[[Row], None], rows: Sequence[Row]) -> None:
        if rows:
            with ThreadPoolExecutor(min(MAX_THREADS, os.cpu_count() or 1)) as pool:
                list(pool.map(work, rows))


def _decode(row: Row) -> None:
    assert row.path is not None
    try:
        picture, row.facts = images.read(row.path, short_side=SHORT_SIDE)
        row.perceptual_hash = perceptual_hash(picture)
    except (PictureError, OSError) as error:
        row.reason = str(error)
        return
    try:
        row.beside = sentences_beside(row.path)
    except (UsageError, OSError):
        row.is_unread = True


def _hash_or_none(path: Path) -> str | None:
    try:
        return images.content_hash(path)
    except (PictureError, OSError):  # whatever it is, it is not the photo that is looked for
        return None
