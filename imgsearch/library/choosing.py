"""choose_photos(): which photos of a library a person speaks of.

A path and conditions go in, ids come out, and every verb takes them as its `only`: so a filter
means the same whatever is done with the photos.
"""

from collections.abc import Sequence
from pathlib import Path

from imgsearch.catalog import Ids
from imgsearch.errors import QueryError
from imgsearch.library.place import Library
from imgsearch.queries import Condition


def choose_photos(
    library: Library, path: Path | None = None, conditions: Sequence[Condition] = ()
) -> Ids | None:
    """The photos with a live file at or under a path that satisfy all conditions, ascending; None
    where neither bounds them.

    Raises QueryError for a path at or under which there is no photo, for a label, an album or a
    country that there is not, and for conditions that cannot be.
    """
    if path is None and not conditions:
        return None
    ids = library.catalog.photo_ids(conditions, folder=path)
    if path is not None and not len(ids) and not len(library.catalog.photo_ids(folder=path)):
        raise QueryError(
            f"the library knows no photo at or under {str(path)!r}; this takes them in: "
            f"{library.command('index', path)}"
        )
    return ids
