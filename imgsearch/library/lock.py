"""One writer at a time, across processes.

A lock file goes in; while it is held, every other process and thread is refused or waits. The lock
is the operating system's own, on the open file, so it ends with its holder however that ends: there
is no stale lock to clear. The file's text (who, since when) is only for the message.
"""

import contextlib
import errno
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from imgsearch.errors import LibraryError, LibraryLockedError

POLL_SECONDS = 0.1
FAR = 1 << 30  # Windows locks bytes against reading: lock one that the text never reaches

if sys.platform == "win32":
    import msvcrt

    def _try_to_lock(file: IO[str]) -> bool:
        file.seek(FAR)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EDEADLK):
                raise
            return False
        return True
else:
    import fcntl

    def _try_to_lock(file: IO[str]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


class Lock:
    """The write lock of a library. A thread that holds it may take it again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[str] | None = None
        self._holder: int | None = None  # thread
        self._depth = 0
        self._guard = threading.Lock()

    @contextlib.contextmanager
    def held(self, *, wait: bool = False, timeout_seconds: float | None = None) -> Iterator[None]:
        """Hold the lock for the block; `wait` for it, for ever or until the timeout.

        Raises LibraryLockedError naming the holder's process id and since when it holds it.
        """
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while not self._take():
            if not wait or (deadline is not None and time.monotonic() > deadline):
                raise self._refusal()
            time.sleep(POLL_SECONDS)
        try:
            yield
        finally:
            self._give_back()

    def _take(self) -> bool:
        with self._guard:
            if self._file is not None:
                if self._holder != threading.get_ident():
                    return False
                self._depth += 1
                return True
            try:
                file = self._open()
            except OSError as error:
                raise LibraryError(
                    f"{self.path.parent} cannot be locked for writing: {error.strerror}. "
                    "Make its disk writable, or choose another library with --library."
                ) from error
            if file is None:
                return False
            self._file, self._holder, self._depth = file, threading.get_ident(), 1
            return True

    def _open(self) -> IO[str] | None:
        """The file, locked and signed; None where another holds the lock."""
        with contextlib.ExitStack() as opened:
            file = opened.enter_context(open(self.path, "a+", encoding="utf-8"))
            if not _try_to_lock(file):
                return None
            file.seek(0)
            file.truncate()
            json.dump({"pid": os.getpid(), "since": datetime.now(UTC).isoformat()}, file)
            file.flush()
            opened.pop_all()  # held beyond this
            return file

    def _give_back(self) -> None:
        with self._guard:
            self._depth -= 1
            if self._depth == 0 and self._file is not None:
                self._file.truncate(0)
                self._file.close()  # and with it the lock
                self._file = self._holder = None

    def _refusal(self) -> LibraryLockedError:
        holder = "another process"
        for _ in range(10):  # it may have locked the file and not yet signed it
            with contextlib.suppress(ValueError, KeyError, TypeError, OSError):
                signed = json.loads(self.path.read_text(encoding="utf-8"))
                since = datetime.fromisoformat(signed["since"]).astimezone()
                holder = f"process {signed['pid']}, since {since:%Y-%m-%d %H:%M:%S}"
                break
            time.sleep(0.02)
        return LibraryLockedError(
            f"{self.path.parent} is being written to by {holder}. "
            "Wait for it (every command that writes does, with --wait), or stop it: nothing it "
            "committed is lost."
        )
