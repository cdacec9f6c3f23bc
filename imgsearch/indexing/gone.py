"""What is no longer on disk: missing, or withheld when it looks like an unmounted drive.

What a run did not meet goes in; `Missing` outcomes come out, once committed. A file counts as gone
only when the system says that nothing is there: one that is excluded now, or in a folder that
cannot be read, stays as it is.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from imgsearch.catalog import FileRow
from imgsearch.indexing.comparing import Comparison, is_gone
from imgsearch.indexing.outcomes import Missing, Notice, Withheld
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
    """Mark the files that are gone, root by root, and forget the skipped ones among them."""
    for root in roots:
        stem = os.path.join(root, "")
        gone = {
            name: file
            for name, file in comparison.unseen.items()
            if name.startswith(stem) and is_gone(name)
        }
        live = {name: file for name, file in gone.items() if file.state == "live"}
        if len(live) >= FEW_FILES and not accept_missing:
            known = sum(name.startswith(stem) for name in comparison.live)
            if len(live) > LARGE_SHARE * known:
                notify(Withheld(root, len(live), known))
                continue
        yield from _mark(library, live)
        with library.catalog.write() as writer:
            writer.forget_files([file.id for file in gone.values() if file.state == "skipped"])


def _mark(library: Library, files: dict[str, FileRow]) -> Iterator[Missing]:
    items = list(files.items())
    for start in range(0, len(items), FILES_AT_ONCE):
        some = items[start : start + FILES_AT_ONCE]
        with library.catalog.write() as writer:
            writer.set_state([file.id for _, file in some], "missing")
        for name, file in some:
            if file.photo_id is not None:
                yield Missing(Path(name), file.photo_id)
