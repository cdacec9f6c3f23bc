"""Every kind of index against numpy brute force, and what is saved against what comes back.

The vectors are clustered, as photos are; the ids are neither dense nor in the order of the rows.
"""

import itertools
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from imgsearch.errors import LibraryDamagedError, LibraryTooNewError, UsageError
from imgsearch.vector_index import KINDS, HashIndex, VectorIndex
from imgsearch.vectors import Vectors, normalise

EXACT = ("flat", "hnsw", "ivf")  # the scores they give are exact, whatever they leave out
TOLERANCE = {"sq8": 0.02, "ivf-sq8": 0.02, "ivf-pq": 0.1}
COUNT, DIM, K = 2000, 32, 10
Ids = npt.NDArray[np.int64]


def clustered(seed: int, count: int) -> Vectors:
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(40, DIM))
    rows = centres[rng.integers(0, 40, count)] + rng.normal(size=(count, DIM))
    return normalise(rows.astype(np.float32))


VECTORS = clustered(0, COUNT)
QUERIES = clustered(1, 25)
IDS: Ids = np.random.default_rng(2).permutation(5 * COUNT)[:COUNT].astype(np.int64)


def brute_force(k: int, only: Ids | None = None) -> tuple[Vectors, Ids]:
    kept = np.ones(COUNT, bool) if only is None else np.isin(IDS, only)
    scores, ids = QUERIES @ VECTORS[kept].T, IDS[kept]
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(scores, best, 1), ids[best]


def recall(found: Ids, expected: Ids) -> float:
    shared = [len(set(a) & set(b)) for a, b in zip(found, expected, strict=True)]
    return sum(shared) / expected.size


@pytest.fixture(scope="module", params=KINDS)
def index(request: pytest.FixtureRequest) -> VectorIndex:
    return VectorIndex.build(IDS, VECTORS, request.param)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def test_flat_gives_what_brute_force_gives() -> None:
    scores, ids = VectorIndex.build(IDS, VECTORS).search(QUERIES, K)
    expected_scores, expected_ids = brute_force(K)
    assert np.array_equal(ids, expected_ids)
    np.testing.assert_allclose(scores, expected_scores, atol=1e-5)


@pytest.mark.parametrize("filtered", [None, 3, 40, 400, 1500])
def test_every_kind_finds_what_brute_force_finds(index: VectorIndex, filtered: int | None) -> None:
    only = None if filtered is None else IDS[::-1][:filtered]
    scores, ids = index.search(QUERIES, K, only)
    _, expected_ids = brute_force(K, only)
    wanted = expected_ids.shape[1]
    if index.kind == "flat":
        assert np.array_equal(ids[:, :wanted], expected_ids)
    assert recall(ids[:, :wanted], expected_ids) >= 0.95
    exact = np.vectorize(dict(zip(IDS, range(COUNT), strict=True)).get)(ids[:, :wanted])
    true_scores = np.einsum("nd,nkd->nk", QUERIES, VECTORS[exact])
    tolerance = 1e-5 if index.kind in EXACT else TOLERANCE[index.kind]
    np.testing.assert_allclose(scores[:, :wanted], true_scores, atol=tolerance)
    assert (ids[:, wanted:] == -1).all()


def test_scores_come_best_first_and_are_cosines(index: VectorIndex) -> None:
    scores, _ = index.search(QUERIES * 7, K)  # the length of a query says nothing
    assert (np.diff(scores, axis=1) <= 0).all()
    assert scores.max() <= 1.02
    own, ids = index.search(VECTORS[:5], 1)
    assert ids[:, 0].tolist() == IDS[:5].tolist()
    np.testing.assert_allclose(own[:, 0], 1, atol=0.02)


def test_rows_need_not_be_of_unit_length(kind: str) -> None:
    lengths = np.linspace(0.1, 9, COUNT, dtype=np.float32)[:, None]
    plain = VectorIndex.build(IDS, VECTORS, kind).search(QUERIES, K)
    scaled = VectorIndex.build(IDS, VECTORS * lengths, kind).search(QUERIES, K)
    np.testing.assert_allclose(scaled[0], plain[0], atol=2e-3 if kind not in EXACT else 1e-5)


def test_more_than_there_are_pads_with_no_id(index: VectorIndex) -> None:
    scores, ids = index.search(QUERIES[:2], COUNT + 7)
    assert (ids[:, COUNT:] == -1).all()
    assert (scores[:, COUNT:] == -np.inf).all()
    assert sorted(ids[0, :COUNT]) == sorted(IDS)


def test_a_filter_without_known_ids_finds_nothing(index: VectorIndex) -> None:
    for only in (np.array([], np.int64), np.array([-1, 10**6], np.int64)):
        scores, ids = index.search(QUERIES[:1], 3, only)
        assert ids.tolist() == [[-1, -1, -1]]
        assert (scores == -np.inf).all()


def test_a_filter_may_repeat_and_name_unknown_ids(index: VectorIndex) -> None:
    only = np.array([IDS[4], 10**6, IDS[4], IDS[9], -3], np.int64)
    _, ids = index.search(QUERIES, 4, only)
    assert {tuple(sorted(row)) for row in ids.tolist()} == {
        tuple(sorted([int(IDS[4]), int(IDS[9]), -1, -1]))
    }


def test_equal_vectors_come_by_lower_id(kind: str) -> None:
    vectors = np.concatenate([VECTORS[:200], np.repeat(VECTORS[200:201], 30, axis=0)])
    ids = np.arange(230, dtype=np.int64)
    ids[200:] = np.random.default_rng(3).permutation(np.arange(1000, 1030))
    shuffled = np.random.default_rng(4).permutation(230)
    index = VectorIndex.build(ids[shuffled], vectors[shuffled], kind)
    for k in (1, 2, 7, 30):
        assert index.search(VECTORS[200:201], k)[1][0].tolist() == list(range(1000, 1000 + k))


@pytest.mark.parametrize("count", [0, 1, 5])
def test_few_or_no_vectors_work_on_every_kind(
    kind: str, count: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    VectorIndex.build(IDS[:count], VECTORS[:count], kind).save(tmp_path / "0001")
    index = VectorIndex.load(tmp_path / "0001")
    _, ids = index.search(QUERIES[:3], 6)
    assert index.count == count
    assert (ids[:, count:] == -1).all()
    assert all(set(row[:count]) == set(IDS[:count]) for row in ids)
    assert capfd.readouterr().err == ""  # FAISS warns on stderr when k-means has few rows


def test_no_queries_give_no_rows(index: VectorIndex) -> None:
    scores, ids = index.search(np.zeros((0, DIM), np.float32), 3)
    assert scores.shape == ids.shape == (0, 3)


def test_what_is_saved_answers_the_same_when_loaded(index: VectorIndex, tmp_path: Path) -> None:
    index.save(tmp_path / "new" / "0001", {"encoder": "toy/颜色", "identity": "abc"})
    loaded = VectorIndex.load(tmp_path / "new" / "0001")
    VectorIndex.verify(tmp_path / "new" / "0001")
    assert (loaded.kind, loaded.dim, loaded.count) == (index.kind, DIM, COUNT)
    assert loaded.about == {"encoder": "toy/颜色", "identity": "abc"}
    for only in (None, IDS[:30], IDS[:900]):
        for before, after in zip(
            index.search(QUERIES, K, only), loaded.search(QUERIES, K, only), strict=True
        ):
            assert np.array_equal(before, after)


def test_a_loaded_index_is_not_saved_again(kind: str, tmp_path: Path) -> None:
    VectorIndex.build(IDS[:100], VECTORS[:100], kind).save(tmp_path / "a")
    with pytest.raises(ValueError, match="copy its folder"):
        VectorIndex.load(tmp_path / "a").save(tmp_path / "b")


@pytest.mark.parametrize("name", ["海滩 été", "a\udcff"])
def test_any_folder_name_will_do(name: str, tmp_path: Path) -> None:
    if sys.platform != "linux" and "\udcff" in name:
        pytest.skip("only Linux has file names that are no valid text")
    folder = tmp_path / name
    VectorIndex.build(IDS, VECTORS).save(folder)
    assert VectorIndex.load(folder).search(VECTORS[:1], 1)[1].tolist() == [[IDS[0]]]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc to see what is mapped")
def test_a_loaded_index_is_mapped_not_read(kind: str, tmp_path: Path) -> None:
    VectorIndex.build(IDS, VECTORS, kind).save(tmp_path)
    index = VectorIndex.load(tmp_path)
    assert str(tmp_path / "index.faiss") in Path("/proc/self/maps").read_text()
    assert index.count == COUNT


def test_several_threads_may_search_at_once(index: VectorIndex) -> None:
    alone = index.search(QUERIES, K)[1]
    with ThreadPoolExecutor(4) as pool:
        for ids in pool.map(lambda _: index.search(QUERIES, K)[1], range(16)):
            assert np.array_equal(ids, alone)


def test_vectors_of_another_dim_are_an_error_that_says_both(index: VectorIndex) -> None:
    with pytest.raises(ValueError, match=r"\(n, 32\) vectors, got \(1, 5\)"):
        index.search(np.ones((1, 5), np.float32), 1)
    with pytest.raises(ValueError, match=r"\(n, 32\) vectors, got \(32,\)"):
        index.search(np.ones(DIM, np.float32), 1)
    with pytest.raises(ValueError, match="at least 1, got 0"):
        index.search(QUERIES, 0)


def test_building_refuses_what_cannot_be_searched_later() -> None:
    with pytest.raises(UsageError, match=r"'tree'.*auto, flat, sq8, hnsw, ivf, ivf-sq8, ivf-pq"):
        VectorIndex.build(IDS, VECTORS, "tree")
    with pytest.raises(ValueError, match="distinct"):
        VectorIndex.build(np.array([3, 3]), VECTORS[:2])
    with pytest.raises(ValueError, match="not negative"):
        VectorIndex.build(np.array([3, -1]), VECTORS[:2])
    with pytest.raises(ValueError, match="do not name"):
        VectorIndex.build(IDS[:3], VECTORS[:2])
    with pytest.raises(ValueError, match="zero"):
        VectorIndex.build(IDS[:2], np.zeros((2, 3), np.float32))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    VectorIndex.build(IDS, VECTORS).save(tmp_path / "0001")
    return tmp_path / "0001"


def rewrite(folder: Path, **changes: object) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | changes))


def test_a_missing_folder_is_a_damaged_library(tmp_path: Path) -> None:
    with pytest.raises(LibraryDamagedError, match="imgsearch doctor"):
        VectorIndex.load(tmp_path / "0009")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"format": 1}', '{"format": "1"}'])
def test_a_manifest_that_does_not_read_is_damage(saved: Path, text: str) -> None:
    (saved / "manifest.json").write_text(text)
    with pytest.raises(LibraryDamagedError, match=r"manifest\.json"):
        VectorIndex.load(saved)


def test_an_unknown_kind_or_older_format_is_damage(saved: Path) -> None:
    rewrite(saved, kind="tree")
    with pytest.raises(LibraryDamagedError, match="'tree'"):
        VectorIndex.load(saved)
    rewrite(saved, kind="flat", format=0)
    with pytest.raises(LibraryDamagedError, match="format 0"):
        VectorIndex.load(saved)


def test_a_newer_format_is_refused_naming_both(saved: Path) -> None:
    rewrite(saved, format=3)
    with pytest.raises(LibraryTooNewError, match=r"format 3.*up to 2"):
        VectorIndex.load(saved)


def test_a_missing_or_cut_index_file_is_damage(kind: str, tmp_path: Path) -> None:
    VectorIndex.build(IDS, VECTORS, kind).save(tmp_path)
    file = tmp_path / "index.faiss"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(LibraryDamagedError, match="cut"):
        VectorIndex.load(tmp_path)
    file.unlink()
    with pytest.raises(LibraryDamagedError, match="missing"):
        VectorIndex.load(tmp_path)


def test_an_index_file_of_something_else_is_damage(saved: Path) -> None:
    file = saved / "index.faiss"
    file.write_bytes(b"x" * file.stat().st_size)
    with pytest.raises(LibraryDamagedError, match="does not read"):
        VectorIndex.load(saved)


def test_a_manifest_of_another_index_is_damage(saved: Path) -> None:
    rewrite(saved, count=COUNT + 1)
    with pytest.raises(LibraryDamagedError, match="belong together"):
        VectorIndex.load(saved)


def test_verify_notices_one_changed_byte(saved: Path) -> None:
    VectorIndex.verify(saved)
    with open(saved / "index.faiss", "r+b") as file:
        file.seek(COUNT * DIM)
        byte = file.read(1)
        file.seek(COUNT * DIM)
        file.write(bytes([byte[0] ^ 1]))
    VectorIndex.load(saved)  # maps it without reading it
    with pytest.raises(LibraryDamagedError, match="changed"):
        VectorIndex.verify(saved)


def test_faiss_waits_without_spinning_unless_told_otherwise() -> None:
    code = "import os, imgsearch.vector_index; print(os.environ['OMP_WAIT_POLICY'])"
    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
    for extra, expected in (({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")):
        output = subprocess.check_output(
            [sys.executable, "-c", code], env=environment | extra, text=True
        )
        assert output.strip() == expected


@pytest.mark.parametrize("bits", [0, 1, 7, 20, 40])
def test_near_hashes_are_those_that_brute_force_finds(bits: int) -> None:
    random = np.random.default_rng(bits)
    some = random.integers(0, 256, (400, 32), np.uint8)
    flips = random.random((400, 256)) < random.uniform(0, 0.2, (400, 1))
    hashes = np.concatenate([some, some ^ np.packbits(flips, axis=1), some[:5]])
    differing = np.unpackbits(hashes[:, None] ^ hashes[None], axis=2).sum(2, dtype=np.int64)
    offsets, rows, found = HashIndex(hashes, bits).within(hashes[100:500])
    assert offsets[-1] == len(rows)
    for query, (low, high) in enumerate(itertools.pairwise(offsets.tolist()), 100):
        expected = np.flatnonzero(differing[query] <= bits)
        assert sorted(rows[low:high]) == expected.tolist()
        assert dict(zip(rows[low:high], found[low:high], strict=True)) == {
            row: differing[query, row] for row in expected
        }
