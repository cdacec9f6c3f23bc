"""What photos have most often of what conditions ask for by name: cities, cameras, kinds of file.

A catalog and a key of conditions go in, names come out, to tell who asked for one that no photo
has.
"""

from collections.abc import Mapping

from sqlalchemy import SQLColumnExpression, exists, func, select

from imgsearch.catalog.queries import Catalog
from imgsearch.catalog.tables import File, Photo, Place

_NAMES: Mapping[str, SQLColumnExpression[str] | SQLColumnExpression[str | None]] = {
    "camera": Photo.camera.expression,
    "lens": Photo.lens.expression,
    "type": Photo.format.expression,
    "city": Place.name.expression,
    "country": Place.country.expression,
}
KEYS = frozenset(_NAMES)


def most_frequent(catalog: Catalog, key: str, limit: int) -> list[str]:
    """What most photos with a live file have under a key of `KEYS`, most of them first."""
    name = _NAMES[key]
    is_live = exists().where(File.photo_id == Photo.id, File.state == "live")
    statement = (
        select(name)
        .select_from(Photo)
        .join(Place, Place.id == Photo.place_id, isouter=True)
        .where(is_live, name.is_not(None), name != "")
        .group_by(name)
        .order_by(func.count().desc(), name)
        .limit(limit)
    )
    with catalog.engine.connect() as connection:
        return [each for each in connection.execute(statement).scalars() if each is not None]
