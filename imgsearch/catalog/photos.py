"""Rows of photos: how they come, and how those of earlier libraries are filled up.

Facts and a place go in. `FACTS_REVISION` counts what we read from a photo: it rises when we learn
to read more, and photos with a lower number are read anew by the next `index`.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, Engine, exists, insert, select, update
from sqlalchemy.dialects.sqlite import insert as insert_or

from imgsearch.catalog.connection import pieces
from imgsearch.catalog.rows import NewFacts, OldFacts, PhotoFacts
from imgsearch.catalog.tables import File, Photo
from imgsearch.catalog.tables import Place as PlaceEntry
from imgsearch.places import Place

FACTS_REVISION = 1  # lens, ISO, f-number, focal length, place


def add(connection: Connection, facts: PhotoFacts, place: Place | None, now: datetime) -> int:
    """See `Writer.add_photo`."""
    place_id = None if place is None else _put_place(connection, place)
    values = {"place_id": place_id, "facts_revision": FACTS_REVISION, "added_at": now}
    key = connection.execute(insert(Photo), vars(facts) | values).inserted_primary_key
    assert key is not None
    return int(key[0])


def with_old_facts(engine: Engine) -> list[OldFacts]:
    """See `Catalog.photos_with_old_facts`."""
    is_live = exists().where(File.photo_id == Photo.id, File.state == "live")
    columns = select(Photo.id, Photo.latitude, Photo.longitude)
    statement = columns.where(Photo.facts_revision < FACTS_REVISION, is_live)
    with engine.connect() as connection:  # told to order them, SQLite goes through all photos
        rows = [OldFacts(*row) for row in connection.execute(statement)]
    return sorted(rows, key=lambda row: row.photo_id)


def moments_taken(engine: Engine, photo_ids: Sequence[int]) -> dict[int, datetime]:
    """See `Catalog.moments_taken`."""
    moments: dict[int, datetime] = {}
    with engine.connect() as connection:
        for piece in pieces(photo_ids):
            rows = connection.execute(select(Photo.id, Photo.taken_at).where(Photo.id.in_(piece)))
            moments.update((photo_id, moment) for photo_id, moment in rows)
    return moments


def renew(connection: Connection, rows: Sequence[NewFacts]) -> None:
    """See `Writer.renew_facts`."""
    for row in rows:
        place_id = None if row.place is None else _put_place(connection, row.place)
        connection.execute(
            update(Photo)
            .where(Photo.id == row.photo_id)
            .values(
                lens=row.lens,
                iso=row.iso,
                f_number=row.f_number,
                focal_length_mm=row.focal_length_mm,
                place_id=place_id,
                facts_revision=FACTS_REVISION,
            )
        )


def _put_place(connection: Connection, place: Place) -> int:
    statement = insert_or(PlaceEntry).on_conflict_do_nothing()
    connection.execute(statement, {**vars(place), "names": list(place.names)})
    return place.id
