"""Counts and checks over a whole catalog, for status and doctor.

A catalog goes in; numbers, or what is wrong in plain words, come out. Everything streams, so a
check of a million embeddings needs no more memory than a piece of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sqlalchemy import distinct, func, select, text

from imgsearch.catalog import full_text
from imgsearch.catalog.connection import ROWS_AT_ONCE
from imgsearch.catalog.paths import name_of
from imgsearch.catalog.queries import Catalog
from imgsearch.catalog.rows import SOURCES
from imgsearch.catalog.tables import (
    CaptionEntry,
    Embedding,
    EncoderEntry,
    File,
    Generation,
    Photo,
    Root,
)
from imgsearch.vectors import LENGTH_TOLERANCE, from_bytes

CHECKING_KIB = 200_000  # of pages in memory, while every entry of every index is looked up


@dataclass(frozen=True)
class Counts:
    """How many photos have a live file and how many have none; files by state."""

    live_photos: int
    missing_photos: int
    files: dict[str, int]


@dataclass(frozen=True)
class BadEmbedding:
    """An embedding that no search can use, and why."""

    embedding_id: int
    photo_id: int
    encoder_id: int
    reason: str


def counts(catalog: Catalog) -> Counts:
    """Photos and files by state."""
    with catalog.engine.connect() as connection:
        photos = connection.execute(select(func.count()).select_from(Photo)).scalar_one()
        live = connection.execute(
            select(func.count(distinct(File.photo_id))).where(File.state == "live")
        ).scalar_one()
        by_state = connection.execute(select(File.state, func.count()).group_by(File.state)).all()
    files = dict.fromkeys(("live", "missing", "skipped"), 0)
    files.update((state, count) for state, count in by_state)
    return Counts(live, photos - live, files)


def caption_counts(catalog: Catalog) -> dict[str, dict[str, int]]:
    """Language -> source -> captions of photos with a live file, empty ones left out."""
    is_live = select(File.id).where(File.photo_id == CaptionEntry.photo_id, File.state == "live")
    statement = (
        select(CaptionEntry.language, CaptionEntry.source, func.count())
        .where(is_live.exists(), CaptionEntry.text != "")
        .group_by(CaptionEntry.language, CaptionEntry.source)
        .order_by(CaptionEntry.language)
    )
    found: dict[str, dict[str, int]] = {}
    with catalog.engine.connect() as connection:
        for language, source, count in connection.execute(statement):
            found.setdefault(language, dict.fromkeys(SOURCES, 0))[source] = count
    return found


def built_at(catalog: Catalog, generation_id: int) -> datetime:
    """When a generation was built."""
    with catalog.engine.connect() as connection:
        return connection.execute(
            select(Generation.built_at).where(Generation.id == generation_id)
        ).scalar_one()


def integrity_problems(catalog: Catalog) -> list[str]:
    """What SQLite says is wrong with the file's pages and indexes; nothing when all is well."""
    with catalog.engine.connect() as connection:
        connection.detach()  # it is closed afterwards, and its cache with it
        connection.execute(text(f"PRAGMA cache_size = -{CHECKING_KIB}"))
        rows = connection.execute(text("PRAGMA integrity_check")).scalars().all()
    return [str(row) for row in rows if row != "ok"]


def dangling_rows(catalog: Catalog) -> dict[str, int]:
    """Table -> how many of its rows point at rows that are not there."""
    found: dict[str, int] = {}
    with catalog.engine.connect() as connection:
        for table, *_ in connection.execute(text("PRAGMA foreign_key_check")):
            found[table] = found.get(table, 0) + 1
    return found


def are_words_in_step(catalog: Catalog) -> bool:
    """Whether what `match_words` searches is what captions and file names say."""
    with catalog.write() as writer:
        return full_text.is_in_step(writer.connection)


def bad_embeddings(catalog: Catalog) -> Iterator[BadEmbedding]:
    """Embeddings of unknown photos or encoders, of the wrong length, or not unit vectors."""
    statement = (
        select(Embedding.id, Embedding.photo_id, Embedding.encoder_id, Embedding.vector)
        .add_columns(EncoderEntry.dim, Photo.id.label("known_photo_id"))
        .join(EncoderEntry, EncoderEntry.id == Embedding.encoder_id, isouter=True)
        .join(Photo, Photo.id == Embedding.photo_id, isouter=True)
        .order_by(Embedding.id)
    )
    with catalog.engine.connect() as connection:
        rows = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(statement)
        for embedding_id, photo_id, encoder_id, vector, dim, known_photo_id in rows:
            if known_photo_id is None:
                reason = "of an unknown photo"
            elif dim is None:
                reason = "of an unknown encoder"
            else:
                reason = _vector_problem(vector, dim)
            if reason:
                yield BadEmbedding(embedding_id, photo_id, encoder_id, reason)


def photo_ids_until(
    catalog: Catalog, encoder_id: int, last_embedding_id: int
) -> npt.NDArray[np.int64]:
    """Ids of the photos an encoder had embedded when that embedding was the last, ascending."""
    with catalog.engine.connect() as connection:
        ids = connection.execute(
            select(Embedding.photo_id)
            .where(Embedding.encoder_id == encoder_id, Embedding.id <= last_embedding_id)
            .order_by(Embedding.photo_id)
        )
        return np.fromiter(ids.scalars(), np.int64)


def live_files(catalog: Catalog) -> Iterator[tuple[Path, str]]:
    """(root, name) of every live file, root by root."""
    statement = (
        select(Root.path, Root.path_bytes, File.path, File.path_bytes)
        .join(File, File.root_id == Root.id)
        .where(File.state == "live")
        .order_by(Root.id)
    )
    with catalog.engine.connect() as connection:
        rows = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(statement)
        root_of = cache(lambda text, raw: Path(name_of(text, raw)))  # one for all of its files
        for root, root_bytes, name, name_bytes in rows:
            yield root_of(root, root_bytes), name_of(name, name_bytes)


def _vector_problem(blob: bytes, dim: int) -> str:
    try:
        length = float(np.linalg.norm(from_bytes([blob], dim)[0].astype(np.float64)))
    except ValueError:
        return f"of {len(blob)} bytes where {4 * dim} or {2 * dim} are right"
    if not np.isfinite(length):
        return "with values that are not finite"
    return "" if abs(length - 1) <= LENGTH_TOLERANCE else f"of length {length:.3f} instead of 1"
