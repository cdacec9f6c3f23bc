"""search() by vector and words at once: its order against fusion by hand."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from imgsearch.catalog import FilePlace
from imgsearch.searching import Filters, Hit, Mode, search
from imgsearch.searching.filters import NO_FILTERS, Allowed
from imgsearch.searching.fusion import DEPTH, GENERATED_WEIGHT, OFFSET, WRITTEN_WEIGHT, fuse
from imgsearch.searching.words import find_words
from stars import Stars, direction, open_stars, random_vectors
from test_searching_words import generate, write

QUERY = "two dogs in deep snow"


@pytest.fixture
def stars(tmp_path: Path) -> Iterator[Stars]:
    """300 photos: every seventh has a person's caption, every eleventh other a generated one."""
    with open_stars(tmp_path) as opened:
        ids = opened.add(random_vectors(300))
        opened.build("flat")
        with opened.library.catalog.write() as writer:
            for number, photo_id in enumerate(ids[::7]):
                said = "dogs " * (1 + number % 4) + "and a fence " * number
                writer.add_captions(photo_id, [said], "en", "user")
        generate(opened.library, [i for i in ids[1::11] if i not in ids[::7]], "snow and dogs")
        yield opened


def ask(stars: Stars, k: int = 20, mode: Mode = "hybrid", **filters: object) -> list[Hit]:
    chosen = {} if mode == "text" else {"prompt": "raw", "encoder": stars.encoder}
    narrowed = Filters(**filters)  # type: ignore[arg-type]
    return search(stars.library, QUERY, k, mode=mode, filters=narrowed, **chosen)  # type: ignore[arg-type]


def by_hand(stars: Stars) -> list[int]:
    """Photo ids by fused ranks, from numpy's cosines and the ranking that text mode gives."""
    query = direction(QUERY.encode())
    points = dict.fromkeys(stars.live, 0.0)
    for rank, photo_id in enumerate(stars.expected(query, DEPTH), 1):
        points[photo_id] += 1 / (OFFSET + rank)
    worded = search(stars.library, QUERY, DEPTH, mode="text")
    for rank, hit in enumerate(worded, 1):
        weight = GENERATED_WEIGHT if hit.caption == "snow and dogs" else WRITTEN_WEIGHT
        points[hit.photo_id] += weight / (OFFSET + rank)
    return sorted(points, key=lambda i: (-points[i], -(stars.vectors[i] @ query), i))


def test_the_order_is_the_fusion_of_both_rankings(stars: Stars) -> None:
    stars.lose([8, 15, 34, 100])
    expected = by_hand(stars)
    hits = ask(stars, len(expected))
    assert [hit.photo_id for hit in hits] == expected
    assert [hit.rank for hit in hits] == list(range(1, len(expected) + 1))
    ranks = [hit.vector_rank for hit in hits if hit.vector_rank is not None]
    assert sorted(ranks) == list(range(1, DEPTH + 1))
    for k in (1, 7, DEPTH + 20):
        assert ask(stars, k) == hits[:k]


def test_a_hit_says_its_cosine_and_both_of_its_ranks(stars: Stars) -> None:
    query = direction(QUERY.encode())
    near = stars.expected(query, DEPTH)
    worded = {hit.photo_id: hit for hit in ask(stars, DEPTH, "text")}
    hits = ask(stars, 60)
    assert {hit.vector_rank is None for hit in hits} == {True, False}  # some by words alone
    for hit in hits:
        assert hit.score == pytest.approx(stars.vectors[hit.photo_id] @ query, abs=1e-6)
        by_vector = near.index(hit.photo_id) + 1 if hit.photo_id in near else None
        assert hit.vector_rank == by_vector
        alone = worded.get(hit.photo_id)
        assert hit.text_rank == (None if alone is None else alone.rank)
        assert hit.text_score == (None if alone is None else alone.text_score)
        assert hit.matched == (() if alone is None else alone.matched)


def test_auto_asks_the_words_where_photos_have_captions_in_the_language(stars: Stars) -> None:
    assert ask(stars, mode="auto") == ask(stars, mode="hybrid") != ask(stars, mode="vector")
    asked = {"prompt": "raw", "encoder": stars.encoder}
    chinese = search(stars.library, "雪里的狗", **asked)  # type: ignore[arg-type]
    assert chinese == search(stars.library, "雪里的狗", mode="vector", **asked)  # type: ignore[arg-type]
    stars.lose([hit.photo_id for hit in ask(stars, 300, captioned=True)])
    assert ask(stars, mode="auto") == ask(stars, mode="vector")


def test_a_least_score_leaves_out_what_words_found_too(stars: Stars) -> None:
    everything = ask(stars, 300)
    least = float(np.median([hit.score for hit in everything]))
    hits = ask(stars, 300, min_score=least)
    assert {hit.photo_id for hit in hits} == {
        hit.photo_id for hit in everything if (hit.score or 0) >= least
    }
    text_ranks = sorted(hit.text_rank for hit in hits if hit.text_rank is not None)
    assert text_ranks == list(range(1, len(text_ranks) + 1))


def test_photos_newer_than_the_generation_and_gone_ones_are_told_apart(stars: Stars) -> None:
    (added,) = stars.add(-direction(QUERY.encode())[None])  # as far away as a photo can be
    write(stars.library, added, QUERY)
    assert ask(stars, 1)[0].photo_id == added
    stars.lose([added])
    assert added not in {hit.photo_id for hit in ask(stars, 400)}


def test_a_photo_the_encoder_has_not_embedded_is_found_by_words_alone(stars: Stars) -> None:
    write(stars.library, 5, QUERY)
    with stars.library.catalog.write() as writer:
        writer.delete_embeddings([5])  # they came in the order of the photos
    assert 5 not in {hit.photo_id for hit in ask(stars, 400)}
    assert ask(stars, 1, "text")[0].photo_id == 5


def test_the_name_of_a_file_is_worth_a_place_beside_the_nearest_photo(stars: Stars) -> None:
    (named,) = stars.add(-direction(b"pier47")[None])  # as far away as a photo can be
    path = stars.library.catalog.live_paths([named])[named]
    with stars.library.catalog.write() as writer:
        file_id = next(iter(stars.library.catalog.files_of_photos([named])[named].values())).id
        root_id = writer.add_root(path.parent)
        writer.move_file(file_id, FilePlace(path.parent / "pier47.png", root_id, 9, 1))
    hits = search(stars.library, "pier47", 3, mode="hybrid", prompt="raw", encoder=stars.encoder)
    assert [hit.vector_rank for hit in hits] == [1, None, 2]
    assert (hits[1].photo_id, hits[1].text_rank, hits[1].matched) == (named, 1, ("pier47",))


def test_relevance_hangs_on_neither_how_many_are_asked_for_nor_a_least_one(stars: Stars) -> None:
    with stars.library.catalog.write() as writer:
        for photo_id in range(120, 130):
            writer.add_captions(photo_id, [QUERY], "en", "user")
    every = ask(stars, 300)
    assert max(every, key=lambda hit: hit.score or 0).rank > 5  # by which all are measured
    told = {hit.photo_id: hit.relevance for hit in every}
    least = sorted(hit.relevance or 0 for hit in every)[-30]
    enough = [hit for hit in every if (hit.relevance or 0) >= least or hit.is_written]
    for k in (1, 5, 40):
        assert [(hit.photo_id, hit.relevance) for hit in ask(stars, k)] == list(told.items())[:k]
        kept = ask(stars, k, min_relevance=least)
        assert [hit.photo_id for hit in kept] == [hit.photo_id for hit in enough][:k]
        assert all(hit.relevance == told[hit.photo_id] for hit in kept)


def test_scattered_characters_are_worth_no_more_than_a_generated_caption(stars: Stars) -> None:
    _, other, elephant = stars.add(random_vectors(3))
    with stars.library.catalog.write() as writer:
        writer.add_captions(other, ["两个人举着大大的象牙牌子"], "zh", "user")
        writer.add_captions(elephant, ["一头大象"], "zh", "user")
    found = find_words(stars.library, "大象", Allowed(stars.library, NO_FILTERS), 10)
    assert found.weights == {elephant: 3.0, other: 0.1}
    assert found.said == {elephant}


def test_equal_points_stand_by_cosine_and_then_by_id() -> None:
    near = [Hit(1, 0.9, 4, Path("/4"), vector_rank=DEPTH + 1), Hit(2, 0.8, 7, Path("/7"))]
    worded = [Hit(1, None, i, Path(f"/{i}"), text_rank=1, text_score=2.0) for i in (9, 3, 8)]
    cosines = {4: 0.9, 7: 0.8, 9: 0.1, 3: 0.9, 8: 0.1}
    alike = dict.fromkeys(cosines, GENERATED_WEIGHT)
    assert [hit.photo_id for hit in fuse(near, worded, cosines, alike)] == [9, 3, 8, 4, 7]
    cosines[2] = cosines[6] = 0.8
    tied = [Hit(0, 0.8, i, Path(f"/{i}")) for i in (6, 2)]
    assert [hit.photo_id for hit in fuse([*near, *tied], [], cosines, {})] == [4, 2, 6, 7]
