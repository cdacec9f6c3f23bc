"""Who ranks where: a gallery ordered for every query of a set, a block of queries at a time.

In: unit rows of queries and gallery, and for each query the places of its right entries. Out: a
`Ranking`. Only a block of the score matrix is in memory: 155,000 sentences of 31,000 photos would
take 19 GB at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from imgsearch.metrics import average_precision, best, rank_of_first_relevant
from imgsearch.vectors import Vectors

ROWS = 512  # queries ranked at once


@dataclass(frozen=True)
class Ranking:
    """What became of q queries: how many entries stand before the first right one, (q,) from 0;
    the average precision, (q,) in [0, 1]; the places of the best entries, (q, k), best first.
    """

    ranks: npt.NDArray[np.int64]
    precisions: npt.NDArray[np.float64]
    top: npt.NDArray[np.int64]


def rank(queries: Vectors, gallery: Vectors, right: Sequence[Sequence[int]], k: int = 0) -> Ranking:
    """Rank the gallery by cosine for each query; `right[i]` lists query i's right entries, one or
    more. Keeps the k best entries of each, all of them where the gallery is smaller.

    Equal scores rank in the order of the gallery. Raises ValueError when there is no query, or none
    is right for one.
    """
    blocks = []
    for start in range(0, len(queries), ROWS):
        block = slice(start, start + ROWS)
        scores = queries[block] @ gallery.T  # (rows, g)
        relevant = np.zeros(scores.shape, bool)
        for row, places in zip(relevant, right[block], strict=True):
            row[list(places)] = True
        blocks.append(
            (
                rank_of_first_relevant(scores, relevant),
                average_precision(scores, relevant),
                best(scores, k) if k else np.zeros((len(scores), 0), np.int64),
            )
        )
    ranks, precisions, top = map(np.concatenate, zip(*blocks, strict=True))
    return Ranking(ranks, precisions, top)
