"""Tar files, those of WebDataset above all: their headers are read once, members by their place.

A compressed tar can only be read from its beginning, once a photo and again for every search that
shows one, so it is refused: photos do not get smaller by it, and unpacking it once is a command.
"""

import os
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from imgsearch.errors import PictureError
from imgsearch.images.containers.container import PIECE_BYTES, Member
from imgsearch.images.containers.contents import Contents

BLOCK = 512
COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
CUT_SHORT = "the tar is cut short in it"

Span = tuple[int, int]  # offset and size, in bytes


class Tar:
    """A tar file, open only while it is read. Raises PictureError for what is none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._contents: Contents[Span] = Contents()
        self._damage: str | None = None
        with open(path, "rb") as file:
            if file.read(6).startswith(COMPRESSED):
                raise PictureError(
                    "a compressed tar cannot be read from the middle: decompress it (with gunzip, "
                    "bunzip2, unxz) and index the .tar"
                )
        try:
            with tarfile.open(path, "r:") as tar:
                self._list(tar)
        except OSError:
            raise
        except Exception as error:  # as in `_list`: the first header is read here
            raise PictureError(f"it is no tar that can be read: {_first(error)}") from error

    def members(self, every_seconds: float) -> Iterator[Member]:
        """By name; what comes before a damaged place is there all the same."""
        yield from self._contents.members()
        if self._damage is not None:
            raise PictureError(self._damage)

    def size_bytes(self, name: str) -> int:
        """As its header has it."""
        return self._contents.entry(name)[1].size_bytes

    def pieces(self, name: str) -> Iterator[bytes]:
        """The bytes at its place."""
        span, member = self._contents.entry(name)
        if member.reason is not None:
            raise PictureError(member.reason)
        yield from self._pieces(span)

    def texts(self, name: str) -> Mapping[str, bytes]:
        """Those of the same stem, as in WebDataset."""
        found = self._contents.texts(name)
        return {ending: b"".join(self._pieces(span)) for ending, span in found.items()}

    def close(self) -> None:
        """Nothing is held."""

    def _list(self, tar: tarfile.TarFile) -> None:
        end, reached = os.path.getsize(self._path), -1
        try:
            while (entry := tar.next()) is not None:
                tar.members = []  # type: ignore[attr-defined]  # it would keep a record of each
                # A header may have a negative size, and lead back to itself for ever.
                if entry.size < 0 or tar.offset <= reached:
                    self._damage = f"the tar is damaged: an entry has {entry.size} bytes"
                    return
                reached = tar.offset
                if entry.isreg() and not entry.issparse():
                    span = (entry.offset_data, entry.size)
                    reason = CUT_SHORT if sum(span) > end else None
                    self._contents.add(entry.name, span, entry.size, reason)
                if reached > end:
                    self._damage = "the tar is damaged or cut short: unexpected end of data"
                    return
        except OSError:  # of the disk: what is not listed is not gone
            raise
        except Exception as error:  # headers are garbage in a hundred ways: ValueError, IndexError,
            self._damage = f"the tar is damaged or cut short: {_first(error)}"  # RecursionError ...

    def _pieces(self, span: Span) -> Iterator[bytes]:
        offset, left = span
        with open(self._path, "rb") as file:
            file.seek(offset)
            while left:
                piece = file.read(min(left, PIECE_BYTES))
                if not piece:
                    raise PictureError(CUT_SHORT)
                left -= len(piece)
                yield piece


def _first(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
