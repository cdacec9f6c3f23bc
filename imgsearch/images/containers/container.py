"""Container: a file that holds photos, listed by name and read one at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Member:
    """A photo inside: its name, with `/` between folders, and how many bytes it has there."""

    name: str
    size_bytes: int


class Container(Protocol):
    """An open container. Both raise PictureError, whose message is the reason alone."""

    def members(self) -> Iterator[Member]:
        """The photos inside, in a stable order."""

    def read(self, name: str) -> bytes:
        """The bytes of a picture file: those of the member, or a frame as one."""

    def close(self) -> None:
        """Let go of the file."""
