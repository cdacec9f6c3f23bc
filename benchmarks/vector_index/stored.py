"""The stored vectors of a gallery, mapped from a file that stands for the catalog, and the truth.

A folder and a count go in. Out come rows as an index is built of them, rows by id as exact scores
are read, queries, filters, and the exact answers to those. Row numbers are photo ids, and a smaller
gallery is the beginning of a larger one. Rows are float16, half of what a catalog keeps by default:
they are only ever looked at a chunk at a time, so ten million take 10 GB of disk and no memory.
"""

import math
import time
from collections.abc import Iterator
from pathlib import Path

import faiss
import numpy as np
import numpy.typing as npt
from vectors import DIM, Mixture

from imgsearch.vectors import Vectors, normalise

K = 10
QUERIES = 200  # of each sort: photos that are not in the gallery, and texts
SHARES = (1.0, 0.1, 0.01, 0.001)  # of the photos, which filters keep

_ROWS_AT_ONCE = 10_000
_ASKED, _TRIED = 10**9, 10**9 + 2  # chunks that no gallery reaches

Ids = npt.NDArray[np.int64]


class OutOfTime(Exception):
    """So many rows were given when time was up, that many seconds after the first."""

    def __init__(self, given: int, seconds: float) -> None:
        super().__init__(f"{given} rows in {seconds:.0f} s")
        self.given, self.seconds = given, seconds


class Stored:
    """The first `count` photos of the made up ones: a VectorSource, and what is asked of them.

    It stops giving chunks, with OutOfTime, after so many `seconds` of it.
    """

    dim = DIM

    def __init__(self, work: Path, count: int, seconds: float = math.inf) -> None:
        self._work = work
        self._seconds = seconds
        self.count = count
        self._rows = np.memmap(_file(work), np.float16, "r", shape=(count, DIM))

    @staticmethod
    def make(work: Path, count: int) -> None:
        """Write so many rows, or those that are not there yet."""
        work.mkdir(parents=True, exist_ok=True)
        file = _file(work)
        chunk_bytes = 2 * DIM * _ROWS_AT_ONCE
        done = file.stat().st_size // chunk_bytes if file.exists() else 0
        wanted = -(-count // _ROWS_AT_ONCE)
        if done >= wanted:
            return
        mixture = Mixture()
        with open(file, "r+b" if file.exists() else "wb") as opened:
            opened.seek(done * chunk_bytes)  # an interrupted run may have left half a chunk
            for chunk in range(done, wanted):
                opened.write(mixture.photos(chunk, _ROWS_AT_ONCE).astype(np.float16).tobytes())

    def chunks(self) -> Iterator[tuple[Ids, Vectors]]:
        """All of them: ids and unit rows."""
        began = time.monotonic()
        for start in range(0, self.count, _ROWS_AT_ONCE):
            gone = time.monotonic() - began
            if gone > self._seconds:
                raise OutOfTime(start, gone)
            ids = np.arange(start, min(self.count, start + _ROWS_AT_ONCE))
            yield ids, self.rows(ids)

    def sample(self, most: int) -> tuple[Ids, Vectors]:
        """About `most` of them, spread evenly."""
        ids = np.linspace(0, self.count - 1, min(most, self.count)).astype(np.int64)
        return ids, self.rows(ids)

    def rows(self, ids: Ids) -> Vectors:
        """Unit rows by id."""
        return normalise(self._rows[ids])

    def rescored(self, query: Vectors, ids: Ids) -> Ids:
        """The K exactly best of the ids for a (d,) query, as a search in a library scores them."""
        ids = ids[ids >= 0]
        return ids[np.lexsort((ids, -(self.rows(ids) @ query)))][:K]

    def queries(self) -> Vectors:
        """(2 * QUERIES, d): photo, text, photo, text."""
        return _in_turn(_ASKED)

    def trial(self) -> Vectors:
        """As `queries`, and others: what rivals are tuned with, so as not to be tested on it."""
        return _in_turn(_TRIED)

    def texts(self) -> Vectors:
        """The texts of `trial`, which our own kinds are tuned with beside photos they hold."""
        return self.trial()[1::2]

    def allowed(self, share: float) -> Ids | None:
        """The ids that a filter keeps, any ones; None where it keeps all."""
        if share == 1:
            return None
        rng = np.random.default_rng(0)
        return np.sort(rng.choice(self.count, max(K, round(share * self.count)), replace=False))

    def answers(self, share: float = 1.0) -> Ids:
        """(2 * QUERIES, K) ids, the exact answers to `queries` under a filter."""
        return self._exact()[f"asked-{share}"]

    def trial_answers(self) -> Ids:
        """(2 * QUERIES, K) ids, the exact answers to `trial`."""
        return self._exact()["tried"]

    def _exact(self) -> dict[str, Ids]:
        file = self._work / f"exact-{self.count}.npz"
        if not file.exists():
            found = {"tried": _Best(self.trial(), None)}
            found |= {
                f"asked-{share}": _Best(self.queries(), self.allowed(share)) for share in SHARES
            }
            for ids, rows in self.chunks():
                for best in found.values():
                    best.look(ids, rows)
            partial = file.with_suffix(".partial.npz")
            np.savez(partial, **{name: best.ids for name, best in found.items()})
            partial.rename(file)
        with np.load(file) as exact:
            return dict(exact)


class _Best:
    """The K best of all rows shown, of those that a filter keeps."""

    def __init__(self, queries: Vectors, allowed: Ids | None) -> None:
        self._queries, self._allowed = queries, allowed
        self._scores = np.full((len(queries), K), -np.inf, np.float32)
        self.ids = np.full((len(queries), K), -1, np.int64)

    def look(self, ids: Ids, rows: Vectors) -> None:
        if self._allowed is not None:
            first, last = np.searchsorted(self._allowed, (ids[0], ids[-1] + 1))
            rows = rows[self._allowed[first:last] - ids[0]]  # ids follow one another
            ids = self._allowed[first:last]
        if not len(ids):
            return
        near = faiss.knn(self._queries, rows, min(K, len(ids)), metric=faiss.METRIC_INNER_PRODUCT)
        scores = np.hstack([self._scores, near[0]])
        best = np.argsort(-scores, axis=1, kind="stable")[:, :K]
        self._scores = np.take_along_axis(scores, best, 1)
        self.ids = np.take_along_axis(np.hstack([self.ids, ids[near[1]]]), best, 1)


def _in_turn(chunk: int) -> Vectors:
    mixture = Mixture()
    both = np.stack([mixture.photos(chunk, QUERIES), mixture.texts(chunk + 1, QUERIES)], axis=1)
    return both.reshape(-1, DIM)


def _file(work: Path) -> Path:
    return work / "vectors.f16"
