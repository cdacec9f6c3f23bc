"""Catalog: the questions a library answers, and the door to writing.

Ids and paths in, plain values and numpy rows out; each question is one short read, so a search in a
long-lived process always sees what was committed last. Lists of ids are cut into pieces before they
reach SQL, because SQLite bounds the number of constants in a statement.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine, bindparam, func, select

from imgsearch.catalog import (
    albums,
    comparing,
    conditions,
    containers,
    embeddings,
    full_text,
    photos,
)
from imgsearch.catalog.connection import HASTY, IMMEDIATE, open_engine, pieces
from imgsearch.catalog.embeddings import Ids
from imgsearch.catalog.paths import name_of
from imgsearch.catalog.questions.encoders import EncoderQuestions
from imgsearch.catalog.questions.words import WordQuestions
from imgsearch.catalog.rows import AlbumRow, FileRow, OldFacts, PhotoRow, RunRow
from imgsearch.catalog.tables import Embedding, File, Photo, Run
from imgsearch.catalog.writing import Writer
from imgsearch.errors import LibraryError
from imgsearch.queries import Condition
from imgsearch.vectors import Vectors

# Made once: SQLAlchemy takes longer to make a statement than SQLite to run it.
_FILES = (
    select(File.photo_id, File.path, File.path_bytes)
    .where(File.photo_id.in_(bindparam("photo_ids", expanding=True)))
    .order_by(File.id)
)
_LIVE_FILES = _FILES.where(File.state == "live")


class Catalog(EncoderQuestions, WordQuestions):
    """The database of one library. Safe to share between threads; close it when done."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.engine: Engine = open_engine(path)

    def close(self) -> None:
        """Close every connection; the last one folds the WAL into the file."""
        self.engine.dispose()

    @contextlib.contextmanager
    def write(self) -> Iterator[Writer]:
        """One transaction: all that the writer did lands at the end of the block, or none."""
        writing = self.engine.execution_options(**{IMMEDIATE: True}).begin()
        with writing as connection, full_text.deferred(connection):
            yield Writer(connection)

    # Files and photos

    def live_paths(
        self,
        photo_ids: Sequence[int] | Ids,
        *,
        asked: Sequence[Condition] = (),
        folder: Path | None = None,
    ) -> dict[int, Path]:
        """The first live file of each photo (lowest file id); a photo without one is absent.

        So is one that does not satisfy all conditions; only files at `folder` or below it count.
        """
        names: dict[int, str] = {}
        with self.engine.connect() as connection:
            statement = _LIVE_FILES
            if asked or folder is not None:
                is_hit = conditions.is_hit(connection, asked, folder)
                statement = _FILES.join(Photo, Photo.id == File.photo_id).where(is_hit)
            for piece in pieces(photo_ids):
                for photo_id, text, raw in connection.execute(
                    statement, {"photo_ids": piece}
                ).all():
                    names.setdefault(photo_id or 0, name_of(text, raw))
        return {photo_id: Path(name) for photo_id, name in names.items()}

    def live_photo_ids(self, path_prefix: Path) -> Ids:
        """Ids of the photos with a live file at that path or below it, ascending."""
        return self.photo_ids(folder=path_prefix)

    def live_photo_count(self, encoder_id: int) -> int:
        """How many photos with a live file this encoder has embedded."""
        is_live = select(File.id).where(File.photo_id == Embedding.photo_id, File.state == "live")
        with self.engine.connect() as connection:
            return connection.execute(
                select(func.count()).where(Embedding.encoder_id == encoder_id, is_live.exists())
            ).scalar_one()

    def photos_with_old_facts(self) -> list[OldFacts]:
        """The photos with a live file that an earlier version read, ascending."""
        return photos.with_old_facts(self.engine)

    def moments_taken(self, photo_ids: Sequence[int]) -> dict[int, datetime]:
        """Photo id -> when it was taken, in UTC; a photo that is not there is absent."""
        return photos.moments_taken(self.engine, photo_ids)

    # Conditions and albums

    def photo_ids(self, asked: Sequence[Condition] = (), *, folder: Path | None = None) -> Ids:
        """The photos with a live file that satisfy all conditions, ascending.

        With `folder`, the file is at that path or below it. Raises QueryError for a condition that
        cannot be, and for a label, an album or a country that there is not.
        """
        return conditions.photo_ids(self.engine, asked, folder)

    def candidate_ids(self, asked: Sequence[Condition]) -> Ids:
        """As `photo_ids`, and among them photos without a live file: of a hundredth of a million,
        to look for files takes forty times as long as to find the photos.
        """
        return conditions.candidate_ids(self.engine, asked)

    def share(
        self, asked: Sequence[Condition], *, folder: Path | None = None, least: int
    ) -> float | None:
        """About which share of photos that would be, from 0 to 1, told from a few hundred.

        None in a catalog of fewer than `least` photos. Raises what `photo_ids` raises.
        """
        return conditions.share(self.engine, asked, folder, least)

    def newest_photo_ids(
        self, asked: Sequence[Condition] = (), *, folder: Path | None = None, limit: int
    ) -> Ids:
        """The `limit` of them that were taken last, the newest first."""
        return conditions.newest(self.engine, asked, folder, limit)

    def albums(self) -> list[AlbumRow]:
        """Every album by name."""
        return albums.albums(self.engine)

    # Comparing with the disk

    def roots(self) -> list[Path]:
        """Every path that was given to `index`, in the order of the first time."""
        return comparing.roots(self.engine)

    def containers(self) -> dict[Path, tuple[int, int]]:
        """The files whose photos were all taken in, with their size and mtime (ns) at that time."""
        return containers.noted(self.engine)

    def every_seconds(self) -> float | None:
        """How far apart frames were asked for the last time that somebody said so."""
        return containers.last_every_seconds(self.engine)

    def files_under(self, paths: Sequence[Path]) -> dict[str, FileRow]:
        """Every known file at or below the paths, by its name as `os.fspath` gives it."""
        return comparing.files_under(self.engine, paths)

    def files_of_photos(self, photo_ids: Sequence[int]) -> dict[int, dict[str, FileRow]]:
        """Photo id -> its files in any state, by name, lowest file id first."""
        return comparing.files_of_photos(self.engine, photo_ids)

    def photos_lacking(self, encoder_id: int) -> list[PhotoRow]:
        """The photos an encoder has not embedded, with a live file or without, ascending."""
        return comparing.photos_lacking(self.engine, encoder_id)

    def photos_with_hashes(self, hashes: Sequence[str]) -> dict[str, int]:
        """Content hash -> photo id, for those that are known."""
        return comparing.photos_with_hashes(self.engine, hashes)

    # Texts and runs

    def cached_texts(
        self, encoder_id: int, templates_key: str, texts: Sequence[str]
    ) -> dict[str, Vectors]:
        """Text -> the vector (d,) that `cache_texts` kept; a text without one is absent."""
        return embeddings.of_texts(self.engine, encoder_id, templates_key, texts)

    def cache_texts(
        self, encoder_id: int, templates_key: str, vectors: Mapping[str, Vectors]
    ) -> None:
        """Keep texts' vectors (d,). A library that cannot be written now keeps none, silently."""
        # A search must work in a library on a read-only disk, and not wait for who writes it.
        hasty = self.engine.execution_options(**{IMMEDIATE: True, HASTY: True})
        with contextlib.suppress(LibraryError), hasty.begin() as connection:
            embeddings.keep_texts(connection, encoder_id, templates_key, vectors)

    def last_run(self) -> RunRow | None:
        """The newest run of any verb."""
        with self.engine.connect() as connection:
            row = connection.execute(
                select(*Run.__table__.columns).order_by(Run.id.desc()).limit(1)
            ).first()
        if row is None:
            return None
        return RunRow(row.verb, row.pid, row.started_at, row.finished_at, row.outcome)
