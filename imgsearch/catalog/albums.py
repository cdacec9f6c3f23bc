"""Albums: which there are, and how photos come into them and go.

Names and photo ids go in, rows come out. An album is made of photos that a person put into it, or
is a saved search, kept as its text and as fresh as the library: never both, so that nobody wonders
why a photo came back.
"""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Engine, delete, exists, func, literal, select, update
from sqlalchemy.dialects.sqlite import insert

from imgsearch.catalog.connection import pieces
from imgsearch.catalog.patterns import is_like, no_such
from imgsearch.catalog.rows import AlbumRow
from imgsearch.catalog.tables import Album, AlbumPhoto, File
from imgsearch.errors import QueryError, UsageError
from imgsearch.queries import Like, parse


def albums(engine: Engine) -> list[AlbumRow]:
    """See `Catalog.albums`."""
    is_live = exists().where(File.photo_id == AlbumPhoto.photo_id, File.state == "live")
    statement = (
        select(Album.name, Album.query, func.count(AlbumPhoto.photo_id).filter(is_live))
        .join(AlbumPhoto, AlbumPhoto.album_id == Album.id, isouter=True)
        .group_by(Album.id)
        .order_by(Album.name)
    )
    with engine.connect() as connection:
        return [
            AlbumRow(name, query, count if query is None else None)
            for name, query, count in connection.execute(statement)
        ]


def matching(connection: Connection, pattern: str) -> list[tuple[int, str | None]]:
    """Id and query of every album with such a name."""
    statement = select(Album.id, Album.query).where(is_like(Album.name, pattern))
    return [(row.id, row.query) for row in connection.execute(statement)]


def add(
    connection: Connection,
    name: str,
    photo_ids: Sequence[int] | npt.NDArray[np.int64],
    now: datetime,
) -> int:
    """See `Writer.add_to_album`."""
    connection.execute(insert(Album).values(name=name, made_at=now).on_conflict_do_nothing())
    album_id = _by_hand(connection, name)
    statement = insert(AlbumPhoto).values(album_id=album_id, added_at=now).on_conflict_do_nothing()
    return sum(
        connection.execute(statement, {"photo_id": int(photo_id)}).rowcount
        for photo_id in photo_ids
    )


def remove(
    connection: Connection, name: str, photo_ids: Sequence[int] | npt.NDArray[np.int64]
) -> int:
    """See `Writer.remove_from_album`."""
    album_id = _by_hand(connection, name)
    return sum(
        connection.execute(
            delete(AlbumPhoto).where(
                AlbumPhoto.album_id == album_id, AlbumPhoto.photo_id.in_(piece)
            )
        ).rowcount
        for piece in pieces(photo_ids)
    )


def save(connection: Connection, name: str, query: str, now: datetime) -> None:
    """See `Writer.save_album`."""
    known = connection.execute(select(Album.id, Album.query).where(Album.name == name)).first()
    if known is not None and known.query is None:
        raise UsageError(
            f"the album {name!r} is made by hand; give the search another name, or delete the album"
        )
    statement = insert(Album).values(name=name, query=query, made_at=now)
    connection.execute(
        statement.on_conflict_do_update(index_elements=["name"], set_={"query": query})
    )
    _check_ends(connection, name)


def rename(connection: Connection, name: str, another: str) -> None:
    """See `Writer.rename_album`."""
    album_id, _ = _found(connection, name)
    taken = connection.execute(select(Album.id).where(Album.name == another)).scalar()
    if taken not in (None, album_id):
        raise UsageError(f"there is an album {another!r} already; choose another name")
    connection.execute(update(Album).where(Album.id == album_id).values(name=another))
    _check_ends(connection, another)


def drop(connection: Connection, name: str) -> None:
    """See `Writer.drop_album`."""
    album_id, _ = _found(connection, name)
    connection.execute(delete(AlbumPhoto).where(AlbumPhoto.album_id == album_id))
    connection.execute(delete(Album).where(Album.id == album_id))


def inherit(connection: Connection, from_id: int, to_id: int) -> None:
    """Put a photo into every album that another is in."""
    theirs = select(AlbumPhoto.album_id, literal(to_id), AlbumPhoto.added_at).where(
        AlbumPhoto.photo_id == from_id
    )
    copied = ["album_id", "photo_id", "added_at"]
    connection.execute(insert(AlbumPhoto).from_select(copied, theirs).on_conflict_do_nothing())


def _check_ends(connection: Connection, pattern: str, within: tuple[str, ...] = ()) -> None:
    """Raise QueryError where a search that is saved under such a name is a part of itself.

    Whatever makes a circle, saving or a new name, is refused; so whoever asks finds an end.
    """
    saved = select(Album.name, Album.query).where(Album.query.is_not(None))
    for name, query in connection.execute(saved.where(is_like(Album.name, pattern))).all():
        if name in within:
            raise QueryError(
                f"the saved searches {', '.join(map(repr, within))} would lead back to {name!r}; "
                "save another search, or choose another name"
            )
        for each in parse(query or "").conditions:
            if each.key == "album":
                for test in each.tests:
                    if isinstance(test, Like):
                        _check_ends(connection, test.pattern, (*within, name))


def _by_hand(connection: Connection, name: str) -> int:
    album_id, query = _found(connection, name)
    if query is not None:
        raise UsageError(
            f"the album {name!r} is the saved search {query!r}: its photos are those that satisfy "
            "it. Save another search under the name, or choose another name"
        )
    return album_id


def _found(connection: Connection, name: str) -> tuple[int, str | None]:
    row = connection.execute(select(Album.id, Album.query).where(Album.name == name)).first()
    if row is None:
        raise _unknown(connection, name)
    return row.id, row.query


def _unknown(connection: Connection, name: str) -> QueryError:
    names = connection.execute(select(Album.name).order_by(Album.name)).scalars().all()
    return no_such("album", name, names)
