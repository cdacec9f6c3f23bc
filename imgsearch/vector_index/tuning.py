"""Tuning: how far a search must reach, and how many of what it finds are to be scored exactly, to
find the asked share of the exact answers.

Queries held out of a source go in, and texts where the caller has some; the exact nearest of each
are gathered from the chunks as they go by. Out come the reach and the candidates that find the
asked share at least cost, and the share they find. Only queries count that lie where queries do:
photos of the gallery find their neighbours easily, texts lie elsewhere and need more, so both sorts
have to reach it.
"""

import math

import faiss
import numpy as np
import numpy.typing as npt

from imgsearch.vector_index.kinds import RECALL_K
from imgsearch.vector_index.making import Recall
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

    def tune(self, structure: Structure, asked: float) -> Recall:
        """Set the reach and the candidates that find the asked share at least cost, and say what
        they find.

        Where codes are too coarse to find as much, all candidates, and the reach beyond which twice
        as far finds no more; so that the worst index is tuned in a few times what its widest search
        takes.
        """
        best, least_cost = Recall(0, self._photos), math.inf
        set_to = structure.reach, structure.candidates
        for reach in structure.reaches():
            choices = structure.choices(reach)
            if structure.cost(reach, choices[0]) >= least_cost:
                break
            structure.reach = reach
            ranks = self._ranks(structure, choices[-1])
            recalls = [self._recall(ranks < each) for each in choices]
            enough = [number for number, each in enumerate(recalls) if each.least >= asked]
            if enough:
                cost = structure.cost(reach, choices[enough[0]])
                if cost < least_cost:
                    best, least_cost = recalls[enough[0]], cost
                    set_to = reach, choices[enough[0]]
            elif recalls[-1].least > best.least + _GAIN:
                best, set_to = recalls[-1], (reach, choices[-1])
            elif reach >= 2 * set_to[0]:
                break
        structure.reach, structure.candidates = set_to
        return best

    def _ranks(self, structure: Structure, most: int) -> Ids:
        """(queries, RECALL_K): how many others a search puts before each exact answer, at its reach
        now; `most` where it does not find it, or there is no such answer."""
        _, found = structure.search(self._queries, most + 1)  # a photo finds itself
        is_own = self._is_own(found)
        is_found = self._ids[:, :, None] == np.where(is_own, _NO_ID, found)[:, None, :]
        places = (np.cumsum(~is_own, axis=1) - 1)[:, None, :]
        ranks: Ids = np.where(is_found & self._is_answer[:, :, None], places, most).min(axis=2)
        return ranks

    def _recall(self, is_found: npt.NDArray[np.bool_]) -> Recall:
        """The share of the exact answers that are found.

        Candidates are scored exactly and the best kept, so an answer is lost only where it is not
        among them.
        """
        answers, hits = self._is_answer.sum(axis=1), (is_found & self._is_answer).sum(axis=1)
        texts = len(answers) - self._photos
        return Recall(
            photos=_share(hits[: self._photos], answers[: self._photos]),
            photo_queries=self._photos,
            texts=_share(hits[self._photos :], answers[self._photos :]) if texts else None,
            text_queries=texts,
        )

    @property
    def _is_answer(self) -> npt.NDArray[np.bool_]:
        """(queries, RECALL_K), false where a small gallery has no more answers."""
        is_answer: npt.NDArray[np.bool_] = np.isfinite(self._scores)
        return is_answer

    def _is_own(self, ids: Ids) -> npt.NDArray[np.bool_]:
        is_own: npt.NDArray[np.bool_] = ids == self._own[:, None]
        return is_own


def _share(hits: Ids, answers: Ids) -> float:
    return round(float(hits.sum() / max(1, answers.sum())), 4)
