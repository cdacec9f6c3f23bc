"""add_to_album(), remove_from_album(), save_album(), rename_album(), drop_album(), list_albums().

A library, the name of an album and ids of photos go in; how many photos it changed comes out. A
saved search is a text of conditions alone, as `camera:canon year:2023`, and its photos are always
those that satisfy them: words only rank photos, and where a ranking stops being an album a person
says, by putting the hits into one.
"""

from collections.abc import Sequence

from imgsearch.catalog import AlbumRow, facts
from imgsearch.errors import QueryError, UsageError
from imgsearch.library import Library
from imgsearch.queries import conditions, parse

LONGEST_NAME = 200
SPECIAL = '*|"'  # what a name cannot have, to be asked for as album:"NAME"


def list_albums(library: Library) -> list[AlbumRow]:
    """Every album by name, with how many photos are in it now."""
    return [
        row if row.query is None else row._replace(photos=_count_found(library, row.name))
        for row in library.catalog.albums()
    ]


def add_to_album(library: Library, name: str, photo_ids: Sequence[int]) -> int:
    """Put photos into an album, which is made if it is new; how many were not in it.

    Raises UsageError for a name that cannot be and for a saved search, QueryError for a photo that
    the library has not got, LibraryLockedError.
    """
    name = _checked(name)
    with library.lock():
        known = facts.content_hashes(library.catalog, photo_ids)
        for photo_id in photo_ids:
            if photo_id not in known:
                raise QueryError(f"the library has no photo {photo_id} to put into {name!r}")
        with library.catalog.write() as writer:
            return writer.add_to_album(name, photo_ids)


def remove_from_album(library: Library, name: str, photo_ids: Sequence[int]) -> int:
    """Take photos out of an album; how many were in it.

    Raises QueryError for an album that there is not, UsageError for a saved search,
    LibraryLockedError.
    """
    with library.lock(), library.catalog.write() as writer:
        return writer.remove_from_album(name, photo_ids)


def save_album(library: Library, name: str, query: str) -> int:
    """Let an album be all photos that satisfy the conditions of a query; how many do now.

    Raises UsageError for a name that cannot be, for a query with words or pictures in it and where
    an album of that name was made by hand; QueryError for conditions that cannot be;
    LibraryLockedError.
    """
    name = _checked(name)
    asked = parse(query)
    if asked.terms:
        raise UsageError(
            f"{query!r} ranks photos and does not say where the album ends: save conditions alone, "
            "as camera:canon year:2023, or put the best hits into the album with -k"
        )
    with library.lock():
        count = len(library.catalog.photo_ids(asked.conditions))
        with library.catalog.write() as writer:
            writer.save_album(name, query)
    return count


def rename_album(library: Library, name: str, another: str) -> None:
    """Give an album another name.

    Raises QueryError for an album that there is not, UsageError for a name that cannot be or is
    taken, LibraryLockedError.
    """
    another = _checked(another)
    with library.lock(), library.catalog.write() as writer:
        writer.rename_album(name, another)


def drop_album(library: Library, name: str) -> None:
    """Forget an album; its photos stay. Raises QueryError where there is none of that name."""
    with library.lock(), library.catalog.write() as writer:
        writer.drop_album(name)


def _count_found(library: Library, name: str) -> int:
    return len(library.catalog.photo_ids(conditions(album=name)))


def _checked(name: str) -> str:
    """The name, without space around it."""
    name = name.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable() or set(SPECIAL) & set(name):
        raise UsageError(
            f"no album can be called {name[:LONGEST_NAME]!r}: a name is one line of at most "
            f"{LONGEST_NAME} characters, without {' '.join(SPECIAL)}"
        )
    return name
