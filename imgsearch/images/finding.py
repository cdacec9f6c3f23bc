"""The walk: paths in, every photo file under them out, once each and in a stable order.

A folder that cannot be read is reported and passed by; a folder reached twice (by a link, or
because one PATH lies inside another) is walked once, known by device and inode. Folders that hold
no photos of a person's own (hidden ones, thumbnails of a NAS, a waste bin, packages) are left out
unless they are the PATH itself. A file that holds photos comes out as that; `members` says which.
"""

import itertools
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from imgsearch.errors import PictureError, UsageError
from imgsearch.images import files, names, raw
from imgsearch.images.containers import opened
from imgsearch.images.exclusion import Exclusion


@dataclass(frozen=True, slots=True)
class PhotoFile:
    """A file that looks like a photo: absolute path, the PATH it was found under, size and time."""

    path: Path
    root: Path
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class ContainerFile:
    """A file that holds photos: as a `PhotoFile`."""

    path: Path
    root: Path
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A folder, or a file named like a photo, that cannot be looked at, or into."""

    path: Path
    reason: str


Finding: TypeAlias = PhotoFile | ContainerFile | Unreadable


def find(
    paths: Sequence[Path],
    exclude: Sequence[str] = (),
    containers: frozenset[str] = names.FILMS,
) -> Iterator[Finding]:
    """Every photo file at or under `paths`: within a folder by name, then its folders by name, and
    links to folders last.

    A folder's root is that folder, made absolute and free of links; a file given is its own root,
    and is taken whatever its ending. `exclude` holds globs, compared in any letter case with a name
    ("*.png", "drafts"), with a path below the root ("2019/drafts", "2019/*") or, when absolute,
    with the whole path. Files with the endings in `containers` are found in folders as files that
    hold photos; archives and films that are given always are. Raises UsageError at once for a path
    that does not exist.
    """
    roots: dict[Path, bool] = {}  # path -> is it a folder; a dict keeps the order and drops repeats
    for path in paths:
        try:
            resolved = _resolved(path)
            roots[resolved] = resolved.is_dir()
        except (
            OSError,
            RuntimeError,
        ) as error:  # RuntimeError: a loop of links, before Python 3.13
            raise UsageError(
                f"{os.fsdecode(path)!r} cannot be indexed: {_why(error)};"
                " give a folder or a picture that exists"
            ) from error
    return _Walk(Exclusion(exclude), containers).findings(roots)


def members(container: ContainerFile, every_seconds: float) -> Iterator[PhotoFile | Unreadable]:
    """The photos inside a container, by name; of a film a frame every so many seconds.

    What cannot be read is told, and last, by the container's own path, what ends the list early.
    """
    try:
        with opened(container.path) as inside:
            for member in inside.members(every_seconds):
                path = container.path / member.name
                if member.reason is not None:
                    yield Unreadable(path, member.reason)
                else:
                    yield PhotoFile(path, container.root, member.size_bytes, container.mtime_ns)
    except PictureError as error:
        yield Unreadable(container.path, str(error))
    except OSError as error:
        yield Unreadable(container.path, f"the file cannot be read: {_why(error)}")


def _resolved(path: Path) -> Path:
    place = files.place_of(path)
    if place.member is None:
        return path.resolve(strict=True)
    resolved = place.container.resolve(strict=True) / place.member
    files.stat(resolved)
    return resolved


class _Walk:
    """One look at the disk: the folders that were visited, and the links that were met."""

    def __init__(self, exclusion: Exclusion, containers: frozenset[str]) -> None:
        self._exclusion = exclusion
        self._containers = containers
        self._visited: set[tuple[int, int] | str] = set()
        self._why_no_raw = raw.why_not()
        self._links: list[tuple[str, Path]] = []  # to folders, with the root each was met under

    def findings(self, roots: dict[Path, bool]) -> Iterator[Finding]:
        """All that is at or under these paths."""
        given = [path for path, is_folder in roots.items() if not is_folder]
        # Outer folders go first, so that a folder given beside its parent is walked as a part of
        # the parent.
        folders = sorted((path for path, is_folder in roots.items() if is_folder), key=_depth)
        found: set[Path] = set()  # only filled when files are given as well
        walks = itertools.chain(
            (self._under(str(root), root) for root in folders),
            # Links grow longer meanwhile. A folder is met under its own name before any link to it.
            (self._under(link, root) for link, root in self._links),
        )
        for finding in itertools.chain.from_iterable(walks):
            if given:
                found.add(finding.path)
            yield finding
        for path in given:
            if path not in found and not self._exclusion.matches(path.name, path.name, str(path)):
                yield from self._look(path)

    def _look(self, path: Path) -> Iterator[Finding]:
        try:
            status = files.stat(path)
        except OSError as error:
            yield Unreadable(path, _why(error))
            return
        if not status.is_file:
            yield Unreadable(path, "it is no file but a pipe, a socket or a device")
            return
        kind = _kind(path.name)
        if kind not in names.FILMS | names.ARCHIVES:
            yield self._photo(path, path, status.size_bytes, status.mtime_ns)
        if kind in names.FILMS | names.ARCHIVES | self._containers:
            yield ContainerFile(path, path, status.size_bytes, status.mtime_ns)

    def _under(self, start: str, root: Path) -> Iterator[Finding]:
        """What is below `start`, but for what is behind links to folders, which are noted."""
        pending = [start]
        while pending:
            folder = pending.pop()
            try:
                entries = _entries(folder, self._visited)
            except OSError as error:
                yield Unreadable(Path(folder), f"the folder cannot be read: {_why(error)}")
                continue
            below: list[str] = []
            there: list[os.DirEntry[str]] = []
            for entry in entries:
                if entry.name.startswith(".") or self._exclusion.matches_entry(entry, root):
                    continue
                if not _is_folder(entry):
                    there.append(entry)
                elif not _is_left_out(entry):
                    if entry.is_symlink():
                        self._links.append((entry.path, root))
                    else:
                        below.append(entry.path)
            yield from self._among(there, root)
            pending.extend(reversed(below))

    def _among(self, entries: Sequence[os.DirEntry[str]], root: Path) -> Iterator[Finding]:
        """What one folder's files are; a RAW photo beside the JPEG of the same shot is that shot.

        What only bears a photo's name (a pipe, a socket) is nothing.
        """
        developed = {
            os.path.splitext(entry.name)[0].lower()
            for entry in entries
            if names.ending(entry.name) in names.DEVELOPED
        }
        for entry in entries:
            kind = _kind(entry.name)
            if kind in names.RAW and os.path.splitext(entry.name)[0].lower() in developed:
                continue
            is_photo = kind in names.ENDINGS or kind in names.RAW
            if not is_photo and kind not in self._containers:
                continue
            try:
                status = entry.stat()
            except OSError as error:
                yield Unreadable(Path(entry.path), _why(error))
                continue
            if stat.S_ISREG(status.st_mode):
                about = (Path(entry.path), root, status.st_size, status.st_mtime_ns)
                if is_photo:
                    yield self._photo(*about)
                if kind in self._containers:
                    yield ContainerFile(*about)

    def _photo(
        self, path: Path, root: Path, size_bytes: int, mtime_ns: int
    ) -> PhotoFile | Unreadable:
        if self._why_no_raw is not None and names.ending(path.name) in names.RAW:
            return Unreadable(path, self._why_no_raw)  # and need not be read to be hashed
        return PhotoFile(path, root, size_bytes, mtime_ns)


def _kind(name: str) -> str:
    return ".tar" if names.is_packed_tar(name) else names.ending(name)


def _depth(path: Path) -> int:
    return len(path.parts)


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
    except OSError:  # a loop of links; if its name is a photo's, `_among` reports it
        return False


def _is_left_out(entry: os.DirEntry[str]) -> bool:
    """A folder of the system's, or hidden by the attribute that Windows has for it."""
    if entry.name.lower() in names.SYSTEM_FOLDERS:
        return True
    if os.name != "nt":
        return False
    try:
        attributes = getattr(entry.stat(follow_symlinks=False), "st_file_attributes", 0)
    except OSError:  # the walk will meet it again, and report it
        return False
    return bool(attributes & stat.FILE_ATTRIBUTE_HIDDEN)


def _why(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[0].lower() + error.strerror[1:]
    return str(error)
