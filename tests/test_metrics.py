"""Metrics on matrices small enough to work out by hand."""

import numpy as np
import pytest

from imgsearch.metrics import (
    average_precision,
    best,
    mean_average_precision,
    mean_recall,
    median_rank,
    rank_of_first_relevant,
    recall_at_k,
)
from imgsearch.metrics.ranking import FEW

SCORES = np.array(
    [
        [0.9, 0.1, 0.2, 0.3],  # right: 0 -> rank 0
        [0.9, 0.1, 0.2, 0.3],  # right: 1 -> rank 3
        [0.9, 0.1, 0.2, 0.3],  # right: 2 and 3 -> rank 1
    ]
)
RELEVANT = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1]], bool)


def test_ranks_are_counted_from_the_best_right_entry() -> None:
    assert rank_of_first_relevant(SCORES, RELEVANT).tolist() == [0, 3, 1]


def test_recall_is_the_share_of_queries_with_a_hit_in_the_first_k() -> None:
    assert recall_at_k(np.array([0, 3, 1]), (1, 2, 4)) == {1: 1 / 3, 2: 2 / 3, 4: 1.0}


def test_mean_recall_is_the_mean_of_recall_at_one_five_and_ten() -> None:
    assert mean_recall({1: 0.3, 5: 0.6, 10: 0.9}) == pytest.approx(0.6)


def test_equal_scores_earn_what_chance_earns() -> None:
    ranks = rank_of_first_relevant(np.zeros((10, 10)), np.eye(10, dtype=bool))
    assert ranks.tolist() == list(range(10))


def test_average_precision_agrees_with_a_hand_computed_ranking() -> None:
    # order 0 3 2 1: right entries of query 2 stand at places 2 and 3 -> (1/2 + 2/3) / 2
    assert mean_average_precision(SCORES, RELEVANT) == pytest.approx((1 + 1 / 4 + 7 / 12) / 3)


def test_a_query_without_a_right_entry_is_refused() -> None:
    with pytest.raises(ValueError, match="no relevant entry"):
        rank_of_first_relevant(SCORES, np.zeros((3, 4), bool))


def test_matrices_of_two_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="must match"):
        rank_of_first_relevant(SCORES, RELEVANT[:, :3])


def test_the_median_rank_counts_from_one() -> None:
    assert median_rank(np.array([0, 3, 1])) == 2.0
    assert median_rank(np.array([0, 3])) == 2.5


def test_the_best_entries_come_first_and_equal_ones_in_their_order() -> None:
    scores = np.array([[0.5, 0.9, 0.5, 0.9, 0.5]])
    assert best(scores, 4).tolist() == [[1, 3, 0, 2]]
    assert best(scores, 10).tolist() == [[1, 3, 0, 2, 4]]


@pytest.mark.parametrize("right", [1, 5, FEW, FEW + 1, 199])
def test_average_precision_is_that_of_the_sorted_list_however_many_are_right(right: int) -> None:
    rng = np.random.default_rng(right)
    scores = rng.integers(0, 40, (6, 200)) / 40  # many ties
    relevant = np.zeros((6, 200), bool)
    for row in relevant:
        row[rng.permutation(200)[:right]] = True
    for row, is_right, found in zip(
        scores, relevant, average_precision(scores, relevant), strict=True
    ):
        hits = is_right[sorted(range(200), key=lambda column: -row[column])]
        precisions = [hits[: place + 1].mean() for place in range(200) if hits[place]]
        assert found == pytest.approx(np.mean(precisions))
