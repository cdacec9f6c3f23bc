"""add_label(), remove_label(), drop_label(), labelled(): a person's own labels, and all that are.

A library, a name and ids of photos go in; how many photos it changed comes out. What a person says
stays until a person takes it back: a run of `label` leaves it alone, and gives no photo again what
a person took from it.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from imgsearch.catalog import LabelRow, facts
from imgsearch.errors import QueryError, UsageError
from imgsearch.library import Library
from imgsearch.organising.label_lists import check_name


def add_label(library: Library, name: str, photo_ids: Sequence[int]) -> int:
    """Give photos a label of one's own; how many had not got it yet.

    Raises UsageError for a name that cannot be, QueryError for a photo that the library has not
    got, LibraryLockedError.
    """
    name = check_name(name)
    with library.lock():
        known = facts.content_hashes(library.catalog, photo_ids)
        for photo_id in photo_ids:
            if photo_id not in known:
                raise QueryError(f"the library has no photo {photo_id} to label {name!r}")
        with library.catalog.write() as writer:
            return writer.add_label(name, photo_ids)


def remove_label(library: Library, name: str, photo_ids: Sequence[int]) -> int:
    """Take a label from photos, whoever gave it, for good; how many had it.

    Raises UsageError for a label that the library has not got, LibraryLockedError.
    """
    with library.lock(), library.catalog.write() as writer:
        return writer.remove_label(_known(library, name), photo_ids)


def drop_label(library: Library, name: str) -> None:
    """Take a label from every photo, and forget it. Raises what `remove_label` raises."""
    with library.lock(), library.catalog.write() as writer:
        writer.drop_label(_known(library, name))


def labelled(library: Library) -> Iterator[tuple[Path, LabelRow]]:
    """Every label of every photo with a live file, by label: people's first, then the surest."""
    for tally in library.catalog.label_tallies():
        rows = library.catalog.photos_labelled(tally.name)
        paths = library.catalog.live_paths([row.photo_id for row in rows])
        yield from ((paths[row.photo_id], row) for row in rows)


def _known(library: Library, name: str) -> str:
    """The name, as the library spells it. Raises UsageError for one that it has not got."""
    names = [tally.name for tally in library.catalog.label_tallies()]
    spelled = " ".join(name.split())
    if spelled not in names:
        raise UsageError(
            f"the library has no label {spelled!r}; it has: {', '.join(names) or 'none yet'}"
        )
    return spelled
