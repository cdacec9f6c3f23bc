"""What a person leaves out: globs in, a yes or no for every name and path."""

import fnmatch
import os
import re
from collections.abc import Sequence
from pathlib import Path


class Exclusion:
    """The `--exclude` globs as at most two regular expressions: one a name, one a whole path.

    A glob is compared in any letter case with a name ("*.png", "drafts"), with a path below the
    root ("2019/drafts", "2019/*") or, when absolute, with the whole path.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        trimmed = [pattern.rstrip("/\\") for pattern in patterns]
        absolute = [pattern for pattern in trimmed if os.path.isabs(pattern)]
        relative = [pattern.removeprefix("./") for pattern in trimmed if pattern not in absolute]
        self._relative = _expression(relative)
        self._absolute = _expression(absolute)

    def matches(self, name: str, relative: str, absolute: str) -> bool:
        """Whether something of that name is left out; paths below the root have `/` in them."""
        if self._relative and (self._relative.match(name) or self._relative.match(relative)):
            return True
        return bool(self._absolute and self._absolute.match(absolute.replace(os.sep, "/")))

    def matches_entry(self, entry: os.DirEntry[str], root: Path) -> bool:
        """Whether a file or folder on the disk is left out."""
        if self._relative is None and self._absolute is None:
            return False
        relative = entry.path[len(str(root)) :].replace(os.sep, "/").lstrip("/")
        return self.matches(entry.name, relative, entry.path)

    def matches_inside(self, path: Path, container: Path, root: Path) -> bool:
        """Whether a photo in a container is left out, or a folder in there that it lies in."""
        if self._relative is None and self._absolute is None:
            return False
        inside = [path, *path.parents]
        for each in inside[: inside.index(container)]:
            relative = os.fspath(each)[len(os.fspath(root)) :].replace(os.sep, "/").lstrip("/")
            if self.matches(each.name, relative, os.fspath(each)):
                return True
        return False


def _expression(patterns: Sequence[str]) -> re.Pattern[str] | None:
    if not any(patterns):
        return None
    slashed = [pattern.replace(os.sep, "/") for pattern in patterns if pattern]
    return re.compile("|".join(fnmatch.translate(pattern) for pattern in slashed), re.IGNORECASE)
