"""Text to token rows for the open_clip family: byte pairs, or a Hugging Face tokenizer where a
tower has one.

In: texts. Out: rows padded to the tower's context length, and how many tokens of each are real, so
the tower may run on those alone. A text that does not fit is an error here: the packages cut it off
without a word, and the end of a query is often its point.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import torch
from open_clip.tokenizer import HFTokenizer, SimpleTokenizer

from imgsearch.errors import QueryError, UsageError
from imgsearch.prompts import space_han

DEFAULT_CONTEXT = 77
DEFAULT_VOCABULARY = 49408
REMEMBERED = 8192  # texts: a prompt is shortened, measured and tokenized, and split only once


class Tokenizer(Protocol):
    """Texts -> (n, context) int64 token ids, and the number of real tokens in each row.

    Raises QueryError for a text longer than the context. `padding` is the id behind the real ones.
    """

    context: int

    @property
    def padding(self) -> int: ...
    def __call__(self, texts: list[str]) -> tuple[torch.Tensor, list[int]]: ...
    def ids(self, text: str) -> list[int]:
        """The tokens of a text of any length, those that begin and end it included."""
        ...

    def length(self, text: str) -> int:
        """How many tokens a text has, those that begin and end it included."""
        ...


class BytePairs:
    """CLIP's own tokenizer, with its published merges or those of a file."""

    padding = 0

    def __init__(
        self, text_config: Mapping[str, Any], merges: Path | None = None, han: bool = False
    ) -> None:
        options = dict(text_config.get("tokenizer_kwargs") or {})
        if merges is not None:
            options["bpe_path"] = str(merges)
        self.context = int(text_config.get("context_length", DEFAULT_CONTEXT))
        try:
            self._tokenizer: Any = SimpleTokenizer(context_length=self.context, **options)
        except (OSError, EOFError, zlib.error, ValueError) as error:  # ValueError: no UTF-8
            raise UsageError(
                f"{merges} is no byte-pair file ({error}): expected the gzip file that open_clip's "
                "SimpleTokenizer(bpe_path=...) reads"
            ) from error
        known = int(text_config.get("vocab_size", DEFAULT_VOCABULARY))
        if self._tokenizer.vocab_size > known:
            raise UsageError(
                f"{merges} makes {self._tokenizer.vocab_size} tokens, its model {known}; "
                "bring the file the model was trained with"
            )
        self._tokenizer.encode = lru_cache(REMEMBERED)(self._tokenizer.encode)
        self._prepare = space_han if han else str

    def __call__(self, texts: list[str]) -> tuple[torch.Tensor, list[int]]:
        lengths = [self.length(text) for text in texts]
        check_lengths(texts, lengths, self.context)
        tokens: torch.Tensor = self._tokenizer([self._prepare(text) for text in texts])
        return tokens, lengths

    def ids(self, text: str) -> list[int]:
        """The tokens of a text of any length, start and end included."""
        inner = self._tokenizer.encode(self._prepare(text))
        return [self._tokenizer.sot_token_id, *inner, self._tokenizer.eot_token_id]

    def length(self, text: str) -> int:
        """How many tokens a text has, start and end included."""
        return len(self._tokenizer.encode(self._prepare(text))) + 2


class FromFolder:
    """A Hugging Face tokenizer whose files lie in a folder; needs the `transformers` package."""

    def __init__(self, text_config: Mapping[str, Any], folder: Path) -> None:
        self.context = int(text_config.get("context_length", DEFAULT_CONTEXT))
        self._tokenizer = HFTokenizer(
            str(folder),
            context_length=self.context,
            tokenizer_mode=text_config.get("tokenizer_mode"),
            **(text_config.get("tokenizer_kwargs") or {}),
        )
        self._extra = (
            1 if text_config.get("tokenizer_mode") == "clips" else 0
        )  # a class token, last

    def __call__(self, texts: list[str]) -> tuple[torch.Tensor, list[int]]:
        lengths = [self.length(text) for text in texts]
        check_lengths(texts, lengths, self.context)
        tokens: torch.Tensor = self._tokenizer(texts)
        return tokens, lengths

    @property
    def padding(self) -> int:
        """The id that fills a row behind its text."""
        return int(self._tokenizer.tokenizer.pad_token_id or 0)

    def ids(self, text: str) -> list[int]:
        """The tokens of a text of any length; a whole row where a class token ends each row."""
        width = self.context if self._extra else self.length(text)
        ids: list[int] = self._tokenizer([text], context_length=width)[0].tolist()
        return ids

    def length(self, text: str) -> int:
        """How many tokens a text has, special ones included."""
        ids = self._tokenizer.tokenizer(self._tokenizer.clean_fn(text))["input_ids"]
        return len(ids) + self._extra


def check_lengths(texts: list[str], lengths: list[int], limit: int) -> None:
    """Raises QueryError for the first text whose tokens exceed the limit."""
    for text, length in zip(texts, lengths, strict=True):
        if length > limit:
            start = text if len(text) <= 40 else text[:40] + "…"
            raise QueryError(
                f"the text {start!r} has {length} tokens and this encoder reads at most {limit}; "
                "shorten it"
            )


def padded(rows: Sequence[Sequence[int]], length: int, padding: int = 0) -> torch.Tensor:
    """Rows of at most `length` ids -> (n, length) int64."""
    tokens = torch.full((len(rows), length), padding, dtype=torch.long)
    for row, ids in zip(tokens, rows, strict=True):
        row[: len(ids)] = torch.tensor(ids)
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
