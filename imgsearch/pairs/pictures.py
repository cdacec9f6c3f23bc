"""A picture of a set: its bytes, its path, or where it is stored inside a bigger file.

What goes in is a place, what comes out is what `images.decode` takes. A stored picture is read when
it is asked for and its file is opened for that one read: pictures can be read from many threads and
forked processes, and a set holds no file open.
"""

import base64
import binascii
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias, runtime_checkable

from imgsearch.errors import PictureError

BASE64URL = bytes.maketrans(b"-_", b"+/")


@runtime_checkable
class Stored(Protocol):
    """A picture inside a bigger file. Hashable; equal places are equal."""

    def read(self) -> bytes:
        """The encoded picture. Raises PictureError when its file no longer holds it."""
        ...


Picture: TypeAlias = bytes | Path | Stored


@dataclass(frozen=True, slots=True)
class TarMember:
    """`size` bytes at `offset` of an uncompressed tar."""

    path: Path
    offset: int
    size: int

    def read(self) -> bytes:
        """The member's bytes."""
        return _slice(self.path, self.offset, self.size)


@dataclass(frozen=True, slots=True)
class Base64Text:
    """Base64 text of either alphabet, `size` characters at `offset` of a file."""

    path: Path
    offset: int
    size: int

    def read(self) -> bytes:
        """The decoded bytes."""
        return from_base64(_slice(self.path, self.offset, self.size), str(self.path))


def content(picture: Picture) -> bytes | Path:
    """What `images.decode` takes: a stored picture's bytes, anything else as it is.

    Raises PictureError for a stored picture that can no longer be read.
    """
    return picture if isinstance(picture, bytes | Path) else picture.read()


def from_base64(text: bytes, source: str) -> bytes:
    """Decode base64 of either alphabet, padded or not. Raises PictureError naming the source."""
    plain = text.strip().translate(BASE64URL).rstrip(b"=")
    try:
        return base64.b64decode(plain + b"=" * (-len(plain) % 4), validate=True)
    except binascii.Error as error:
        raise PictureError(f"{source} holds a picture that is no base64 ({error})") from error


def _slice(path: Path, offset: int, size: int) -> bytes:
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            content = file.read(size)
    except OSError as error:
        raise PictureError(f"{path} cannot be read: {error.strerror or error}") from error
    if len(content) < size:
        raise PictureError(f"{path} became shorter since it was read; read the set again")
    return content
