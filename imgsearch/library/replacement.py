"""A file that takes the place of another once all is in it, and leaves nothing if that fails.

A path goes in, a stream of bytes beside it comes out. Who reads meanwhile sees the old file or the
new one, whole; who may read and write it stays as it was.
"""

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[IO[bytes]]:
    """A stream whose content is `target`'s when the block ends well. Raises OSError where the
    folder or the file cannot be written."""
    whole = Path(os.path.realpath(target))  # a link stays one
    handle, name = tempfile.mkstemp(prefix=f".{whole.name}.", suffix=".tmp", dir=whole.parent)
    try:
        with open(handle, "wb") as stream:
            yield stream
        os.chmod(name, _mode(whole))
        os.replace(name, whole)
    finally:
        Path(name).unlink(missing_ok=True)


def _mode(path: Path) -> int:
    """Who may read and write a file: as before, or as the system has it for a new one."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
