"""The photos of one encoder that may be hits, and the nearest of them to a vector.

A unit vector in, photos with exact cosines out. The current generation proposes photos, those newer
than it are scored beside it; what has no file or fails a filter is dropped, and more is asked for.
Where there is no generation, or none that reads, all photos are newer than it: slower, and the same
photos. Where filters let few photos through, all of these are scored and no index is asked: see
FEW.

Without a vector, the photos that filters let through come newest first.
"""

import math
import warnings
from collections.abc import Callable, Sequence

import numpy as np

from imgsearch.catalog import EncoderRow, GenerationRow, Ids
from imgsearch.errors import LibraryDamagedError, QueryError
from imgsearch.library import Library
from imgsearch.searching.filters import Allowed
from imgsearch.searching.hits import Hit
from imgsearch.vectors import Vectors

_Propose = Callable[[int], Ids]

# Up to so many photos are scored from their stored vectors, which is exact on every kind of index.
# At 100,000 of 512 dimensions a flat index takes 9 ms to pass by all the others, and scoring 100
# photos 7, 500 photos 13; without a filter it takes 58 (milliseconds of a busy processor).
FEW = 200
_SPARE = 16  # asked for beyond k: photos without a file
_SAME = 1e-5  # cosines summed in float32, in any order, differ by less


class Gallery:
    """What one encoder has embedded of a library, as far as the filters let it through."""

    def __init__(
        self, library: Library, row: EncoderRow, allowed: Allowed, min_score: float | None
    ) -> None:
        self._library, self._catalog, self._row = library, library.catalog, row
        self._allowed = allowed
        self._min_score = -np.inf if min_score is None else min_score

    def hits(self, vector: Vectors, k: int) -> list[Hit]:
        """The k best live photos for a (d,) unit vector, best first, equal scores by lower id.

        Raises QueryError when the encoder has embedded no photo at all.
        """
        propose, total = self._proposer(vector)
        if not total and not self._catalog.photo_count(self._row.id):
            raise QueryError(
                f"no photo of the library {self._library.path} is embedded by {self._row.name} "
                f"yet; this does that: "
                f"{self._library.command('index', '--encoder', self._row.name)}"
            )
        wanted = math.ceil((k + _SPARE) / self._allowed.share)
        while True:
            proposed = propose(wanted)
            paths = self._allowed.paths(proposed)
            live = proposed[np.fromiter((int(i) in paths for i in proposed), bool, len(proposed))]
            ids, scores = _best(*self._score(vector, live))
            good = scores >= self._min_score
            if good.sum() >= k or wanted >= total or not good.all():
                break
            wanted *= 2  # many of the files are gone, or fewer pass the filters than it seemed
        found = zip(ids[good].tolist(), scores[good].tolist(), strict=True)
        return [
            Hit(rank, score, i, paths[i], vector_rank=rank)
            for rank, (i, score) in enumerate(found, 1)
        ][:k]

    def scores(self, vector: Vectors, photo_ids: Sequence[int]) -> dict[int, float]:
        """Photo id -> cosine, of those that are embedded and near enough."""
        ids, scores = self._score(vector, np.array(photo_ids, np.int64))
        good = scores >= self._min_score
        return dict(zip(ids[good].tolist(), scores[good].tolist(), strict=True))

    def _proposer(self, vector: Vectors) -> tuple[_Propose, int]:
        """A function from a number to that many of the best photos, or more, in any order; and
        how many there are at most.
        """
        ids = self._allowed.ids
        if ids is not None and len(ids) <= FEW:
            return lambda wanted: ids, len(ids)
        generation = self._catalog.current_generation(self._row.id)
        while generation is not None:
            try:
                return self._propose_with(generation, vector)
            except LibraryDamagedError as error:
                tried, generation = generation, self._catalog.current_generation(self._row.id)
                if generation == tried:  # else another took its place just now, or it was dropped
                    warnings.warn(f"searching without an index, slowly: {error}", stacklevel=2)
                    break
        return self._propose_newcomers(vector, 0)

    def _propose_with(self, generation: GenerationRow, vector: Vectors) -> tuple[_Propose, int]:
        index = self._library.index_of(generation)
        newcomers, beside = self._propose_newcomers(vector, generation.last_embedding_id)
        only = None if self._allowed.ids is None else index.among(self._allowed.ids)
        inside = index.count if only is None else len(only)

        def propose(wanted: int) -> Ids:
            count = max(1, min(index.candidates(wanted), inside))
            ids = index.search(vector[None], count, only)[1][0]
            return np.union1d(ids[ids >= 0], newcomers(wanted))

        return propose, inside + beside

    def _propose_newcomers(self, vector: Vectors, after: int) -> tuple[_Propose, int]:
        """As `_proposer`, of the photos whose embeddings are later than the id `after`."""
        only = self._allowed.ids
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
        ids, vectors = self._catalog.embeddings(self._row.id, photo_ids=ids)
        return ids, cosines(vector, vectors)


def newest(allowed: Allowed, k: int) -> list[Hit]:
    """The k live photos that were taken last, the newest first; they have no score."""
    ids = allowed.newest(k)
    paths = allowed.paths(ids)
    live = [photo_id for photo_id in ids.tolist() if photo_id in paths]
    return [Hit(rank, None, photo_id, paths[photo_id]) for rank, photo_id in enumerate(live, 1)]


def cosines(vector: Vectors, rows: Vectors) -> Vectors:
    """(d,) and (n, d) -> (n,) float32 in [-1, 1]; a row stored as float16 need not be quite unit.

    Summed in float64, so that equal rows score equal wherever they stand. By one thread: `@` asks
    all, and waits for those that a busy machine does not run: 1,000 rows took 60 ms, and take 0.1.
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


def _best(ids: Ids, scores: Vectors) -> tuple[Ids, Vectors]:
    order = np.lexsort((ids, -scores))
    return ids[order], scores[order]
