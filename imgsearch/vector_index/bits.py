"""Bits: a set of ids, a bit for each that could be.

Ids go in, which of others are among them comes out, for numpy and for a search of FAISS. A test is
one shift, and a million ids take 125 KB; FAISS's own set of as many takes longer to fill than to
search.
"""

from typing import Any

import faiss
import numpy as np

from imgsearch.vector_index.sources import Ids


class Bits:
    """A set of ids; those below 0 are in none."""

    def __init__(self, ids: Ids) -> None:
        ids = ids[ids >= 0]
        last = int(ids.max()) if len(ids) else 0
        bools = np.zeros((last // 8 + 1) * 8, np.uint8)
        bools[ids] = 1
        self._bits = np.packbits(bools, bitorder="little")

    def among(self, ids: Ids) -> Ids:
        """Those of n ids that are in the set, in their order."""
        ids = ids[(ids >= 0) & (ids < 8 * len(self._bits))]
        kept: Ids = ids[(self._bits[ids >> 3] >> (ids & 7)) & 1 == 1]
        return kept

    def selector(self) -> Any:
        """FAISS's own: a search of an index with it gives ids of the set alone."""
        return faiss.IDSelectorBitmap(self._bits)
