"""add_label(), remove_label(), drop_label(), labelled(): a person's own labels, and all that are.

A library, a name and ids of photos go in; how many photos it changed comes out. What a person says
stays until a person takes it back: a run of `label` leaves it alone.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from imgsearch.catalog import LabelRow
from imgsearch.errors import UsageError
from imgsearch.library import Library
from imgsearch.organising.label_lists import check_name


def add_label(library: Library, name: str, photo_ids: Sequence[int]) -> int:
    """Give photos a label of one's own; how many had not got it yet.

    Raises UsageError for a name that cannot be, LibraryLockedError.
    """
    with library.lock(), library.catalog.write() as writer:
        return writer.add_label(check_name(name), photo_ids)


def remove_label(library: Library, name: str, photo_ids: Sequence[int]) -> int:
    """Take a label from photos, whoever gave it; how many had it.

    Raises UsageError for a label that the library has not got, LibraryLockedError.
    """
    with library.lock(), library.catalog.write() as writer:
        _check_there(library, name)
        return writer.remove_label(name, photo_ids)


def drop_label(library: Library, name: str) -> None:
    """Take a label from every photo, and forget it. Raises what `remove_label` raises."""
    with library.lock(), library.catalog.write() as writer:
        _check_there(library, name)
        writer.drop_label(name)


def labelled(library: Library) -> Iterator[tuple[Path, LabelRow]]:
    """Every label of every photo with a live file, by label: people's first, then the surest."""
    for tally in library.catalog.label_tallies():
        rows = library.catalog.photos_labelled(tally.name)
        paths = library.catalog.live_paths([row.photo_id for row in rows])
        yield from ((paths[row.photo_id], row) for row in rows)


def _check_there(library: Library, name: str) -> None:
    names = [tally.name for tally in library.catalog.label_tallies()]
    if name not in names:
        raise UsageError(
            f"the library has no label {name!r}; it has: {', '.join(names) or 'none yet'}"
        )
