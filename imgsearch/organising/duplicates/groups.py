"""Group: photos that are one, the copy to keep first, and why that one.

Candidates go in, plain values come out. Kept is the copy of most pixels; of equal ones that which
a camera's EXIF came along with, then one of more than a GIF's 256 colours, then the largest file
(fewer losses), then the path that the library has known longest. Format and EXIF go before bytes
because a lossy original saved again as PNG is larger and no better. Of files with the same bytes,
one that lies in no archive is kept before one that does.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from imgsearch.catalog.hashes import Candidate
from imgsearch.organising.duplicates.files import is_inside

Tier: TypeAlias = Literal["bytes", "picture", "scene"]
TIERS: tuple[Tier, ...] = ("bytes", "picture", "scene")
REASONS = ("most pixels", "has its EXIF", "more colours", "largest file", "known longest")
FEW_COLOURS = "GIF"


@dataclass(frozen=True)
class Copy:
    """A file of a group, and how like the one to keep it is, `score` at most 1.

    Of the tier of pictures that is the share of equal bits of their hashes, of scenes the cosine.
    """

    photo_id: int
    path: Path
    width: int
    height: int
    size_bytes: int
    format: str
    score: float


@dataclass(frozen=True)
class Group:
    """The copy to keep, `reason` for keeping it, and the others, most alike first."""

    tier: Tier
    keeper: Copy
    others: tuple[Copy, ...]
    reason: str

    @property
    def spare(self) -> tuple[Copy, ...]:
        """Those of the others that can be taken away: files of their own, not inside another."""
        return tuple(copy for copy in self.others if not is_inside(copy.path))

    @property
    def wasted_bytes(self) -> int:
        """What the spare ones take on the disk."""
        return sum(copy.size_bytes for copy in self.spare)


def worth(photo: Candidate) -> tuple[int, bool, bool, int, int]:
    """What decides which photo is kept, the greatest; an element for each of REASONS."""
    pixels = photo.width * photo.height
    has_colours = photo.format != FEW_COLOURS
    return (pixels, photo.camera is not None, has_colours, photo.size_bytes, -photo.file_id)


def reason(keeper: Candidate, others: list[Candidate]) -> str:
    """What the photo to keep has before the best of the others."""
    best = max(map(worth, others))
    decided = zip(REASONS, worth(keeper), best, strict=True)
    return next(name for name, ours, theirs in decided if ours != theirs)


def copy(photo: Candidate, path: Path, score: float = 1.0) -> Copy:
    """A file of a photo as it is shown."""
    size = (photo.width, photo.height, photo.size_bytes)
    return Copy(photo.photo_id, path, *size, photo.format, score)
