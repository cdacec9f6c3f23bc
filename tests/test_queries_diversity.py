"""Hits that are not all alike, and hits in the order of dates and paths."""

import os
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from conftest import ColourEncoder, draw
from imgsearch.errors import UsageError
from imgsearch.indexing import index
from imgsearch.library import Library, open_library
from imgsearch.searching import Hit
from imgsearch.searching.diversity import SHARE, diverse, spread
from imgsearch.searching.ordering import ORDERS, ordered
from imgsearch.vectors import normalise
from stars import random_vectors


def hit(rank: int, score: float | None, photo_id: int = 0, path: str = "/a.jpg") -> Hit:
    return Hit(rank, score, photo_id or rank, Path(path))


def marginal_relevance(
    relevance: npt.NDArray[np.floating],
    vectors: npt.NDArray[np.floating],
    k: int,
    share: float,
) -> list[int]:
    """The paper's formula as it stands, over values from 0 to 1."""
    cosines = vectors.astype(np.float64) @ vectors.astype(np.float64).T
    first = (relevance - relevance.min()) / np.ptp(relevance)
    second = (cosines - cosines.min()) / np.ptp(cosines)
    chosen = [int(np.argmax(first))]
    for _ in range(k - 1):
        rest = [i for i in range(len(first)) if i not in chosen]
        worth = [share * first[i] - (1 - share) * max(second[i, j] for j in chosen) for i in rest]
        chosen.append(rest[int(np.argmax(worth))])
    return chosen


@pytest.mark.parametrize("share", [0, 0.3, 0.5, 0.9, 1])
def test_the_order_is_that_of_the_formula(share: float) -> None:
    chance = np.random.default_rng(3)
    vectors = random_vectors(40, seed=5)
    relevance = chance.normal(0.25, 0.05, 40)
    expected = marginal_relevance(relevance, vectors, 40, share)
    assert diverse(relevance, vectors, 40, share) == expected
    assert diverse(relevance, vectors, 7, share) == expected[:7]


def test_many_hits_take_no_room_for_every_pair() -> None:
    vectors = random_vectors(3_000)
    tracemalloc.start()
    assert len(diverse(np.linspace(1, 0, 3_000), vectors, 5)) == 5
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 2 * 3_000 * 3_000  # of float64 it would be 8


def test_relevance_alone_is_the_order_of_relevance() -> None:
    relevance = np.array([0.1, 0.4, 0.3])
    assert diverse(relevance, random_vectors(3), 9, 1.0) == [1, 2, 0]


def burst() -> tuple[list[Hit], npt.NDArray[np.float32]]:
    """Ten shots of one burst, best of all; ten other scenes that fit; twenty that do not."""
    chance = np.random.default_rng(1)
    common = chance.normal(size=64)
    scenes = normalise(common + chance.normal(size=(31, 64)))
    shots = normalise(scenes[0] + 0.02 * chance.normal(size=(10, 64)))
    scores = [
        *np.linspace(0.32, 0.30, 10),
        *np.linspace(0.29, 0.24, 10),
        *np.linspace(0.16, 0.1, 20),
    ]
    hits = [hit(rank, float(score)) for rank, score in enumerate(scores, 1)]
    return hits, np.concatenate([shots, scenes[1:]]).astype(np.float32)


def test_of_ten_shots_of_a_burst_one_is_on_the_first_page() -> None:
    hits, vectors = burst()
    page = spread(hits, vectors, 10)
    assert [each.photo_id <= 10 for each in page] == [True] + [False] * 9
    assert page[0].photo_id == 1
    assert all(each.photo_id <= 20 for each in page)  # and nothing that does not fit
    assert [each.rank for each in page] == list(range(1, 11))
    assert {each.photo_id for each in spread(hits, vectors, 99)} == {each.photo_id for each in hits}


@pytest.mark.parametrize(
    ("share", "shots", "others", "unfit"), [(0.9, 9, 1, 0), (SHARE, 1, 9, 0), (0.1, 1, 6, 3)]
)
def test_half_and_half_is_between_all_of_a_burst_and_photos_that_do_not_fit(
    share: float, shots: int, others: int, unfit: int
) -> None:
    hits, vectors = burst()
    chosen = diverse(np.array([each.score for each in hits]), vectors, 10, share)
    kinds = [min(place // 10, 2) for place in chosen]
    assert [kinds.count(kind) for kind in range(3)] == [shots, others, unfit]


def test_a_hit_that_words_brought_forward_counts_as_its_place_does() -> None:
    hits = [hit(1, 0.1), hit(2, 0.3), hit(3, 0.2)]
    assert [each.photo_id for each in spread(hits, np.eye(3, dtype=np.float32), 3)] == [1, 2, 3]


def test_few_and_equal_hits_stay_as_they_are() -> None:
    assert spread([], np.empty((0, 3), np.float32), 5) == []
    same = np.ones((3, 1), np.float32)
    hits = [hit(1, 0.3), hit(2, 0.3), hit(3, 0.3)]
    assert spread(hits, same, 5) == hits


def test_what_cannot_be_spread_is_an_error() -> None:
    with pytest.raises(UsageError, match="words alone"):
        spread([hit(1, None)], np.eye(1, dtype=np.float32), 5)
    with pytest.raises(UsageError, match=r"from 0 to 1, got 1\.5"):
        diverse(np.ones(1), np.eye(1, dtype=np.float32), 1, 1.5)


# Orders


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    for name, year in (("b.png", 2001), ("a.png", 2003), ("sub/c.png", 2002)):
        file = draw(tmp_path / "photos" / name, (year % 7 * 30, 0, 0))
        moment = datetime(year, 1, 1, tzinfo=UTC).timestamp()
        os.utime(file, (moment, moment))
    with open_library(tmp_path / "library") as opened:
        list(index(opened, [tmp_path / "photos"], encoder=ColourEncoder()))
        yield opened


def test_hits_are_put_in_the_order_of_dates_paths_or_scores(library: Library) -> None:
    paths = library.catalog.live_paths([1, 2, 3])
    hits = [Hit(rank, 1 / rank, i, paths[i]) for rank, i in enumerate(paths, 1)]

    def names(order: str) -> list[str]:
        found = ordered(library.catalog, hits, order)  # type: ignore[arg-type]
        assert [each.rank for each in found] == [1, 2, 3]
        assert {each.score for each in found} == {each.score for each in hits}
        return [each.path.name for each in found]

    assert names("date") == ["a.png", "c.png", "b.png"]
    assert names("path") == ["a.png", "b.png", "c.png"]
    assert names("score") == [each.path.name for each in hits]
    with pytest.raises(UsageError, match="by 'size'; there are score, date, path"):
        names("size")


def test_a_photo_pruned_since_it_was_found_is_behind_and_equal_ones_stay(library: Library) -> None:
    hits = [hit(1, 0.9, 99, "/x"), hit(2, 0.8, 2, "/y"), hit(3, 0.7, 2, "/y")]
    by_date = ordered(library.catalog, hits, "date")
    assert by_date == [replace(hits[1], rank=1), replace(hits[2], rank=2), replace(hits[0], rank=3)]
    for order in ORDERS:
        assert ordered(library.catalog, [], order) == []
