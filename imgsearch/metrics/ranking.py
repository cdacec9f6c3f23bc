"""How good a ranking is: pure functions of a score matrix.

In: scores, higher is better, one row a query and one column a gallery entry; and which entries are
right. Out: plain floats. Equal scores are ranked by column, as a stable descending sort does, so an
encoder that gives every photo the same score earns what chance earns and not 100%.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.floating]
Relevant = npt.NDArray[np.bool_]

FEW = 64  # right entries that are counted one by one; more are cheaper to find by sorting


def rank_of_first_relevant(scores: Scores, relevant: Relevant) -> npt.NDArray[np.int64]:
    """How many gallery entries stand before each query's first right one.

    scores and relevant are (q, g); returns (q,) with 0 for "the right one is on top".
    Raises ValueError when a query has no right entry.

    >>> rank_of_first_relevant(np.array([[0.1, 0.9, 0.5]]), np.array([[False, False, True]]))
    array([1])
    """
    _check(scores, relevant)
    best = np.where(relevant, scores, -np.inf).argmax(axis=1)  # (q,)
    score = scores[np.arange(len(scores)), best][:, None]  # (q, 1)
    before = np.arange(scores.shape[1])[None, :] < best[:, None]  # (q, g)
    ranks: npt.NDArray[np.int64] = (scores > score).sum(axis=1) + (
        (scores == score) & before & ~relevant
    ).sum(axis=1)
    return ranks


def best(scores: Scores, k: int) -> npt.NDArray[np.int64]:
    """The columns of each query's k best entries, best first: (q, g) -> (q, min(k, g))."""
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


def recall_at_k(ranks: npt.NDArray[np.int64], ks: Sequence[int] = (1, 5, 10)) -> dict[int, float]:
    """The share of queries with a right entry among the first k; ranks from
    `rank_of_first_relevant`.
    """
    return {k: float(np.mean(ranks < k)) if len(ranks) else 0.0 for k in ks}


def mean_recall(recalls: dict[int, float]) -> float:
    """The mean of the recalls at 1, 5 and 10: Chinese-CLIP's "MR"."""
    return sum(recalls[k] for k in (1, 5, 10)) / 3


def median_rank(ranks: npt.NDArray[np.int64]) -> float:
    """The place of the first right entry of the query in the middle, counted from 1 as in papers.

    ranks are (q,), q >= 1, from `rank_of_first_relevant`; an even number of queries has two in the
    middle, whose mean it is.
    """
    return float(np.median(ranks)) + 1


def average_precision(scores: Scores, relevant: Relevant) -> npt.NDArray[np.float64]:
    """Of each query, the precision down to each of its right entries, averaged over these.

    scores and relevant are (q, g); returns (q,) in [0, 1].
    Raises ValueError when a query has no right entry.
    """
    _check(scores, relevant)
    averages = np.empty(len(scores))
    for query, (row, right) in enumerate(zip(scores, relevant, strict=True)):
        places = _places(row, np.flatnonzero(right))
        averages[query] = np.mean(np.arange(1, len(places) + 1) / places)
    return averages


def mean_average_precision(scores: Scores, relevant: Relevant) -> float:
    """Mean over queries of the average precision; scores and relevant are (q, g), result in [0, 1].

    Raises ValueError when a query has no right entry.
    """
    return float(np.mean(average_precision(scores, relevant)))


def _places(row: Scores, right: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The places, from 1 and best first, of the columns `right` in one query's ranking."""
    columns = np.arange(len(row))
    if len(right) > FEW:
        order = np.argsort(-row, kind="stable")
        places: npt.NDArray[np.int64] = np.flatnonzero(np.isin(order, right))
    else:
        score = row[right][:, None]  # (r, 1)
        above = (row > score) | ((row == score) & (columns < right[:, None]))  # (r, g)
        places = np.sort(above.sum(axis=1))
    return places + 1


def _check(scores: Scores, relevant: Relevant) -> None:
    if scores.shape != relevant.shape:
        raise ValueError(
            f"scores are {scores.shape}, relevant is {relevant.shape}: they must match"
        )
    if not relevant.any(axis=1).all():
        raise ValueError("a query has no relevant entry: leave it out before measuring")
