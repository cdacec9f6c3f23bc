"""The files that hold photos, and as of which size and time all their photos were taken in.

Paths and versions go in and come out. A row only spares opening a file that has not changed; one
that is lost costs nothing else.
"""

from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import Connection, Engine, delete, insert, select

from imgsearch.catalog.paths import columns_of, name_of
from imgsearch.catalog.tables import Container

Version = tuple[int, int]  # size in bytes, mtime in nanoseconds


def noted(engine: Engine) -> dict[Path, Version]:
    """See `Catalog.containers`."""
    columns = (Container.path, Container.path_bytes, Container.size_bytes, Container.mtime_ns)
    with engine.connect() as connection:
        rows = connection.execute(select(*columns))
        return {Path(name_of(text, raw)): (size, mtime) for text, raw, size, mtime in rows}


def last_every_seconds(engine: Engine) -> float | None:
    """See `Catalog.every_seconds`."""
    told = select(Container.every_seconds).where(Container.every_seconds.is_not(None))
    with engine.connect() as connection:
        return connection.execute(told.order_by(Container.id.desc()).limit(1)).scalar()


def note(
    connection: Connection, versions: Mapping[Path, Version], every_seconds: float | None
) -> None:
    """See `Writer.note_containers`."""
    for path, (size_bytes, mtime_ns) in versions.items():
        text, raw = columns_of(path)
        is_it = Container.path == text if raw is None else Container.path_bytes == raw
        connection.execute(delete(Container).where(is_it))
        connection.execute(
            insert(Container).values(
                path=text,
                path_bytes=raw,
                size_bytes=size_bytes,
                mtime_ns=mtime_ns,
                every_seconds=every_seconds,
            )
        )
