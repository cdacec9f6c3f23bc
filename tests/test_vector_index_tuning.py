"""How many candidates and lists a search looks at: chosen together, kept, and found to be enough.

The vectors lie in loose clusters, and codes of a byte for eight values put neighbours in another
order.
"""

from pathlib import Path

import faiss
import numpy as np
import pytest

from imgsearch.vector_index import ArraySource, Asked, Making, Recall, VectorIndex
from imgsearch.vector_index.kinds import RECALL_K
from imgsearch.vector_index.sources import Ids
from imgsearch.vector_index.structure import Structure
from imgsearch.vector_index.tuning import Trial
from imgsearch.vectors import Vectors, normalise

COUNT, DIM, UNTUNED = 3000, 64, 140


def clustered(seed: int, count: int) -> Vectors:
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(30, DIM))
    rows = centres[rng.integers(0, 30, count)] + 2 * rng.normal(size=(count, DIM))
    return normalise(rows.astype(np.float32))


VECTORS, TEXTS, OTHERS = clustered(0, COUNT), clustered(1, 100), clustered(2, 100)
TRIAL = Trial.of(ArraySource(np.arange(COUNT), VECTORS), TEXTS)
TRIAL.look(np.arange(COUNT), VECTORS)


def found_of(structure: Structure, queries: Vectors, k: int, candidates: int) -> float:
    """The share of the k exactly nearest among so many candidates."""
    nearest: Ids = np.argpartition(-(queries @ VECTORS.T), k, axis=1)[:, :k]
    found = structure.search(queries, candidates)[1]
    return float((nearest[:, :, None] == found[:, None, :]).any(axis=2).mean())


@pytest.fixture
def coarse() -> Structure:
    """As ivf-pq was before its candidates were chosen, with fewer bytes a value."""
    turn = faiss.LinearTransform(DIM, DIM, False)
    faiss.copy_array_to_vector(np.eye(DIM, dtype=np.float32).ravel(), turn.A)
    turn.is_trained = turn.is_orthonormal = True
    lists = faiss.index_factory(DIM, f"IVF40,PQ{DIM // 8}np", faiss.METRIC_INNER_PRODUCT)
    lists.cp.min_points_per_centroid = lists.pq.cp.min_points_per_centroid = 1
    index = faiss.IndexPreTransform(turn, lists)
    index.train(VECTORS)
    index.add_with_ids(VECTORS, np.arange(COUNT))
    return Structure("ivf-pq", index)


def test_coarse_codes_get_as_many_candidates_as_they_need(coarse: Structure) -> None:
    coarse.reach = coarse.reaches()[-1]
    assert found_of(coarse, OTHERS, RECALL_K, UNTUNED) < 0.97
    recall = TRIAL.tune(coarse, 0.99)
    assert recall.least >= 0.99 and coarse.candidates > UNTUNED
    assert found_of(coarse, OTHERS, RECALL_K, coarse.candidates) >= 0.98
    tuned = VectorIndex(coarse, Making())
    for k in (1, 26, 100):
        assert found_of(coarse, OTHERS, k, tuned.candidates(k)) >= 0.98


@pytest.mark.parametrize("asked", [0.5, 0.9])
def test_nothing_that_finds_as_much_costs_less(coarse: Structure, asked: float) -> None:
    trial = Trial(np.arange(COUNT, COUNT + len(OTHERS)), OTHERS, TEXTS)  # photos it does not hold
    trial.look(np.arange(COUNT), VECTORS)
    assert trial.tune(coarse, asked).least >= asked
    chosen = coarse.cost(coarse.reach, coarse.candidates)
    for reach in coarse.reaches():
        coarse.reach = reach
        for candidates in coarse.choices(reach):
            if coarse.cost(reach, candidates) < chosen:
                both = [found_of(coarse, each, RECALL_K, candidates) for each in (OTHERS, TEXTS)]
                assert min(both) < asked


def test_where_no_choice_finds_as_much_the_most_are_taken(coarse: Structure) -> None:
    trial = Trial.of(ArraySource(np.arange(COUNT), VECTORS), TEXTS)
    trial.look(np.arange(COUNT), VECTORS)
    trial.look(np.arange(COUNT, COUNT + len(TEXTS)), TEXTS)  # it does not hold these
    recall = trial.tune(coarse, 0.99)
    assert 0.5 < recall.least < 0.99
    assert coarse.candidates == coarse.choices(coarse.reach)[-1]


def test_the_candidates_are_kept(coarse: Structure, tmp_path: Path) -> None:
    recall = TRIAL.tune(coarse, 0.99)
    VectorIndex(coarse, Making(Asked("ivf-pq"), coarse.parameters, recall, COUNT)).save(tmp_path)
    loaded = VectorIndex.load(tmp_path)
    assert loaded.making.parameters["candidates"] == coarse.candidates
    assert loaded.candidates(RECALL_K) == coarse.candidates > UNTUNED


def test_an_index_of_before_they_were_chosen_has_as_many_as_it_had(
    coarse: Structure, tmp_path: Path
) -> None:
    making = Making(Asked("ivf-pq"), {"nlist": 40, "nprobe": 9}, Recall(0.9, 50), COUNT)
    VectorIndex(coarse, making).save(tmp_path)
    loaded = VectorIndex.load(tmp_path)
    assert loaded.candidates(RECALL_K) == UNTUNED
    assert loaded.search(VECTORS[:9], 1)[1].ravel().tolist() == list(range(9))
    extended = VectorIndex.extended(tmp_path, ArraySource(np.array([COUNT]), -VECTORS[:1]))
    assert extended.candidates(RECALL_K) == UNTUNED and extended.count == COUNT + 1


@pytest.mark.parametrize("kind", ["flat", "hnsw", "ivf", "sq8", "ivf-sq8"])
def test_other_kinds_have_a_few_to_spare_or_none(kind: str) -> None:
    index = VectorIndex.build(np.arange(200), VECTORS[:200], kind)
    spare = 8 if kind.endswith("sq8") else 0
    assert [index.candidates(k) for k in (1, 10, 100)] == [1 + spare, 10 + spare, 100 + spare]
    assert "candidates" not in index.making.parameters
