"""VectorIndex: built of ids and vectors, searched by cosine, saved into a folder.

Ids and vectors go in, scores and ids come out, the same way on every kind.
"""

import hashlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from imgsearch.errors import UsageError
from imgsearch.vector_index.folder import (
    FORMAT,
    INDEX_FILE,
    MANIFEST_FILE,
    damaged,
    read_index,
    read_manifest,
)
from imgsearch.vector_index.kinds import FACTORY, KINDS
from imgsearch.vectors import Vectors, normalise

Ids = npt.NDArray[np.int64]

_ROWS_AT_ONCE = 65_536
_TRAINING_ROWS, _ROWS_PER_LIST = 100_000, 64
_EF_CONSTRUCTION, _EF_SEARCH = 80, 128
_LEAST_NPROBE, _NPROBE_SHARE = 8, 1 / 16
_GRAPH_SHARE = 0.2  # below it, few photos pass the filter: scanning those is cheaper and exact
_CANDIDATES_PER_HIT = 10  # what an approximate search looks at for each hit it is to find


class VectorIndex:
    """An immutable index of unit vectors by photo id.

    `kind` is one of KINDS, `dim` the length of a vector, `count` how many there are, `about` what
    was written into the manifest when it was saved (which encoder, for people and for checks);
    None on one that was built just now.
    """

    def __init__(self, kind: str, index: Any, about: Mapping[str, str | int] | None = None) -> None:
        self.kind = kind
        self.dim: int = index.d
        self.count: int = index.ntotal
        self.about = None if about is None else dict(about)  # None: built, not loaded
        self._index = index

    @staticmethod
    def build(ids: Ids, vectors: Vectors, kind: str = "flat") -> "VectorIndex":
        """Index (n, d) vectors under n distinct ids; rows are normalised on the way in.

        Without any vectors the kind is flat whatever was asked: the others have nothing to learn
        from.

        Raises UsageError for an unknown kind; ValueError for ids that repeat, are negative or do
        not match the vectors in number.
        """
        if kind not in FACTORY:
            raise UsageError(f"no kind of index is called {kind!r}; there are {', '.join(KINDS)}")
        ids = np.asarray(ids, np.int64)
        if np.ndim(vectors) != 2 or ids.shape != vectors.shape[:1]:
            raise ValueError(f"{ids.shape} ids do not name the rows of {np.shape(vectors)} vectors")
        order = np.argsort(ids)  # ascending ids: photos of one score come in the order of their ids
        if len(ids) and (ids[order[0]] < 0 or (np.diff(ids[order]) == 0).any()):
            raise ValueError("ids must be distinct and not negative")
        kind = kind if len(ids) else "flat"
        index = _empty_index(kind, vectors.shape[1], len(ids))
        if not index.is_trained:
            rows = _ROWS_PER_LIST * getattr(index, "nlist", 0) or _TRAINING_ROWS
            sample = np.linspace(0, len(ids) - 1, min(rows, len(ids))).astype(np.int64)
            index.train(normalise(vectors[sample]))
        for start in range(0, len(ids), _ROWS_AT_ONCE):
            rows_here = order[start : start + _ROWS_AT_ONCE]
            index.add_with_ids(normalise(vectors[rows_here]), ids[rows_here])
        return VectorIndex(kind, index)

    def search(self, vectors: Vectors, k: int, only: Ids | None = None) -> tuple[Vectors, Ids]:
        """The k photos nearest to each of n queries, among the ids in `only` where it is given.

        (n, d) -> scores (n, k) float32 and ids (n, k) int64, best first, equal scores by lower id.
        A row with fewer than k answers ends in score -inf and id -1. Scores are cosines: within
        1e-6 of the exact value for flat, ivf and hnsw, about 0.01 for sq8 and ivf-sq8.

        Raises ValueError for vectors of another dim and for k below 1.
        """
        if np.ndim(vectors) != 2 or vectors.shape[1] != self.dim:
            raise ValueError(f"this index takes (n, {self.dim}) vectors, got {np.shape(vectors)}")
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        scores = np.full((len(vectors), k), -np.inf, np.float32)
        ids = np.full((len(vectors), k), -1, np.int64)
        if only is not None and (np.diff(only) <= 0).any():  # else 12 ms for 100,000
            only = np.unique(only)
        allowed = self.count if only is None else min(len(only), self.count)
        wanted = min(k, allowed)
        if not wanted or not len(vectors):
            return scores, ids
        found_scores, found_ids = self._search_past_ties(normalise(vectors), wanted, allowed, only)
        order = np.lexsort((found_ids, -found_scores))[:, :wanted]
        scores[:, :wanted] = np.take_along_axis(found_scores, order, axis=1)
        ids[:, :wanted] = np.take_along_axis(found_ids, order, axis=1)
        return scores, ids

    def save(self, folder: Path, about: Mapping[str, str | int] | None = None) -> None:
        """Write index.faiss and manifest.json into a folder, made if need be, safe on the disk.

        `about` goes into the manifest: what it was built from, for people and for checks.

        Raises ValueError for an index that was itself loaded: copy its folder instead.
        """
        if self.about is not None:  # FAISS would write inverted lists that point into the old file
            raise ValueError("this index was loaded, so it is on the disk already; copy its folder")
        folder.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with open(folder / INDEX_FILE, "wb") as file:

            def write(chunk: bytes) -> None:
                digest.update(chunk)
                file.write(chunk)

            # Through Python's file: FAISS itself opens no path outside ASCII on Windows.
            faiss.write_index(self._index, faiss.PyCallbackIOWriter(write))
            size_bytes = file.tell()
            file.flush()
            os.fsync(file.fileno())
        manifest = {
            "format": FORMAT,
            "kind": self.kind,
            "dim": self.dim,
            "count": self.count,
            "size_bytes": size_bytes,
            "sha256": digest.hexdigest(),
            "about": dict(about or {}),
        }
        with open(folder / MANIFEST_FILE, "w", encoding="utf-8", newline="\n") as text:
            text.write(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")
            text.flush()
            os.fsync(text.fileno())

    @staticmethod
    def load(folder: Path) -> "VectorIndex":
        """Map a saved index: its pages are read when a search needs them and shared by processes.

        Raises LibraryDamagedError where a file is missing or does not read as it should, and
        LibraryTooNewError where a newer imgsearch wrote it.
        """
        manifest = read_manifest(folder)
        file = folder / INDEX_FILE
        size_bytes = file.stat().st_size if file.is_file() else None
        # A shorter file would still map, and kill the process when a page past its end is touched.
        if size_bytes != manifest["size_bytes"]:
            raise damaged(folder, f"{INDEX_FILE} is {'missing' if size_bytes is None else 'cut'}")
        index = read_index(file, is_ivf=str(manifest["kind"]).startswith("ivf"))
        if (index.d, index.ntotal) != (manifest["dim"], manifest["count"]):
            raise damaged(folder, f"{INDEX_FILE} and {MANIFEST_FILE} do not belong together")
        return VectorIndex(manifest["kind"], index, manifest["about"])

    @staticmethod
    def verify(folder: Path) -> None:
        """Read a saved index from end to end and compare it with the sum in its manifest.

        Raises what `load` raises; unlike `load` it also notices a byte that has changed.
        """
        VectorIndex.load(folder)
        with open(folder / INDEX_FILE, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != read_manifest(folder)["sha256"]:
            raise damaged(folder, f"{INDEX_FILE} has changed since it was written")

    def _search_past_ties(
        self, queries: Vectors, wanted: int, allowed: int, only: Ids | None
    ) -> tuple[Vectors, Ids]:
        # FAISS may keep any of the rows that tie at the last place; ask on until the tie is whole.
        fetch = min(wanted + 1, allowed)
        while True:
            scores, ids = self._search(queries, fetch, allowed, only)
            scores = np.where(ids < 0, np.float32(-np.inf), scores)
            tied = (scores[:, -1] == scores[:, wanted - 1]) & (ids[:, -1] >= 0)
            if fetch == allowed or not tied.any():
                return scores, ids
            fetch = min(2 * fetch, allowed)

    def _search(
        self, queries: Vectors, fetch: int, allowed: int, only: Ids | None
    ) -> tuple[Vectors, Ids]:
        selector = None if only is None else _selector(only)
        share = allowed / self.count
        if isinstance(self._index, faiss.IndexIVF):
            probes = max(_nprobe(self._index.nlist) / share, self._lists_for(fetch) / share)
            nprobe = min(self._index.nlist, math.ceil(probes))
            parameters = faiss.SearchParametersIVF(sel=selector, nprobe=nprobe)
        elif self.kind != "hnsw":
            parameters = faiss.SearchParameters(sel=selector)
        elif share < _GRAPH_SHARE or fetch * _CANDIDATES_PER_HIT > allowed:
            return self._scan_behind_graph(queries, fetch, selector)
        else:
            width = math.ceil(max(_EF_SEARCH, 2 * fetch) / share)
            parameters = faiss.SearchParametersHNSW(sel=selector, efSearch=width)
        scores, ids = self._index.search(queries, fetch, params=parameters)
        return scores, ids

    def _lists_for(self, fetch: int) -> float:
        return fetch * _CANDIDATES_PER_HIT * float(self._index.nlist) / self.count

    def _scan_behind_graph(
        self, queries: Vectors, fetch: int, selector: Any
    ) -> tuple[Vectors, Ids]:
        graph = faiss.downcast_index(self._index.index)
        in_storage = None if selector is None else faiss.IDSelectorTranslated(self._index, selector)
        parameters = faiss.SearchParameters(sel=in_storage)
        scores, rows = graph.storage.search(queries, fetch, params=parameters)
        ids = faiss.vector_to_array(self._index.id_map)
        return scores, np.where(rows < 0, rows, ids[rows])


def _empty_index(kind: str, dim: int, count: int) -> Any:
    # FAISS holds 39 vectors a centroid for the least that k-means should see.
    nlist = max(1, min(round(2 * math.sqrt(count)), count // 39))
    description = FACTORY[kind].format(nlist=nlist)
    index = faiss.index_factory(dim, description, faiss.METRIC_INNER_PRODUCT)
    if kind == "hnsw":
        faiss.downcast_index(index.index).hnsw.efConstruction = _EF_CONSTRUCTION
    if isinstance(index, faiss.IndexIVF):
        index.cp.min_points_per_centroid = 1  # a tiny library is no reason to write to stderr
    return index


def _nprobe(nlist: int) -> int:
    return min(nlist, max(_LEAST_NPROBE, math.ceil(nlist * _NPROBE_SHARE)))


def _selector(ids: Ids) -> Any:
    """A bit an id: a test is one shift, where a set of a million ids would take 50 ms to fill."""
    ids = ids[ids >= 0]
    bits = np.zeros((int(ids[-1]) // 8 + 1 if len(ids) else 1) * 8, np.uint8)
    bits[ids] = 1
    return faiss.IDSelectorBitmap(np.packbits(bits, bitorder="little"))
