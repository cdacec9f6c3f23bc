"""What changes below folders: paths that the system tells of, handed out once they have settled.

Folders and files go in, batches of paths come out, as long as the caller goes on. A file that is
still being written changes again and again, so a path waits until it was left alone for a while;
then it is all there. A root that goes or comes back, such as a drive, is no change inside any
folder, and is looked for by itself.
"""

import os
import threading
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import watchfiles

from imgsearch import images
from imgsearch.errors import UsageError

TICK_SECONDS = 0.25  # between two looks at the clock and at the roots
WATCH_LIMIT = Path("/proc/sys/fs/inotify/max_user_watches")

FileChanges: TypeAlias = set[tuple[watchfiles.Change, str]]
Told: TypeAlias = Generator[FileChanges, None, None]
Version: TypeAlias = tuple[int, ...] | None


@dataclass(frozen=True)
class Attention:
    """How changes are followed: a path counts when it was left alone for `settle_seconds`.

    With `poll_seconds` folders are looked through that often, for drives whose system tells of no
    change; `stop` ends it from another thread.
    """

    settle_seconds: float = 2.0
    poll_seconds: float | None = None
    stop: threading.Event = field(default_factory=threading.Event)


class Changes:
    """The changes at and below some paths, from the moment this is made; closed with `close`.

    Raises UsageError where the system cannot watch them.
    """

    def __init__(self, roots: Sequence[Path], without: Path, attention: Attention) -> None:
        self._roots = {root: _root_version(root) for root in roots}
        self._without = without
        self._attention = attention
        self._waiting: dict[Path, tuple[float, Version]] = {}
        self._told = self._begin()

    def close(self) -> None:
        """Stop watching."""
        self._told.close()

    def settled(self) -> Iterator[list[Path]]:
        """Paths that have changed and settled since, batch by batch; ends when told to stop."""
        while not self._attention.stop.is_set():
            self._note(_of_interest(next(self._told)))
            self._look_at_roots()
            if ready := self._ready():
                yield ready

    @property
    def unsettled(self) -> frozenset[Path]:
        """Paths that are changing."""
        return frozenset(self._waiting)

    def _begin(self) -> Told:
        folders = [root for root in self._roots if root.is_dir()]
        told = self._tell(folders) if folders else _nothing()
        try:
            self._note(_of_interest(next(told)))  # it watches from here on
        except OSError as error:
            raise UsageError(_why_not(error)) from error
        return told

    def _tell(self, folders: Sequence[Path]) -> Told:
        seconds = self._attention.poll_seconds
        return watchfiles.watch(
            *folders,
            watch_filter=None,
            debounce=round(1000 * TICK_SECONDS),
            rust_timeout=round(1000 * TICK_SECONDS),
            yield_on_timeout=True,
            force_polling=seconds is not None,
            poll_delay_ms=round(1000 * (seconds or 1)),
            ignore_permission_denied=True,  # such a folder is told of when it is looked through
        )

    def _note(self, paths: Iterable[Path]) -> None:
        now = time.monotonic()
        for path in paths:
            if not path.is_relative_to(self._without):
                self._waiting[path] = now, _version(path)

    def _ready(self) -> list[Path]:
        now = time.monotonic()
        ready = []
        for path, (since, seen) in list(self._waiting.items()):
            if now - since < self._attention.settle_seconds:
                continue
            version = _version(path)
            if version == seen:
                ready.append(path)
                del self._waiting[path]
            else:  # the system told nothing of it
                self._waiting[path] = now, version
        return ready

    def _look_at_roots(self) -> None:
        """Notice roots that went, came back, or are other ones now."""
        now = {root: _root_version(root) for root in self._roots}
        if now == self._roots:
            return
        self._note({root for root, version in now.items() if version != self._roots[root]})
        self._roots = now
        self._told.close()
        self._told = self._begin()


def _of_interest(changes: FileChanges) -> Iterator[Path]:
    """Photos, files that hold photos, and folders, such as one that is gone may have been.

    A folder that is there and was there before has changed by what is in it, which is told too.
    """
    for change, name in changes:
        path = Path(name)
        if path.is_dir():
            if change is not watchfiles.Change.modified:
                yield path
        elif images.is_looked_at(path.name) or not os.path.lexists(path):
            yield path


def _version(path: Path) -> Version:
    """What differs when a file or folder has changed; None for what is not there."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _root_version(root: Path) -> Version:
    """As `_version`; of a folder only which one it is, since it tells what changes inside."""
    if images.place_of(root).member is None and root.is_dir():
        status = os.stat(root)
        return status.st_dev, status.st_ino
    return _version(images.place_of(root).container)


def _nothing() -> Told:
    """No folder is there: whether one comes back is seen by looking."""
    while True:
        yield set()
        time.sleep(TICK_SECONDS)


def _why_not(error: OSError) -> str:
    if "limit" in str(error) or "too many" in str(error).lower():
        now = f" (now {WATCH_LIMIT.read_text().strip()})" if WATCH_LIMIT.exists() else ""
        return (
            f"the system watches no more folders: {error}. Raise its limit{now}, with "
            "`sudo sysctl fs.inotify.max_user_watches=1048576`, or look through them from time to "
            "time: --poll 60"
        )
    return f"changes cannot be followed: {error}. Look for them from time to time: --poll 60"
