"""Tuning: how far a search must reach to find the asked share of the exact answers.

Queries held out of a source go in, and texts where the caller has some; the exact nearest of each
are gathered from the chunks as they go by. Out comes the least reach that finds the asked share,
and the share it finds. Only queries count that lie where queries do: photos of the gallery find
their neighbours easily, texts lie elsewhere and need more, so both sorts have to reach it.
"""

import faiss
import numpy as np
import numpy.typing as npt

from imgsearch.vector_index.kinds import candidates
from imgsearch.vector_index.making import RECALL_K, Recall
from imgsearch.vector_index.sources import Ids, VectorSource
from imgsearch.vector_index.structure import Structure
from imgsearch.vectors import Vectors, normalise

QUERIES = 256  # of each sort: a recall of 0.99 is then known within 0.004, in seconds

_GAIN = 0.002  # of recall; less is noise among so many answers
_NO_ID = -1


class Trial:
    """Queries whose exact answers are known once all chunks have been shown.

    `photos` (n, d) of the source are not counted as their own answer, `own_ids` (n,) are theirs;
    `texts` (m, d) follow them.
    """

    def __init__(self, own_ids: Ids, photos: Vectors, texts: Vectors) -> None:
        self._own = np.concatenate([own_ids, np.full(len(texts), _NO_ID, np.int64)])
        self._photos = len(photos)
        self._queries = np.concatenate([photos, texts])
        self._scores = np.full((len(self._queries), RECALL_K), -np.inf, np.float32)
        self._ids = np.full(self._scores.shape, _NO_ID, np.int64)

    @staticmethod
    def of(source: VectorSource, texts: Vectors | None) -> "Trial":
        """Queries spread over a source, and some of the texts."""
        own_ids, photos = source.sample(QUERIES)
        if texts is None:
            texts = np.empty((0, source.dim), np.float32)
        rows = np.linspace(0, len(texts) - 1, min(QUERIES, len(texts))).astype(np.int64)
        return Trial(own_ids, normalise(photos), normalise(texts[rows]))

    def look(self, ids: Ids, rows: Vectors) -> None:
        """Compare every query with (n, d) unit rows under n ids."""
        wanted = min(RECALL_K + 1, len(rows))  # one more: a photo is not its own answer
        scores, near = faiss.knn(self._queries, rows, wanted, metric=faiss.METRIC_INNER_PRODUCT)
        scores = np.concatenate(
            [self._scores, np.where(self._is_own(ids[near]), -np.inf, scores)], 1
        )
        near_ids = np.concatenate([self._ids, ids[near]], 1)
        best = np.argsort(-scores, axis=1, kind="stable")[:, :RECALL_K]
        self._scores = np.take_along_axis(scores, best, 1)
        self._ids = np.take_along_axis(near_ids, best, 1)

    def recall(self, structure: Structure) -> Recall:
        """The share of the exact answers among the candidates of a search, at its reach now.

        Those are scored exactly and the best kept, so an answer is lost only where it is not among
        them.
        """
        _, found = structure.search(self._queries, self._fetch(structure))
        found = np.where(self._is_own(found), _NO_ID, found)
        is_answer = np.isfinite(self._scores)
        is_found = (self._ids[:, :, None] == found[:, None, :]).any(axis=2) & is_answer
        answers, hits = is_answer.sum(axis=1), is_found.sum(axis=1)
        texts = len(answers) - self._photos
        return Recall(
            photos=_share(hits[: self._photos], answers[: self._photos]),
            photo_queries=self._photos,
            texts=_share(hits[self._photos :], answers[self._photos :]) if texts else None,
            text_queries=texts,
        )

    def tune(self, structure: Structure, asked: float) -> Recall:
        """Set the least reach that finds the asked share, and say what it finds.

        Where codes are too coarse to find as much, the reach beyond which twice as far finds no
        more; so that the worst index is tuned in a few times what its widest search takes.
        """
        best = Recall(0, self._photos)
        least = structure.reach
        for reach in structure.reaches(self._fetch(structure)):
            structure.reach = reach
            recall = self.recall(structure)
            if recall.least >= asked:
                return recall
            if recall.least > best.least + _GAIN:
                best, least = recall, reach
            elif reach >= 2 * least:
                structure.reach = least
                return best
        return self.recall(structure)

    def _fetch(self, structure: Structure) -> int:
        return min(
            candidates(structure.kind, RECALL_K) + 1, structure.count
        )  # a photo finds itself

    def _is_own(self, ids: Ids) -> npt.NDArray[np.bool_]:
        is_own: npt.NDArray[np.bool_] = ids == self._own[:, None]
        return is_own


def _share(hits: Ids, answers: Ids) -> float:
    return round(float(hits.sum() / max(1, answers.sum())), 4)
