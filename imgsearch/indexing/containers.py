"""The files that hold photos: opened where they are new or changed, as known where they are not.

The walk's findings go in; the photos inside come out in their place. A container whose list was
read to its end, and all of it taken in, is noted in the catalog with its size and time. As long as
these are the same it is not opened again, and costs no more than a stat. One whose photos are known
is looked at whatever a run was told to open: its photos are hits.
"""

import bisect
import itertools
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from imgsearch import images
from imgsearch.catalog import FileRow
from imgsearch.images import ContainerFile, Finding, PhotoFile, Unreadable
from imgsearch.indexing.comparing import Comparison, storable
from imgsearch.indexing.outcomes import DEFAULT_EVERY_SECONDS, Intake
from imgsearch.library import Library


class Containers:
    """The containers of one run; `note` is for its end, when all that they hold is committed."""

    def __init__(self, library: Library, intake: Intake, comparison: Comparison) -> None:
        self._library = library
        self._intake = intake
        self._exclusion = images.Exclusion(intake.exclude)
        self._known = comparison.unseen
        self._paths = comparison.paths
        self._names: list[str] | None = None  # the known ones in order, once they are needed
        self._noted = library.catalog.containers()
        self._told_seconds = intake.every_seconds or library.catalog.every_seconds()
        self._listed: dict[Path, tuple[int, int]] = {}

    def opened(self, findings: Iterable[Finding]) -> Iterator[PhotoFile | Unreadable]:
        """The findings, containers replaced by what is in them."""
        met: set[Path] = set()
        for finding in findings:
            if isinstance(finding, ContainerFile):
                met.add(finding.path)
                yield from self._inside(finding)
            else:
                yield finding
        roots = set(self._library.catalog.roots())
        for path in sorted(self._known_containers() - met):
            root = next((each for each in (path, *path.parents) if each in roots), path)
            yield from self._passed_by(path, root)

    def _inside(self, container: ContainerFile) -> Iterator[PhotoFile | Unreadable]:
        if self._is_as_noted(container):
            yield from self._as_known(container)
        else:
            yield from self._listing(container)

    def note(self) -> None:
        """Let the containers that were listed to their end be passed by until they change."""
        if self._listed:
            with self._library.catalog.write() as writer:
                writer.note_containers(self._listed, self._told_seconds)

    def _known_containers(self) -> set[Path]:
        """Those at or below the paths of the run of which photos are known and were not met."""
        one_a_folder = {os.path.dirname(name): name for name in self._known}.values()
        places = map(images.place_of, map(Path, one_a_folder))
        known = {place.container for place in places if place.member is not None}
        return {path for path in known if not self._paths.isdisjoint((path, *path.parents))}

    def _passed_by(self, path: Path, root: Path) -> Iterator[PhotoFile | Unreadable]:
        """What is inside a container that the walk did not open, unless it is excluded or gone."""
        if self._exclusion.matches_inside(path, root, root):
            return
        try:
            status = images.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            yield Unreadable(path, f"it cannot be looked at: {error.strerror}")
            return
        if status.is_file:
            yield from self._inside(ContainerFile(path, root, status.size_bytes, status.mtime_ns))

    def _is_as_noted(self, container: ContainerFile) -> bool:
        # Other moments of a film may be asked for than those that are known.
        is_film = container.path.suffix.lower() in images.FILMS | images.ANIMATED
        if is_film and self._intake.every_seconds is not None:
            return False
        version = container.size_bytes, storable(container.mtime_ns)
        return self._noted.get(container.path) == version

    def _as_known(self, container: ContainerFile) -> Iterator[PhotoFile]:
        for name, file in self._below(container.path):
            path = Path(name)
            if not self._exclusion.matches_inside(path, container.path, container.root):
                yield PhotoFile(path, container.root, file.size_bytes, file.mtime_ns)

    def _below(self, container: Path) -> list[tuple[str, FileRow]]:
        if self._names is None:
            self._names = sorted(self._known)
        prefix = os.fspath(container) + os.sep
        first = bisect.bisect_left(self._names, prefix)
        found = []
        for name in itertools.islice(self._names, first, None):
            if not name.startswith(prefix):
                break
            if name in self._known:
                found.append((name, self._known[name]))
        return found

    def _listing(self, container: ContainerFile) -> Iterator[PhotoFile | Unreadable]:
        is_whole = True
        every_seconds = self._told_seconds or DEFAULT_EVERY_SECONDS
        for member in images.members(container, every_seconds):
            if self._exclusion.matches_inside(member.path, container.path, container.root):
                is_whole = False
                continue
            is_whole = is_whole and isinstance(member, PhotoFile)
            yield member
        if is_whole:
            self._listed[container.path] = container.size_bytes, storable(container.mtime_ns)
