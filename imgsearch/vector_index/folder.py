"""The folder of a saved index: what its manifest says, and the file, mapped back.

A folder goes in, plain values and an index of FAISS come out, or an error that says what is wrong.

A manifest has the format of the first version that reads its kind: format 1 those that were always
there (older programs search them with a reach of their own), format 2 ivf-pq, which they refuse by
naming both formats.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import faiss

from imgsearch.errors import LibraryDamagedError, LibraryTooNewError, UsageError
from imgsearch.vector_index.kinds import KINDS, is_inverted
from imgsearch.vector_index.making import Making

FORMAT = 2
FORMAT_OF = {kind: 2 if kind == "ivf-pq" else 1 for kind in KINDS}
_BYTES_AT_ONCE = 2**20
INDEX_FILE, MANIFEST_FILE = "index.faiss", "manifest.json"


def read_manifest(folder: Path) -> dict[str, Any]:
    """What the manifest says, by name; under "making" a `Making`.

    Raises LibraryDamagedError, LibraryTooNewError.
    """
    try:
        manifest = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
        written = manifest["format"]
        if isinstance(written, int) and written > FORMAT:
            raise LibraryTooNewError(
                f"{folder} has index format {written}, this imgsearch reads up to {FORMAT}; "
                "upgrade imgsearch to use this library"
            )
        if written not in FORMAT_OF.values() or manifest["kind"] not in KINDS:
            raise ValueError(f"format {written!r}, kind {manifest['kind']!r}")
        names = ("kind", "dim", "count", "size_bytes", "sha256", "about")
        return {name: manifest[name] for name in names} | {"making": Making.of(manifest)}
    except (OSError, ValueError, LookupError, TypeError, UsageError) as error:
        raise damaged(folder, f"{MANIFEST_FILE} does not read ({error})") from error


def map_index(folder: Path) -> tuple[Any, dict[str, Any]]:
    """The index of FAISS, mapped where that can be, else in memory; and its manifest.

    Raises what `read_manifest` raises.
    """
    manifest = _whole_manifest(folder)
    file, kind = folder / INDEX_FILE, manifest["kind"]
    # Inverted lists map with one flag, everything else with the other; given the wrong one, or in a
    # build without it, FAISS loads the whole file into memory, which is slower and as right.
    flags = getattr(faiss, "IO_FLAG_MMAP" if is_inverted(kind) else "IO_FLAG_MMAP_IFC", 0)
    try:
        index = _calmed(faiss.read_index(str(file), flags), kind)
    except (RuntimeError, UnicodeError, TypeError):  # cannot map here, or cannot say the path
        index, _ = _read(file)
    except (MemoryError, OSError) as error:
        raise damaged(folder, f"{INDEX_FILE} does not read") from error
    return _belonging(folder, index, manifest), manifest


def read_index(folder: Path) -> tuple[Any, dict[str, Any]]:
    """The index of FAISS in memory, where it may change, and its manifest.

    Raises what `read_manifest` raises, for a byte that has changed too.
    """
    manifest = _whole_manifest(folder)
    index, found = _read(folder / INDEX_FILE)
    _check_sum(folder, found, manifest)
    return _belonging(folder, index, manifest), manifest


def check_bytes(folder: Path) -> None:
    """Raises LibraryDamagedError where a byte of the index has changed since it was written."""
    with open(folder / INDEX_FILE, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    _check_sum(folder, found, read_manifest(folder))


def damaged(folder: Path, what: str) -> LibraryDamagedError:
    """The error for an index that does not read, with what makes it again."""
    return LibraryDamagedError(
        f"the index in {folder} is damaged: {what}; "
        "it is derived from the catalog, `imgsearch doctor` makes it again"
    )


def _whole_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a file that is as long as it says."""
    manifest = read_manifest(folder)
    file = folder / INDEX_FILE
    size_bytes = file.stat().st_size if file.is_file() else None
    # A shorter file would still map, and kill the process when a page past its end is touched.
    if size_bytes != manifest["size_bytes"]:
        raise damaged(folder, f"{INDEX_FILE} is {'missing' if size_bytes is None else 'cut'}")
    return manifest


def _read(file: Path) -> tuple[Any, str]:
    """The index in memory, and the SHA-256, hex, of the bytes it was made of."""
    digest = hashlib.sha256()
    try:
        with open(file, "rb") as opened:

            def read(size: int) -> bytes:
                chunk = opened.read(size)
                digest.update(chunk)
                return chunk

            index = faiss.read_index(faiss.PyCallbackIOReader(read))
            while read(_BYTES_AT_ONCE):
                pass  # what FAISS had no use for is a part of the sum
    except (RuntimeError, MemoryError, OSError) as error:
        raise damaged(file.parent, f"{file.name} does not read") from error
    return index, digest.hexdigest()


def _check_sum(folder: Path, found: str, manifest: Mapping[str, Any]) -> None:
    if found != manifest["sha256"]:
        raise damaged(folder, f"{INDEX_FILE} has changed since it was written")


def _belonging(folder: Path, index: Any, manifest: Mapping[str, Any]) -> Any:
    """The index, if it is the manifest's."""
    if (index.d, index.ntotal) != (manifest["dim"], manifest["count"]):
        raise damaged(folder, f"{INDEX_FILE} and {MANIFEST_FILE} do not belong together")
    return index


def _calmed(index: Any, kind: str) -> Any:
    """The index, its lists read by whoever searches them.

    FAISS starts 32 threads for every search of mapped lists, to read ahead, which takes ten times
    as long as the search itself.
    """
    if is_inverted(kind):
        lists = faiss.downcast_InvertedLists(faiss.extract_index_ivf(index).invlists)
        if hasattr(lists, "prefetch_nthread"):  # lists in memory have no such thing
            lists.prefetch_nthread = 0
    return index
