"""What tells copies of a picture: the perceptual hashes of photos, and which copy to keep.

A catalog goes in, one row a photo with a live file comes out; hashes go in through a writer. A
photo that was not hashed yet has None, one with too little in it to be told apart an empty hash.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import bindparam, func, select, update

from imgsearch.catalog.conditions import about_files
from imgsearch.catalog.connection import ROWS_AT_ONCE
from imgsearch.catalog.queries import Catalog
from imgsearch.catalog.tables import File, Photo
from imgsearch.catalog.writing import Writer


class Candidate(NamedTuple):
    """A photo with `files` live files, the first of them `file_id`; sizes in pixels and bytes."""

    photo_id: int
    width: int
    height: int
    size_bytes: int
    format: str
    camera: str | None
    taken_at: datetime
    perceptual_hash: bytes | None
    files: int
    file_id: int


def candidates(catalog: Catalog, folder: Path | None = None) -> list[Candidate]:
    """Every photo with a live file, by id; with a folder, only files at or under it count."""
    columns = [getattr(Photo, name) for name in Candidate._fields[1:8]]
    statement = (
        select(Photo.id, *columns, func.count(File.id), func.min(File.id))
        .join(File, File.photo_id == Photo.id)
        .where(about_files((), folder))
        .group_by(Photo.id)
        .order_by(Photo.id)
    )
    with catalog.engine.connect() as connection:
        rows = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(statement)
        return [Candidate(*row) for row in rows]


def put(writer: Writer, hashes: Mapping[int, bytes]) -> None:
    """Keep the perceptual hashes of photos, by photo id."""
    if hashes:
        rows = [{"of": photo_id, "bits": bits} for photo_id, bits in hashes.items()]
        statement = update(Photo).where(Photo.id == bindparam("of"))
        writer.connection.execute(statement.values(perceptual_hash=bindparam("bits")), rows)
