"""Paths in and out of columns.

A path on disk is bytes; a column of text takes only valid text. A path that is valid is stored as
it stands and `path_bytes` stays null; any other is kept as its bytes, beside a text that shows each
bad byte as `\\xNN`. That escape never touches a separator, so a folder's text is a prefix of its
files' texts and one range over the text index finds all that lies under a folder, valid or not.
"""

import os
from pathlib import Path


def columns_of(path: Path) -> tuple[str, bytes | None]:
    """The `path` and `path_bytes` columns of a path."""
    name = os.fspath(path)
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raw = os.fsencode(path)
        return raw.decode("utf-8", "backslashreplace"), raw
    return name, None


def name_of(text: str, raw: bytes | None) -> str:
    """The path as the operating system's functions take it; the inverse of `columns_of`."""
    return text if raw is None else os.fsdecode(raw)


def spellings(path: Path) -> tuple[Path, ...]:
    """A path as files there may be known: free of links, as roots are, or by the name of a link
    below one of them.
    """
    return tuple({Path(os.path.realpath(path)): None, Path(os.path.abspath(path)): None})


def bounds_under(folder: Path) -> tuple[str, str]:
    """The half-open range of texts of all paths below a folder."""
    stem = columns_of(folder)[0].rstrip(os.sep)
    return stem + os.sep, stem + chr(ord(os.sep) + 1)
