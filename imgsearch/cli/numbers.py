"""Hits as a person names them by number: 3, 5-8."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imgsearch.library.last_search import LastSearch


def chosen(last: LastSearch, numbers: Sequence[str]) -> list[Path]:
    """The paths of those hits, in the order given, each once; of all where none is named.

    Raises UsageError for a number that no hit has, and for what is no number.
    """
    if not numbers:
        return list(last.paths)
    paths: dict[Path, None] = {}
    for each in numbers:
        first, final = _bounds(each)
        if not 1 <= first <= final <= len(last.paths):
            raise _unknown(each, last)
        paths.update(dict.fromkeys(last.paths[first - 1 : final]))
    return list(paths)


def _bounds(numbers: str) -> tuple[int, int]:
    from imgsearch.errors import UsageError

    found = re.fullmatch(r"([0-9]{1,9})(?:-([0-9]{1,9}))?", numbers)
    if found is None:
        raise UsageError(f"{numbers!r} is no number of a hit; write 3, or 5-8 for several")
    return int(found[1]), int(found[2] or found[1])


def _unknown(numbers: str, last: LastSearch) -> Exception:
    from imgsearch.errors import UsageError

    count = len(last.paths)
    has = f"hits 1 to {count}" if count else "no hits"
    return UsageError(f"the last search, {last.asked!r}, has {has}, and none of {numbers}")
