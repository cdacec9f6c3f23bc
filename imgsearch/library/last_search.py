"""The hits of the last search, so that `open 3` and `copy` know what is meant.

Kept as one small JSON file in the library, written whole and then moved into place, so that nobody
ever reads half of it. It serves comfort alone: a library that cannot be written keeps none, and one
that does not read is no error but an absence.
"""

import contextlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from imgsearch.errors import UsageError
from imgsearch.library.place import Library
from imgsearch.library.replacement import replacing

FILE = "last-search.json"
FORMAT = 1


@dataclass(frozen=True)
class LastSearch:
    """What was asked, in words, and the paths of its hits, the first hit first."""

    asked: str
    paths: tuple[Path, ...]


def remember_search(library: Library, asked: str, paths: Sequence[Path]) -> None:
    """Keep these as the last search of the library; where it cannot be written, nothing happens."""
    kept = {"format": FORMAT, "asked": asked, "paths": [os.fspath(path) for path in paths]}
    with contextlib.suppress(OSError), replacing(library.path / FILE) as file:
        file.write(json.dumps(kept).encode())  # ASCII: bytes of a path that are no text are escaped


def last_search(library: Library) -> LastSearch:
    """What `remember_search` kept. Raises UsageError where there is none."""
    try:
        kept = json.loads((library.path / FILE).read_text(encoding="ascii"))
        if kept["format"] == FORMAT:
            return LastSearch(str(kept["asked"]), tuple(map(Path, kept["paths"])))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _none(library) from error
    raise _none(library)


def _none(library: Library) -> UsageError:
    return UsageError(
        f"the library {library.path} remembers no search; search first: "
        f"{library.command('search', 'WORDS')}"
    )
