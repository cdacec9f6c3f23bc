"""One `.npz`: the whole of an encoder's embeddings in a file that numpy opens by itself.

    table = numpy.load("photos.npz")
    table["vectors"] @ table["vectors"][0]      # the cosines of all photos with the first

`vectors` are (n, d) float32 unit rows; `ids`, `paths` and `sha256` say of which photos, row by row;
`encoder` is JSON about what made them. Vectors are written and read in pieces, so that a million of
them need no room; what a row is called takes some hundred bytes. Nothing in it is ever unpickled.
"""

import json
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from imgsearch.errors import UsageError
from imgsearch.exchanging.rows import NO_IDS, ROWS_AT_ONCE, Origin, Outgoing, Rows

SHAPE = "`vectors` (n, d), and `paths` or `sha256` for each row, as `imgsearch export` writes them"

Part = npt.NDArray[Any]


def write(target: Path, outgoing: Outgoing) -> None:
    """Write a file."""
    ids = [NO_IDS]
    paths: list[str] = []
    hashes: list[str] = []
    with zipfile.ZipFile(target, "w") as archive:
        with archive.open("vectors.npy", "w", force_zip64=True) as file:
            _write_header(file, "<f4", (outgoing.count, outgoing.dim))
            for part in outgoing.parts:
                file.write(np.ascontiguousarray(part.vectors, "<f4").tobytes())
                ids.append(part.ids)
                paths += part.names
                hashes += [each or "" for each in part.hashes]
        _write_array(archive, "ids", np.concatenate(ids).astype("<i8"))
        _write_texts(archive, "paths", paths)
        _write_texts(archive, "sha256", hashes)
        _write_texts(archive, "encoder", [json.dumps(vars(outgoing.origin))])


def _write_header(file: IO[bytes], descr: str, shape: tuple[int, ...]) -> None:
    npy.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})


def _write_array(archive: zipfile.ZipFile, name: str, array: Part) -> None:
    with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
        npy.write_array(file, array, allow_pickle=False)


def _write_texts(archive: zipfile.ZipFile, name: str, texts: Sequence[str]) -> None:
    """An array of text, as wide as its longest; the zeros behind the others are packed."""
    width = max(1, *map(len, texts)) if texts else 1
    entry = zipfile.ZipInfo(f"{name}.npy")
    entry.compress_type = zipfile.ZIP_DEFLATED
    with archive.open(entry, "w", force_zip64=True) as file:
        _write_header(file, f"<U{width}", (len(texts),))
        for start in range(0, len(texts), ROWS_AT_ONCE):
            file.write(np.array(texts[start : start + ROWS_AT_ONCE], f"<U{width}").tobytes())


class Npz:
    """An `.npz` of embeddings. Raises UsageError for what is none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._reading() as archive:
            self._names = {name.removesuffix(".npy") for name in archive.namelist()}
            if "vectors" not in self._names or not self._names & {"paths", "sha256"}:
                there = ", ".join(sorted(self._names)) or "nothing"
                raise UsageError(f"{path} holds {there}, and no embeddings: expected {SHAPE}")
            with archive.open("vectors.npy") as file:
                shape, _ = self._header(file, "vectors")
            if len(shape) != 2:
                raise UsageError(f"{path}: its vectors are of shape {shape}; expected {SHAPE}")
            self.count, self.dim = shape
            self.origin = self._origin(archive)

    def rows(self) -> Iterator[Rows]:
        """Vectors, paths and hashes, some at once."""
        with self._reading() as archive, ExitStack() as opened:
            parts = {
                name: self._parts(opened.enter_context(archive.open(f"{name}.npy")), name)
                for name in ("vectors", "paths", "sha256")
                if name in self._names
            }
            for start in range(0, self.count, ROWS_AT_ONCE):
                n = min(ROWS_AT_ONCE, self.count - start)
                vectors = next(parts["vectors"])
                names = next(parts["paths"]).tolist() if "paths" in parts else [""] * n
                hashes = next(parts["sha256"]).tolist() if "sha256" in parts else [""] * n
                yield Rows(vectors, NO_IDS, names, [each or None for each in hashes], [None] * n)

    def _reading(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self._path)
        except (OSError, zipfile.BadZipFile) as error:
            raise UsageError(f"{self._path} is no .npz that can be read: {error}") from error

    def _origin(self, archive: zipfile.ZipFile) -> Origin | None:
        if "encoder" not in self._names:
            return None
        with archive.open("encoder.npy") as file:
            (text,) = np.concatenate(list(self._parts(file, "encoder"))).tolist() or [""]
        try:
            return Origin.read(json.loads(text))
        except ValueError:  # somebody else's, who calls an encoder by a name
            return None

    def _parts(self, file: IO[bytes], name: str) -> Iterator[Part]:
        shape, dtype = self._header(file, name)
        width = int(np.prod(shape[1:], dtype=np.int64)) * dtype.itemsize
        for start in range(0, shape[0], ROWS_AT_ONCE):
            n = min(ROWS_AT_ONCE, shape[0] - start)
            content = file.read(n * width)
            if len(content) < n * width:
                raise UsageError(f"{self._path} is cut short in its {name}; write it anew")
            yield np.frombuffer(content, dtype).reshape(n, *shape[1:])

    def _header(self, file: IO[bytes], name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
        try:
            read = npy.read_array_header_1_0 if npy.read_magic(file) == (1, 0) else _read_newer
            shape, is_fortran, dtype = read(file)
        except ValueError as error:
            raise UsageError(f"{self._path}: its {name} are no numpy array: {error}") from error
        if dtype.kind != ("f" if name == "vectors" else "U") or is_fortran:
            raise UsageError(
                f"{self._path}: its {name} are {dtype} of shape {shape}, which is not read; "
                f"expected {SHAPE}"
            )
        return shape or (1,), dtype


def _read_newer(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    return npy.read_array_header_2_0(file)
