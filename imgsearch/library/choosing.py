"""choose_photos(), check_is_one(): which photos of a library a person speaks of.

A path and conditions go in, ids come out, and every verb takes them as its `only`: so a filter
means the same whatever is done with the photos.
"""

from collections.abc import Sequence
from pathlib import Path

from imgsearch.catalog import Ids
from imgsearch.errors import QueryError
from imgsearch.library.place import Library
from imgsearch.queries import Condition

NAMES_SHOWN = 10  # of the photos in a file or a folder


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


def check_is_one(library: Library, path: Path) -> None:
    """Raise QueryError for a film, an archive or a folder that photos of the library are in; it
    names them.
    """
    there = library.catalog.photo_ids(folder=path)
    within = sorted(library.catalog.live_paths(there, folder=path).values())
    if not within:
        return
    more = f" and {len(within) - NAMES_SHOWN:,} more" if len(within) > NAMES_SHOWN else ""
    raise QueryError(
        f"{str(path)!r} holds {len(within):,} photos of the library; name one of them: "
        f"{', '.join(map(str, within[:NAMES_SHOWN]))}{more}"
    )
