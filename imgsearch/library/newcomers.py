"""Newcomers: what an encoder has embedded since its index was built, held in memory.

An encoder and a place in the order of arrival go in, photo ids and vectors come out. They are
scored beside the index at every search, and read from the catalog only once, since reading takes
fifty times as long as scoring: a search in a process that lives on reads what arrived since the one
before.
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
    """Those later than the embedding id `after` and up to `last`, in the order of arrival.

    `held` are `count` of them in pieces: photo ids (n,) and vectors (n, d), each piece larger than
    the next, so that they are few and none is copied for every photo that arrives.
    """

    after: int
    last: int
    count: int = 0
    held: tuple[tuple[Ids, Vectors], ...] = ()

    def caught_up(self, catalog: Catalog, encoder: EncoderRow) -> "Newcomers":
        """With those who arrived since, as far as they can be held."""
        room = HELD - self.count
        if not room or not catalog.embeddings_after(encoder.id, self.last):
            return self
        ids, vectors, last = catalog.embeddings_and_last(encoder.id, after=self.last, limit=room)
        count, held = self.count + len(ids), list(self.held)
        while held and len(held[-1][0]) <= len(ids):
            older_ids, older = held.pop()
            ids, vectors = np.concatenate([older_ids, ids]), np.concatenate([older, vectors])
        return Newcomers(self.after, last, count, (*held, (ids, vectors)))

    def pieces(self, catalog: Catalog, encoder: EncoderRow) -> Iterator[tuple[Ids, Vectors]]:
        """All of them, those that are not held included."""
        yield from self.held
        last, is_full = self.last, self.count >= HELD
        while is_full:
            ids, vectors, last = catalog.embeddings_and_last(
                encoder.id, after=last, limit=_ROWS_AT_ONCE
            )
            yield ids, vectors
            is_full = len(ids) == _ROWS_AT_ONCE
