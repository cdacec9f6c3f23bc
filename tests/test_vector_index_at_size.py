"""Indexes chosen by size, built from chunks, tuned to an asked recall, extended: against numpy.

The vectors are clustered, as photos are; texts lie off to one side of them.
"""

import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import faiss
import numpy as np
import numpy.typing as npt
import pytest

from imgsearch.errors import LibraryDamagedError, UsageError
from imgsearch.vector_index import (
    KINDS,
    USUAL,
    ArraySource,
    Asked,
    Installed,
    Step,
    VectorIndex,
    installed,
)
from imgsearch.vector_index.gpu import KINDS_ON_GPU
from imgsearch.vector_index.kinds import kind_for
from imgsearch.vector_index.threads import threads_for
from imgsearch.vectors import Vectors, normalise

COUNT, DIM, K = 6000, 32, 10
LEARNING = ("ivf", "ivf-sq8", "ivf-pq")
Ids = npt.NDArray[np.int64]


def clustered(seed: int, count: int) -> Vectors:
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(120, DIM))
    rows = centres[rng.integers(0, 120, count)] + 1.2 * rng.normal(size=(count, DIM))
    return normalise(rows.astype(np.float32))


VECTORS = clustered(0, COUNT)
TEXTS = normalise(clustered(1, 60) + np.float32(0.3))
IDS: Ids = np.random.default_rng(2).permutation(5 * COUNT)[:COUNT].astype(np.int64)


class Streamed:
    """A source that makes a chunk at a time, in no order of ids, and counts how often it is read"""

    count, dim = COUNT, DIM

    def __init__(self) -> None:
        self.times_read = 0

    def chunks(self) -> Iterator[tuple[Ids, Vectors]]:
        self.times_read += 1
        for start in range(0, COUNT, 700):
            yield IDS[start : start + 700], VECTORS[start : start + 700]

    def sample(self, most: int) -> tuple[Ids, Vectors]:
        step = max(1, COUNT // most)
        return IDS[::step], VECTORS[::step]


def brute_force(queries: Vectors, ids: Ids, vectors: Vectors, k: int = K) -> Ids:
    best: Ids = ids[np.argsort(-(queries @ vectors.T), axis=1, kind="stable")[:, :k]]
    return best


def rescored(index: VectorIndex, queries: Vectors, only: Ids | None = None) -> Ids:
    """The ten best of the candidates, by their exact scores, as a search in a library does."""
    row_of = {int(photo_id): row for row, photo_id in enumerate(IDS)}
    best = []
    _, found = index.search(queries, index.candidates(K), only)
    for query, ids in zip(queries, found, strict=True):
        ids = ids[ids >= 0]
        scores = VECTORS[[row_of[int(i)] for i in ids]] @ query
        best.append(ids[np.argsort(-scores, kind="stable")[:K]])
    return np.array(best)


def recall(found: Ids, expected: Ids) -> float:
    shared = [len(set(a) & set(b)) for a, b in zip(found, expected, strict=True)]
    return sum(shared) / expected.size


@pytest.fixture(scope="module", params=KINDS)
def built(request: pytest.FixtureRequest) -> tuple[VectorIndex, Streamed]:
    source = Streamed()
    return VectorIndex.build_from(source, Asked(request.param), texts=TEXTS), source


@pytest.fixture(scope="module")
def index(built: tuple[VectorIndex, Streamed]) -> VectorIndex:
    return built[0]


@pytest.mark.parametrize(
    ("asked", "count", "dim", "kind"),
    [
        ("auto", 0, 512, "flat"),
        ("auto", 50_000, 512, "flat"),
        ("auto", 50_001, 512, "ivf-sq8"),
        ("auto", 100_000, 256, "flat"),
        ("auto", 5_000_000, 512, "ivf-sq8"),
        ("auto", 10_000_000, 512, "ivf-pq"),
        ("hnsw", 10_000_000, 512, "hnsw"),
        ("ivf", 0, 512, "flat"),
        ("ivf-pq", 999, 512, "flat"),
    ],
)
def test_the_kind_follows_size_where_none_is_asked_for(
    asked: str, count: int, dim: int, kind: str
) -> None:
    assert kind_for(asked, count, dim) == kind


def test_what_no_index_can_be_is_said() -> None:
    with pytest.raises(UsageError, match=r"'tree'.*auto, flat"):
        Asked("tree")
    with pytest.raises(UsageError, match=r"''.*auto, flat"):
        USUAL.changed("", None)
    for share in (0.0, 1.01, -1.0, float("nan")):
        with pytest.raises(UsageError, match="a share above 0 and at most 1"):
            Asked(recall=share)
        with pytest.raises(UsageError, match="a share above 0 and at most 1"):
            USUAL.changed(None, share)
    assert Asked("hnsw", 0.9).changed(None, 0.95) == Asked("hnsw", 0.95)
    assert Asked("hnsw", 0.9).changed("auto", None) == Asked("auto", 0.9)


@pytest.mark.parametrize("kept", [1, 0.3, 0.05, 0.005])
def test_the_best_of_its_candidates_are_those_of_brute_force(
    index: VectorIndex, kept: float
) -> None:
    only = None if kept == 1 else IDS[: int(kept * COUNT)]
    rows = slice(None) if only is None else slice(len(only))
    for queries in (clustered(5, 40), TEXTS):
        expected = brute_force(queries, IDS[rows], VECTORS[rows])
        found = rescored(index, queries, only)
        assert recall(found, expected) >= (1 if index.kind == "flat" else 0.97)
        alone = np.concatenate([rescored(index, query[None], only) for query in queries[:5]])
        assert np.array_equal(alone, found[:5])


@pytest.mark.parametrize("kept", [0.3, 0.05])
def test_ids_it_does_not_hold_change_nothing_that_a_filter_finds(
    index: VectorIndex, kept: float
) -> None:
    only = np.sort(IDS[: int(kept * COUNT)])
    foreign = np.setdiff1d(np.arange(-5, 20 * COUNT), IDS)  # below, between and above its own
    among_others = np.union1d(only, foreign)
    assert index.among(among_others).tolist() == only.tolist()
    for found, right in zip(
        index.search(TEXTS, K, among_others), index.search(TEXTS, K, only), strict=True
    ):
        assert np.array_equal(found, right)


def test_few_photos_that_pass_are_found_however_far_from_the_query_they_lie() -> None:
    index = VectorIndex.build_from(Streamed(), Asked("ivf", 0.3))
    for query in VECTORS[::500]:
        farthest = np.argsort(VECTORS @ query)[: COUNT // 25]
        found = index.search(query[None], K, np.sort(IDS[farthest]))[1]
        best = brute_force(query[None], IDS[farthest], VECTORS[farthest])
        assert set(found[0].tolist()) == set(best[0].tolist())


def test_a_source_is_gone_through_once(built: tuple[VectorIndex, Streamed]) -> None:
    index, source = built
    assert source.times_read == 1
    assert index.ids().tolist() == sorted(IDS)


def test_the_recall_that_is_kept_is_that_of_brute_force(index: VectorIndex) -> None:
    measured = index.making.recall
    if index.kind == "flat":
        assert measured is None
        return
    assert measured is not None and measured.least >= 0.99
    assert (measured.k, measured.text_queries, measured.photo_queries > 200) == (10, 60, True)
    expected = brute_force(TEXTS, IDS, VECTORS)
    assert measured.texts == pytest.approx(recall(rescored(index, TEXTS), expected), abs=0.005)


@pytest.mark.parametrize("kind", ["ivf", "ivf-sq8"])
def test_a_higher_recall_reaches_further(kind: str) -> None:
    reaches, found = [], []
    for share in (0.5, 0.9, 0.995):
        making = VectorIndex.build_from(Streamed(), Asked(kind, share), texts=TEXTS).making
        assert making.recall is not None
        reaches.append(making.parameters["nprobe"])
        found.append(making.recall.least)
        assert making.recall.least >= share
    assert reaches == sorted(set(reaches)) and found == sorted(found)


def test_texts_count_as_much_as_photos() -> None:
    alone = VectorIndex.build_from(Streamed(), Asked("ivf")).making
    both = VectorIndex.build_from(Streamed(), Asked("ivf"), texts=TEXTS).making
    assert alone.recall is not None and alone.recall.texts is None
    assert both.recall is not None and both.recall.texts is not None
    assert both.parameters["nprobe"] >= alone.parameters["nprobe"]


def test_equal_vectors_are_built_and_found_on_every_kind() -> None:
    same = np.tile(VECTORS[:1], (1500, 1))
    for kind in KINDS:
        index = VectorIndex.build(np.arange(1500), same, kind)
        assert index.search(VECTORS[:1], 3)[1].tolist() == [[0, 1, 2]]


def test_how_it_was_made_is_kept(index: VectorIndex, tmp_path: Path) -> None:
    index.save(tmp_path)
    loaded = VectorIndex.load(tmp_path)
    assert loaded.making == index.making
    assert np.array_equal(loaded.search(TEXTS, K)[1], index.search(TEXTS, K)[1])
    written = json.loads((tmp_path / "manifest.json").read_text())["format"]
    assert written == (2 if index.kind == "ivf-pq" else 1)  # older programs read the others


@pytest.mark.parametrize(("kind", "asked"), [("flat", "auto"), ("ivf-sq8", "ivf-sq8")])
def test_a_manifest_that_says_nothing_of_its_making_was_asked_for_its_kind(
    tmp_path: Path, kind: str, asked: str
) -> None:
    """Flat was what nobody had to ask for."""
    VectorIndex.build(IDS, VECTORS, kind).save(tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    del manifest["making"]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    index = VectorIndex.load(tmp_path)
    assert index.making.asked == Asked(asked) and index.making.recall is None
    queries = clustered(5, 40)
    assert recall(index.search(queries, K)[1], brute_force(queries, IDS, VECTORS)) >= 0.9


def test_whoever_is_told_may_stop_it() -> None:
    told: list[Step] = []

    def stop(step: Step) -> None:
        told.append(step)
        if step.doing == "adding" and step.done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        VectorIndex.build_from(Streamed(), Asked("ivf"), notify=stop)
    learning, adding = Step("learning", 0, COUNT), Step("adding", 0, COUNT)
    assert told == [learning, adding, Step("adding", 700, COUNT)]


@pytest.fixture(scope="module", params=KINDS)
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    source = ArraySource(IDS[:5000], VECTORS[:5000])
    VectorIndex.build_from(source, Asked(request.param), texts=TEXTS).save(folder)
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A saved index of the first 5,000: a copy, for to learn the codes of ivf-pq takes 4 s."""
    return Path(shutil.copytree(saved, tmp_path / "index"))


def test_an_extended_index_finds_what_one_built_anew_does(folder: Path) -> None:
    kind = VectorIndex.load(folder).kind
    removed = IDS[:0] if kind == "hnsw" else IDS[100:400]
    extended = VectorIndex.extended(folder, ArraySource(IDS[5000:], VECTORS[5000:]), removed)
    kept = ~np.isin(IDS, removed)
    assert (extended.count, extended.kind) == (kept.sum(), kind)
    assert extended.ids().tolist() == sorted(IDS[kept])
    assert extended.making.trained_on == 5000
    fresh = VectorIndex.build(IDS[kept], VECTORS[kept])
    for only in (None, np.sort(IDS[3000:5500]), np.sort(IDS[90:120])):
        if kind == "flat":
            for ours, theirs in zip(
                extended.search(TEXTS, K, only), fresh.search(TEXTS, K, only), strict=True
            ):
                assert np.array_equal(ours, theirs)
        rows = kept if only is None else kept & np.isin(IDS, only)
        expected = brute_force(TEXTS, IDS[rows], VECTORS[rows])
        assert recall(rescored(extended, TEXTS, only), expected) >= 0.95
    extended.save(folder / "next")
    loaded = VectorIndex.load(folder / "next")
    assert np.array_equal(loaded.search(TEXTS, K)[1], extended.search(TEXTS, K)[1])
    assert not set(removed) & set(loaded.search(VECTORS[100:400], K)[1].ravel().tolist())


def test_a_vector_may_be_taken_out_and_come_again_as_another(tmp_path: Path) -> None:
    for kind in ("flat", "sq8", *LEARNING):
        VectorIndex.build(IDS[:1200], VECTORS[:1200], kind).save(tmp_path / kind)
        index = VectorIndex.extended(
            tmp_path / kind, ArraySource(IDS[:1], -VECTORS[:1]), np.array([IDS[0], 10**7])
        )
        assert index.count == 1200
        assert index.search(-VECTORS[:1], 1)[1].tolist() == [[IDS[0]]]


def test_what_is_there_is_not_added_again(folder: Path) -> None:
    with pytest.raises(ValueError, match="distinct"):
        VectorIndex.extended(folder, ArraySource(IDS[:1], VECTORS[:1]))
    with pytest.raises(ValueError, match="distinct"):
        VectorIndex.extended(folder, ArraySource(IDS[[5001, 5001]], VECTORS[[5001, 5001]]))


def test_a_file_that_has_changed_is_not_extended(folder: Path) -> None:
    """Else the next one would hold the damage under a sum of its own."""
    file = folder / "index.faiss"
    content = bytearray(file.read_bytes())
    middle = len(content) // 2
    content[middle] ^= 1
    file.write_bytes(content)
    with pytest.raises(LibraryDamagedError, match="has changed since it was written"):
        VectorIndex.extended(folder, ArraySource(IDS[5000:], VECTORS[5000:]))


@pytest.mark.parametrize(
    ("kind", "count", "asked"),
    [("flat", 100, "auto"), ("ivf-sq8", 60_000, "auto"), ("ivf-sq8", 100, "ivf-sq8")],
)
def test_what_was_asked_is_told_from_a_kind_alone(kind: str, count: int, asked: str) -> None:
    assert Asked.likely(kind, count, 512) == Asked(asked)
    assert Asked.likely("tree", count, 512) == USUAL


def test_an_index_of_one_photo_has_no_recall(tmp_path: Path) -> None:
    for kind in ("hnsw", "ivf"):
        assert VectorIndex.build(IDS[:1], VECTORS[:1], kind).making.recall is None


def test_an_index_that_was_outgrown_learns_anew(folder: Path) -> None:
    index = VectorIndex.load(folder)
    assert index.can_extend(5000, 0) and not index.can_extend(5001, 0)
    assert index.can_extend(0, 2500) == (index.kind != "hnsw")
    assert not index.can_extend(0, 2501)


def test_an_index_that_another_kind_would_suit_is_not_extended() -> None:
    index = VectorIndex.build(IDS, VECTORS)
    assert index.can_extend(4000, 0) and index.making.asked.kind == "auto"
    assert not index.can_extend(50_000 * 512 // DIM, 0)


def test_a_file_that_is_extended_stays_as_it_is(folder: Path) -> None:
    before = (folder / "index.faiss").read_bytes()
    mapped = VectorIndex.load(folder)
    VectorIndex.extended(folder, ArraySource(IDS[5000:], VECTORS[5000:]))
    assert (folder / "index.faiss").read_bytes() == before
    assert mapped.count == 5000


def test_one_query_has_one_thread_and_one_batch_at_a_time_has_all() -> None:
    every = faiss.omp_get_max_threads()

    def threads_of_a_batch() -> int:
        with threads_for(2):
            return int(faiss.omp_get_max_threads())

    with threads_for(1):
        assert faiss.omp_get_max_threads() == 1
    with ThreadPoolExecutor(1) as pool:
        with threads_for(2):
            assert faiss.omp_get_max_threads() == every
            assert pool.submit(threads_of_a_batch).result() == 1
        assert pool.submit(threads_of_a_batch).result() == every
    assert faiss.omp_get_max_threads() == every


def test_a_search_leaves_the_caller_as_many_threads_as_it_had() -> None:
    every = faiss.omp_get_max_threads()
    for had in (1, every + 1):
        faiss.omp_set_num_threads(had)
        try:
            for queries in (1, 2):
                with threads_for(queries):
                    assert faiss.omp_get_max_threads() == (1 if queries == 1 else had)
                assert faiss.omp_get_max_threads() == had
        finally:
            faiss.omp_set_num_threads(every)


@pytest.mark.parametrize("kind", KINDS)
def test_where_there_is_no_gpu_the_cpu_answers_after_a_warning(kind: str) -> None:
    if installed().gpus and kind in KINDS_ON_GPU:
        pytest.skip("there is a GPU; the test below is of it")
    index = VectorIndex.build(IDS[:1200], VECTORS[:1200], kind)
    with pytest.warns(UserWarning, match="searching on the CPU: .*(the CPU alone|no GPU|has no)"):
        served = index.on_gpu()
    assert np.array_equal(served.search(TEXTS, K)[1], index.search(TEXTS, K)[1])


@pytest.mark.gpu
@pytest.mark.parametrize("kind", KINDS_ON_GPU)
def test_a_gpu_finds_what_the_cpu_finds(kind: str, tmp_path: Path) -> None:
    index = VectorIndex.build_from(Streamed(), Asked(kind), texts=TEXTS)
    index.save(tmp_path)
    for each in (index.on_gpu(), VectorIndex.load(tmp_path).on_gpu()):
        assert recall(rescored(each, TEXTS), brute_force(TEXTS, IDS, VECTORS)) >= 0.97
        only = np.sort(IDS[:500])
        assert set(each.search(TEXTS, K, only)[1].ravel()) <= set(only)


def test_two_faisses_are_a_conflict_with_the_line_that_ends_it() -> None:
    both = Installed(("faiss-cpu 1.15.1", "faiss-gpu 1.15.1"), 0)
    assert both.conflict.startswith("faiss-cpu 1.15.1 and faiss-gpu 1.15.1 write the same files")
    assert "pip uninstall -y faiss-cpu faiss-gpu && pip install faiss-gpu" in both.remedy
    assert Installed(("faiss-cpu 1.15.1",), 0).conflict == ""
    assert installed().distributions and not installed().conflict
