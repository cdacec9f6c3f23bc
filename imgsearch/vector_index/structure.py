"""Structure: the index of FAISS inside a VectorIndex, how far a search of it reaches, and how many
of what it finds are worth an exact score.

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

_LISTS_WIDTH, _CODE_ITERATIONS = 128, 10
_EF_CONSTRUCTION, _EF_SEARCH, _MOST_EF = 80, 128, 4096
_LEAST_NPROBE, _NPROBE_SHARE = 8, 1 / 16
# The file and the vector of a candidate take 24 us to be read, a code of 128 bytes 150 ns.
_CODES_PER_CANDIDATE = 160
_GRAPH_SHARE = 0.2  # below it, few photos pass the filter: scanning those is cheaper and exact
# Likewise: what passes such a filter is alike (a folder, a year) and may lie in lists far from the
# query. Of a million, 1% kept, a hundred times the usual lists found 87 to 93% of the ten nearest.
_LISTS_SHARE = 0.05
_ROWS_PER_HIT = 10  # what an approximate search looks at for each hit it is to find


class Structure:
    """An index of FAISS of one of our kinds; `reach` is nprobe or efSearch, 0 for the others,
    `candidates` how many of its best hold the ten exactly best."""

    def __init__(self, kind: str, index: Any) -> None:
        self.kind = kind
        self.index = index
        is_inverted = kinds.is_inverted(kind)
        self.ivf: Any = faiss.extract_index_ivf(index) if is_inverted else None
        self.reach = self._usual_reach()
        self.candidates = kinds.usual_candidates(kind)
        self._on_gpu: Any = None
        self._gpu_lock = threading.Lock()  # one search at a time: they share its scratch memory

    @staticmethod
    def empty(kind: str, count: int, dim: int) -> "Structure":
        """One that is to learn and to hold `count` vectors."""
        if kind == "ivf-pq":
            index = _of_codes(kinds.lists(count), dim)
        else:
            text = kinds.description(kind, count)
            index = faiss.index_factory(dim, text, faiss.METRIC_INNER_PRODUCT)
        if kind == "hnsw":
            faiss.downcast_index(index.index).hnsw.efConstruction = _EF_CONSTRUCTION
        structure = Structure(kind, index)
        if structure.ivf is not None:
            structure.ivf.cp.min_points_per_centroid = 1  # a tiny library is no reason to warn
            structure.ivf.cp.max_points_per_centroid = kinds.ROWS_PER_LIST
        return structure

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

    def reaches(self) -> list[int]:
        """What to try for `reach`, ascending; 0 where it has no say."""
        least = kinds.candidates(self.kind)[0] + 1
        if self.kind == "hnsw":
            return _steps(2 * least, _MOST_EF)
        if self.ivf is None:
            return [0]
        return _steps(min(self.ivf.nlist, math.ceil(self._lists_with(least))), self.ivf.nlist)

    def choices(self, reach: int) -> tuple[int, ...]:
        """What to try for `candidates` with such a reach, ascending: as many as a search for which
        goes no further."""
        every = kinds.candidates(self.kind)
        if self.ivf is None or reach >= self.ivf.nlist:
            return every
        return tuple(each for each in every if self._lists_with(each + 1) <= reach) or every[:1]

    @property
    def parameters(self) -> dict[str, int]:
        """By their names in FAISS; `code_bytes` is what a vector takes, ids and lists apart, and
        `candidates` how many are scored exactly, where that was for tuning to choose."""
        if self.kind == "hnsw":
            hnsw = faiss.downcast_index(self.index.index).hnsw
            return {"M": hnsw.nb_neighbors(1), "efSearch": self.reach}
        if self.ivf is None:
            return {}
        of_lists = {
            "nlist": self.ivf.nlist,
            "nprobe": self.reach,
            "code_bytes": self.ivf.code_size,
        }
        return of_lists | ({"candidates": self.candidates} if self.kind == "ivf-pq" else {})

    def cost(self, reach: int, candidates: int) -> float:
        """What a search of such a reach takes, in the time that scoring a candidate exactly takes.

        Within a kind: in a graph, more is more.
        """
        passed = reach if self.ivf is None else reach * self.count / self.ivf.nlist
        return candidates + passed / _CODES_PER_CANDIDATE

    def learn(self, rows: Vectors) -> None:
        """Learn from (n, d) unit rows where lists, codes and their axes lie."""
        if self.kind == "ivf-pq":
            products = _keep_telling(self.index, rows.T @ rows)
            _keep_telling(faiss.downcast_index(self.ivf.quantizer), products)
        if self.ivf is None or gpu.why_none():
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
        self._on_gpu = gpu.moved(self.index)

    def move_to_gpu(self) -> None:
        """Let a GPU, where there is one, hold lists while they are filled, until they move back."""
        if self.ivf is not None and not gpu.why_not(self.kind):
            self._on_gpu = gpu.moved(self.index)

    def move_back(self) -> None:
        """Have in memory again what was moved, with what was added."""
        if self._on_gpu is not None:
            self.index, self._on_gpu = gpu.returned(self._on_gpu), None
            self.ivf = faiss.extract_index_ivf(self.index)

    def settle(self) -> None:
        """Be searched from now on: the centroids of codes in full, as they were told by few axes.

        FAISS asks for the centroid of each list that it looks at, which by few axes takes longer
        than all the codes in it; the same lists are found.
        """
        if self.kind != "ivf-pq":
            return
        narrow = faiss.downcast_index(self.ivf.quantizer)
        full = faiss.IndexFlatIP(self.ivf.d)
        full.add(narrow.reconstruct_n(0, self.ivf.nlist))
        full.this.disown()  # it is the index's now; `narrow` was not
        self.ivf.quantizer, self.ivf.own_fields = full, True

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


def _of_codes(nlist: int, dim: int) -> Any:
    """Lists of codes; which list a row belongs to is told by the most telling axes alone.

    Of a million in 4,000 lists, the 30 nearest to a text by 512 axes hold 0.9945 of its ten best,
    by 256 as many, by 128 0.9935, by 64 0.9275; and what it takes to learn lists and to fill them
    is in proportion to the axes.
    """
    code_bytes, width = kinds.code_shape(dim)
    narrow = min(_LISTS_WIDTH, width)
    axes = faiss.LinearTransform(width, narrow, False)
    lists = faiss.IndexPreTransform(axes, faiss.IndexFlatIP(narrow))
    index = faiss.IndexIVFPQ(lists, width, nlist, code_bytes, 8, faiss.METRIC_INNER_PRODUCT)
    index.cp.spherical = True
    index.do_polysemous_training = False  # slow to learn and not used
    index.pq.cp.min_points_per_centroid = 1
    index.pq.cp.niter = _CODE_ITERATIONS
    return faiss.IndexPreTransform(faiss.LinearTransform(dim, width, False), index)


def _keep_telling(index: Any, products: Vectors) -> Vectors:
    """Have an IndexPreTransform keep the most telling axes of rows that have these (d, d) products
    with each other; (width, width), those of what is kept."""
    transform = faiss.downcast_VectorTransform(index.chain.at(0))
    axes = _telling_axes(products, transform.d_out)
    faiss.copy_array_to_vector(axes.ravel(), transform.A)
    transform.is_trained = transform.is_orthonormal = True
    return np.asarray(axes @ products @ axes.T, np.float32)


def _telling_axes(products: Vectors, width: int) -> Vectors:
    """(width, d) orthonormal: what is projected on them keeps most of the cosines of rows that have
    these (d, d) products with each other.

    Not FAISS's PCA: that moves the origin into the mean, where products are no cosines any more;
    nor its OPQ, which takes minutes for this. The axes are turned at random, so that each byte of a
    code has as much to tell.
    """
    _, axes = np.linalg.eigh(products)  # (d, d), by ascending share
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((width, width)))[0]
    telling: Vectors = np.ascontiguousarray((axes[:, -width:] @ turn).T, np.float32)
    return telling


def _steps(least: int, most: int) -> list[int]:
    """From `least` to `most`, each about a quarter above the one before."""
    steps = [least]
    while steps[-1] < most:
        steps.append(min(most, max(steps[-1] + 1, steps[-1] * 5 // 4)))
    return steps
