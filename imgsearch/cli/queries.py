"""The words of a command line as queries, and their hits: what `search`, `copy` and `album` take.

A shell has cut the words already and taken its quotes away. They are put back where a whole word of
the shell is a key of texts and a value with spaces, so that `"camera:Canon EOS 5D"` means what it
says. With quotes of one's own within the word nothing is put anywhere: `'camera:"EOS 5D" a dog'`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from imgsearch.library import Library
    from imgsearch.queries import Query
    from imgsearch.searching import Hit, Manner

_SPACED = re.compile(
    r"(\w+):([^\s\"“”「」][^\"“”「」]*\s[^\"“”「」]*)"
)  # a value with spaces, unquoted
_KEYED = re.compile(r"\s[^\W\d_][\w-]*:\S")  # another key and its value behind a space


def asked_for(text: str, *, allows_addresses: bool = False) -> Query:
    """The query that a text of the command line means. Raises QueryError."""
    from imgsearch.queries import parse

    if not set("./\\").intersection(text):  # no word can name a picture, and none loads Pillow
        return parse(text, allows_addresses=allows_addresses)
    from imgsearch.images import ENDINGS

    return parse(text, picture_endings=ENDINGS, allows_addresses=allows_addresses)


def text_of(words: Sequence[str]) -> str:
    """The text that the words of a command line make together."""
    return " ".join(_quoted(word) for word in words)


def with_terms(words: Sequence[str], added: Sequence[str], subtracted: Sequence[str]) -> list[str]:
    """The words, with those of `--add` and `--subtract` behind their signs."""
    more = [("+", each) for each in added] + [("-", each) for each in subtracted]
    return [*words, *(part for pair in more for part in pair)]


def queries_in(source: Path, *, allows_addresses: bool = False) -> list[tuple[str, Query]]:
    """The queries of a file, one a line, each as it is written and as it is meant; `-` is standard
    input.

    Raises UsageError for a file without any, QueryError with the number of the line that is none.
    """
    from imgsearch.errors import QueryError, UsageError

    try:
        text = sys.stdin.read() if str(source) == "-" else source.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(
            f"no queries can be read from {str(source)!r} ({reason}); give a text file in UTF-8 "
            "with one query a line, or - for standard input"
        ) from error
    asked: list[tuple[str, Query]] = []
    for number, line in enumerate(map(str.strip, text.splitlines()), 1):
        try:
            if line:
                asked.append((line, asked_for(line, allows_addresses=allows_addresses)))
        except QueryError as error:
            raise QueryError(f"line {number} of {str(source)!r}: {error}") from error
    if not asked:
        raise UsageError(f"{str(source)!r} holds no query; write one a line")
    return asked


def hits_of(
    library: Library, asked: Sequence[Query], k: int, manner: Manner, *, is_cut: bool
) -> list[list[Hit]]:
    """The hits of each query, cut where they are no longer relevant; of conditions alone nothing
    is.
    """
    from dataclasses import replace

    from imgsearch.searching import LEAST_RELEVANT, search_all

    least = LEAST_RELEVANT if is_cut else None
    cut = replace(manner, filters=replace(manner.filters, min_relevance=least))
    with_terms = [each for each in asked if each.terms]
    ranked = iter(search_all(library, with_terms, k, cut) if with_terms else [])
    return [
        next(ranked) if each.terms else search_all(library, [each], k, manner)[0] for each in asked
    ]


def nothing_found(library: Library, asked: Query, manner: Manner, *, is_cut: bool) -> str:
    """Why a query has no hit, and what to type next."""
    from imgsearch.searching import search_all
    from imgsearch.searching.filters import why_none

    filters = manner.filters
    where = "" if filters.path is None else f" at or under {filters.path}"
    conditions = (*asked.conditions, *filters.conditions)
    if reason := why_none(library, conditions, filters.path):
        return f"nothing found{where}: {reason}"
    if not is_cut or not asked.terms:
        return f"nothing found{where}"
    nearest = search_all(library, [asked], 1, manner)[0]
    if not nearest or nearest[0].relevance is None:
        return f"nothing found{where}"
    return (
        f"nothing relevant found{where}: the nearest photo, {nearest[0].path.name}, is "
        f"{nearest[0].relevance:.0%} relevant; --all shows what is nearest all the same"
    )


def _quoted(word: str) -> str:
    from imgsearch.queries import takes_text

    keyed = _SPACED.fullmatch(word)
    if not keyed or not takes_text(keyed[1]) or _KEYED.search(keyed[2]):
        return word
    return f'{keyed[1]}:"{keyed[2]}"'
