"""The layout of clip-retrieval: `img_emb/img_emb_0.npy` beside `metadata/metadata_0.parquet`.

As its `clip_inference/writer.py` has it: row i of a matrix is row i of the table with the same
number; a partition holds up to a million rows, and where there are several, numbers have as many
digits as their count, so that names sort in their order. Matrices are float16, unit rows; a table
has `image_path` and, where there are captions, `caption`. Whatever else is known of a photo is a
column of its own (img2dataset's facts there, `sha256` and `caption_source` here). Its readers
(autofaiss, `clip_back.py`) load every `.npy` by name and look columns up by name.

`image_path` is a file's path or, of a photo in a WebDataset, its key.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from imgsearch.errors import UsageError
from imgsearch.exchanging.arrays import ArrayFile, reading
from imgsearch.exchanging.rows import (
    NO_IDS,
    ROWS_AT_ONCE,
    AnyVectors,
    Origin,
    Outgoing,
    Rows,
    Sentence,
)

PARTITION = 1_000_000
SHAPE = "img_emb/img_emb_0.npy beside metadata/metadata_0.parquet, and so on"
TEXTS = ("image_path", "sha256", "caption", "caption_source")  # what is read of a table
ORIGIN = b"imgsearch"  # in the metadata of a table's schema


def write(target: Path, outgoing: Outgoing, dtype: str = "<f2") -> None:
    """Write a folder; `dtype` is that of the matrices."""
    pyarrow, parquet = _pyarrow()
    partitions = max(1, math.ceil(outgoing.count / PARTITION))
    digits = int(math.log10(partitions)) + 1
    schema = pyarrow.schema(
        [("photo_id", pyarrow.int64()), *((name, pyarrow.string()) for name in TEXTS)],
        metadata={ORIGIN: json.dumps(vars(outgoing.origin)).encode()},
    )
    for folder in ("img_emb", "metadata"):
        (target / folder).mkdir(parents=True)
    for number in range(partitions):
        name = f"{number:0{digits}}"
        n = min(PARTITION, outgoing.count - number * PARTITION)
        matrix = target / "img_emb" / f"img_emb_{name}.npy"
        table = target / "metadata" / f"metadata_{name}.parquet"
        with open(matrix, "wb") as file, parquet.ParquetWriter(table, schema) as rows:
            header = {"descr": dtype, "fortran_order": False, "shape": (n, outgoing.dim)}
            npy.write_array_header_1_0(file, header)
            while n > 0:
                part = next(outgoing.parts)
                file.write(np.ascontiguousarray(part.vectors, dtype).tobytes())
                rows.write_table(pyarrow.table(_columns(part), schema=schema))
                n -= len(part.names)


def _columns(part: Rows) -> dict[str, Any]:
    return {
        "photo_id": part.ids,
        "image_path": [_valid(name) for name in part.names],
        "sha256": part.hashes,
        "caption": [each and each.text for each in part.captions],
        "caption_source": [each and each.source for each in part.captions],
    }


def _valid(name: str) -> str:
    """A path as text; one that is none is told by its hash."""
    return name.encode("utf-8", "backslashreplace").decode()


class Folder:
    """A folder of embeddings. Raises UsageError for what is none, and without pyarrow."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._parquet = _pyarrow()[1]
        matrices = sorted((path / "img_emb").glob("*.npy"))
        tables = sorted((path / "metadata").glob("*.parquet"))
        if not matrices or len(matrices) != len(tables):
            raise UsageError(
                f"{path} holds {len(matrices)} matrices in img_emb and {len(tables)} tables in "
                f"metadata; expected {SHAPE}"
            )
        self._pairs = list(zip(matrices, tables, strict=True))
        shapes = []
        for matrix in matrices:
            with self._opened(matrix) as file:
                shapes.append(_array(file, matrix).shape)
        if len({shape[1:] for shape in shapes}) != 1 or len(shapes[0]) != 2:
            raise UsageError(f"{path}: its matrices are of shapes {shapes}; expected (n, d) each")
        self.count, self.dim = sum(shape[0] for shape in shapes), shapes[0][1]
        for (matrix, table), shape in zip(self._pairs, shapes, strict=True):
            rows = self._table(table).metadata.num_rows
            if rows != shape[0]:
                raise UsageError(
                    f"{matrix} has {shape[0]:,} rows and {table} {rows:,}: which row is about "
                    "which photo is not known"
                )
        told = self._table(tables[0]).schema_arrow.metadata or {}
        self.origin = Origin.from_json(told.get(ORIGIN, b""))

    def rows(self) -> Iterator[Rows]:
        """Partition by partition, some at once."""
        for matrix, table in self._pairs:
            with self._opened(matrix) as file:
                vectors = _array(file, matrix)
                for columns in self._columns(table):
                    yield _rows(vectors.read(len(columns["image_path"])), columns)

    def _columns(self, table: Path) -> Iterator[dict[str, list[Any]]]:
        """What a table says of some rows at once: a list for each of `TEXTS`."""
        file = self._table(table)
        there = file.schema_arrow.names
        columns = [name for name in TEXTS if name in there]
        if "image_path" not in columns and "sha256" not in columns:
            raise UsageError(f"{table} has no column image_path; it has {', '.join(there)}")
        with reading(str(table), "a parquet file"):
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=columns):
                nothing = dict.fromkeys(TEXTS, [None] * batch.num_rows)
                yield {**nothing, **batch.to_pydict()}

    def _opened(self, path: Path) -> IO[bytes]:
        with reading(str(path), "a numpy array"):
            return open(path, "rb")

    def _table(self, path: Path) -> Any:
        with reading(str(path), "a parquet file"):
            return self._parquet.ParquetFile(path)


def _array(file: IO[bytes], path: Path) -> ArrayFile:
    return ArrayFile(file, str(path), "f")


def _rows(vectors: AnyVectors, columns: dict[str, list[Any]]) -> Rows:
    return Rows(
        vectors,
        NO_IDS,
        [each if isinstance(each, str) else "" for each in columns["image_path"]],
        [each if isinstance(each, str) else None for each in columns["sha256"]],
        [
            Sentence(said, source) if isinstance(said, str) and said.strip() else None
            for said, source in zip(columns["caption"], columns["caption_source"], strict=True)
        ],
    )


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise UsageError(
            "the layout of clip-retrieval has tables in parquet, which pyarrow reads and writes: "
            'pip install "imgsearch[parquet]"'
        ) from error
    return pyarrow, parquet
