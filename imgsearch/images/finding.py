"""The walk: paths in, every photo file under them out, once each and in a stable order.

A folder that cannot be read is reported and passed by; a folder reached twice (by a link, or
because one PATH lies inside another) is walked once, known by device and inode. Folders that hold
no photos of a person's own (hidden ones, thumbnails of a NAS, a waste bin, packages) are left out
unless they are the PATH itself.
"""

import fnmatch
import itertools
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from imgsearch.errors import UsageError

ENDINGS = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".dib"),
        *(".tif", ".tiff", ".avif", ".heic", ".heif", ".hif", ".jp2", ".j2k", ".jpx"),
        *(".pbm", ".pgm", ".ppm", ".pnm"),
    )
)
SYSTEM_FOLDERS = frozenset(
    {
        "@eadir",
        "#recycle",
        "#snapshot",
        "@recycle",
        "@recently-snapshot",
        "$recycle.bin",
        "recycler",
        "system volume information",
        "lost+found",
        "node_modules",
        "__macosx",
        "__pycache__",
    }
)


@dataclass(frozen=True, slots=True)
class PhotoFile:
    """A file that looks like a photo: absolute path, the PATH it was found under, size and time."""

    path: Path
    root: Path
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A folder, or a file named like a photo, that the system would not let us look at."""

    path: Path
    reason: str


def find(paths: Sequence[Path], exclude: Sequence[str] = ()) -> Iterator[PhotoFile | Unreadable]:
    """Every photo file at or under `paths`: within a folder by name, then its folders by name, and
    links to folders last.

    A folder's root is that folder, made absolute and free of links; a file given is its own root,
    and is taken whatever its ending. `exclude` holds globs, compared in any letter case with a name
    ("*.png", "drafts"), with a path below the root ("2019/drafts", "2019/*") or, when absolute,
    with the whole path. Raises UsageError at once for a path that does not exist.
    """
    roots: dict[Path, bool] = {}  # path -> is it a folder; a dict keeps the order and drops repeats
    for path in paths:
        try:
            resolved = path.resolve(strict=True)
            roots[resolved] = resolved.is_dir()
        except (
            OSError,
            RuntimeError,
        ) as error:  # RuntimeError: a loop of links, before Python 3.13
            raise UsageError(
                f"{os.fsdecode(path)!r} cannot be indexed: {_why(error)};"
                " give a folder or a picture that exists"
            ) from error
    return _find(roots, _Exclusion(exclude))


def _find(roots: dict[Path, bool], exclusion: "_Exclusion") -> Iterator[PhotoFile | Unreadable]:
    files = [path for path, is_folder in roots.items() if not is_folder]
    # Outer folders go first, so that a folder given beside its parent is walked as a part of the
    # parent.
    folders = sorted((path for path, is_folder in roots.items() if is_folder), key=_depth)
    visited: set[tuple[int, int] | str] = set()
    found: set[Path] = set()  # only filled when files are given as well
    links: list[tuple[str, Path]] = []  # to folders, with the root each was met under
    walks = itertools.chain(
        (_walk(str(root), root, exclusion, visited, links) for root in folders),
        # Links grow longer meanwhile. A folder is met under its own name before any link to it.
        (_walk(link, root, exclusion, visited, links) for link, root in links),
    )
    for finding in itertools.chain.from_iterable(walks):
        if files:
            found.add(finding.path)
        yield finding
    for path in files:
        if path not in found and not exclusion.matches(path.name, path.name, str(path)):
            yield _look(path)


def _depth(path: Path) -> int:
    return len(path.parts)


def _look(path: Path) -> PhotoFile | Unreadable:
    try:
        status = path.stat()
    except OSError as error:
        return Unreadable(path, _why(error))
    if not stat.S_ISREG(status.st_mode):
        return Unreadable(path, "it is no file but a pipe, a socket or a device")
    return PhotoFile(path, path, status.st_size, status.st_mtime_ns)


def _walk(
    start: str,
    root: Path,
    exclusion: "_Exclusion",
    visited: set[tuple[int, int] | str],
    links: list[tuple[str, Path]],
) -> Iterator[PhotoFile | Unreadable]:
    """What is below `start`, but for what is behind the links to folders, which go to `links`."""
    pending = [start]
    while pending:
        folder = pending.pop()
        try:
            entries = _entries(folder, visited)
        except OSError as error:
            yield Unreadable(Path(folder), f"the folder cannot be read: {_why(error)}")
            continue
        below: list[str] = []
        for entry in entries:
            if entry.name.startswith(".") or exclusion.matches_entry(entry, root):
                continue
            if _is_folder(entry):
                if _is_left_out(entry):
                    continue
                if entry.is_symlink():
                    links.append((entry.path, root))
                else:
                    below.append(entry.path)
            elif os.path.splitext(entry.name)[1].lower() in ENDINGS:
                finding = _seen(entry, root)
                if finding is not None:
                    yield finding
        pending.extend(reversed(below))


def _entries(folder: str, visited: set[tuple[int, int] | str]) -> list[os.DirEntry[str]]:
    """What a folder holds, by name; nothing when it was visited, under this name or another."""
    status = os.stat(folder)
    # Some network drives number every folder 0.
    key = (status.st_dev, status.st_ino) if status.st_ino else os.path.realpath(folder)
    if key in visited:
        return []
    visited.add(key)
    with os.scandir(folder) as scan:
        return sorted(scan, key=_name)


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a loop of links; if its name is a photo's, `_seen` reports it
        return False


def _is_left_out(entry: os.DirEntry[str]) -> bool:
    """A folder of the system's, or hidden by the attribute that Windows has for it."""
    if entry.name.lower() in SYSTEM_FOLDERS:
        return True
    if os.name != "nt":
        return False
    try:
        attributes = getattr(entry.stat(follow_symlinks=False), "st_file_attributes", 0)
    except OSError:  # the walk will meet it again, and report it
        return False
    return bool(attributes & stat.FILE_ATTRIBUTE_HIDDEN)


def _seen(entry: os.DirEntry[str], root: Path) -> PhotoFile | Unreadable | None:
    """The photo behind an entry; None for what only bears a photo's name (a pipe, a socket)."""
    try:
        status = entry.stat()
    except OSError as error:
        return Unreadable(Path(entry.path), _why(error))
    if not stat.S_ISREG(status.st_mode):
        return None
    return PhotoFile(Path(entry.path), root, status.st_size, status.st_mtime_ns)


def _why(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[0].lower() + error.strerror[1:]
    return str(error)


class _Exclusion:
    """The `--exclude` globs as at most two regular expressions: one a name, one a whole path."""

    def __init__(self, patterns: Sequence[str]) -> None:
        trimmed = [pattern.rstrip("/\\") for pattern in patterns]
        absolute = [pattern for pattern in trimmed if os.path.isabs(pattern)]
        relative = [pattern.removeprefix("./") for pattern in trimmed if pattern not in absolute]
        self._relative = _expression(relative)
        self._absolute = _expression(absolute)

    def matches(self, name: str, relative: str, absolute: str) -> bool:
        if self._relative and (self._relative.match(name) or self._relative.match(relative)):
            return True
        return bool(self._absolute and self._absolute.match(absolute.replace(os.sep, "/")))

    def matches_entry(self, entry: os.DirEntry[str], root: Path) -> bool:
        if self._relative is None and self._absolute is None:
            return False
        relative = entry.path[len(str(root)) :].replace(os.sep, "/").lstrip("/")
        return self.matches(entry.name, relative, entry.path)


def _expression(patterns: Sequence[str]) -> re.Pattern[str] | None:
    if not any(patterns):
        return None
    slashed = [pattern.replace(os.sep, "/") for pattern in patterns if pattern]
    return re.compile("|".join(fnmatch.translate(pattern) for pattern in slashed), re.IGNORECASE)
