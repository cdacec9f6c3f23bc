"""The others: numpy, FAISS's flat index as it is, usearch, sqlite-vec, as their manuals have it.

usearch is tuned as our kinds are, to the same recall. Its int8 and that of sqlite-vec get values
scaled to the whole range: left to themselves they map [-1, 1] to it, of which unit rows of 512
values use a twentieth.
"""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import apsw
import faiss
import numpy as np
import sqlite_vec
from engines import Engine, Ours, least_reach, threads, unit_scale
from stored import Ids, Stored
from usearch.index import Index

from imgsearch.vector_index import KINDS
from imgsearch.vectors import Vectors

_EXPANSIONS = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048)
_CONNECTIVITY, _EXPANSION_ADD = 16, 128  # usearch's defaults
_SPARE = 16  # candidates beyond k, as a search in a library asks for


class Numpy:
    """A matrix in memory, multiplied, and the k largest picked out."""

    name, can_filter, reach = "numpy", True, 0

    def build(self, stored: Stored, folder: Path) -> dict[str, float]:
        started = time.perf_counter()
        rows = np.lib.format.open_memmap(
            folder / "rows.npy", "w+", np.float32, (stored.count, stored.dim)
        )
        for ids, vectors in stored.chunks():
            rows[ids] = vectors
        rows.flush()
        return {"adding": time.perf_counter() - started}

    def open(self, stored: Stored, folder: Path) -> None:
        self._rows = np.load(folder / "rows.npy")

    def search(self, queries: Vectors, k: int, only: Ids | None = None) -> Ids:
        parts = np.array_split(queries, -(-len(queries) // 32))  # scores of a million: 128 MB
        return np.concatenate([self._best(part, k, only) for part in parts])

    def _best(self, queries: Vectors, k: int, only: Ids | None) -> Ids:
        rows = self._rows if only is None else self._rows[only]
        scores = queries @ rows.T
        best = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        order = np.argsort(-np.take_along_axis(scores, best, 1), axis=1)
        found = np.take_along_axis(best, order, 1)
        return found if only is None else only[found]

    def candidates(self, k: int) -> int:
        return k

    def parameters(self) -> dict[str, str | int | float]:
        return {"version": np.__version__, "how": "float32 matmul, argpartition"}


class FaissFlat:
    """IndexFlatIP, read into memory."""

    name, can_filter, reach = "faiss IndexFlatIP", True, 0

    def build(self, stored: Stored, folder: Path) -> dict[str, float]:
        started = time.perf_counter()
        index = faiss.IndexFlatIP(stored.dim)
        for _, vectors in stored.chunks():
            index.add(vectors)
        faiss.write_index(index, str(folder / "flat.faiss"))
        return {"adding": time.perf_counter() - started}

    def open(self, stored: Stored, folder: Path) -> None:
        self._index = faiss.read_index(str(folder / "flat.faiss"))

    def search(self, queries: Vectors, k: int, only: Ids | None = None) -> Ids:
        selector = None if only is None else faiss.IDSelectorBatch(only)
        found: Ids = self._index.search(queries, k, params=faiss.SearchParameters(sel=selector))[1]
        return found

    def candidates(self, k: int) -> int:
        return k

    def parameters(self) -> dict[str, str | int | float]:
        return {"version": faiss.__version__, "how": "IndexFlatIP, read whole"}


class Usearch:
    """HNSW of float32 or int8 rows, viewed on disk."""

    can_filter = False  # its Python has no way to

    def __init__(self, dtype: str) -> None:
        self.name = f"usearch {dtype}"
        self._dtype = dtype

    @property
    def reach(self) -> int:
        return int(self._index.expansion_search)

    @reach.setter
    def reach(self, reach: int) -> None:
        self._index.expansion_search = reach

    def build(self, stored: Stored, folder: Path) -> dict[str, float]:
        started = time.perf_counter()
        self._scale = unit_scale(stored)
        self._index = Index(
            ndim=stored.dim,
            metric="cos",
            dtype=self._dtype,
            connectivity=_CONNECTIVITY,
            expansion_add=_EXPANSION_ADD,
        )
        for ids, vectors in stored.chunks():
            self._index.add(ids, self._as_stored(vectors), threads=threads())
        adding = time.perf_counter() - started
        expansion = least_reach(self, stored, _EXPANSIONS)
        measuring = time.perf_counter() - started - adding
        self._index.save(folder / "index.usearch")
        asked = {"expansion_search": expansion, "scale": float(self._scale)}
        (folder / "asked.json").write_text(json.dumps(asked), "utf-8")
        return {"adding": adding, "measuring": measuring}

    def open(self, stored: Stored, folder: Path) -> None:
        asked = json.loads((folder / "asked.json").read_text("utf-8"))
        self._index = Index.restore(folder / "index.usearch", view=True)
        self._scale, self.reach = np.float32(asked["scale"]), asked["expansion_search"]

    def search(self, queries: Vectors, k: int, only: Ids | None = None) -> Ids:
        found = self._index.search(self._as_stored(queries), k, threads=threads())
        return np.asarray(found.keys, np.int64).reshape(len(queries), k)

    def candidates(self, k: int) -> int:
        return k + _SPARE

    def parameters(self) -> dict[str, str | int | float]:
        return {
            "version": version("usearch"),
            "connectivity": _CONNECTIVITY,
            "expansion_add": _EXPANSION_ADD,
            "expansion_search": self.reach,
        }

    def _as_stored(self, rows: Vectors) -> Vectors | np.ndarray:
        return rows if self._dtype == "f32" else _int8(rows, self._scale)


class SqliteVec:
    """A vec0 table of float32 or int8 rows, scanned by each query; a connection a thread."""

    can_filter, reach = True, 0

    def __init__(self, dtype: str) -> None:
        self.name = f"sqlite-vec {dtype}"
        self._is_int8 = dtype == "int8"
        self._make = "vec_int8(?)" if self._is_int8 else "?"

    def build(self, stored: Stored, folder: Path) -> dict[str, float]:
        started = time.perf_counter()
        self._scale = unit_scale(stored)
        connection = _connect(folder)
        column = f"{'int8' if self._is_int8 else 'float'}[{stored.dim}] distance_metric=cosine"
        connection.execute(f"CREATE VIRTUAL TABLE photos USING vec0(vector {column})")
        for ids, vectors in stored.chunks():
            with connection:
                connection.executemany(
                    f"INSERT INTO photos(rowid, vector) VALUES (?, {self._make})",
                    zip(ids.tolist(), self._blobs(vectors), strict=True),
                )
        connection.close()
        return {"adding": time.perf_counter() - started}

    def open(self, stored: Stored, folder: Path) -> None:
        self._scale = unit_scale(stored)
        self._connections = [_connect(folder) for _ in range(threads())]

    def search(self, queries: Vectors, k: int, only: Ids | None = None) -> Ids:
        lists = None if only is None else json.dumps(only.tolist())
        blobs = self._blobs(queries)
        parts = [blobs[number :: len(self._connections)] for number in range(threads())]
        found = np.full((len(queries), k), -1, np.int64)

        def ask(number: int) -> None:
            rows = [self._best(self._connections[number], blob, k, lists) for blob in parts[number]]
            for place, ids in zip(range(number, len(queries), len(parts)), rows, strict=True):
                found[place, : len(ids)] = ids

        if len(queries) == 1:
            ask(0)
        else:
            with ThreadPoolExecutor(len(parts)) as pool:
                list(pool.map(ask, range(len(parts))))
        return found

    def _best(
        self, connection: apsw.Connection, blob: bytes, k: int, only: str | None
    ) -> list[int]:
        within = "" if only is None else "AND rowid IN (SELECT value FROM json_each(?))"
        query = f"SELECT rowid FROM photos WHERE vector MATCH {self._make} AND k = ? {within}"
        bound = (blob, k) if only is None else (blob, k, only)
        return [row[0] for row in connection.execute(query, bound)]

    def candidates(self, k: int) -> int:
        return k + _SPARE if self._is_int8 else k

    def parameters(self) -> dict[str, str | int | float]:
        return {"version": version("sqlite-vec"), "how": "vec0, cosine, brute force"}

    def _blobs(self, rows: Vectors) -> list[bytes]:
        return [row.tobytes() for row in (_int8(rows, self._scale) if self._is_int8 else rows)]


def engines() -> dict[str, Engine]:
    """Everything there is to measure, by name."""
    ours: list[Engine] = [Ours(kind) for kind in KINDS]
    rivals: list[Engine] = [Numpy(), FaissFlat(), Usearch("f32"), Usearch("i8")]
    rivals += [SqliteVec("float"), SqliteVec("int8")]
    return {engine.name: engine for engine in [*ours, *rivals]}


def _connect(folder: Path) -> apsw.Connection:
    # Not Python's own sqlite3, which may have been built without extensions.
    connection = apsw.Connection(str(folder / "vectors.db"))
    connection.enable_load_extension(True)
    connection.load_extension(sqlite_vec.loadable_path())
    return connection


def _int8(rows: Vectors, scale: np.float32) -> np.ndarray:
    return np.clip(np.rint(rows * scale), -127, 127).astype(np.int8)
