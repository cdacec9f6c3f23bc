"""What happens to a file, and what a caller is told besides.

An `Outcome` says what became of one file, a `Notice` what the whole run is doing. They travel
apart: outcomes are counted, and a count must not depend on who listens to the notices.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from imgsearch import images
from imgsearch.images import DEFAULT_MAX_PIXELS

DEFAULT_EVERY_SECONDS = 10.0  # between the frames of a film


@dataclass(frozen=True, slots=True)
class Added:
    """New bytes at this path: a photo was added, or the path came to hold another one."""

    path: Path
    photo_id: int


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Known bytes: where they were, back again, or a second copy of them."""

    path: Path
    photo_id: int


@dataclass(frozen=True, slots=True)
class Moved:
    """Known bytes, gone from `previous`: the photo keeps its embeddings."""

    path: Path
    previous: Path
    photo_id: int


@dataclass(frozen=True, slots=True)
class Missing:
    """Gone from disk. The photo stays known, and is no hit until a file of it returns."""

    path: Path
    photo_id: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """Not indexed, for this reason; tried again at the next run."""

    path: Path
    reason: str


Outcome: TypeAlias = Added | Unchanged | Moved | Missing | Skipped


@dataclass(frozen=True)
class Scanned:
    """The walk is over: it met this many files."""

    total: int


@dataclass(frozen=True)
class Embedding:
    """This encoder is about to be used, on at most `total` photos."""

    encoder: str
    total: int


@dataclass(frozen=True)
class Embedded:
    """Of the `total` photos that an encoder had not seen, `done` are through, `skipped` of them
    without an embedding.
    """

    done: int
    total: int
    skipped: int


@dataclass(frozen=True)
class Weighing:
    """Two encoders are being compared on `photos` photos with captions."""

    encoder: str
    previous: str
    photos: int


@dataclass(frozen=True)
class Withheld:
    """`gone` of the `known` files of a root are not on disk: an unmounted drive, it seems.

    Nothing was changed; `Intake(accept_missing=True)` marks them missing.
    """

    root: Path
    gone: int
    known: int

    def __str__(self) -> str:
        return (
            f"{self.gone:,} of the {self.known:,} known files of {self.root} are gone; none was "
            "marked missing. If a drive is not mounted, mount it. If they were removed on purpose, "
            "say so: --accept-missing"
        )


@dataclass(frozen=True)
class UnreadTexts:
    """Text beside `count` photos in archives does not read as a caption; `path` is the first."""

    count: int
    path: Path
    reason: str

    def __str__(self) -> str:
        return (
            f"text beside {self.count:,} photos in archives is no caption that reads; the first, "
            f"beside {self.path}: {self.reason}"
        )


@dataclass(frozen=True)
class Renewing:
    """Of the `total` photos that an earlier version read, `done` have been read anew."""

    done: int
    total: int


@dataclass(frozen=True)
class Watching:
    """All is up to date; from now on changes at and below these paths are followed."""

    roots: tuple[Path, ...]


@dataclass(frozen=True)
class BuildingGeneration:
    """An index of `count` embeddings is being built: `done` of them are through what is `doing`,
    which is learning, adding or measuring once it has begun."""

    count: int
    doing: str = ""
    done: int = 0


@dataclass(frozen=True)
class FellBack:
    """The weights of `wanted` could not be fetched; a library that is new uses `used` instead.

    `command` changes to `wanted` once there is a network.
    """

    wanted: str
    used: str
    command: str
    reason: str

    def __str__(self) -> str:
        return (
            f"{self.wanted} cannot be fetched, so this library starts with the small bundled "
            f"encoder {self.used}, which finds less. To change later: {self.command}\n"
            f"({self.reason})"
        )


Notice: TypeAlias = (
    Scanned
    | Embedding
    | Embedded
    | Weighing
    | Withheld
    | UnreadTexts
    | Renewing
    | Watching
    | BuildingGeneration
    | FellBack
)


def ignore(notice: Notice) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class Intake:
    """Which files a run takes in.

    `exclude` are globs as in `images.find`; a picture above `max_pixels` is skipped;
    `accept_missing` believes that files are gone however many they are. `archives` in folders are
    opened too. `every_seconds` says how far apart the frames of films are, and opens animated
    pictures as well; without it, films are taken as when it was last said. `listed` paths are taken
    in like those given, but one that is not there is skipped and ends nothing.
    """

    exclude: tuple[str, ...] = ()
    max_pixels: int = DEFAULT_MAX_PIXELS
    accept_missing: bool = False
    archives: bool = False
    every_seconds: float | None = None
    listed: tuple[Path, ...] = ()

    @property
    def containers(self) -> frozenset[str]:
        """The endings of files in folders that are opened for the photos inside."""
        archives = images.ARCHIVES if self.archives else frozenset()
        animated = images.ANIMATED if self.every_seconds is not None else frozenset()
        return images.FILMS | archives | animated
