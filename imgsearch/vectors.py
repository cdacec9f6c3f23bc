"""What an array of embeddings is: (n, d) float32, unit rows; how it is made and how it is stored.

In go the raw rows of an encoder or the bytes of the catalog, out come unit rows. A zero or
non-finite row is an error here rather than a silent NaN later: it would sort anywhere in a search.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Vectors: TypeAlias = npt.NDArray[np.float32]

LENGTH_TOLERANCE = 1e-2  # float16 rows are unit only to about 1e-3

_LITTLE_ENDIAN: dict[str, np.dtype[np.floating]] = {
    "float32": np.dtype("<f4"),
    "float16": np.dtype("<f2"),
}


def normalise(vectors: npt.NDArray[np.floating]) -> Vectors:
    """Scale rows to length 1.

    (n, d) or (d,) -> the same shape, float32, a fresh array. Lengths are summed in float64, so
    values near the ends of the float32 range neither overflow nor vanish.

    Raises ValueError for a row that is zero or not finite.
    """
    rows = np.atleast_2d(vectors)
    lengths = np.sqrt(np.einsum("nd,nd->n", rows, rows, dtype=np.float64))
    bad = np.flatnonzero(~(np.isfinite(lengths) & (lengths > 0)))
    if len(bad):
        raise ValueError(f"row {bad[0]} is zero or not finite and has no direction to keep")
    unit: Vectors = np.empty(rows.shape, np.float32)
    np.divide(rows, lengths[:, None], out=unit, casting="same_kind")  # no float64 copy of the whole
    return unit.reshape(np.shape(vectors))


def are_unit(vectors: npt.NDArray[np.floating]) -> bool:
    """Whether all rows (n, d) are of length 1, within LENGTH_TOLERANCE; none that is not finite."""
    lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64))
    return bool((abs(lengths - 1) <= LENGTH_TOLERANCE).all())  # not a number is not within it


def ensemble(vectors: npt.NDArray[np.floating]) -> Vectors:
    """Mean direction of several embeddings: normalise each, average, normalise again.

    (n, d), n >= 1 -> (d,) float32, unit. Without the inner step long rows would outvote short ones.

    Raises ValueError when there is no row, or the rows cancel out.
    """
    if np.ndim(vectors) != 2 or not len(vectors):
        raise ValueError(f"an ensemble needs (n, d) with n >= 1, got shape {np.shape(vectors)}")
    return normalise(normalise(vectors).mean(axis=0))


def to_bytes(vector: Vectors, dtype: Literal["float32", "float16"] = "float32") -> bytes:
    """One (d,) embedding as little-endian bytes: 4 a value, or 2 with float16 (about 3 digits).

    Raises ValueError for anything but one row.
    """
    if np.ndim(vector) != 1:
        raise ValueError(f"to_bytes takes one (d,) row, got shape {np.shape(vector)}")
    return np.asarray(vector).astype(_LITTLE_ENDIAN[dtype]).tobytes()


def from_bytes(blobs: Sequence[bytes], dim: int) -> Vectors:
    """Stack stored embeddings to (n, d) float32, in the order given; no blobs give (0, d).

    Whether a row is float32 or float16 is told by its length; the two may be mixed. float32 rows
    come back to the bit; float16 rows as stored, so their length is 1 only to about 1e-3.

    Raises ValueError for a row that is neither 4 * dim nor 2 * dim bytes long.
    """
    by_length = {dtype.itemsize * dim: dtype for dtype in _LITTLE_ENDIAN.values()}
    lengths = {len(blob) for blob in blobs}
    if unknown := lengths - set(by_length):
        raise ValueError(
            f"an embedding of {dim} values takes {4 * dim} or {2 * dim} bytes, found {min(unknown)}"
        )
    if len(lengths) == 1:
        joined = np.frombuffer(b"".join(blobs), by_length[lengths.pop()])
        return joined.reshape(-1, dim).astype(np.float32)
    rows = np.empty((len(blobs), dim), np.float32)
    for row, blob in zip(rows, blobs, strict=True):
        row[:] = np.frombuffer(blob, by_length[len(blob)])
    return rows
