"""Embeddings on their way from one place to another: some rows, and what all of them share.

What a format reads and writes, and nothing of how.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from imgsearch.catalog import EncoderRow, Ids

ROWS_AT_ONCE = 1000
NO_IDS: Ids = np.empty(0, np.int64)

Format: TypeAlias = Literal["clip-retrieval", "npz", "jsonl"]
AnyVectors: TypeAlias = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Origin:
    """The encoder that vectors are of, as a file says; told apart from others by `identity`."""

    name: str
    identity: str
    languages: tuple[str, ...]
    source: str | None

    @classmethod
    def of(cls, encoder: EncoderRow) -> "Origin":
        """That of an encoder of a library."""
        return cls(encoder.name, encoder.identity, encoder.languages, encoder.source)

    @classmethod
    def from_json(cls, text: str | bytes) -> "Origin | None":
        """What `vars` of one says, as JSON; None for anything else."""
        try:
            return cls.read(json.loads(text))
        except (ValueError, RecursionError):  # somebody else's, who calls an encoder by a name
            return None

    @classmethod
    def read(cls, value: object) -> "Origin | None":
        """The same, of JSON that was read."""
        match value:
            case {
                "name": str(name),
                "identity": str(identity),
                "languages": [*languages],
                "source": str() | None as source,
            } if all(isinstance(each, str) for each in languages):
                return cls(name, identity, tuple(languages), source)
        return None


@dataclass(frozen=True)
class Sentence:
    """What somebody or something says of a photo; `source` as in the catalog, None if untold."""

    text: str
    source: str | None = None


@dataclass(frozen=True)
class Rows:
    """n vectors (n, d), float16 or float32, and of each photo its path or key, and its SHA-256.

    What a file does not say is "" or None. `ids` are those of the library that rows come from, and
    empty for rows that are read: they mean nothing anywhere else.
    """

    vectors: AnyVectors
    ids: Ids
    names: list[str]
    hashes: list[str | None]
    captions: list[Sentence | None]


class Embeddings(Protocol):
    """A file or folder of embeddings that can be read."""

    @property
    def count(self) -> int: ...
    @property
    def dim(self) -> int: ...
    @property
    def origin(self) -> Origin | None: ...

    def rows(self) -> Iterator[Rows]:
        """All of them in their order, at most `ROWS_AT_ONCE` at once. Raises UsageError."""
        ...


@dataclass(frozen=True)
class Outgoing:
    """`count` embeddings of `dim` values that are to be written, in `parts`."""

    origin: Origin
    count: int
    dim: int
    parts: Iterator[Rows]
