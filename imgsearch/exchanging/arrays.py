"""ArrayFile: a numpy array in a file, read row by row from its beginning.

An open file goes in, some rows at a time come out. A header is only a claim of whoever wrote it:
it is checked before anything as large as it says is made, and nothing is ever unpickled.
"""

import math
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from tokenize import TokenError
from typing import IO, Any, Literal

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from imgsearch.errors import UsageError

WIDEST_TEXT = 1 << 15  # characters: no system has longer paths

Part = npt.NDArray[Any]

# What numpy's parser of headers and what archives raise, besides what their documentation says.
UNREADABLE = (
    *(OSError, EOFError, ValueError, TypeError, RuntimeError),  # RuntimeError: also too deep
    *(SyntaxError, TokenError, MemoryError, zipfile.BadZipFile, zlib.error),
)


@contextmanager
def reading(name: str, kind: str) -> Iterator[None]:
    """For a block that reads: what cannot be read as one of a kind is a UsageError."""
    try:
        yield
    except UNREADABLE as error:
        raise UsageError(f"{name} cannot be read as {kind}: {error}") from error


class ArrayFile:
    """An array of floats ("f") or of texts ("U") at the beginning of an open file.

    `name` is for people. Raises UsageError for what is none.
    """

    def __init__(self, file: IO[bytes], name: str, kind: Literal["f", "U"]) -> None:
        self._file = file
        self._name = name
        with reading(name, "a numpy array"):
            is_first = npy.read_magic(file) == (1, 0)
            read = npy.read_array_header_1_0 if is_first else npy.read_array_header_2_0
            shape, is_by_columns, dtype = read(file)
        if dtype.kind != kind or (kind == "U" and dtype.itemsize > 4 * WIDEST_TEXT):
            expected = "float16 or float32" if kind == "f" else f"texts to <U{WIDEST_TEXT}"
            raise UsageError(f"{name}: {dtype} is not read; expected {expected}")
        if is_by_columns:
            raise UsageError(f"{name}: stored by columns; write numpy.ascontiguousarray of it")
        if min(shape, default=0) < 0:
            raise UsageError(f"{name}: a shape of {shape} cannot be")
        self.shape: tuple[int, ...] = shape
        self._dtype = dtype

    def read(self, n: int) -> Part:
        """The next n rows."""
        width = math.prod(self.shape[1:]) * self._dtype.itemsize
        with reading(self._name, "a numpy array"):
            content = self._file.read(n * width)
        if len(content) < n * width:
            raise UsageError(f"{self._name}: cut short; write it anew")
        return np.frombuffer(content, self._dtype).reshape(n, *self.shape[1:])
