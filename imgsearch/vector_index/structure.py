"""Structure: the index of FAISS inside a VectorIndex, and how far a search of it reaches.

Unit rows and ids go in, scores and ids as FAISS gives them come out. What differs between kinds is
known here and in `kinds`: which parameter widens a search, what a filter asks of it, what can be
taken out again.
"""

import math
import threading
from typing import Any

import faiss
import numpy as np

from imgsearch.vector_index import gpu, kinds
from imgsearch.vector_index.bits import Bits
from imgsearch.vector_index.sources import Ids
from imgsearch.vectors import Vectors

_EF_CONSTRUCTION, _EF_SEARCH, _MOST_EF = 80, 128, 4096
_LEAST_NPROBE, _NPROBE_SHARE = 8, 1 / 16
_GRAPH_SHARE = 0.2  # below it, few photos pass the filter: scanning those is cheaper and exact
# Likewise: what passes such a filter is alike (a folder, a year) and may lie in lists far from the
# query. Of a million, 1% kept, a hundred times the usual lists found 87 to 93% of the ten nearest.
_LISTS_SHARE = 0.05
_ROWS_PER_HIT = 10  # what an approximate search looks at for each hit it is to find


class Structure:
    """An index of FAISS of one of our kinds; `reach` is nprobe or efSearch, 0 for the others."""

    def __init__(self, kind: str, index: Any) -> None:
        self.kind = kind
        self.index = index
        is_inverted = kinds.is_inverted(kind)
        self.ivf: Any = faiss.extract_index_ivf(index) if is_inverted else None
        self.reach = self._usual_reach()
        self._on_gpu: Any = None
        self._gpu_lock = threading.Lock()  # one search at a time: they share its scratch memory

    @staticmethod
    def empty(kind: str, count: int, dim: int) -> "Structure":
        """One that is to learn and to hold `count` vectors."""
        text = kinds.description(kind, count, dim)
        width = kinds.inner_dim(kind, dim)
        index = faiss.index_factory(width, text, faiss.METRIC_INNER_PRODUCT)
        if kind == "hnsw":
            faiss.downcast_index(index.index).hnsw.efConstruction = _EF_CONSTRUCTION
        if kinds.is_inverted(kind):
            index.cp.min_points_per_centroid = 1  # a tiny library is no reason for a warning
            index.cp.max_points_per_centroid = kinds.ROWS_PER_LIST
        if kind == "ivf-pq":
            index.pq.cp.min_points_per_centroid = 1
            index = faiss.IndexPreTransform(faiss.LinearTransform(dim, width, False), index)
        return Structure(kind, index)

    @property
    def count(self) -> int:
        """How many vectors it holds."""
        return int(self.index.ntotal)

    @property
    def training_rows(self) -> int:
        """How many vectors it is to learn from; 0 where there is nothing to learn."""
        if self.index.is_trained:
            return 0
        return kinds.training_rows(1 if self.ivf is None else self.ivf.nlist, self.index.d)

    def reaches(self, fetch: int) -> list[int]:
        """The values of `reach` to try where so many are fetched, ascending; none where it has no
        say."""
        if self.kind == "hnsw":
            return _steps(2 * fetch, _MOST_EF)
        if self.ivf is None:
            return []
        return _steps(min(self.ivf.nlist, math.ceil(self._lists_with(fetch))), self.ivf.nlist)

    @property
    def parameters(self) -> dict[str, int]:
        """By their names in FAISS; `code_bytes` is what a vector takes, ids and lists apart."""
        if self.kind == "hnsw":
            hnsw = faiss.downcast_index(self.index.index).hnsw
            return {"M": hnsw.nb_neighbors(1), "efSearch": self.reach}
        if self.ivf is None:
            return {}
        return {
            "nlist": self.ivf.nlist,
            "nprobe": self.reach,
            "code_bytes": self.ivf.code_size,
        }

    def learn(self, rows: Vectors) -> None:
        """Learn from (n, d) unit rows where lists, codes and their axes lie."""
        if self.kind == "ivf-pq":
            axes = faiss.downcast_VectorTransform(self.index.chain.at(0))
            faiss.copy_array_to_vector(_telling_axes(rows, axes.d_out).ravel(), axes.A)
            axes.is_trained = axes.is_orthonormal = True
        if self.ivf is None or gpu.why_not(self.kind):
            self.index.train(rows)
            return
        self.ivf.clustering_index = nearest = gpu.centroids(self.ivf.d)
        self.index.train(rows)
        self.ivf.clustering_index = None  # FAISS holds no reference to `nearest`, which ends here
        del nearest

    def copy_to_gpu(self) -> None:
        """Search on a GPU from now on what a GPU can: all but filters, and very many at once.

        The index stays in memory for those. Only where `gpu.why_not` has no objection.
        """
        self._on_gpu = gpu.moved(self.kind, self.index)

    def move_to_gpu(self) -> None:
        """Let a GPU, where there is one, hold lists while they are filled, until they move back."""
        if self.ivf is not None and not gpu.why_not(self.kind):
            self._on_gpu = gpu.moved(self.kind, self.index)

    def move_back(self) -> None:
        """Have in memory again what was moved, with what was added."""
        if self._on_gpu is not None:
            self.index, self._on_gpu = gpu.returned(self._on_gpu), None
            self.ivf = faiss.extract_index_ivf(self.index)

    def add(self, ids: Ids, rows: Vectors) -> None:
        """Hold (n, d) unit rows under n ids that it does not hold yet."""
        holder = self.index if self._on_gpu is None else self._on_gpu
        holder.add_with_ids(rows, ids)

    def remove(self, ids: Ids) -> None:
        """Hold ids no more; those it never held are no fault. No kind but hnsw fails."""
        self.index.remove_ids(Bits(ids).selector())

    def ids(self) -> Ids:
        """All ids (n,), in no order."""
        if self.ivf is None:
            return np.array(faiss.vector_to_array(self.index.id_map))
        lists = self.ivf.invlists
        parts = [np.empty(0, np.int64)]
        for number in range(lists.nlist):
            size = lists.list_size(number)
            if size:
                pointer = lists.get_ids(number)
                parts.append(faiss.rev_swig_ptr(pointer, size).copy())
                lists.release_ids(number, pointer)
        return np.concatenate(parts)

    def search(self, queries: Vectors, fetch: int, only: Ids | None = None) -> tuple[Vectors, Ids]:
        """The `fetch` best of each query, best first, id -1 where there are fewer.

        (n, d) unit rows -> scores (n, fetch) and ids (n, fetch). `only` are distinct ids, all of
        which it holds: their share says how much further it is to reach.
        """
        selector = None if only is None else Bits(only).selector()
        allowed = self.count if only is None else len(only)
        share = allowed / self.count
        if self.kind == "hnsw":
            if share < _GRAPH_SHARE or fetch * _ROWS_PER_HIT > allowed:
                return self._scan_behind_graph(queries, fetch, selector)
            width = math.ceil(max(self.reach, 2 * fetch) / share)
            parameters = faiss.SearchParametersHNSW(sel=selector, efSearch=width)
        elif self.ivf is not None:
            parameters = self._list_parameters(fetch, share, selector)
        else:
            parameters = faiss.SearchParameters(sel=selector)
        if self._is_for_gpu(fetch, selector):
            with self._gpu_lock:
                scores, ids = self._on_gpu.search(queries, fetch, params=parameters)
        else:
            scores, ids = self.index.search(queries, fetch, params=parameters)
        return scores, ids

    def _list_parameters(self, fetch: int, share: float, selector: Any) -> Any:
        nlist = self.ivf.nlist
        nprobe = math.ceil(max(self.reach, self._lists_with(fetch)) / share)
        nprobe = nlist if share <= _LISTS_SHARE else min(nlist, nprobe)
        if self._is_for_gpu(fetch, selector):
            nprobe = min(nprobe, gpu.MOST_PROBED)
        of_lists = faiss.SearchParametersIVF(sel=selector, nprobe=nprobe)
        if self.kind != "ivf-pq":
            return of_lists
        return faiss.SearchParametersPreTransform(index_params=of_lists)

    def _is_for_gpu(self, fetch: int, selector: Any) -> bool:
        return self._on_gpu is not None and selector is None and fetch <= gpu.MOST_FETCHED

    def _lists_with(self, fetch: int) -> float:
        """How many lists hold as many vectors as are worth a look where so many are fetched."""
        return fetch * _ROWS_PER_HIT * float(self.ivf.nlist) / self.count

    def _scan_behind_graph(
        self, queries: Vectors, fetch: int, selector: Any
    ) -> tuple[Vectors, Ids]:
        graph = faiss.downcast_index(self.index.index)
        in_storage = None if selector is None else faiss.IDSelectorTranslated(self.index, selector)
        parameters = faiss.SearchParameters(sel=in_storage)
        scores, rows = graph.storage.search(queries, fetch, params=parameters)
        ids = faiss.vector_to_array(self.index.id_map)
        return scores, np.where(rows < 0, rows, ids[rows])

    def _usual_reach(self) -> int:
        """What an index was searched with before reach was tuned and kept."""
        if self.kind == "hnsw":
            return _EF_SEARCH
        if self.ivf is None:
            return 0
        nlist = int(self.ivf.nlist)
        return min(nlist, max(_LEAST_NPROBE, math.ceil(nlist * _NPROBE_SHARE)))


def _telling_axes(rows: Vectors, width: int) -> Vectors:
    """(width, d) orthonormal: what is projected on them keeps most of the cosines of (n, d) rows.

    Not FAISS's PCA: that moves the origin into the mean, where products are no cosines any more;
    nor its OPQ, which takes minutes for this. The axes are turned at random, so that each byte of a
    code has as much to tell.
    """
    _, axes = np.linalg.eigh(rows.T @ rows)  # (d, d), by ascending share
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((width, width)))[0]
    telling: Vectors = np.ascontiguousarray((axes[:, -width:] @ turn).T, np.float32)
    return telling


def _steps(least: int, most: int) -> list[int]:
    """From `least` to `most`, each about a quarter above the one before."""
    steps = [least]
    while steps[-1] < most:
        steps.append(min(most, max(steps[-1] + 1, steps[-1] * 5 // 4)))
    return steps
