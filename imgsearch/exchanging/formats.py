"""Which format a file or folder of embeddings is in: by name when written, by content when read."""

from pathlib import Path

from imgsearch.errors import UsageError
from imgsearch.exchanging import chinese_clip, clip_retrieval, npz
from imgsearch.exchanging.rows import Embeddings, Format

ENDINGS: dict[str, Format] = {"": "clip-retrieval", ".npz": "npz", ".jsonl": "jsonl"}
FORMATS = tuple(ENDINGS.values())
KNOWN = (
    "a folder as clip-retrieval makes them (OUT), one file for numpy (OUT.npz), or features of "
    "Chinese-CLIP (OUT.jsonl)"
)


def format_named(target: Path) -> Format:
    """The format that a name stands for. Raises UsageError for another."""
    found = ENDINGS.get(target.suffix.lower())
    if found is None:
        raise UsageError(
            f"no format has names like {target.name!r}: give {KNOWN}, or say which with --format"
        )
    return found


def open_embeddings(path: Path, wanted: Format | None = None) -> Embeddings:
    """The embeddings at a path, in the format that its content is in, or `wanted`.

    Raises UsageError for what is not there, or is in none.
    """
    found = wanted or _format_of(path)
    if found == "clip-retrieval":
        return clip_retrieval.Folder(path)
    return npz.Npz(path) if found == "npz" else chinese_clip.Features(path)


def _format_of(path: Path) -> Format:
    try:
        if path.is_dir():
            return "clip-retrieval"
        with open(path, "rb") as file:
            head = file.read(64)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}; give {KNOWN}") from error
    if head.startswith(b"PK"):
        return "npz"
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return "jsonl"
    raise UsageError(f"{path} holds no embeddings in a known format: expected {KNOWN}")
