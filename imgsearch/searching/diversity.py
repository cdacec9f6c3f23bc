"""Hits that are not all alike: maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998).

Hits and their vectors go in, the first k of another order come out. The best hit is the first; each
further one is the hit with the most of

    share * relevance - (1 - share) * (likeness to the most alike of those chosen)

Both are stretched to 0 .. 1 over the hits there are, because cosines of texts with photos lie
within a tenth or two of one another, those of photos with photos ten times as far apart, and every
encoder has ranges of its own.

Half and half is the default for the sake of ten shots of one burst, nearly the best and nearly
equal: beside the first of them each other has a relevance of almost 1 and a likeness of almost 1,
so it comes to 0. Whatever else is more relevant than it is like a photo chosen comes before them;
what is not comes behind. Of ten such shots, ten other scenes that fit and twenty that do not (see
the tests), a share of 0.5 fills a page of ten with one shot and nine other scenes; one of 0.9
leaves nine shots on it, one of 0.1 brings three photos that nobody asked for.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from imgsearch.errors import UsageError
from imgsearch.searching.hits import Hit
from imgsearch.vectors import Vectors

SHARE = 0.5
DEPTH = 100  # of how many hits those that are shown are chosen, at least
_ROWS_AT_ONCE = 256

Scores = npt.NDArray[np.floating]


def spread(hits: Sequence[Hit], vectors: Vectors, k: int) -> list[Hit]:
    """The first k of hits, best first, with unlike ones before alike ones; ranks from 1.

    `vectors` are those of the hits, (n, d) unit rows. A hit counts as relevant as every hit behind
    it, since one that its words brought forward may have a low cosine. Raises UsageError for hits
    without scores, which words alone have found.
    """
    scores = [hit.score for hit in hits if hit.score is not None]
    if len(scores) < len(hits):
        raise UsageError(
            "hits that words alone have found cannot be told apart by what is in the photos; "
            "leave the mode text out, or do not ask for diverse hits"
        )
    relevance = np.maximum.accumulate(np.array(scores, np.float64)[::-1])[::-1]
    chosen = diverse(relevance, vectors, k)
    return [replace(hits[place], rank=rank) for rank, place in enumerate(chosen, 1)]


def diverse(relevance: Scores, vectors: Vectors, k: int, share: float = SHARE) -> list[int]:
    """The places of the first k, of n relevances and (n, d) unit rows; equal ones in their order.

    `share` of relevance from 0 to 1: at 1 the order is that of the relevances alone. Raises
    UsageError for another.
    """
    if not 0 <= share <= 1:
        raise UsageError(f"the share of relevance is from 0 to 1, got {share:g}")
    if not len(relevance):
        return []
    wanted = _stretched(relevance.astype(np.float64))
    rows = vectors.astype(np.float64)
    least, most = _ends(rows)
    chosen = [int(np.argmax(wanted))]
    nearest = rows @ rows[chosen[0]]  # (n,)
    while len(chosen) < min(k, len(wanted)):
        alike = (nearest - least) / (most - least or 1)
        gains = share * wanted - (1 - share) * alike
        gains[chosen] = -np.inf
        chosen.append(int(np.argmax(gains)))
        nearest = np.maximum(nearest, rows @ rows[chosen[-1]])
    return chosen


def _ends(rows: npt.NDArray[np.float64]) -> tuple[float, float]:
    """The least and the greatest cosine of two of n rows, of which n x n are never held."""
    parts = (rows[start : start + _ROWS_AT_ONCE] for start in range(0, len(rows), _ROWS_AT_ONCE))
    ends = [(cosines.min(), cosines.max()) for cosines in (part @ rows.T for part in parts)]
    return min(low for low, _ in ends), max(high for _, high in ends)


def _stretched(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """From 0 for the least to 1 for the greatest; all 0 where there is no difference."""
    values = values - values.min()
    return values / (values.max() or 1)
