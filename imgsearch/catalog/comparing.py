"""What a run compares the disk with: known files by name, known photos by content.

Names and hashes in, rows out. Everything under the paths of a run comes in one query and lives in
one dictionary, because an unchanged file may cost no more than a stat and a look into it.
"""

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import ColumnElement, Engine, and_, or_, select

from imgsearch.catalog.connection import ROWS_AT_ONCE, pieces
from imgsearch.catalog.paths import bounds_under, columns_of, name_of
from imgsearch.catalog.rows import FileRow, PhotoRow
from imgsearch.catalog.tables import Embedding, File, Photo, Root

PATHS_AT_ONCE = 200  # three constants each
COLUMNS = (
    File.path,
    File.path_bytes,
    File.id,
    File.photo_id,
    File.size_bytes,
    File.mtime_ns,
    File.state,
)


def at_or_under(path: Path) -> ColumnElement[bool]:
    """Whether a file is at that path or anywhere below it."""
    low, high = bounds_under(path)
    return or_(and_(File.path >= low, File.path < high), File.path == columns_of(path)[0])


def files_under(engine: Engine, paths: Sequence[Path]) -> dict[str, FileRow]:
    """Every known file at or below the paths, by its name as `os.fspath` gives it."""
    files: dict[str, FileRow] = {}
    with engine.connect() as connection:
        for start in range(0, len(paths), PATHS_AT_ONCE):
            some = paths[start : start + PATHS_AT_ONCE]
            statement = select(*COLUMNS).where(or_(*map(at_or_under, some)))
            rows = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(statement)
            for part in rows.partitions():
                files.update((name_of(row[0], row[1]), FileRow(*row[2:])) for row in part)
    return files


def files_of_photos(engine: Engine, photo_ids: Sequence[int]) -> dict[int, dict[str, FileRow]]:
    """Photo id -> its files in any state, by name, lowest file id first."""
    files: dict[int, dict[str, FileRow]] = {}
    with engine.connect() as connection:
        for piece in pieces(photo_ids):
            statement = select(*COLUMNS).where(File.photo_id.in_(piece)).order_by(File.id)
            for row in connection.execute(statement):
                known = FileRow(*row[2:])
                files.setdefault(known.photo_id or 0, {})[name_of(row[0], row[1])] = known
    return files


def photos_with_hashes(engine: Engine, hashes: Sequence[str]) -> dict[str, int]:
    """Content hash -> photo id, for those that are known."""
    found: dict[str, int] = {}
    with engine.connect() as connection:
        for piece in pieces(hashes):
            statement = select(Photo.content_hash, Photo.id).where(Photo.content_hash.in_(piece))
            found.update(
                (content_hash, photo_id) for content_hash, photo_id in connection.execute(statement)
            )
    return found


def photos_lacking(engine: Engine, encoder_id: int) -> list[PhotoRow]:
    """The photos an encoder has not embedded, with a live file or without, ascending."""
    is_embedded = (
        select(Embedding.id)
        .where(Embedding.encoder_id == encoder_id, Embedding.photo_id == Photo.id)
        .exists()
    )
    columns = (Photo.id, Photo.content_hash, Photo.width * Photo.height)
    with engine.connect() as connection:
        rows = connection.execute(select(*columns).where(~is_embedded).order_by(Photo.id))
        return [PhotoRow(*row) for row in rows]


def roots(engine: Engine) -> list[Path]:
    """Every path that was given to `index`, in the order of the first time."""
    with engine.connect() as connection:
        rows = connection.execute(select(Root.path, Root.path_bytes).order_by(Root.id))
        return [Path(name_of(text, raw)) for text, raw in rows]
