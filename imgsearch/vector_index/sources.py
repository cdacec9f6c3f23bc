"""VectorSource: vectors by id that need not lie in memory, for an index to be built of.

It is gone through once, chunk by chunk, and before that a sample is taken: what k-means learns from
and what recall is measured with. ArraySource is the source of those who have an array.
"""

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt

from imgsearch.vectors import Vectors

Ids = npt.NDArray[np.int64]

ROWS_AT_ONCE = 16_384


class VectorSource(Protocol):
    """`count` vectors of length `dim` under distinct ids of 0 or above."""

    @property
    def count(self) -> int:
        """How many vectors there are."""

    @property
    def dim(self) -> int:
        """The length of a vector."""

    def chunks(self) -> Iterator[tuple[Ids, Vectors]]:
        """All vectors, each once: ids (n,) and rows (n, d) of any length but 0, n of any size.

        A chunk is let go before the next one is asked for.
        """

    def sample(self, most: int) -> tuple[Ids, Vectors]:
        """About `most` of them spread evenly over all, all where there are no more."""


class ArraySource:
    """The (n, d) vectors of an array, under n ids."""

    def __init__(self, ids: Ids, vectors: Vectors) -> None:
        """Raises ValueError where ids and vectors do not match in number."""
        self._ids = np.asarray(ids, np.int64)
        if np.ndim(vectors) != 2 or self._ids.shape != vectors.shape[:1]:
            shapes = f"{self._ids.shape} ids do not name the rows of {np.shape(vectors)} vectors"
            raise ValueError(shapes)
        self._vectors = vectors
        self._order = np.argsort(self._ids)

    @property
    def count(self) -> int:
        """How many vectors there are."""
        return len(self._ids)

    @property
    def dim(self) -> int:
        """The length of a vector."""
        return int(self._vectors.shape[1])

    def chunks(self) -> Iterator[tuple[Ids, Vectors]]:
        """All vectors, by ascending id."""
        for start in range(0, self.count, ROWS_AT_ONCE):
            rows = self._order[start : start + ROWS_AT_ONCE]
            yield self._ids[rows], self._vectors[rows]

    def sample(self, most: int) -> tuple[Ids, Vectors]:
        """About `most` of them spread evenly over all, all where there are no more."""
        rows = np.linspace(0, self.count - 1, min(most, self.count)).astype(np.int64)
        return self._ids[rows], self._vectors[rows]
