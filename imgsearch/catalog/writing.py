"""Writer: every change to a catalog, inside the one transaction `Catalog.write()` opened.

Facts, places and vectors in, ids out. Methods are the changes that a verb means (a photo was added,
a file moved), not rows, so that no caller can leave half a change behind.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, select, update

from imgsearch.catalog import albums, captions, containers, labels, photos
from imgsearch.catalog.changes.encoders import EncoderChanges
from imgsearch.catalog.changes.words import WordChanges
from imgsearch.catalog.connection import pieces
from imgsearch.catalog.full_text import words_of_path
from imgsearch.catalog.paths import columns_of
from imgsearch.catalog.rows import FilePlace, NewFacts, PhotoFacts
from imgsearch.catalog.tables import File, Root, Run
from imgsearch.places import Place

# Made once: SQLAlchemy takes longer to make a statement than SQLite to run it.
HELD = select(File.id, File.photo_id, File.state)
HELD_AT_TEXT = HELD.where(File.path == bindparam("at"), File.path_bytes.is_(None))
HELD_AT_BYTES = HELD.where(File.path_bytes == bindparam("at"))


class Writer(EncoderChanges, WordChanges):
    """One open transaction; made by `Catalog.write()` only."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._new_photo_ids: set[int] = set()

    # Photos and files

    def add_root(self, path: Path) -> int:
        """The id of a root, known or not."""
        text, raw = columns_of(path)
        found = self.connection.execute(select(Root.id).where(_is_at(Root, text, raw))).scalar()
        return found if found is not None else self._insert(Root, path=text, path_bytes=raw)

    def add_photo(self, facts: PhotoFacts, place: Place | None = None) -> int:
        """A new photo's id; `place` is where it was taken."""
        photo_id = photos.add(self.connection, facts, place, self._now)
        self._new_photo_ids.add(photo_id)
        return photo_id

    def renew_facts(self, rows: Sequence[NewFacts]) -> None:
        """Fill up what an earlier version did not read."""
        photos.renew(self.connection, rows)

    def put_file(self, place: FilePlace, photo_id: int) -> None:
        """The file at this path is live and holds this photo, whatever the path held before.

        A new photo in place of another is that one edited, and a known one in place of another is
        an edit taken back if it had no file and the other has none now: either inherits what a
        person said of the other.
        """
        edited_id = self._put(place, photo_id=photo_id, state="live", reason=None)
        if edited_id is None:
            return
        if photo_id in self._new_photo_ids or self._live_files(edited_id, photo_id) == [photo_id]:
            captions.inherit(self.connection, edited_id, photo_id)
            labels.inherit(self.connection, edited_id, photo_id)
            albums.inherit(self.connection, edited_id, photo_id)

    def skip_file(self, place: FilePlace, reason: str) -> None:
        """The file at this path cannot be indexed; it holds no photo."""
        self._put(place, photo_id=None, state="skipped", reason=reason)

    def move_file(self, file_id: int, place: FilePlace) -> None:
        """A known file is now at this path, in place of whatever file the path held."""
        text, raw = columns_of(place.path)
        self.connection.execute(delete(File).where(_is_at(File, text, raw), File.id != file_id))
        self.connection.execute(
            update(File)
            .where(File.id == file_id)
            .values(
                path=text,
                path_bytes=raw,
                words=words_of_path(text),
                root_id=place.root_id,
                size_bytes=place.size_bytes,
                mtime_ns=place.mtime_ns,
                state="live",
                reason=None,
                seen_at=self._now,
            )
        )

    def set_state(self, file_ids: Sequence[int], state: str) -> None:
        """Files went missing, or came back."""
        for piece in pieces(file_ids):
            self.connection.execute(
                update(File).where(File.id.in_(piece)).values(state=state, seen_at=self._now)
            )

    def forget_files(self, file_ids: Sequence[int]) -> None:
        """Drop files that never held a photo."""
        for piece in pieces(file_ids):
            self.connection.execute(delete(File).where(File.id.in_(piece)))

    def note_containers(
        self, versions: Mapping[Path, tuple[int, int]], every_seconds: float | None
    ) -> None:
        """All photos in these files were taken in as of that size and mtime (ns); `every_seconds`
        is how far apart a person wanted the frames of films, if they said so.
        """
        containers.note(self.connection, versions, every_seconds)

    def _live_files(self, *photo_ids: int) -> list[int]:
        """The photo of each live file of these photos."""
        of_these = select(File.photo_id).where(File.photo_id.in_(photo_ids), File.state == "live")
        return [photo_id or 0 for photo_id in self.connection.execute(of_these).scalars()]

    def _put(self, place: FilePlace, **values: object) -> int | None:
        """The photo that is no longer in the file at this path, if it was live and held another."""
        text, raw = columns_of(place.path)
        values |= {
            "root_id": place.root_id,
            "size_bytes": place.size_bytes,
            "mtime_ns": place.mtime_ns,
            "seen_at": self._now,
        }
        known = HELD_AT_TEXT if raw is None else HELD_AT_BYTES
        held = self.connection.execute(known, {"at": raw or text}).first()
        if held is None:
            words = words_of_path(text)
            self._insert(File, path=text, path_bytes=raw, words=words, **values)
            return None
        self.connection.execute(update(File).where(File.id == held.id).values(**values))
        is_replaced = held.state == "live" and held.photo_id != values["photo_id"]
        return held.photo_id if is_replaced else None

    # Runs

    def start_run(self, verb: str) -> int:
        """The id of a run that begins now, in this process."""
        return self._insert(Run, verb=verb, pid=os.getpid(), started_at=self._now)

    def finish_run(self, run_id: int, outcome: Mapping[str, object]) -> None:
        """The run came to its end; `outcome` is what `status` shows of it."""
        self.connection.execute(
            update(Run).where(Run.id == run_id).values(finished_at=self._now, outcome=dict(outcome))
        )


def _is_at(table: type[File] | type[Root], text: str, raw: bytes | None) -> ColumnElement[bool]:
    if raw is not None:
        return table.path_bytes == raw
    return and_(table.path == text, table.path_bytes.is_(None))
