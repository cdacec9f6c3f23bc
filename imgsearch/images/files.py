"""A path, and what is there: a file on the disk, or a photo inside one that holds photos.

Whoever would ask the system about the path of a photo asks here: `stat`, `is_gone`, `opened` mean
the same for `a.jpg`, `holiday.zip/a.jpg` and `film.mp4/00-01-30.500`. A folder that is called like
a container is a folder.
"""

import errno
import io
import os
import re
import stat as modes
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from imgsearch.errors import PictureError
from imgsearch.images import names
from imgsearch.images.containers import moment_named
from imgsearch.images.containers import opened as opened_container
from imgsearch.images.containers.container import PIECE_BYTES
from imgsearch.images.room import Room

_INSIDE = re.compile(
    "(?:" + "|".join(map(re.escape, sorted(names.ARCHIVES | names.FILMS | names.ANIMATED))) + ")"
    r"[/\\]",
    re.IGNORECASE,
)
_contents = Room(1 << 30)  # of members, which are held as a whole while they are decoded


class Place(NamedTuple):
    """The file on the disk that holds a photo, the photo's name in there, and its time in a film.

    The last two are None for a file that is the photo.
    """

    container: Path
    member: str | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """The size of a photo, and when its file changed; `is_file` is False for folders and pipes."""

    size_bytes: int
    mtime_ns: int
    is_file: bool = True


def place_of(path: Path) -> Place:
    """Where a photo's bytes are, by its path; whether they are there is not looked at."""
    if not _INSIDE.search(os.fspath(path)):
        return Place(path)
    for above in reversed(path.parents):
        kind = names.ending(above.name)
        if kind in names.ARCHIVES | names.FILMS | names.ANIMATED and not above.is_dir():
            member = path.relative_to(above).as_posix()
            is_film = kind not in names.ARCHIVES
            return Place(above, member, moment_named(member) if is_film else None)
    return Place(path)


def stat(path: Path | str) -> Status:
    """Size and time of a photo: of one inside, its own size and its container's time.

    Raises OSError as `os.stat` does, FileNotFoundError and NotADirectoryError where nothing is.
    """
    place = place_of(Path(path))
    status = os.stat(place.container)
    if place.member is None:
        return Status(status.st_size, status.st_mtime_ns, modes.S_ISREG(status.st_mode))
    try:
        with opened_container(place.container) as container:
            return Status(container.size_bytes(place.member), status.st_mtime_ns)
    except PictureError as error:  # it is there, and cannot be looked into
        raise OSError(errno.EIO, str(error), os.fspath(path)) from error


def is_gone(path: Path | str) -> bool:
    """Whether nothing is at a path. One that cannot be looked at is not gone."""
    try:
        stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The bytes of a photo. Raises OSError, and PictureError, whose message is the reason alone."""
    place = place_of(path)
    if place.member is not None:
        with (
            opened_container(place.container) as container,
            _contents.taken(container.size_bytes(place.member)),
        ):
            content = io.BytesIO()
            for piece in container.pieces(place.member):
                content.write(piece)
            content.seek(0)
            yield content
        return
    with _opened_file(path) as stream:
        yield stream


def pieces(path: Path) -> Iterator[bytes]:
    """The bytes of a photo, some at a time. Raises as `opened` does."""
    place = place_of(path)
    if place.member is not None:
        with opened_container(place.container) as container:
            yield from container.pieces(place.member)
        return
    with _opened_file(path) as stream:
        while piece := stream.read(PIECE_BYTES):
            yield piece


def _opened_file(path: Path) -> BinaryIO:
    if not modes.S_ISREG(os.stat(path).st_mode):  # to open a pipe is to wait for its writer
        raise PictureError("it is no file but a folder, a pipe or a device")
    return open(path, "rb")


def texts_beside(path: Path) -> Mapping[str, bytes]:
    """The text files beside a photo in an archive, by ending; {} for a file on the disk.

    Raises OSError and PictureError.
    """
    place = place_of(path)
    if place.member is None:
        return {}
    with opened_container(place.container) as container:
        return container.texts(place.member)
