"""The walk: folders in, every photo file under them out, once each and in a stable order.

A folder that cannot be read is reported and passed by; a folder reached twice (by a link, or
because one lies inside another) is walked once, known by device and inode. Folders that hold no
photos of a person's own (hidden ones, thumbnails of a NAS, a waste bin, packages) are left out
unless they are where the walk begins.
"""

import itertools
import os
import stat
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from imgsearch.images import files, names, raw
from imgsearch.images.exclusion import Exclusion
from imgsearch.images.findings import ContainerFile, Finding, PhotoFile, Unreadable, why


class Walk:
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
        folders = sorted((path for path, is_folder in roots.items() if is_folder), key=depth)
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
            yield Unreadable(path, why(error))
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
                yield Unreadable(Path(folder), f"the folder cannot be read: {why(error)}")
                continue
            there, below = self._sorted_out(entries, root)
            yield from self._among(there, root)
            pending.extend(reversed(below))

    def among(self, folder: str, root: Path, changed: Collection[str]) -> Iterator[Finding]:
        """What is at these names in a folder, and below those that are folders.

        Nothing, if the folder as a whole was visited.
        """
        stems = {names.stem(name).lower() for name in changed}  # RAW and JPEG of a shot share it
        try:
            if _identity(folder) in self._visited:
                return
            with os.scandir(folder) as scan:
                alike = [entry for entry in scan if names.stem(entry.name).lower() in stems]
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            yield Unreadable(Path(folder), f"the folder cannot be read: {why(error)}")
            return
        entries = [each for each in alike if each.name in changed or not _is_folder(each)]
        there, below = self._sorted_out(sorted(entries, key=_name), root)
        yield from (each for each in self._among(there, root) if each.path.name in changed)
        for path in below:
            yield from self._under(path, root)
        for link, above in self._links:
            yield from self._under(link, above)

    def leaves_out(self, folder: Path, root: Path) -> bool:
        """Whether a folder at or below a root is hidden, excluded, or inside one that is."""
        inside = [each for each in (folder, *folder.parents) if each.is_relative_to(root)][:-1]
        return any(
            names.is_left_out(each.name)
            or self._exclusion.matches(each.name, each.relative_to(root).as_posix(), str(each))
            for each in inside
        )

    def _sorted_out(
        self, entries: Iterable[os.DirEntry[str]], root: Path
    ) -> tuple[list[os.DirEntry[str]], list[str]]:
        """Files, and the paths of folders; links to folders are noted, what is left out is not."""
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
        return there, below

    def _among(self, entries: Sequence[os.DirEntry[str]], root: Path) -> Iterator[Finding]:
        """What one folder's files are; a RAW photo beside the JPEG of the same shot is that shot.

        What only bears a photo's name (a pipe, a socket) is nothing.
        """
        kinds = [_kind(entry.name) for entry in entries]
        developed = set()
        if not names.RAW.isdisjoint(kinds):
            developed = {
                names.stem(entry.name).lower()
                for entry, kind in zip(entries, kinds, strict=True)
                if kind in names.DEVELOPED
            }
        for entry, kind in zip(entries, kinds, strict=True):
            if kind in names.RAW and names.stem(entry.name).lower() in developed:
                continue
            is_photo = kind in names.ENDINGS or kind in names.RAW
            if not is_photo and kind not in self._containers:
                continue
            try:
                status = entry.stat()
            except OSError as error:
                yield Unreadable(Path(entry.path), why(error))
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


def depth(path: Path) -> int:
    """How many folders deep a path is."""
    return len(path.parts)


def _identity(folder: str) -> tuple[int, int] | str:
    """What tells a folder from others, under whatever name it is met."""
    status = os.stat(folder)
    # Some network drives number every folder 0.
    return (status.st_dev, status.st_ino) if status.st_ino else os.path.realpath(folder)


def _entries(folder: str, visited: set[tuple[int, int] | str]) -> list[os.DirEntry[str]]:
    """What a folder holds, by name; nothing when it was visited, under this name or another."""
    key = _identity(folder)
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
