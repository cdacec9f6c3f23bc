"""Whether a word names a picture: a path with a separator, or the name of a picture file that is
there; everything else is text.

A path and the endings of pictures go in, a path comes out. Nothing is opened: a file of that name
is enough, and what is no picture says so when it is decoded.
"""

import os
import re
import sys
from collections.abc import Collection
from pathlib import Path

from imgsearch.errors import QueryError

_ONLY_A_PATH = r"\.{0,2}[/\\]|~\S*[/\\]|[A-Za-z]:[/\\]"  # what no sentence begins with


def picture_named(word: str, endings: Collection[str]) -> Path | None:
    """The picture file that a word names, a home folder's `~` resolved; None: it is text.

    Raises QueryError for a path at which there is none.
    """
    path = _path(word, endings)
    if path is None:
        return None
    try:
        if _is_there(path):
            return path
        what = "is a folder" if path.is_dir() else "is no file"
        what = what if path.exists() else "does not exist"
    except OSError as error:  # for one, too long: which a sentence with a slash may be
        what = f"cannot be looked at ({error.strerror})"
    if _has_separator(word) and (_has_ending(path, endings) or re.match(_ONLY_A_PATH, word)):
        raise QueryError(f"{word!r} {what}: give a picture file, or words without a path")
    return None


def existing_picture(word: str, endings: Collection[str]) -> Path | None:
    """As `picture_named`, without an error where there is none."""
    path = _path(word, endings)
    try:
        return path if path is not None and _is_there(path) else None
    except OSError:  # as above
        return None


def _path(word: str, endings: Collection[str]) -> Path | None:
    if not endings or not word or "\0" in word:
        return None
    try:
        os.fsencode(word)
    except UnicodeEncodeError:  # half a character, which no file system has in a name
        return None
    path = Path(os.path.expanduser(word))
    return path if _has_separator(word) or _has_ending(path, endings) else None


def _is_there(path: Path) -> bool:
    """A file, or a photo inside one that holds photos: holiday.zip/beach.jpg."""
    return path.is_file() or any(parent.is_file() for parent in path.parents)


def _has_separator(word: str) -> bool:
    return "/" in word or (sys.platform == "win32" and "\\" in word)


def _has_ending(path: Path, endings: Collection[str]) -> bool:
    return path.suffix.lower() in endings
