"""The photos of one encoder that may be hits, and the nearest of them to a vector.

A unit vector in, photos with exact cosines out. The current generation proposes photos, those newer
than it are scored beside it; what has no file or fails a filter is dropped, and more is asked for.
Where there is no generation, or none that reads, all photos are newer than it: slower, and the same
photos. Where filters let few photos through, all of these are scored and no index is asked: see
FEW.

Without a vector, the photos that filters let through come newest first.
"""

import itertools
import math
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from imgsearch.catalog import EncoderRow, GenerationRow, Ids
from imgsearch.errors import LibraryDamagedError, QueryError
from imgsearch.library import Library
from imgsearch.searching.filters import Allowed
from imgsearch.searching.hits import Hit
from imgsearch.vectors import Vectors

_Propose = Callable[[int], Ids]

# Up to so many photos are scored from their stored vectors, which is exact on every kind of index.
# A flat index of 100,000 takes as long to pass by all the others (benchmarks/filters.py).
FEW = 200
_SEARCHES = 3  # for ever more, before those that pass are listed
_SPARE = 16  # asked for beyond k: photos without a file
_SAME = 1e-5  # cosines summed in float32, in any order, differ by less
_KEPT = 10_000  # vectors asked for at once that are kept for one answer: 20 MB of 512 dimensions


class Gallery:
    """What one encoder has embedded of a library, as far as the filters let it through."""

    def __init__(
        self, library: Library, row: EncoderRow, allowed: Allowed, min_score: float | None
    ) -> None:
        self._library, self._catalog, self._row = library, library.catalog, row
        self._allowed = allowed
        self._min_score = -np.inf if min_score is None else min_score
        self._read: dict[int, Vectors] = {}

    def hits(self, vector: Vectors, k: int) -> list[Hit]:
        """The k best live photos for a (d,) unit vector, best first, equal scores by lower id.

        Raises QueryError when the encoder has embedded no photo at all.
        """
        found = _Found()
        propose, total = self._proposer(vector, self._allowed.ids)
        wanted = math.ceil((k + _SPARE) / self._allowed.share)
        for searches in itertools.count(1):
            self._look(found, vector, propose(wanted))
            good = found.scores >= self._min_score
            if good.sum() >= k or wanted >= total or not good.all():
                break
            wanted *= 2  # many of the files are gone, or fewer pass the filters than it seemed
            if searches == _SEARCHES:  # those that pass are not near: to list them takes less
                propose, total = self._proposer(vector, self._allowed.every())
                wanted = k + _SPARE
        if not len(found.ids) and not self._catalog.photo_count(self._row.id):
            raise QueryError(
                f"no photo of the library {self._library.path} is embedded by {self._row.name} "
                f"yet; this does that: "
                f"{self._library.command('index', '--encoder', self._row.name)}"
            )
        return found.hits(self._min_score, k)

    def scores(self, vector: Vectors, photo_ids: Sequence[int]) -> dict[int, float]:
        """Photo id -> cosine, of those that are embedded and near enough."""
        ids, scores = self._score(vector, np.array(photo_ids, np.int64))
        good = scores >= self._min_score
        return dict(zip(ids[good].tolist(), scores[good].tolist(), strict=True))

    def vectors(self, hits: Sequence[Hit]) -> Vectors:
        """The vectors (n, d) of hits, which were read to score them."""
        return self._vectors(np.array([hit.photo_id for hit in hits], np.int64))[1]

    def _look(self, found: "_Found", vector: Vectors, proposed: Ids) -> None:
        """Score what is proposed, as far as it is live, passes, and was not looked at before."""
        # numpy knows sets as well, but loads 8 ms of masked arrays for them
        unseen = np.array(sorted(set(proposed.tolist()) - found.seen), np.int64)
        paths = self._allowed.paths(unseen)
        live = np.array([i for i in unseen.tolist() if i in paths], np.int64)
        found.add(unseen, paths, *self._score(vector, live))

    def _proposer(self, vector: Vectors, only: Ids | None) -> tuple[_Propose, int]:
        """A function from a number to that many of the best photos, or more, in any order; and
        the number from which on it gives no more. Of the ids in `only`, where it is given.
        """
        if only is not None and len(only) <= FEW:
            return lambda wanted: only, 0
        generation = self._catalog.current_generation(self._row.id)
        while generation is not None:
            try:
                return self._propose_with(generation, vector, only)
            except LibraryDamagedError as error:
                tried, generation = generation, self._catalog.current_generation(self._row.id)
                if generation == tried:  # else another took its place just now, or it was dropped
                    warnings.warn(f"searching without an index, slowly: {error}", stacklevel=2)
                    break
        return self._propose_newcomers(vector, 0, only)

    def _propose_with(
        self, generation: GenerationRow, vector: Vectors, only: Ids | None
    ) -> tuple[_Propose, int]:
        index = self._library.index_of(generation)
        newcomers, beside = self._propose_newcomers(vector, generation.last_embedding_id, only)
        held = None if only is None else index.among(only)
        inside = index.count if held is None else len(held)

        def propose(wanted: int) -> Ids:
            count = max(1, min(index.candidates(wanted), inside))
            ids = index.search(vector[None], count, held)[1][0]
            return np.concatenate([ids[ids >= 0], newcomers(wanted)])

        return propose, inside + beside

    def _propose_newcomers(
        self, vector: Vectors, after: int, only: Ids | None
    ) -> tuple[_Propose, int]:
        """As `_proposer`, of the photos whose embeddings are later than the id `after`."""
        parts = [(np.empty(0, np.int64), np.empty(0, np.float32))]
        newcomers = self._library.newcomers(self._row, after)
        for ids, vectors in newcomers.pieces(self._catalog, self._row):
            scores = np.einsum("nd,d->n", vectors, vector)  # see `cosines`
            kept = slice(None) if only is None else np.isin(ids, only)
            parts.append((ids[kept], scores[kept]))
        ids, scores = (np.concatenate(each) for each in zip(*parts, strict=True))

        def propose(wanted: int) -> Ids:
            if wanted >= len(ids):
                return ids
            least = np.partition(scores, -wanted)[-wanted]
            best: Ids = ids[scores >= least - _SAME]
            return best

        return propose, len(ids)

    def _score(self, vector: Vectors, ids: Ids) -> tuple[Ids, Vectors]:
        ids, vectors = self._vectors(ids)
        return ids, cosines(vector, vectors)

    def _vectors(self, ids: Ids) -> tuple[Ids, Vectors]:
        """Those of the photos that are embedded, and their vectors; few are read once alone."""
        if len(ids) > _KEPT:
            return self._catalog.embeddings(self._row.id, photo_ids=ids)
        unread = [photo_id for photo_id in ids.tolist() if photo_id not in self._read]
        if unread:
            found, vectors = self._catalog.embeddings(self._row.id, photo_ids=unread)
            self._read.update(zip(found.tolist(), vectors, strict=True))
        there = [photo_id for photo_id in ids.tolist() if photo_id in self._read]
        rows = np.array([self._read[photo_id] for photo_id in there], np.float32)
        return np.array(there, np.int64), rows.reshape(-1, self._row.dim)


class _Found:
    """What was looked at so far: which ids were, and of those that may be hits the file, and the
    score, the best first."""

    def __init__(self) -> None:
        self.seen: set[int] = set()
        self.ids: Ids = np.empty(0, np.int64)
        self.scores: Vectors = np.empty(0, np.float32)
        self._paths: dict[int, Path] = {}

    def add(self, seen: Ids, paths: dict[int, Path], ids: Ids, scores: Vectors) -> None:
        """Take in some that were not seen before."""
        self.seen.update(seen.tolist())
        self._paths |= paths
        ids, scores = np.concatenate([self.ids, ids]), np.concatenate([self.scores, scores])
        order = np.lexsort((ids, -scores))
        self.ids, self.scores = ids[order], scores[order]

    def hits(self, least: float, k: int) -> list[Hit]:
        """The first k of at least that score."""
        good = np.flatnonzero(self.scores >= least)[:k]
        ranked = zip(self.ids[good].tolist(), self.scores[good].tolist(), strict=True)
        return [
            Hit(rank, score, i, self._paths[i], vector_rank=rank)
            for rank, (i, score) in enumerate(ranked, 1)
        ]


def newest(allowed: Allowed, k: int) -> list[Hit]:
    """The k live photos that were taken last, the newest first; they have no score."""
    ids = allowed.newest(k)
    paths = allowed.paths(ids)
    live = [photo_id for photo_id in ids.tolist() if photo_id in paths]
    return [Hit(rank, None, photo_id, paths[photo_id]) for rank, photo_id in enumerate(live, 1)]


def cosines(vector: Vectors, rows: Vectors) -> Vectors:
    """(d,) and (n, d) -> (n,) float32 in [-1, 1]; a row stored as float16 need not be quite unit.

    Summed in float64, so that equal rows score equal wherever they stand. By one thread: `@` would
    start all and wait for the last of them, which for so few rows takes longer than the sums.
    """
    scores = np.empty(len(rows), np.float32)
    query = vector.astype(np.float64)
    query /= np.linalg.norm(query)
    for start in range(0, len(rows), 4096):
        part = rows[start : start + 4096].astype(np.float64)
        along = np.einsum("nd,d->n", part, query)
        scores[start : start + 4096] = along / np.linalg.norm(part, axis=1)
    clipped: Vectors = np.clip(scores, -1, 1)
    return clipped
