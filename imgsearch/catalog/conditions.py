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
    false,
    func,
    or_,
    select,
)

from imgsearch.catalog import albums, criteria
from imgsearch.catalog.comparing import at_or_under
from imgsearch.catalog.criteria import IsOneOf
from imgsearch.catalog.embeddings import KNUTH, Ids
from imgsearch.catalog.paths import spellings
from imgsearch.catalog.patterns import ANYTHING, is_like, no_such
from imgsearch.catalog.tables import Album, AlbumPhoto, File, Label, Photo
from imgsearch.errors import QueryError
from imgsearch.queries import Condition, Like, parse

SAMPLE = 256  # photos of which it is told how many satisfy a condition
_NAMED: Mapping[str, SQLColumnExpression[str]] = {"album": Album.name, "label": Label.name}


def photo_ids(engine: Engine, conditions: Sequence[Condition], folder: Path | None) -> Ids:
    """See `Catalog.photo_ids`."""
    with engine.connect() as connection:
        check_names(connection, conditions)
        if all(each.key in criteria.OF_FILES for each in conditions):
            # Photos need not be looked at: half the time where a folder holds 10,000 of a million.
            return _ids(connection, select(File.photo_id).where(about_files(conditions, folder)))
        return _ids(connection, _satisfying(connection, conditions, folder))


def candidate_ids(engine: Engine, conditions: Sequence[Condition]) -> Ids:
    """See `Catalog.candidate_ids`."""
    if any(each.key in criteria.OF_FILES for each in conditions):
        return photo_ids(engine, conditions, None)
    with engine.connect() as connection:
        check_names(connection, conditions)
        lists: list[Select[Any]] = []

        def noted(ids: Select[Any]) -> ColumnElement[bool]:
            lists.append(ids)
            return _listed(ids)

        tests = _about_photos(connection, conditions, noted)
        # One list and nothing else: photos, row by row, took thirty times as long as the list.
        is_list = len(lists) == 1 == sum(len(each.tests) for each in conditions)
        return _ids(connection, lists[0] if is_list else select(Photo.id).where(*tests))


def _ids(connection: Connection, statement: Select[Any]) -> Ids:
    """What a statement selects, ascending, each once."""
    (column,) = statement.subquery().c
    # As one text: a row for each of 100,000 ids took three times as long.
    text = connection.execute(select(func.group_concat(column))).scalar()
    ids = np.sort(np.fromstring(text or "", np.int64, sep=","), kind="stable")  # mostly they are
    once: Ids = ids[np.append(True, ids[1:] != ids[:-1])[: len(ids)]]
    return once


def newest(engine: Engine, conditions: Sequence[Condition], folder: Path | None, limit: int) -> Ids:
    """See `Catalog.newest_photo_ids`."""
    with engine.connect() as connection:
        check_names(connection, conditions)
        statement = _satisfying(connection, conditions, folder)
        latest = statement.order_by(Photo.taken_at.desc(), Photo.id.desc()).limit(limit)
        return np.array(connection.execute(latest).scalars().all(), np.int64)


def share(
    engine: Engine, conditions: Sequence[Condition], folder: Path | None, least: int
) -> float | None:
    """See `Catalog.share`."""
    with engine.connect() as connection:
        check_names(connection, conditions)
        last = connection.execute(select(func.max(Photo.id))).scalar() or 0
        if last < least:
            return None
        scattered = 1 + (np.arange(SAMPLE) * KNUTH % 2**32 * last >> 32)
        found = connection.execute(
            select(func.count(Photo.id.distinct()))
            .join(File, File.photo_id == Photo.id)
            .where(File.photo_id.in_(scattered.tolist()), is_hit(connection, conditions, folder))
        )
        return float(found.scalar_one()) / SAMPLE


def is_hit(
    connection: Connection, conditions: Sequence[Condition], folder: Path | None
) -> ColumnElement[bool]:
    """Whether a file, joined with its photo, is live and they satisfy all conditions.

    It is looked up for a photo at a time: of a million, a few are to be told.
    """
    tests = _about_photos(connection, conditions, _looked_up)
    return and_(about_files(conditions, folder), *tests)


def about_files(conditions: Sequence[Condition], folder: Path | None) -> ColumnElement[bool]:
    """Whether a file is live and satisfies those conditions that are about files."""
    tests = [File.state == "live"]
    if folder is not None:
        tests.append(or_(*map(at_or_under, spellings(folder))))
    for each in conditions:
        if each.key in criteria.OF_FILES:
            tests.append(_any(criteria.of_file(each.key, test) for test in each.tests))
    return and_(*tests)


def check_names(connection: Connection, asked: Sequence[Condition]) -> None:
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
    connection: Connection, conditions: Sequence[Condition], folder: Path | None
) -> Select[Any]:
    is_shown = about_files(conditions, folder)
    # SQLite begins where IN is: at an index on paths. Else it had better at one on photos.
    begins = folder is not None or any(each.key in criteria.OF_FILES for each in conditions)
    has_file = (_listed if begins else _looked_up)(select(File.photo_id).where(is_shown))
    return select(Photo.id).where(has_file, *_about_photos(connection, conditions, _listed))


def _about_photos(
    connection: Connection, conditions: Sequence[Condition], is_one_of: IsOneOf
) -> list[ColumnElement[bool]]:
    tests: list[ColumnElement[bool]] = []
    for each in conditions:
        if each.key == "album":
            tests.append(_any(_is_in_album(connection, test, is_one_of) for test in each.tests))
        elif each.key not in criteria.OF_FILES:
            tests.append(
                _any(
                    criteria.of_photo(connection, each.key, test, is_one_of) for test in each.tests
                )
            )
    return tests


def _is_in_album(connection: Connection, test: object, is_one_of: IsOneOf) -> ColumnElement[bool]:
    if not isinstance(test, Like):
        raise QueryError(f"an album is asked for by its name, not by {test}")
    found = albums.matching(connection, test.pattern)
    by_hand = [album_id for album_id, query in found if query is None]
    tests = [is_one_of(select(AlbumPhoto.photo_id).where(AlbumPhoto.album_id.in_(by_hand)))]
    for _, query in found:
        if query is not None:
            saved = parse(query).conditions
            has_file = is_one_of(select(File.photo_id).where(about_files(saved, None)))
            tests.append(and_(has_file, *_about_photos(connection, saved, is_one_of)))
    return or_(*tests)


def _listed(ids: Select[Any]) -> ColumnElement[bool]:
    """Whether a photo is one of these, which are begun with: for all photos that are."""
    return Photo.id.in_(ids)


def _looked_up(ids: Select[Any]) -> ColumnElement[bool]:
    """The same, of a photo at a time: a list of a million is not made to look for ten."""
    (photo_id,) = ids.selected_columns
    return ids.where(photo_id == Photo.id).correlate(Photo).exists()


def _any(tests: Iterable[ColumnElement[bool]]) -> ColumnElement[bool]:
    return or_(false(), *tests)
