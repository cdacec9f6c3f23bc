"""The files that a photo is in, those to keep first: files of its own, then insides of containers.

What the library knows of a photo's files goes in, paths come out. Nobody can take a photo out of an
archive as easily as off a disk, so one inside is kept only where there is no other.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from imgsearch.catalog import FileRow
from imgsearch.images import Place, place_of

_OnDisk: TypeAlias = tuple[int, int | str, str | None]  # device, inode, place inside


def is_inside(path: Path) -> bool:
    """Whether a path leads into an archive or a film."""
    return place_of(path).member is not None


def live(known: Mapping[str, FileRow]) -> list[Path]:
    """Where the photo was when its files were indexed."""
    paths = [Path(name) for name, file in known.items() if file.state == "live"]
    return sorted(paths, key=is_inside)


def apart(known: Mapping[str, FileRow]) -> list[Path]:
    """Where it still is, each file once: a link to a file is no copy of it.

    A file that is gone, or has changed since it was indexed, is none either: whoever gave up the
    others for it would have lost the photo.
    """
    on_disk: dict[_OnDisk, list[Path]] = {}
    for path in live(known):
        place = place_of(path)
        where = _on_disk(place, known[os.fspath(path)])
        if where is not None:
            on_disk.setdefault(where, []).append(path)
    return [_own_path(paths) for paths in on_disk.values()]


def _on_disk(place: Place, file: FileRow) -> _OnDisk | None:
    """None where the photo is no longer there."""
    try:
        status = os.stat(place.container)
    except OSError:
        return None
    has_its_size = place.member is not None or status.st_size == file.size_bytes
    if status.st_mtime_ns != file.mtime_ns or not has_its_size:
        return None
    # Some file systems number no files.
    return status.st_dev, status.st_ino or os.path.realpath(place.container), place.member


def _own_path(paths: list[Path]) -> Path:
    """The one with no link in it, else the one known longest."""
    if len(paths) == 1:
        return paths[0]
    return min(paths, key=lambda path: os.path.realpath(path) != os.fspath(path))
