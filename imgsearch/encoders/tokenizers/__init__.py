"""Texts to token rows, without torch: the same ids for a tower that torch runs and for one that is
exported.

In: texts. Out: rows of ids, as long as each text is, padded to an array only for the tower. Each
kind of tokenizer is our own small reading of the file that its package ships, and equals that
package id for id: the packages load torch before their first word, which is most of a search. A
text that does not fit is an error here, where the packages cut it off without a word: the end of a
query is often its point.

    byte_pairs.py    CLIP's, with its published merges or those of a file
    word_pieces.py   BERT's, as Chinese-CLIP was trained with it
    hugging_face.py  any other, in a folder of Hugging Face files
    cleaning.py      what is mended in a text before it is split
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from imgsearch.errors import QueryError, UsageError

DEFAULT_CONTEXT = 77
DEFAULT_VOCABULARY = 49408
REMEMBERED = 8192  # texts: a prompt is shortened, measured and tokenized, and split only once


class Tokenizer(Protocol):
    """Texts -> rows of ids. A tower reads at most `context` of them, and `padding` behind them."""

    context: int
    padding: int

    def ids(self, text: str) -> tuple[int, ...]:
        """The tokens of a text of any length, those that begin and end it included."""
        ...

    def save(self, folder: Path) -> dict[str, Any]:
        """Write into a folder that is there what it takes to read texts again, and return what
        `load` wants to know besides, as JSON can hold it."""
        ...

    def length(self, text: str) -> int:
        """How many tokens a text has, those that begin and end it included."""
        return len(self.ids(text))

    def rows(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        """The ids of each text. Raises QueryError for one longer than the context."""
        check_lengths(texts, [self.length(text) for text in texts], self.context)
        return [self.ids(text) for text in texts]


def load(settings: Mapping[str, Any], folder: Path) -> Tokenizer:
    """The tokenizer that was saved into a folder, from what `save` returned.

    Raises UsageError where its files are gone or damaged, or a package it needs is missing.
    """
    kind = settings["kind"]
    if kind == "byte_pairs":
        from imgsearch.encoders.tokenizers.byte_pairs import BytePairs

        return BytePairs.saved(settings, folder)
    if kind == "word_pieces":
        from imgsearch.encoders.tokenizers.word_pieces import WordPieces

        return WordPieces.saved(settings, folder)
    if kind == "hugging_face":
        from imgsearch.encoders.tokenizers.hugging_face import FromFolder

        return FromFolder.saved(settings, folder)
    raise UsageError(
        f"{folder} holds a tokenizer of the kind {kind!r}, which this release does not know; "
        "remove the folder, and it is made anew"
    )


def check_lengths(texts: Sequence[str], lengths: Sequence[int], limit: int) -> None:
    """Raises QueryError for the first text whose tokens exceed the limit."""
    for text, length in zip(texts, lengths, strict=True):
        if length > limit:
            start = text if len(text) <= 40 else text[:40] + "…"
            raise QueryError(
                f"the text {start!r} has {length} tokens and this encoder reads at most {limit}; "
                "shorten it"
            )


def padded(rows: Sequence[Sequence[int]], length: int, padding: int = 0) -> npt.NDArray[np.int64]:
    """Rows of at most `length` ids -> (n, length) int64."""
    tokens = np.full((len(rows), length), padding, np.int64)
    for row, ids in zip(tokens, rows, strict=True):
        row[: len(ids)] = ids
    return tokens


def longest_beginning(text: str, length: Callable[[str], int], limit: int) -> str:
    """The longest beginning of a text, by characters, whose length in tokens is at most `limit`."""
    if length(text) <= limit:
        return text
    fits, too_long = 0, len(text)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if length(text[:middle]) <= limit:
            fits = middle
        else:
            too_long = middle
    return text[:fits]


def shipped(package: str, *names: str) -> Path:
    """A file inside an installed package, found without importing it.

    Raises UsageError where the package is missing.
    """
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise UsageError(
            f"the {package} package is not installed, and {'/'.join(names)} comes with it; "
            "reinstall imgsearch"
        )
    return Path(found.submodule_search_locations[0], *names)
