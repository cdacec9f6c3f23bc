"""Conditions as SQL: what hits must satisfy goes in, the ids of the photos that do come out.

All conditions must hold, and one test of each is enough; photos without a live file are never
among them. `path:` and `name:` are about files: one live file of a photo must satisfy all of these.
Everything is one statement, so that a million photos never become a Python set.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    SQLColumnExpression,
    and_,
    exists,
    false,
    func,
    or_,
    select,
)

from imgsearch.catalog import albums, criteria
from imgsearch.catalog.comparing import at_or_under
from imgsearch.catalog.embeddings import Ids
from imgsearch.catalog.paths import spellings
from imgsearch.catalog.patterns import ANYTHING, is_like, no_such
from imgsearch.catalog.tables import Album, AlbumPhoto, File, Label, Photo
from imgsearch.errors import QueryError
from imgsearch.queries import Condition, Like, parse

_NAMED: Mapping[str, SQLColumnExpression[str]] = {"album": Album.name, "label": Label.name}


def photo_ids(engine: Engine, conditions: Sequence[Condition], folder: Path | None) -> Ids:
    """See `Catalog.photo_ids`."""
    with engine.connect() as connection:
        _check_names(connection, conditions)
        found = _satisfying(connection, conditions, folder).subquery()
        # As one text: a row for each of 100,000 ids took three times as long.
        ids = connection.execute(select(func.group_concat(found.c.id))).scalar()
    return np.sort(np.fromstring(ids or "", np.int64, sep=","), kind="stable")  # mostly they are


def newest(engine: Engine, conditions: Sequence[Condition], folder: Path | None, limit: int) -> Ids:
    """See `Catalog.newest_photo_ids`."""
    with engine.connect() as connection:
        _check_names(connection, conditions)
        statement = _satisfying(connection, conditions, folder)
        latest = statement.order_by(Photo.taken_at.desc(), Photo.id.desc()).limit(limit)
        return np.array(connection.execute(latest).scalars().all(), np.int64)


def about_files(conditions: Sequence[Condition], folder: Path | None) -> ColumnElement[bool]:
    """Whether a file is live and satisfies those conditions that are about files."""
    tests = [File.state == "live"]
    if folder is not None:
        tests.append(or_(*map(at_or_under, spellings(folder))))
    for each in conditions:
        if each.key in criteria.OF_FILES:
            tests.append(_any(criteria.of_file(each.key, test) for test in each.tests))
    return and_(*tests)


def _check_names(connection: Connection, asked: Sequence[Condition]) -> None:
    """Raise QueryError for a label or an album that there is not.

    Only a person's own are looked at: a saved search may outlive what it names, and finds none.
    """
    for each in asked:
        name = _NAMED.get(each.key)
        for test in each.tests:
            if name is None or not isinstance(test, Like) or ANYTHING in test.pattern:
                continue
            if connection.execute(select(name).where(is_like(name, test.pattern))).first() is None:
                names = connection.execute(select(name).order_by(name)).scalars().all()
                raise no_such(each.key, test.pattern, names)


def _satisfying(
    connection: Connection,
    conditions: Sequence[Condition],
    folder: Path | None,
) -> Select[Any]:
    is_shown = about_files(conditions, folder)
    tests: list[ColumnElement[bool]] = [exists().where(File.photo_id == Photo.id, is_shown)]
    if folder is not None or any(each.key in criteria.OF_FILES for each in conditions):
        # SQLite begins where IN is: at an index on paths. Else it had better at one on photos.
        tests = [Photo.id.in_(select(File.photo_id).where(is_shown))]
    for each in conditions:
        if each.key == "album":
            tests.append(_any(_is_in_album(connection, test) for test in each.tests))
        elif each.key not in criteria.OF_FILES:
            tests.append(_any(criteria.of_photo(connection, each.key, test) for test in each.tests))
    return select(Photo.id).where(*tests)


def _is_in_album(connection: Connection, test: object) -> ColumnElement[bool]:
    if not isinstance(test, Like):
        raise QueryError(f"an album is asked for by its name, not by {test}")
    found = albums.matching(connection, test.pattern)
    by_hand = [album_id for album_id, query in found if query is None]
    tests = [Photo.id.in_(select(AlbumPhoto.photo_id).where(AlbumPhoto.album_id.in_(by_hand)))]
    for _, query in found:
        if query is not None:
            inner = _satisfying(connection, parse(query).conditions, None)
            tests.append(Photo.id.in_(inner))
    return or_(*tests)


def _any(tests: Iterable[ColumnElement[bool]]) -> ColumnElement[bool]:
    return or_(false(), *tests)
