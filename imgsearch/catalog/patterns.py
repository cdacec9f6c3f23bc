"""Patterns of names: `*` for any number of characters, letters of any case, in SQL.

A pattern goes in, a condition on a column comes out. SQLite's LIKE knows the case of ASCII letters
only, and takes an accented letter in one character and in two for different ones. So a LIKE, which
is fast, is made of patterns in which neither matters (ASCII, Chinese); any other is asked of a
function of ours, which folds both sides: 100,000 paths take 0.2 s instead of 0.02.
"""

import functools
import unicodedata
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, SQLColumnExpression, func

from imgsearch.errors import QueryError

FITS = "imgsearch_fits"  # the function's name in SQL; `connection` registers it
ANYTHING = "*"
NAMES_SHOWN = 20  # of those that exist, in an error


def is_like(text: SQLColumnExpression[Any], pattern: str) -> ColumnElement[bool]:
    """Whether all of a text fits a pattern."""
    if all(map(_is_plain, pattern)):
        return text.like(_escaped(pattern), escape="\\")
    does_fit: ColumnElement[bool] = getattr(func, FITS)(text, pattern) == 1
    return does_fit


def part(pattern: str) -> str:
    """The pattern for a text anywhere within another; one with a `*` is about the whole already."""
    return pattern if ANYTHING in pattern else f"*{pattern}*"


def no_such(what: str, name: str, names: Sequence[str]) -> QueryError:
    """The error for a name that nothing has; it says which names there are."""
    there = ", ".join(map(repr, names[:NAMES_SHOWN])) or "none"
    more = f" and {len(names) - NAMES_SHOWN:,} more" if len(names) > NAMES_SHOWN else ""
    return QueryError(f"there is no {what} {name!r}; there are {there}{more}")


def fits(text: str | None, pattern: str) -> bool:
    """Whether all of a text fits a pattern; None fits none.

    What stands between two `*` is taken where it is first found: if the rest does not fit from
    there, it fits from nowhere later, so that no pattern takes long.
    """
    if text is None:
        return False
    text, parts = _folded(text), _parts(pattern)
    if len(parts) == 1:
        return text == parts[0]
    first, *between, last = parts
    place = len(first)
    for each in between:
        found = text.find(each, place)
        if found < 0:
            return False
        place = found + len(each)
    return text.startswith(first) and text.endswith(last) and place <= len(text) - len(last)


def _escaped(pattern: str) -> str:
    for special in ("\\", "%", "_"):
        pattern = pattern.replace(special, f"\\{special}")
    return pattern.replace(ANYTHING, "%")


@functools.lru_cache(maxsize=256)
def _parts(pattern: str) -> list[str]:
    """What stands before, between and after the `*`."""
    return _folded(pattern).split(ANYTHING)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def _is_plain(character: str) -> bool:
    has_case = character.lower() != character.upper()
    return character.isascii() or not (
        has_case or unicodedata.normalize("NFD", character) != character
    )
