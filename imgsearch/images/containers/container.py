"""Container: a file that holds photos, listed by name and read one at a time."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Member:
    """A photo inside: its name, with `/` between folders, and its size; `reason` says why it
    cannot be taken.
    """

    name: str
    size_bytes: int
    reason: str | None = None


class Container(Protocol):
    """An open container. It may be read by several threads at once.

    Where a name is asked for, FileNotFoundError is raised for one that is not in it. `pieces` and
    `texts` raise PictureError too, whose message is the reason alone.
    """

    def members(self, every_seconds: float) -> Iterator[Member]:
        """The photos inside, in a stable order; of a film a frame every so many seconds.

        Raises PictureError where the list breaks off, after what comes before.
        """

    def size_bytes(self, name: str) -> int:
        """The size of a member, as listed."""

    def pieces(self, name: str) -> Iterator[bytes]:
        """The bytes of a picture file, those of the member or a frame as one, some at a time."""

    def texts(self, name: str) -> Mapping[str, bytes]:
        """The text files beside a member by their endings, ".txt" and ".json"."""

    def close(self) -> None:
        """Let go of the file."""
