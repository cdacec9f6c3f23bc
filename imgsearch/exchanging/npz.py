"""One `.npz`: the whole of an encoder's embeddings in a file that numpy opens by itself.

    table = numpy.load("photos.npz")
    table["vectors"] @ table["vectors"][0]      # the cosines of all photos with the first

`vectors` are (n, d) float32 unit rows; `ids`, `paths` and `sha256` say of which photos, row by row;
`encoder` is JSON about what made them. Vectors are written and read in pieces, so that a million of
them need no room; what a row is called takes some hundred bytes.
"""

import json
import math
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from imgsearch.errors import UsageError
from imgsearch.exchanging.arrays import ArrayFile, Part, reading
from imgsearch.exchanging.rows import NO_IDS, ROWS_AT_ONCE, Origin, Outgoing, Rows

SHAPE = "`vectors` (n, d), and `paths` or `sha256` for each row, as `imgsearch export` writes them"


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
        with self._opened() as archive:
            there = {name.removesuffix(".npy") for name in archive.namelist()}
            self._texts = [name for name in ("paths", "sha256") if name in there]
            if "vectors" not in there or not self._texts:
                names = ", ".join(sorted(there)) or "nothing"
                raise UsageError(f"{path} holds {names}, and no embeddings: expected {SHAPE}")
            shape = self._array(archive, "vectors").shape
            if len(shape) != 2:
                raise UsageError(f"{path}: its vectors are of shape {shape}; expected {SHAPE}")
            self.count, self.dim = shape
            for name in self._texts:
                shape = self._array(archive, name).shape
                if shape != (self.count,):
                    raise UsageError(
                        f"{path}: its {name} are of shape {shape}; expected ({self.count},), one "
                        "for each vector"
                    )
            self.origin = self._origin(archive) if "encoder" in there else None

    def rows(self) -> Iterator[Rows]:
        """Vectors, paths and hashes, some at once."""
        with self._opened() as archive:
            vectors = self._array(archive, "vectors")
            texts = {name: self._array(archive, name) for name in self._texts}
            for start in range(0, self.count, ROWS_AT_ONCE):
                n = min(ROWS_AT_ONCE, self.count - start)
                said = {name: each.read(n).tolist() for name, each in texts.items()}
                nothing = [""] * n
                hashes = [each or None for each in said.get("sha256", nothing)]
                names = said.get("paths", nothing)
                yield Rows(vectors.read(n), NO_IDS, names, hashes, [None] * n)

    def _opened(self) -> zipfile.ZipFile:
        with reading(str(self._path), "an .npz"):
            return zipfile.ZipFile(self._path)

    def _array(self, archive: zipfile.ZipFile, name: str) -> ArrayFile:
        with reading(str(self._path), "an .npz"):
            file = archive.open(f"{name}.npy")
        return ArrayFile(file, f"{self._path}: its {name}", "f" if name == "vectors" else "U")

    def _origin(self, archive: zipfile.ZipFile) -> Origin | None:
        array = self._array(archive, "encoder")
        if math.prod(array.shape) != 1:  # somebody else's, who calls something else so
            return None
        (text,) = array.read(1).ravel().tolist()
        return Origin.from_json(text)
