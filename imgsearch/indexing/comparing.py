"""Files on disk against files in the catalog: which are unchanged, and what the others are.

The walk's findings go in. Unchanged files come out at once, for a stat and a look into a
dictionary; the rest become `Task`s, first hashed, then matched with photos that are known by those
bytes. Moves are recognised here, before anything is called missing: a photo whose file is gone and
whose bytes turn up elsewhere has moved.
"""

import itertools
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from imgsearch import images
from imgsearch.catalog import Catalog, FileRow
from imgsearch.images import Facts, PhotoFile, Unreadable, is_gone
from imgsearch.indexing.choosing import ChosenEncoder
from imgsearch.indexing.outcomes import Outcome, Skipped, Unchanged
from imgsearch.library.sentences import Sentence


@dataclass(eq=False, slots=True)
class Task:
    """One file on its way in.

    `known` is the catalog's row of this path. Matching fills in the rest: the photo these bytes are
    known as, the file they moved from, or the task that brings the same bytes in this very run.
    `reason` says why it cannot be indexed, once that is found out.
    """

    file: PhotoFile
    known: FileRow | None
    photo_id: int | None = None
    content_hash: str | None = None
    moved_from: tuple[int, Path] | None = None  # file id and path
    leader: "Task | None" = None
    is_new: bool = False  # bytes that nobody knows yet
    needs_pixels: bool = False
    facts: Facts | None = None
    perceptual_hash: bytes | None = None
    sentences: list[Sentence] = field(default_factory=list)  # of text beside it in an archive
    reason: str | None = None

    @property
    def is_changed(self) -> bool:
        """Whether the path held another photo before."""
        return self.known is not None and self.known.photo_id not in (None, self.photo_id)

    @property
    def is_as_known(self) -> bool:
        """Whether the catalog's row of this path needs no change."""
        return self.known is not None and self.known == FileRow(
            self.known.id, self.photo_id, self.file.size_bytes, self.file.mtime_ns, "live"
        )


class Comparison:
    """One run's view of the disk beside the catalog's. `unseen` shrinks to what was not met."""

    def __init__(
        self, catalog: Catalog, paths: Sequence[Path], encoders: Sequence[ChosenEncoder]
    ) -> None:
        self.tasks: deque[Task] = deque()
        self.total = 0
        self.paths = frozenset(paths)
        self.unseen = catalog.files_under(paths)
        self.live = [name for name, file in self.unseen.items() if file.state == "live"]
        self._catalog = catalog
        self.encoders = encoders
        self._meet(file.photo_id for file in self.unseen.values())
        self._pending: dict[str, Task] = {}  # content hash -> the task that brings it
        self._claimed: set[int] = set()  # photos that a task of this run embeds
        self._taken: set[int] = set()  # files whose photo was found elsewhere

    def walk(self, findings: Iterable[PhotoFile | Unreadable]) -> Iterator[Outcome]:
        """Outcomes of what needs no work; `tasks` and `total` are complete at its end."""
        complete = set.intersection(*(each.photo_ids for each in self.encoders))
        for finding in itertools.chain(findings, self._passed_by()):
            self.total += 1
            if isinstance(finding, Unreadable):
                yield Skipped(finding.path, finding.reason)
                continue
            known = self.unseen.pop(os.fspath(finding.path), None)
            if storable(finding.mtime_ns) != finding.mtime_ns:
                finding = replace(finding, mtime_ns=storable(finding.mtime_ns))
            task = Task(finding, known)
            if known is not None and (known.size_bytes, known.mtime_ns) == (
                finding.size_bytes,
                finding.mtime_ns,
            ):
                task.photo_id = known.photo_id
                if known.state == "live" and known.photo_id in complete:
                    yield Unchanged(finding.path, known.photo_id)
                    continue
            self.tasks.append(task)

    def _passed_by(self) -> Iterator[PhotoFile]:
        """Live files that the walk did not meet, and that are other ones now.

        They are in a folder that is excluded now, or that was reached by another name, through a
        link; whatever the reason, they are hits, and a hit shows the file as it is.
        """
        for name, known in list(self.unseen.items()):
            if known.state != "live":
                continue
            try:
                status = images.stat(name)
            except (OSError, ValueError):
                continue
            seen = (status.size_bytes, storable(status.mtime_ns))
            if status.is_file and seen != (known.size_bytes, known.mtime_ns):
                path = Path(name)
                root = next((each for each in path.parents if each in self.paths), path)
                yield PhotoFile(path, root, status.size_bytes, status.mtime_ns)

    def drain(self) -> Iterator[Task]:
        """The tasks, each let go of as it is handed out."""
        while self.tasks:
            yield self.tasks.popleft()

    def match(self, tasks: Sequence[Task]) -> None:
        """Decide what each task is. Tasks without a photo have their hash, or a reason."""
        hashes = [task.content_hash for task in tasks if task.content_hash is not None]
        photos = self._catalog.photos_with_hashes(hashes)
        files = self._catalog.files_of_photos(list(photos.values()))
        self._meet(photos.values())
        for task in tasks:
            if task.reason is not None:
                continue
            if task.content_hash is not None:
                task.photo_id = photos.get(task.content_hash)
                if task.photo_id is None:
                    self._lead_or_follow(task, task.content_hash)
                    continue
                self._find_move(task, files.get(task.photo_id, {}))
            photo_id = task.photo_id
            is_lacking = any(photo_id not in each.photo_ids for each in self.encoders)
            if photo_id is not None and is_lacking and photo_id not in self._claimed:
                self._claimed.add(photo_id)
                task.needs_pixels = True

    def settle(self, task: Task) -> None:
        """The task is committed: from now on the catalog knows its bytes."""
        if task.content_hash is not None:
            self._pending.pop(task.content_hash, None)

    def _meet(self, photo_ids: Iterable[int | None]) -> None:
        known = {photo_id for photo_id in photo_ids if photo_id is not None}
        for each in self.encoders:
            each.meet(self._catalog, known)

    def _lead_or_follow(self, task: Task, content_hash: str) -> None:
        task.leader = self._pending.get(content_hash)
        if task.leader is None:
            self._pending[content_hash] = task
            task.is_new = task.needs_pixels = True

    def _find_move(self, task: Task, files: dict[str, FileRow]) -> None:
        """Which file of the same photo this one was, if that one is gone.

        One that was live at the last run comes first. One that has been missing for longer counts
        only if no other file of the photo is live: else this is simply a second copy.
        """
        if task.known is not None and task.known.photo_id == task.photo_id:
            return
        just_gone, long_gone, is_live_elsewhere = [], [], False
        for name, file in files.items():
            if file.id in self._taken:
                continue
            if file.state == "missing":
                long_gone.append((file.id, Path(name)))
            elif name in self.unseen and is_gone(name):
                just_gone.append((file.id, Path(name)))
            else:
                is_live_elsewhere = True
        if not just_gone and is_live_elsewhere:
            return
        for file_id, previous in just_gone + [each for each in long_gone if is_gone(each[1])]:
            self._taken.add(file_id)
            self.unseen.pop(os.fspath(previous), None)
            task.moved_from = (file_id, previous)
            return


def storable(mtime_ns: int) -> int:
    """A file's time as 64 bits hold it: file systems know times beyond the year 2262."""
    return max(-(2**63), min(mtime_ns, 2**63 - 1))
