"""The folder of a saved index: what its manifest says, and the file, mapped back.

A folder goes in, plain values and an index of FAISS come out, or an error that says what is wrong.

A manifest has the format of the first version that reads its kind: format 1 those that were always
there (older programs search them with a reach of their own), format 2 ivf-pq, which they refuse by
naming both formats.
"""

import json
from pathlib import Path
from typing import Any

import faiss

from imgsearch.errors import LibraryDamagedError, LibraryTooNewError, UsageError
from imgsearch.vector_index.kinds import KINDS, is_inverted
from imgsearch.vector_index.making import Making

FORMAT = 2
FORMAT_OF = {kind: 2 if kind == "ivf-pq" else 1 for kind in KINDS}
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


def read_index(file: Path, kind: str, *, mapped: bool) -> Any:
    """The index of FAISS, mapped where that can be, or in memory, where it may change.

    Raises LibraryDamagedError.
    """
    # Inverted lists map with one flag, everything else with the other; given the wrong one, or in a
    # build without it, FAISS loads the whole file into memory, which is slower and as right.
    flags = getattr(faiss, "IO_FLAG_MMAP" if is_inverted(kind) else "IO_FLAG_MMAP_IFC", 0)
    try:
        try:
            return _calmed(faiss.read_index(str(file), flags if mapped else 0), kind)
        except (RuntimeError, UnicodeError, TypeError):  # cannot map here, or cannot say the path
            with open(file, "rb") as opened:
                return faiss.read_index(faiss.PyCallbackIOReader(opened.read))
    except (RuntimeError, MemoryError, OSError) as error:
        raise damaged(file.parent, f"{file.name} does not read") from error


def _calmed(index: Any, kind: str) -> Any:
    """The index, its lists read by whoever searches them.

    FAISS starts 32 threads for every search of mapped lists, to read ahead: 2 ms, where the search
    itself takes 0.2.
    """
    if is_inverted(kind):
        lists = faiss.downcast_InvertedLists(faiss.extract_index_ivf(index).invlists)
        if hasattr(lists, "prefetch_nthread"):  # lists in memory have no such thing
            lists.prefetch_nthread = 0
    return index


def damaged(folder: Path, what: str) -> LibraryDamagedError:
    """The error for an index that does not read, with what makes it again."""
    return LibraryDamagedError(
        f"the index in {folder} is damaged: {what}; "
        "it is derived from the catalog, `imgsearch doctor` makes it again"
    )
