"""What an encoder takes up in a catalog, and how a file that has become too large shrinks.

A catalog and ids go in, counts and bytes come out. Deleting rows leaves free pages inside the file,
which later rows fill; only writing it anew makes it smaller, so that is done where much is free.
"""

import shutil
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import func, select

from imgsearch.catalog import stepping
from imgsearch.catalog.connection import in_our_words
from imgsearch.catalog.queries import Catalog
from imgsearch.catalog.tables import Embedding, File, TextEmbedding

FREE_SHARE = 0.1  # of the file's pages: below it, writing the file anew is not worth the time
CHECKPOINT_WAITS_SECONDS = 2


@dataclass(frozen=True)
class Footprint:
    """An encoder's rows: photos, those of them without a live file, texts; bytes of its vectors."""

    photos: int
    fileless: int
    texts: int
    size_bytes: int


def footprint(catalog: Catalog, encoder_id: int) -> Footprint:
    """How much of a catalog exists because of an encoder."""
    is_live = select(File.id).where(File.photo_id == Embedding.photo_id, File.state == "live")
    of_encoder = Embedding.encoder_id == encoder_id
    with catalog.engine.connect() as connection:
        photos, photo_bytes = connection.execute(
            select(func.count(), func.sum(func.length(Embedding.vector))).where(of_encoder)
        ).one()
        fileless = connection.execute(
            select(func.count()).select_from(Embedding).where(of_encoder, ~is_live.exists())
        ).scalar_one()
        texts, text_bytes = connection.execute(
            select(func.count(), func.sum(func.length(TextEmbedding.vector))).where(
                TextEmbedding.encoder_id == encoder_id
            )
        ).one()
    return Footprint(photos, fileless, texts, (photo_bytes or 0) + (text_bytes or 0))


def steps(catalog: Catalog, without: Collection[int] = ()) -> int:
    """How often `rollback` changes who answers; if these encoders were forgotten."""
    with catalog.engine.connect() as connection:
        return len(stepping.steps_back(connection, without).useful)


def answered_before(catalog: Catalog) -> set[int]:
    """The ids of the encoders that `rollback` can return to."""
    with catalog.engine.connect() as connection:
        return stepping.answered_before(connection)


def shrink(catalog: Catalog) -> None:
    """Write the file anew where much of it is free and the disk has room for a second one.

    Searches go on meanwhile. Raises LibraryError where it cannot be done.
    """
    raw = catalog.engine.raw_connection()
    try:
        driver = raw.driver_connection
        assert isinstance(driver, sqlite3.Connection)  # what `open_engine` makes
        free, pages, page_bytes = (
            driver.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("freelist_count", "page_count", "page_size")
        )
        room = shutil.disk_usage(catalog.path.parent).free
        if free < FREE_SHARE * pages or room < 2 * (pages - free) * page_bytes:
            return
        driver.execute("VACUUM")
        # A search that is reading keeps the log from being folded in: the next one to close does.
        driver.execute(f"PRAGMA busy_timeout = {CHECKPOINT_WAITS_SECONDS * 1000}")
        driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error as error:
        raise in_our_words(catalog.path, error) from error
    finally:
        raw.invalidate()  # its timeout is another than that of the others
