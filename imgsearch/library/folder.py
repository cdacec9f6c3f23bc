"""The folder of a library while it is closed: where it is when nobody says, and how it is made.

In: a path, or none. Out: a folder with a README that tells people what it is, and us that it is
ours.
"""

from __future__ import annotations

import os
from pathlib import Path

from imgsearch.errors import LibraryError, UsageError

MARKER = "<!-- imgsearch library -->"
README = f"""{MARKER}
# A library of imgsearch

This folder holds what imgsearch knows about your photos; the photos themselves are elsewhere and
are never changed. `library.db` is the truth (SQLite). `generations/` is built from it and may be
deleted at any time: `imgsearch rebuild` makes it anew. `models/` holds copies of the encoders the
library depends on, `captioners/` those that were trained here, `backups/` copies of `library.db`
from before upgrades.

`imgsearch status` says what is inside; `imgsearch doctor` checks it. To remove the library, delete
this folder.
"""
CATALOG_FILE = "library.db"


def default_path(folder: Path | None = None) -> Path:
    """Where the library is when nobody says: `index` in the folder, else the user's own.

    `folder` is the working folder unless given. `index` counts when it holds a catalog or a README
    with our marker.
    """
    candidate = (folder or Path.cwd()) / "index"
    if os.path.isfile(candidate / CATALOG_FILE) or _is_marked(candidate / "README.md"):
        return candidate
    from platformdirs import user_data_path

    return user_data_path("imgsearch", appauthor=False) / "library"


def is_there(file: Path) -> bool:
    """Whether a catalog is there. Raises LibraryError for a place that cannot be looked at."""
    try:
        return file.exists()
    except OSError as error:
        raise LibraryError(
            f"{file.parent} cannot be looked at: {error.strerror}. Name another with --library."
        ) from error


def make(folder: Path) -> None:
    """The folder of a new library. Raises UsageError, LibraryError where there can be none."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "README.md").exists():
            (folder / "README.md").write_text(README, encoding="utf-8", newline="\n")
    except FileExistsError as error:
        raise UsageError(f"{folder} is a file; a library is a folder.") from error
    except OSError as error:
        raise LibraryError(
            f"No library can be made at {folder}: {error.strerror}. Name another with --library."
        ) from error


def _is_marked(readme: Path) -> bool:
    try:
        with open(readme, encoding="utf-8") as lines:
            return lines.readline().strip() == MARKER
    except (OSError, UnicodeDecodeError):
        return False
