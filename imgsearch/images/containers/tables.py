"""Parquet files as img2dataset writes them: a row a photo, its bytes in one column.

The columns are told by their names: the picture is `jpg`, `png`, `webp` or `image` (where a data
set of Hugging Face keeps bytes and path), the name is `key`, the sentence `caption`. Row groups are
read one at a time and the last few are kept, since photos are asked for in their order.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from imgsearch.errors import PictureError
from imgsearch.images.containers.container import Member
from imgsearch.images.containers.contents import Contents

PICTURES = ("jpg", "png", "webp", "image")
CAPTIONS = ("caption", "text", "TEXT")
KEYS = ("key", "__key__", "id")
GROUPS_KEPT = 2
LISTED_AT_ONCE = 64  # rows: to know their sizes their bytes are read

Row = tuple[int, int]  # row group, and row in it


class Table:
    """An open parquet file. Raises PictureError for what holds no photos, or without pyarrow."""

    def __init__(self, path: Path) -> None:
        pyarrow, parquet = _pyarrow()
        self._errors = (pyarrow.ArrowException, OSError, ValueError)
        self._lock = threading.Lock()
        self._groups: OrderedDict[int, Any] = OrderedDict()
        self._contents: Contents[Row] = Contents()
        try:
            self._file = parquet.ParquetFile(path, memory_map=False)
        except self._errors as error:
            raise PictureError(
                f"it is no parquet file that can be read: {_first(error)}"
            ) from error
        names = self._file.schema_arrow.names
        self._picture = next((name for name in PICTURES if name in names), "")
        self._caption = next((name for name in CAPTIONS if name in names), "")
        self._key = next((name for name in KEYS if name in names), "")
        if not self._picture:
            self._file.close()
            raise PictureError(
                f"no column of it holds pictures: one called {', '.join(PICTURES)} is expected, "
                f"there are {', '.join(names) or 'none'}"
            )
        try:
            self._list()
        except self._errors as error:
            self._file.close()
            raise PictureError(f"the parquet file is damaged: {_first(error)}") from error

    def members(self, every_seconds: float) -> Iterator[Member]:
        """By name."""
        return self._contents.members()

    def size_bytes(self, name: str) -> int:
        """The length of its bytes."""
        return self._contents.entry(name)[1].size_bytes

    def pieces(self, name: str) -> Iterator[bytes]:
        """The bytes of its row."""
        row, member = self._contents.entry(name)
        if member.reason is not None:
            raise PictureError(member.reason)
        yield _bytes_of(self._cell(row, self._picture)) or b""

    def texts(self, name: str) -> Mapping[str, bytes]:
        """The caption of its row."""
        row, _ = self._contents.entry(name)
        caption = self._cell(row, self._caption) if self._caption else None
        return {".txt": caption.encode()} if isinstance(caption, str) and caption else {}

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._groups.clear()
            self._file.close()

    def _list(self) -> None:
        columns = [name for name in (self._picture, self._key) if name]
        for group in range(self._file.num_row_groups):
            place = 0
            batches = self._file.iter_batches(LISTED_AT_ONCE, row_groups=[group], columns=columns)
            for batch in batches:
                for row in batch.to_pylist():
                    content = _bytes_of(row[self._picture])
                    if content is not None:  # img2dataset keeps rows of what it could not fetch
                        key = row.get(self._key) if self._key else None
                        name = f"{group:04}-{place:06}" if key is None else str(key)
                        self._contents.add(
                            f"{name}.{_ending(content)}", (group, place), len(content)
                        )
                    place += 1

    def _cell(self, row: Row, column: str) -> Any:
        group, place = row
        with self._lock:
            try:
                if group not in self._groups:
                    columns = [name for name in (self._picture, self._caption) if name]
                    self._groups[group] = self._file.read_row_group(group, columns=columns)
                    while len(self._groups) > GROUPS_KEPT:
                        self._groups.popitem(last=False)
                self._groups.move_to_end(group)
                return self._groups[group][column][place].as_py()
            except self._errors as error:
                raise PictureError(f"the parquet file is damaged there: {_first(error)}") from error


def _bytes_of(cell: object) -> bytes | None:
    if isinstance(cell, dict):
        cell = cell.get("bytes")
    return cell if isinstance(cell, bytes) and cell else None


def _ending(content: bytes) -> str:
    """What the bytes are, by how they begin; a name only."""
    if content.startswith(b"\x89PNG"):
        return "png"
    return "webp" if content[8:12] == b"WEBP" else "jpg"


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise PictureError(
            'parquet files are read by pyarrow, which is missing: pip install "imgsearch[parquet]"'
        ) from error
    return pyarrow, parquet


def _first(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
