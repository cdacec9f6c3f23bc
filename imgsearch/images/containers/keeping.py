"""Containers kept open between one photo and the next.

A path goes in, an open container comes out, the same for every thread until its file changes. To
list an archive takes longer than to read a photo of it, so the last few stay open, and of one that
cannot be read it is kept why; `let_go` closes those that nobody reads.
"""

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from imgsearch.errors import PictureError
from imgsearch.images import names
from imgsearch.images.containers.container import Container

KEPT = 8

Version = tuple[int, int, int]


@dataclass
class Kept:
    """An open container, or why there is none, as of which version of its file, and how many are
    reading it.
    """

    container: Container | None
    version: Version
    reason: str = ""
    readers: int = 0


_lock = threading.RLock()
_kept: OrderedDict[Path, Kept] = OrderedDict()


@contextmanager
def opened(path: Path) -> Iterator[Container]:
    """The container at that path. Raises OSError, and PictureError for what cannot be read."""
    with _lock:
        kept = _current(path)
        container = kept.container
        if container is None:
            raise PictureError(kept.reason)
        kept.readers += 1
    try:
        yield container
    finally:
        with _lock:
            kept.readers -= 1
            if not kept.readers and _kept.get(path) is not kept:
                container.close()


def let_go() -> None:
    """Close all that are kept; one that is being read is closed after that."""
    with _lock:
        while _kept:
            _drop(next(iter(_kept)))


def _current(path: Path) -> Kept:
    status = os.stat(path)
    version = (status.st_size, status.st_mtime_ns, status.st_ino)
    kept = _kept.get(path)
    if kept is not None and kept.version != version:
        _drop(path)
        kept = None
    if kept is None:
        kept = _kept[path] = _looked_into(path, version)
        while len(_kept) > KEPT:
            _drop(next(iter(_kept)))
    _kept.move_to_end(path)
    return kept


def _drop(path: Path) -> None:
    kept = _kept.pop(path)
    if kept.container is not None and not kept.readers:
        kept.container.close()


def _looked_into(path: Path, version: Version) -> Kept:
    try:
        return Kept(_open(path), version)
    except PictureError as error:  # found out once: it may have taken all of a large file
        return Kept(None, version, str(error))


def _open(path: Path) -> Container:
    kind = names.ending(path.name)
    if kind in (".zip", ".cbz"):
        from imgsearch.images.containers.zips import Zip

        return Zip(path)
    if kind == ".parquet":
        from imgsearch.images.containers.tables import Table

        return Table(path)
    if kind in names.FILMS:
        from imgsearch.images.containers.films import Film

        return Film(path)
    if kind in names.ANIMATED:
        from imgsearch.images.containers.animations import Animation

        return Animation(path)
    from imgsearch.images.containers.tars import Tar

    return Tar(path)
