"""What looking for photos finds: photos, files that hold photos, and what cannot be looked at."""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias


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


def why(error: BaseException) -> str:
    """What went wrong, to stand within a sentence."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[0].lower() + error.strerror[1:]
    return str(error)
