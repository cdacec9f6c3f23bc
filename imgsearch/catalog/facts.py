"""What a catalog keeps about a photo beside its embeddings and captions, for `show`.

A catalog and photo ids or a path go in, plain values come out.
"""

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import select

from imgsearch.catalog.connection import pieces
from imgsearch.catalog.paths import columns_of, name_of
from imgsearch.catalog.queries import Catalog
from imgsearch.catalog.rows import PhotoFacts
from imgsearch.catalog.tables import Embedding, EncoderEntry, File, Photo
from imgsearch.catalog.tables import Place as PlaceEntry
from imgsearch.places import Place


def of_photos(catalog: Catalog, photo_ids: Sequence[int]) -> dict[int, PhotoFacts]:
    """Photo id -> what its bytes say; an id that no photo has is absent."""
    columns = [getattr(Photo, name) for name in PhotoFacts.__dataclass_fields__]
    found: dict[int, PhotoFacts] = {}
    with catalog.engine.connect() as connection:
        for piece in pieces(photo_ids):
            for photo_id, *values in connection.execute(
                select(Photo.id, *columns).where(Photo.id.in_(piece))
            ):
                found[photo_id] = PhotoFacts(*values)
    return found


def place_of(catalog: Catalog, photo_id: int) -> Place | None:
    """Where a photo was taken; None where its position is unknown or far from everywhere."""
    statement = (
        select(PlaceEntry.id, PlaceEntry.country, PlaceEntry.name, PlaceEntry.names)
        .join(Photo, Photo.place_id == PlaceEntry.id)
        .where(Photo.id == photo_id)
    )
    with catalog.engine.connect() as connection:
        row = connection.execute(statement).first()
    return None if row is None else Place(row.id, row.country, row.name, tuple(row.names))


def content_hashes(catalog: Catalog, photo_ids: Sequence[int]) -> dict[int, str]:
    """Photo id -> SHA-256 of its bytes, in hexadecimal digits."""
    found: dict[int, str] = {}
    with catalog.engine.connect() as connection:
        for piece in pieces(photo_ids):
            statement = select(Photo.id, Photo.content_hash).where(Photo.id.in_(piece))
            found.update((row.id, row.content_hash) for row in connection.execute(statement))
    return found


def encoders_of(catalog: Catalog, photo_id: int) -> tuple[str, ...]:
    """The names of the encoders that have embedded a photo, oldest first."""
    statement = (
        select(EncoderEntry.name)
        .join(Embedding, Embedding.encoder_id == EncoderEntry.id)
        .where(Embedding.photo_id == photo_id)
        .order_by(EncoderEntry.id)
    )
    with catalog.engine.connect() as connection:
        return tuple(connection.execute(statement).scalars())


def reason_of(catalog: Catalog, path: Path) -> str | None:
    """Why the file at a path could not be indexed; None for any other."""
    text, raw = columns_of(path)
    statement = select(File.path, File.path_bytes, File.reason).where(
        File.path == text, File.state == "skipped"
    )
    with catalog.engine.connect() as connection:
        for name, name_bytes, reason in connection.execute(statement):
            if name_of(name, name_bytes) == name_of(text, raw):
                return reason or "it cannot be read"
    return None
