"""search() against numpy over every stored vector: what is found, and what filters let through.

With files gone, photos newer than the generation and every kind of index.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import event

from conftest import ColourEncoder, draw
from imgsearch.errors import QueryError
from imgsearch.indexing import index
from imgsearch.library import Library, open_library
from imgsearch.searching import Filters, search
from imgsearch.vector_index import KINDS
from stars import Stars, direction, names, open_stars, random_vectors


@pytest.fixture
def stars(tmp_path: Path) -> Iterator[Stars]:
    with open_stars(tmp_path) as opened:
        yield opened


@pytest.fixture
def colours(tmp_path: Path, photos: Path, colour_encoder: ColourEncoder) -> Iterator[Library]:
    with open_library(tmp_path / "library") as library:
        list(index(library, [photos], encoder=colour_encoder))
        yield library


# What is found


@pytest.mark.parametrize("kind", KINDS)
def test_hits_are_what_numpy_finds_whatever_the_index(stars: Stars, kind: str) -> None:
    first = stars.add(random_vectors(300))
    stars.lose(first[::7])
    stars.build(kind)
    stars.lose(first[1::11])  # gone since the generation was built
    second = stars.add(random_vectors(80, seed=1))  # newer than the generation
    stars.lose(second[::9])
    shared = 0
    for text in ("sun", "moon", "a red dwarf", "星"):
        query = direction(text.encode())
        hits = stars.search(text, 12)
        assert [hit.rank for hit in hits] == list(range(1, 13))
        for hit in hits:
            assert hit.photo_id in stars.live
            assert hit.score == pytest.approx(stars.vectors[hit.photo_id] @ query, abs=1e-6)
        assert sorted(hits, key=lambda hit: (-hit.score, hit.photo_id)) == hits
        expected = stars.expected(query, 12)
        shared += len({hit.photo_id for hit in hits} & set(expected))
        if kind == "flat":
            assert [hit.photo_id for hit in hits] == expected
    assert shared >= 46  # of 48; approximate kinds may lose one now and then


def test_without_a_generation_every_stored_vector_is_scored(stars: Stars) -> None:
    stars.add(random_vectors(150))
    stars.lose([3, 4, 5])
    hits = stars.search("sun", 20)
    assert [hit.photo_id for hit in hits] == stars.expected(direction(b"sun"), 20)


def test_a_search_asks_the_catalog_few_times_and_for_each_vector_once(stars: Stars) -> None:
    stars.add(random_vectors(300))
    stars.build("flat")
    stars.search("sun")
    asked: list[str] = []

    def note(*arguments: Any) -> None:
        asked.append(arguments[2])

    event.listen(stars.library.catalog.engine, "before_cursor_execute", note)
    assert len(stars.search("sun")) == 10
    assert len(asked) <= 9, asked
    assert sum(each.startswith("SELECT embeddings.photo_id") for each in asked) == 1


def test_a_photo_added_after_the_generation_is_found_at_once(stars: Stars) -> None:
    stars.add(random_vectors(50))
    stars.build("flat")
    (added,) = stars.add(direction(b"comet")[None])
    assert stars.search("comet", 1)[0].photo_id == added


def test_a_generation_built_by_another_process_is_used_at_once(stars: Stars) -> None:
    stars.add(random_vectors(50))
    stars.build("flat")
    before = stars.search("comet", 5)
    stars.add(random_vectors(50, seed=5))
    stars.build("ivf")
    after = stars.search("comet", 5)
    assert [hit.photo_id for hit in after] == stars.expected(direction(b"comet"), 5)
    assert before != after


def test_removed_photo_is_never_a_hit_and_others_take_its_place(stars: Stars) -> None:
    ids = stars.add(random_vectors(400))
    stars.build("flat")
    best = stars.expected(direction(b"sun"), 390)
    stars.lose(best[:385])  # far more than were asked for beyond k
    assert [hit.photo_id for hit in stars.search("sun", 8)] == best[385:390] + stars.expected(
        direction(b"sun"), 8, set(ids) - set(best)
    )[:3]


def test_asking_for_more_than_there_are_gives_all_that_live(stars: Stars) -> None:
    stars.add(random_vectors(30))
    stars.build("flat")
    stars.add(random_vectors(5, seed=1))
    stars.lose([2, 33])
    hits = stars.search("sun", 1000)
    assert {hit.photo_id for hit in hits} == stars.live
    assert len(hits) == 33


@pytest.mark.parametrize("with_generation", [True, False])
def test_equal_scores_come_by_lower_photo_id(stars: Stars, with_generation: bool) -> None:
    stars.add(random_vectors(20))
    same = stars.add(np.repeat(direction(b"sun")[None], 60, axis=0))
    if with_generation:
        stars.build("flat")
        same += stars.add(np.repeat(direction(b"sun")[None], 20, axis=0))
    for k in (1, 5, len(same)):
        hits = stars.search("sun", k)
        assert [hit.photo_id for hit in hits] == same[:k]
        assert {hit.score for hit in hits} == {1.0}


def test_an_unreadable_generation_slows_a_search_but_changes_no_hit(stars: Stars) -> None:
    stars.add(random_vectors(60))
    stars.build("flat")
    stars.add(random_vectors(10, seed=1))
    expected = stars.search("sun")
    stars.library.close()
    shutil.rmtree(stars.library.generations_folder)
    with open_library(stars.library.path) as again, pytest.warns(UserWarning, match="doctor"):
        hits = search(again, "sun", prompt="raw", encoder=stars.encoder)
    assert hits == expected


# Filters


def test_a_path_filter_keeps_the_best_of_that_folder(stars: Stars) -> None:
    stars.add(random_vectors(300))
    wanted = set(stars.add(random_vectors(12, seed=1), folder="b/c"))
    stars.build("ivf")
    wanted |= set(stars.add(random_vectors(6, seed=2), folder="b"))
    folder = stars.library.path / "photos" / "b"
    hits = stars.search("sun", 15, Filters(path=folder))
    assert [hit.photo_id for hit in hits] == stars.expected(direction(b"sun"), 15, wanted)
    assert all(hit.path.is_relative_to(folder) for hit in hits)


def test_a_path_filter_takes_folders_not_beginnings_of_names(tmp_path: Path) -> None:
    for folder in ("trip", "trip2"):
        draw(tmp_path / "p" / folder / "red.png", "red", (9, 9 + len(folder)))
    with open_library(tmp_path / "library") as library:
        list(index(library, [tmp_path / "p"], encoder=ColourEncoder()))
        found = search(
            library, "red", encoder=ColourEncoder(), filters=Filters(path=tmp_path / "p" / "trip")
        )
    assert [hit.path.parent.name for hit in found] == ["trip"]


def test_a_photo_in_two_folders_is_shown_in_the_one_asked_for(
    colours: Library, photos: Path, colour_encoder: ColourEncoder
) -> None:
    copy = photos / "copies" / "zzz.png"
    copy.parent.mkdir()
    shutil.copy(photos / "red.png", copy)
    list(index(colours, [photos], encoder=colour_encoder))
    for folder, shown in ((None, photos / "red.png"), (copy.parent, copy), (copy, copy)):
        hits = search(colours, "red", encoder=colour_encoder, filters=Filters(path=folder))
        assert hits[0].path == shown.resolve()
    assert len(hits) == 1


def test_a_path_filter_may_go_through_a_link_or_be_relative(
    colours: Library, photos: Path, colour_encoder: ColourEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = photos.parent / "link"
    try:
        link.symlink_to(photos, target_is_directory=True)
    except OSError:
        pytest.skip("this system lets no one make links")
    monkeypatch.chdir(photos.parent)
    for folder in (link, Path("link"), Path("photos"), Path("photos") / "red.png"):
        hits = search(colours, "red", encoder=colour_encoder, filters=Filters(path=folder))
        assert names(hits)[0] == "red.png"


def test_a_folder_without_photos_is_refused(
    colours: Library, colour_encoder: ColourEncoder
) -> None:
    nowhere = Filters(path=Path("nowhere"))
    with pytest.raises(QueryError, match=r"no photo at or under 'nowhere'; .*imgsearch index"):
        search(colours, "red", encoder=colour_encoder, filters=nowhere)


def test_a_least_score_ends_the_hits(stars: Stars) -> None:
    stars.add(random_vectors(100))
    stars.build("sq8")
    everything = stars.search("sun", 100)
    least = everything[4].score
    assert stars.search("sun", 100, Filters(min_score=least)) == everything[:5]
    assert stars.search("sun", 3, Filters(min_score=least)) == everything[:3]
    assert stars.search("sun", 3, Filters(min_score=1.01)) == []
