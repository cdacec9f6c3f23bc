"""The words of a command line as queries: what `search`, `copy --query` and `album` take.

A shell has cut the words already and taken its quotes away; they are put back where a value of a
condition holds spaces, so that `"camera:Canon EOS 5D"` means what it says.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from imgsearch.queries import Query


def asked_for(text: str, *, allows_addresses: bool = False) -> Query:
    """The query that a text of the command line means. Raises QueryError."""
    from imgsearch.images import ENDINGS
    from imgsearch.queries import parse

    return parse(text, picture_endings=ENDINGS, allows_addresses=allows_addresses)


def text_of(words: Sequence[str]) -> str:
    """The text that the words of a command line make together."""
    return " ".join(_quoted(word) for word in words)


def with_terms(words: Sequence[str], added: Sequence[str], subtracted: Sequence[str]) -> list[str]:
    """The words, with those of `--add` and `--subtract` behind their signs."""
    more = [("+", each) for each in added] + [("-", each) for each in subtracted]
    return [*words, *(part for pair in more for part in pair)]


def lines_of(source: Path) -> list[str]:
    """The queries of a file, one a line; `-` is standard input. Raises UsageError."""
    from imgsearch.errors import UsageError

    try:
        text = sys.stdin.read() if str(source) == "-" else source.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"no queries can be read from {str(source)!r} ({error}); give a text file in UTF-8 "
            "with one query a line, or - for standard input"
        ) from error
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise UsageError(f"{str(source)!r} holds no query; write one a line")
    return lines


def _quoted(word: str) -> str:
    from imgsearch.queries import KEYS

    keyed = re.fullmatch(r"(\w+):([^\"]*\s[^\"]*)", word)
    return f'{keyed[1]}:"{keyed[2]}"' if keyed and keyed[1].lower() in KEYS else word
