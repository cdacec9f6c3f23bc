"""One test as SQL, by its key: what a value means, beyond its type.

- `camera:` and `lens:` look for a part of the name (PhotoPrism: for its beginning); with a `*`, and
  for every other text, a pattern is about the whole.
- `path:` is at or below: from a path that was given to `index`, or from the top of the disk for an
  absolute one and one that begins with `*`. `name:` is a file's, with its ending or without.
- `month:` and `day:` are those of this machine's wall clock, by which most photos were taken in
  (see `images.facts`).
- `country:` is a code or a name in English or Chinese, `city:` any name that GeoNames has for it.
- A name that no country has is an error; one with a `*` finds nothing.
"""

import os
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Select,
    and_,
    cast,
    func,
    or_,
    select,
    true,
)

from imgsearch.catalog.patterns import ANYTHING, fits, is_like, part
from imgsearch.catalog.positions import is_near
from imgsearch.catalog.tables import CaptionEntry, File, Label, Photo, PhotoLabel, Place, Root
from imgsearch.errors import QueryError
from imgsearch.places import country_codes, country_names
from imgsearch.queries import Flag, Like, Near, Period, Span, Test

Holds: TypeAlias = ColumnElement[bool]
IsOneOf: TypeAlias = Callable[[Select[Any]], Holds]  # whether a photo is among selected ids

OF_FILES = ("path", "name")


def of_photo(connection: Connection, key: str, test: Test, is_one_of: IsOneOf) -> Holds:
    """Whether a photo satisfies a test of any key but `path`, `name` and `album`.

    Raises QueryError for a test that the key does not take, and for a country that there is not.
    """
    match test:
        case Span(low=low, high=high) if key in NUMBERS:
            return _is_within(NUMBERS[key], low, high)
        case Period(start=start, end=end) if key in PERIODS:
            is_late_enough = true() if start is None else Photo.taken_at >= start
            is_early_enough = true() if end is None else Photo.taken_at < end
            return and_(is_late_enough, is_early_enough)
        case Like(pattern=pattern) if key in TEXTS:
            return TEXTS[key](connection, pattern)
        case Like(pattern=pattern) if key == "label":
            return is_one_of(_labelled(connection, pattern))
        case Like(pattern=pattern) if key in GEAR:
            return is_one_of(_taken_with(key, part(pattern)))
        case Flag(is_so=is_so) if key in CLAIMS:
            return CLAIMS[key] if is_so else ~CLAIMS[key]
        case Near() if key == "near":
            return is_near(test)
    raise _not_taken(key, test)


def of_file(key: str, test: Test) -> Holds:
    """Whether a file satisfies a test of `path` or `name`. Raises QueryError."""
    if not isinstance(test, Like):
        raise _not_taken(key, test)
    return _is_named(test.pattern) if key == "name" else _is_at(test.pattern)


def _not_taken(key: str, test: Test) -> QueryError:
    return QueryError(f"photos cannot be asked for {key!r} with {test}")


def _is_within(number: ColumnElement[Any], low: float | None, high: float | None) -> Holds:
    is_great_enough = true() if low is None else number >= low
    is_small_enough = true() if high is None else number <= high
    return and_(number.is_not(None), is_great_enough, is_small_enough)


def _on_the_clock(unit: str) -> ColumnElement[int]:
    return cast(func.strftime(unit, Photo.taken_at, "localtime"), Integer)


def _is_in_country(connection: Connection, pattern: str) -> Holds:
    codes = [
        code for code in country_codes() if any(fits(name, pattern) for name in country_names(code))
    ]
    if not codes and ANYTHING not in pattern:
        raise QueryError(
            f"no country is called {pattern!r}; give a code as FR, or a name in English or Chinese"
        )
    return Photo.place_id.in_(select(Place.id).where(Place.country.in_(codes)))


def _is_in_city(connection: Connection, pattern: str) -> Holds:
    others = func.json_each(Place.names).table_valued("value")
    by_another = select(others.c.value).where(is_like(others.c.value, pattern)).exists()
    is_city = and_(Place.name != "", or_(is_like(Place.name, pattern), by_another))
    return Photo.place_id.in_(select(Place.id).where(is_city))


def _labelled(connection: Connection, pattern: str) -> Select[Any]:
    ids = connection.execute(select(Label.id).where(is_like(Label.name, pattern))).scalars().all()
    return select(PhotoLabel.photo_id).where(PhotoLabel.label_id.in_(ids))


def _taken_with(key: str, pattern: str) -> Select[Any]:
    """The photos that name such a camera or lens: of all names, each found in the index behind the
    last, those that fit are looked for. A million photos have hundreds.
    """
    photo = Photo.__table__.alias()
    name = photo.c[key]
    names = select(func.min(name).label("name")).cte(recursive=True)
    following = select(func.min(name)).where(name > names.c.name).scalar_subquery()
    names = names.union_all(select(following).where(names.c.name.is_not(None)))
    return select(photo.c.id).where(
        name.in_(select(names.c.name).where(is_like(names.c.name, pattern)))
    )


def _is_at(pattern: str) -> Holds:
    pattern = os.path.expanduser(pattern.replace("/", os.sep))
    stem = pattern.rstrip(os.sep)
    either = (stem, f"{stem}{os.sep}{ANYTHING}")
    if pattern.startswith(ANYTHING) or os.path.isabs(pattern):
        return or_(*(is_like(File.path, each) for each in either))
    root = select(Root.path).where(Root.id == File.root_id).scalar_subquery()
    below = func.ltrim(func.substr(File.path, func.length(root) + 1), os.sep)
    return or_(*(is_like(below, each) for each in either))


def _is_named(pattern: str) -> Holds:
    folder = func.rtrim(File.path, func.replace(File.path, os.sep, ""))
    name = func.substr(File.path, func.length(folder) + 1)
    is_so = or_(is_like(name, pattern), is_like(name, f"{pattern}.{ANYTHING}"))
    # True of no fewer, and ten times faster than cutting the name out of every path.
    return and_(is_like(File.path, f"{ANYTHING}{os.sep}{pattern}{ANYTHING}"), is_so)


NUMBERS: Mapping[str, ColumnElement[Any]] = {
    "iso": Photo.iso.expression,
    "f": Photo.f_number.expression,
    "mm": Photo.focal_length_mm.expression,
    "width": Photo.width.expression,
    "height": Photo.height.expression,
    "mp": Photo.width * Photo.height / 1e6,
    "month": _on_the_clock("%m"),
    "day": _on_the_clock("%d"),
}
PERIODS = ("after", "before", "year")
GEAR = ("camera", "lens")
TEXTS: Mapping[str, Callable[[Connection, str], Holds]] = {
    "type": lambda _, pattern: is_like(Photo.format, pattern),
    "country": _is_in_country,
    "city": _is_in_city,
}
CLAIMS: Mapping[str, Holds] = {
    "portrait": Photo.height > Photo.width,
    "landscape": Photo.width > Photo.height,
    "square": Photo.width == Photo.height,
    "captioned": select(CaptionEntry.id)
    .where(CaptionEntry.photo_id == Photo.id, CaptionEntry.text != "")
    .exists(),
}
