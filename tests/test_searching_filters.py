"""Filters bound a search: narrow and wide ones give what numpy gives, alone they go by date."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imgsearch.catalog import EncoderRow, FilePlace, PhotoFacts
from imgsearch.errors import QueryError
from imgsearch.library import Library, generations, open_library
from imgsearch.library.stored import StoredEmbeddings
from imgsearch.queries import conditions
from imgsearch.searching.filters import Allowed, Filters
from imgsearch.searching.gallery import FEW, Gallery, newest
from imgsearch.vector_index import KINDS
from imgsearch.vectors import Vectors, normalise

PHOTOS, BESIDE, DIM = 1200, 60, 16
FIRST = datetime(2020, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """Photos a day apart, the last of them newer than the index."""
    vectors = _vectors()
    with open_library(tmp_path_factory.mktemp("filters") / "library") as made:
        with made.catalog.write() as writer:
            encoder = writer.add_encoder(EncoderRow(0, "toy", "toy", DIM, ("en",), None))
            root = writer.add_root(Path("/photos"))
            ids = [writer.add_photo(_facts(number)) for number in range(PHOTOS)]
            for number, photo_id in enumerate(ids):
                place = FilePlace(Path(f"/photos/{number % 7}/{number}.jpg"), root, 1, 1)
                writer.put_file(place, photo_id)
            writer.add_embeddings(encoder, ids[:-BESIDE], vectors[:-BESIDE])
        generations.build(made, made.catalog.encoders()[0])
        with made.catalog.write() as writer:
            writer.add_embeddings(encoder, ids[-BESIDE:], vectors[-BESIDE:])
            writer.add_captions(7, ["a dog"], "en", "user")
            writer.add_label("third", ids[::3])
            writer.add_to_album("all but one", ids[1:])
        yield made


def _vectors() -> Vectors:
    return normalise(np.random.default_rng(3).standard_normal((PHOTOS, DIM), np.float32))


def _facts(number: int) -> PhotoFacts:
    return PhotoFacts(
        content_hash=f"{number:064x}",
        width=4,
        height=3,
        size_bytes=1,
        format="JPEG",
        taken_at=FIRST + timedelta(days=number),
        camera=f"Camera {number % 3}",
        latitude=None,
        longitude=None,
    )


@pytest.mark.parametrize("is_large", [False, True])
@pytest.mark.parametrize(
    "asked",
    [
        {"after": "2020-02-01", "before": "2020-02-03"},
        {"after": "2023-02-01"},  # what is beside the index, and some of it
        {"camera": "camera 1"},
        {"path": "3", "camera": "camera 1"},
        {"after": "1990"},
        {"after": "2050"},
        {"before": "2020-01-26"},  # about the share below which photos are listed
        {"label": "third", "camera": "camera 1"},
        {"album": "all but one"},
    ],
)
@pytest.mark.parametrize("kind", KINDS[:5])  # below the others: an index is built once
def test_the_best_under_a_filter_are_those_of_numpy(
    library: Library,
    kind: str,
    is_large: bool,
    asked: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if is_large:  # what passes a filter is not listed
        monkeypatch.setattr("imgsearch.searching.filters._LARGE", 100)
    row = library.catalog.encoders()[0]
    current = library.catalog.current_generation(row.id)
    if current is None or current.kind != kind:
        generations.build(library, row, kind)
    allowed = Allowed(library, Filters(conditions=conditions(**asked)))
    ids = library.catalog.photo_ids(conditions(**asked))
    assert allowed.every().tolist() == ids.tolist()
    if not is_large or len(ids) > PHOTOS / 10:  # between, chance says which
        assert (allowed.ids is None) == (is_large and len(ids) > 0)
    vectors = _vectors()
    for query in (0, 5, PHOTOS - 1):
        scores = vectors[ids - 1] @ vectors[query]
        right = ids[np.lexsort((ids, -scores))[:10]].tolist()
        hits = Gallery(library, row, allowed, None).hits(vectors[query], 10)
        found = [hit.photo_id for hit in hits]
        if kind in ("flat", "sq8") or len(ids) <= FEW:
            assert found == right
            assert [hit.score for hit in hits] == pytest.approx(
                sorted(scores.tolist(), reverse=True)[:10], abs=1e-5
            )
        else:
            assert len(set(found) & set(right)) >= 6  # random vectors are the worst for ivf


def test_photos_that_are_not_embedded_hide_none_that_are(tmp_path: Path) -> None:
    """They pass the filter, and the index does not hold them."""
    rng = np.random.default_rng(5)
    centres = rng.standard_normal((40, DIM))
    vectors, queries = (
        normalise((centres[rng.integers(0, 40, n)] + rng.standard_normal((n, DIM))).astype("f4"))
        for n in (2000, 20)
    )
    with open_library(tmp_path / "library") as library:
        with library.catalog.write() as writer:
            encoder = writer.add_encoder(EncoderRow(0, "toy", "toy", DIM, ("en",), None))
            root = writer.add_root(Path("/photos"))
            ids = np.array([writer.add_photo(_facts(number)) for number in range(2 * len(vectors))])
            for photo_id in ids.tolist():
                writer.put_file(FilePlace(Path(f"/photos/{photo_id}.jpg"), root, 1, 1), photo_id)
            embedded, others = np.split(ids, 2)
            writer.add_embeddings(encoder, embedded.tolist(), vectors)
            marked = np.sort(rng.choice(len(vectors), FEW + 50, replace=False))
            writer.add_label("some", [*embedded[marked].tolist(), *others.tolist()])
        row = library.catalog.encoders()[0]
        allowed = Allowed(library, Filters(conditions=conditions(label="some")))
        right = embedded[marked[np.argsort(-(queries @ vectors[marked].T), axis=1)[:, :10]]]
        for kind in KINDS:
            generations.build(library, row, kind)
            gallery = Gallery(library, row, allowed, None)
            found = [[hit.photo_id for hit in gallery.hits(query, 10)] for query in queries]
            shared = sum(
                len(set(ours) & set(best)) for ours, best in zip(found, right.tolist(), strict=True)
            )
            assert shared >= 0.98 * right.size, kind


@pytest.mark.parametrize("kind", ["flat", "hnsw"])
def test_photos_that_pass_and_are_all_far_away_are_listed_before_long(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imgsearch.searching.filters._LARGE", 100)
    photos, far = 6000, 300
    angles = np.linspace(0, np.pi, photos)
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    with open_library(tmp_path / "library") as library:
        with library.catalog.write() as writer:
            encoder = writer.add_encoder(EncoderRow(0, "toy", "toy", 2, ("en",), None))
            root = writer.add_root(Path("/photos"))
            ids = [writer.add_photo(_facts(number)) for number in range(photos)]
            for photo_id in ids:
                writer.put_file(FilePlace(Path(f"/photos/{photo_id}.jpg"), root, 1, 1), photo_id)
            writer.add_embeddings(encoder, ids, vectors)
            writer.add_label("far", ids[-far:])
        row = library.catalog.encoders()[0]
        generations.build(library, row, kind)
        allowed = Allowed(library, Filters(conditions=conditions(label="far")))
        assert allowed.ids is None
        index = library.index_of(library.catalog.generations(row.id)[-1])
        asked, looked_at = _counted(index, "search"), _counted(allowed, "paths")
        hits = Gallery(library, row, allowed, None).hits(vectors[0], 10)
        assert [hit.photo_id for hit in hits] == ids[-far:][:10]
        assert len(asked) <= 4
        every = np.concatenate([ids for (ids,) in looked_at])
        assert len(np.unique(every)) == len(every) < photos


@pytest.mark.parametrize(
    "asked",
    [
        {"label": "third"},
        {"label": "third|fourth"},
        {"camera": "camera 1"},
        {"camera": "camera 1|camera 2"},
        {"album": "all but one"},
        {"album": "*"},
        {"album": "saved", "camera": "camera 1"},
        {"after": "2020-03-01"},
        {"path": "3"},
        {"name": "1*"},
    ],
)
def test_photos_without_a_file_are_listed_and_are_no_hits(
    tmp_path: Path, asked: dict[str, str]
) -> None:
    vectors = _vectors()[: 3 * FEW]
    with open_library(tmp_path / "library") as library:
        with library.catalog.write() as writer:
            encoder = writer.add_encoder(EncoderRow(0, "toy", "toy", DIM, ("en",), None))
            root = writer.add_root(Path("/photos"))
            ids = [writer.add_photo(_facts(number)) for number in range(len(vectors))]
            for number, photo_id in enumerate(ids):
                place = FilePlace(Path(f"/photos/{number % 7}/{number}.jpg"), root, 1, 1)
                writer.put_file(place, photo_id)
            writer.add_embeddings(encoder, ids, vectors)
            writer.add_label("third", ids[::3])
            writer.add_label("fourth", ids[::4])
            writer.add_to_album("all but one", ids[1:])
            writer.save_album("saved", "after:2020-02-01")
        row = library.catalog.encoders()[0]
        generations.build(library, row)
        before = library.catalog.photo_ids(conditions(**asked))
        files = library.catalog.files_of_photos(ids)
        gone = [file.id for i in ids if i % 5 for file in files[i].values()]
        with library.catalog.write() as writer:
            writer.set_state(gone, "missing")
        live = library.catalog.photo_ids(conditions(**asked))
        assert live.tolist() == [i for i in before.tolist() if i % 5 == 0]
        listed = library.catalog.candidate_ids(conditions(**asked))
        assert set(live.tolist()) <= set(listed.tolist()) <= set(before.tolist())
        assert (np.diff(listed) > 0).all()
        allowed = Allowed(library, Filters(conditions=conditions(**asked)))
        assert allowed.every().tolist() == live.tolist()
        hits = Gallery(library, row, allowed, None).hits(vectors[0], len(ids))
        scores = vectors[live - 1] @ vectors[0]
        assert [hit.photo_id for hit in hits] == live[np.lexsort((live, -scores))].tolist()


def test_few_photos_are_scored_once(library: Library) -> None:
    asked = conditions(after="2020-02-01", before="2020-02-03")
    allowed = Allowed(library, Filters(conditions=asked))
    looked_at = _counted(allowed, "paths")
    gallery = Gallery(library, library.catalog.encoders()[0], allowed, None)
    assert {hit.photo_id for hit in gallery.hits(_vectors()[0], 10)} == {32, 33}
    assert len(looked_at) == 1


def test_nothing_that_is_embedded_is_an_error_whatever_passes(tmp_path: Path) -> None:
    with open_library(tmp_path / "library") as library:
        with library.catalog.write() as writer:
            writer.add_encoder(EncoderRow(0, "toy", "toy", DIM, ("en",), None))
            root = writer.add_root(Path("/photos"))
            photo_id = writer.add_photo(_facts(1))
            writer.put_file(FilePlace(Path("/photos/1.jpg"), root, 1, 1), photo_id)
        for filters in (Filters(), Filters(path=Path("/photos"))):
            gallery = Gallery(
                library, library.catalog.encoders()[0], Allowed(library, filters), None
            )
            with pytest.raises(QueryError, match=r"no photo of the library .* is embedded by toy"):
                gallery.hits(_vectors()[0], 3)


def _counted(of: object, name: str) -> list[tuple[Any, ...]]:
    """What a method is called with from now on."""
    method = getattr(of, name)
    calls: list[tuple[Any, ...]] = []

    def counting(*given: Any) -> Any:
        calls.append(given)
        return method(*given)

    setattr(of, name, counting)
    return calls


def test_every_filter_holds_at_once(library: Library) -> None:
    filters = Filters(
        path=Path("/photos/6"), captioned=False, conditions=conditions(camera="camera 0")
    )
    allowed = Allowed(library, filters)
    assert allowed.ids is not None
    right = [n + 1 for n in range(PHOTOS) if n % 7 == 6 and n % 3 == 0 and n + 1 != 7]
    assert allowed.ids.tolist() == right
    assert {path.parent.name for path in allowed.paths(allowed.ids).values()} == {"6"}


def test_conditions_alone_give_the_newest_without_a_score(library: Library) -> None:
    hits = newest(Allowed(library, Filters(conditions=conditions(camera="camera 2"))), 4)
    assert [hit.photo_id for hit in hits] == [1200, 1197, 1194, 1191]
    assert [(hit.rank, hit.score) for hit in hits] == [(n, None) for n in (1, 2, 3, 4)]
    assert len(newest(Allowed(library, Filters()), 5000)) == PHOTOS


def test_photos_newer_than_the_index_are_read_once_and_scored_in_memory(library: Library) -> None:
    row, last = library.catalog.encoders()[0], PHOTOS - BESIDE  # embedding ids are 1, 2, 3 ...
    held = library.newcomers(row, last)
    assert library.newcomers(row, last) is held
    ((ids, vectors),) = held.pieces(library.catalog, row)
    assert ids.tolist() == list(range(PHOTOS - BESIDE + 1, PHOTOS + 1))
    assert np.array_equal(vectors, _vectors()[-BESIDE:])
    assert library.newcomers(row, 0).count == PHOTOS


def test_of_photos_that_arrive_one_by_one_none_is_copied_for_each(tmp_path: Path) -> None:
    vectors = _vectors()[:300]
    with open_library(tmp_path / "library") as library:
        with library.catalog.write() as writer:
            encoder = writer.add_encoder(EncoderRow(0, "toy", "toy", DIM, ("en",), None))
            ids = [writer.add_photo(_facts(number)) for number in range(len(vectors))]
        row, copied, held = library.catalog.encoders()[0], 0, ()
        for photo_id, vector in zip(ids, vectors, strict=True):
            with library.catalog.write() as writer:
                writer.add_embeddings(encoder, [photo_id], vector[None])
            before, held = held, library.newcomers(row, 0).held
            assert len(held) < 10
            copied += sum(
                len(piece[0]) for piece in held if not any(piece is old for old in before)
            )
        assert copied < 10 * len(ids)  # 45,150 where all are
        found_ids, found = zip(*library.newcomers(row, 0).pieces(library.catalog, row), strict=True)
        assert np.concatenate(found_ids).tolist() == ids
        assert np.array_equal(np.concatenate(found), vectors)


def test_embeddings_that_are_dropped_while_they_are_read_are_not_waited_for(
    library: Library,
) -> None:
    stored = StoredEmbeddings(library.catalog, library.catalog.encoders()[0])
    stored.count += 5  # counted before they were dropped
    every = np.concatenate([ids for ids, _ in itertools.islice(stored.chunks(), 20)])
    assert every.tolist() == list(range(1, PHOTOS + 1))
    assert all(len(ids) for ids, _ in itertools.islice(stored.chunks(), 20))


def test_more_newcomers_than_are_held_are_read_at_every_search(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imgsearch.library.newcomers.HELD", 100)
    monkeypatch.setattr("imgsearch.library.newcomers._ROWS_AT_ONCE", 64)
    row = library.catalog.encoders()[0]
    library.newcomers(row, 1)  # another place than the one that is asked for
    newcomers = library.newcomers(row, 0)
    assert newcomers.count == 100
    pieces = list(newcomers.pieces(library.catalog, row))
    assert np.concatenate([ids for ids, _ in pieces]).tolist() == list(range(1, PHOTOS + 1))
    assert np.array_equal(np.concatenate([vectors for _, vectors in pieces]), _vectors())
