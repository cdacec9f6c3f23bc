"""VectorIndex: built of ids and vectors, searched by cosine, saved into a folder.

Ids and vectors go in, scores and ids come out, the same way on every kind.
"""

import hashlib
import json
import os
import warnings
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from imgsearch.vector_index import gpu
from imgsearch.vector_index.bits import Bits
from imgsearch.vector_index.building import Notify, build, extend, ignore
from imgsearch.vector_index.folder import (
    FORMAT_OF,
    INDEX_FILE,
    MANIFEST_FILE,
    check_bytes,
    map_index,
    read_index,
    read_manifest,
)
from imgsearch.vector_index.kinds import AUTO, candidates_for, kind_for
from imgsearch.vector_index.making import USUAL, Asked, Making
from imgsearch.vector_index.sources import ArraySource, Ids, VectorSource
from imgsearch.vector_index.structure import Structure
from imgsearch.vector_index.threads import threads_for
from imgsearch.vectors import Vectors, normalise

_OUTGROWN = 2  # times larger or smaller than it was when it learned, an index is to learn anew


class VectorIndex:
    """An immutable index of unit vectors by photo id.

    `kind` is one of KINDS, `dim` the length of a vector, `count` how many there are, `making` what
    was asked of it and what came of that, `about` what was written into the manifest when it was
    saved (which encoder, for people and for checks); None on one that was built just now.
    """

    def __init__(
        self, structure: Structure, making: Making, about: Mapping[str, str | int] | None = None
    ) -> None:
        self.kind = structure.kind
        self.dim: int = structure.index.d
        self.count = structure.count
        self.making = making
        self.about = None if about is None else dict(about)  # None: built, not loaded
        self._structure = structure

    @staticmethod
    def build(ids: Ids, vectors: Vectors, kind: str = AUTO) -> "VectorIndex":
        """Index (n, d) vectors under n distinct ids; rows are normalised on the way in.

        As `build_from`, of arrays. Raises ValueError as well where ids do not match the vectors in
        number.
        """
        return VectorIndex.build_from(ArraySource(ids, vectors), Asked(kind))

    @staticmethod
    def build_from(
        source: VectorSource,
        asked: Asked = USUAL,
        *,
        texts: Vectors | None = None,
        notify: Notify = ignore,
    ) -> "VectorIndex":
        """Index what a source gives, in one pass, and tune it to the asked recall.

        Recall is measured with photos of the source itself and with `texts` (m, d), vectors of what
        people ask for, where they are given: those lie elsewhere than photos do. Without any
        vectors the kind is flat whatever was asked, as is ivf-pq of less than 1,000.

        Memory holds the index, in up to 1.7 times the bytes of its file, and a chunk of the source;
        while it learns, instead, up to 768 MiB of vectors and as much again for a moment. `notify`
        is told every step and may raise, which ends it; so does Ctrl-C, within k-means too. Where
        FAISS sees a GPU, lists are learned there and, but those of ivf-pq, filled.

        Raises ValueError for ids that repeat or are negative, and for rows without a direction.
        """
        return VectorIndex(*build(source, asked, texts, notify))

    @staticmethod
    def extended(
        folder: Path,
        source: VectorSource,
        removed: Ids | None = None,
        *,
        notify: Notify = ignore,
    ) -> "VectorIndex":
        """A saved index without the ids in `removed` and with what a source gives: a new index.

        What was learned and tuned is kept, so it costs reading and writing the file and adding what
        is new; `can_extend` says whether that is good enough. An id may be removed and come again.
        The whole index lies in memory.

        Raises ValueError for ids that are there already, and what `verify` raises: a byte that has
        changed would go on under a sum of its own.
        """
        index, manifest = read_index(folder)
        structure = _structure(index, manifest)
        extend(structure, source, np.empty(0, np.int64) if removed is None else removed, notify)
        return VectorIndex(structure, manifest["making"])

    def can_extend(self, added: int, removed: int) -> bool:
        """Whether `extended` by so many vectors will do, or it is to be built anew.

        Not where another kind suits the new size, where the index has doubled or halved since it
        learned, or where something is taken out of a graph.
        """
        count = self.count + added - removed
        asked, trained_on = self.making.asked, self.making.trained_on
        if kind_for(asked.kind, count, self.dim) != self.kind or (removed and self.kind == "hnsw"):
            return False
        return trained_on <= _OUTGROWN * count and count <= _OUTGROWN * trained_on

    def ids(self) -> Ids:
        """The ids of all vectors (n,), ascending."""
        return np.sort(self._structure.ids())

    def among(self, ids: Ids) -> Ids:
        """Those of n ids that it holds, ascending, each once."""
        if (np.diff(ids) <= 0).any():  # else sorting takes longer than the search
            ids = np.unique(ids)
        return self._held.among(ids)

    def candidates(self, k: int) -> int:
        """How many to ask for, so that the k exactly best are among them.

        The scores of an approximate kind are too coarse to put neighbours in order: ask for so many
        and score them by their exact vectors. The recall in `making` is that of doing so.
        """
        return candidates_for(self.kind, k, self._structure.candidates)

    def on_gpu(self) -> "VectorIndex":
        """The same index, searched on the first GPU that FAISS sees.

        Filters are searched on the CPU all the same. Where there is no GPU, no room on it, or no
        such kind for one, everything is, after a warning that says why.
        """
        objection = gpu.why_not(self.kind)
        if objection:
            warnings.warn(f"searching on the CPU: {objection}", stacklevel=2)
            return self
        served = Structure(self.kind, self._structure.index)
        served.reach, served.candidates = self._structure.reach, self._structure.candidates
        served.copy_to_gpu()
        return VectorIndex(served, self.making, self.about)

    def search(self, vectors: Vectors, k: int, only: Ids | None = None) -> tuple[Vectors, Ids]:
        """The k photos nearest to each of n queries, among the ids in `only` where it is given.

        (n, d) -> scores (n, k) float32 and ids (n, k) int64, best first, equal scores by lower id.
        A row with fewer than k answers ends in score -inf and id -1. Scores are cosines: within
        1e-6 of the exact value for flat, ivf and hnsw, about 0.01 for sq8 and ivf-sq8, about 0.1
        for ivf-pq; `candidates` says how many of those hold the best.

        Raises ValueError for vectors of another dim and for k below 1.
        """
        if np.ndim(vectors) != 2 or vectors.shape[1] != self.dim:
            raise ValueError(f"this index takes (n, {self.dim}) vectors, got {np.shape(vectors)}")
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        scores = np.full((len(vectors), k), -np.inf, np.float32)
        ids = np.full((len(vectors), k), -1, np.int64)
        only = None if only is None else self.among(only)
        allowed = self.count if only is None else len(only)
        wanted = min(k, allowed)
        if not wanted or not len(vectors):
            return scores, ids
        with threads_for(len(vectors)):
            found = self._search_past_ties(normalise(vectors), wanted, only)
        found_scores, found_ids = found
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
            faiss.write_index(self._structure.index, faiss.PyCallbackIOWriter(write))
            size_bytes = file.tell()
            file.flush()
            os.fsync(file.fileno())
        manifest = {
            "format": FORMAT_OF[self.kind],
            "kind": self.kind,
            "dim": self.dim,
            "count": self.count,
            "size_bytes": size_bytes,
            "sha256": digest.hexdigest(),
            "about": dict(about or {}),
            "making": self.making.as_mapping(),
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
        index, manifest = map_index(folder)
        return VectorIndex(_structure(index, manifest), manifest["making"], manifest["about"])

    @staticmethod
    def asked(folder: Path) -> Asked:
        """What was asked of a saved index, from its manifest alone.

        Raises LibraryDamagedError where that does not read, and LibraryTooNewError.
        """
        asked: Asked = read_manifest(folder)["making"].asked
        return asked

    @staticmethod
    def verify(folder: Path) -> None:
        """Read a saved index from end to end and compare it with the sum in its manifest.

        Raises what `load` raises; unlike `load` it also notices a byte that has changed.
        """
        VectorIndex.load(folder)
        check_bytes(folder)

    @cached_property
    def _held(self) -> Bits:
        """What it holds; made for the first filter, since it takes reading all ids."""
        return Bits(self._structure.ids())

    def _search_past_ties(
        self, queries: Vectors, wanted: int, only: Ids | None
    ) -> tuple[Vectors, Ids]:
        allowed = self.count if only is None else len(only)
        # FAISS may keep any of the rows that tie at the last place; ask on until the tie is whole.
        fetch = min(wanted + 1, allowed)
        while True:
            scores, ids = self._structure.search(queries, fetch, only)
            scores = np.where(ids < 0, np.float32(-np.inf), scores)
            tied = (scores[:, -1] == scores[:, wanted - 1]) & (ids[:, -1] >= 0)
            if fetch == allowed or not tied.any():
                return scores, ids
            fetch = min(2 * fetch, allowed)


def _structure(index: Any, manifest: Mapping[str, Any]) -> Structure:
    structure = Structure(manifest["kind"], index)
    parameters = manifest["making"].parameters
    structure.reach = parameters.get("nprobe", parameters.get("efSearch", structure.reach))
    structure.candidates = parameters.get("candidates", structure.candidates)
    return structure
