"""Newcomers: what an encoder has embedded since its index was built, held in memory.

An encoder and a place in the order of arrival go in, photo ids and vectors come out. They are
scored beside the index at every search, and read from the catalog only once: a search in a process
that lives on reads what arrived since the one before. A thousand of 512 dimensions take 10 ms to
read, and 0.2 to score.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from imgsearch.catalog import Catalog, EncoderRow, Ids
from imgsearch.vectors import Vectors

HELD = 100_000  # in memory, 200 MB of 512 dimensions; more of them are read at every search
_ROWS_AT_ONCE = 20_000


@dataclass(frozen=True)
class Newcomers:
    """Photo ids (n,) and vectors (n, d) of an encoder, in the order of arrival: those later than
    the embedding id `after` and up to `last`.
    """

    after: int
    last: int
    ids: Ids
    vectors: Vectors

    @staticmethod
    def none(encoder: EncoderRow, after: int) -> "Newcomers":
        """Nobody yet."""
        nobody = np.empty(0, np.int64), np.empty((0, encoder.dim), np.float32)
        return Newcomers(after, after, *nobody)

    def caught_up(self, catalog: Catalog, encoder: EncoderRow) -> "Newcomers":
        """With those who arrived since, as far as they can be held."""
        room = HELD - len(self.ids)
        if not room or not catalog.embeddings_after(encoder.id, self.last):
            return self
        ids, vectors, last = catalog.embeddings_and_last(encoder.id, after=self.last, limit=room)
        return Newcomers(
            self.after,
            last,
            np.concatenate([self.ids, ids]),
            np.concatenate([self.vectors, vectors]),
        )

    def pieces(self, catalog: Catalog, encoder: EncoderRow) -> Iterator[tuple[Ids, Vectors]]:
        """All of them, those that are not held included."""
        yield self.ids, self.vectors
        last, is_full = self.last, len(self.ids) >= HELD
        while is_full:
            ids, vectors, last = catalog.embeddings_and_last(
                encoder.id, after=last, limit=_ROWS_AT_ONCE
            )
            yield ids, vectors
            is_full = len(ids) == _ROWS_AT_ONCE
