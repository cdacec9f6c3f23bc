"""What is no longer on disk: missing, or withheld when it looks like an unmounted drive.

What a run did not meet goes in; `Missing` outcomes come out, once committed. A file counts as gone
only when the system says that nothing is there: one that is excluded now, or in a folder that
cannot be read, stays as it is.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from imgsearch.catalog import FileRow
from imgsearch.images import is_gone, place_of
from imgsearch.indexing.comparing import Comparison
from imgsearch.indexing.outcomes import Missing, Notice, Withheld
from imgsearch.indexing.roots import root_of
from imgsearch.library import Library

FEW_FILES = 10  # fewer may go at once without a question
LARGE_SHARE = 0.2  # of a root's live files
FILES_AT_ONCE = 1000


def mark_missing(
    library: Library,
    comparison: Comparison,
    roots: Sequence[Path],
    accept_missing: bool,
    notify: Callable[[Notice], None],
) -> Iterator[Missing]:
    """Mark the files that are gone, and forget the skipped ones among them.

    Folder by folder, of those that were ever given: a drive mounted inside another root counts by
    itself.
    """
    known = {os.fspath(path) for path in [*roots, *library.catalog.roots()]}
    gone = _by_root({n: file for n, file in comparison.unseen.items() if is_gone(n)}, known)
    for root, files in gone.items():
        live = {name: file for name, file in files.items() if file.state == "live"}
        if _file_count(live) >= FEW_FILES and not accept_missing:
            count = _file_count(name for name in comparison.live if root_of(name, known) == root)
            if _file_count(live) > LARGE_SHARE * count:
                notify(Withheld(Path(root), _file_count(live), count))
                continue
        yield from _mark(library, live)
        with library.catalog.write() as writer:
            writer.forget_files([file.id for file in files.values() if file.state == "skipped"])


def _file_count(names: Iterable[str]) -> int:
    """How many files on the disk hold these photos: an archive that is gone is one."""
    return len({place_of(Path(name)).container for name in names})


def _by_root(files: dict[str, FileRow], roots: set[str]) -> dict[str, dict[str, FileRow]]:
    groups: dict[str, dict[str, FileRow]] = {}
    for name, file in files.items():
        groups.setdefault(root_of(name, roots), {})[name] = file
    return groups


def _mark(library: Library, files: dict[str, FileRow]) -> Iterator[Missing]:
    items = list(files.items())
    for start in range(0, len(items), FILES_AT_ONCE):
        some = items[start : start + FILES_AT_ONCE]
        with library.catalog.write() as writer:
            writer.set_state([file.id for _, file in some], "missing")
        for name, file in some:
            if file.photo_id is not None:
                yield Missing(Path(name), file.photo_id)
