"""Zip files: the directory at their end is read once, members one at a time."""

import lzma
import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from imgsearch.errors import PictureError
from imgsearch.images.containers.container import PIECE_BYTES, Member
from imgsearch.images.containers.contents import Contents

UTF_8_NAME = 0x800
ENCRYPTED = 0x1
OF_WINDOWS = str.maketrans({"\\": "/", ":": "_"})  # whose folders and drives zips tell of anywhere


class Zip:
    """An open zip file. Raises PictureError for what is none."""

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            raise PictureError(f"it is no zip file that can be read: {error}") from error
        self._contents: Contents[zipfile.ZipInfo] = Contents()
        for entry in self._zip.infolist():
            is_link = stat.S_ISLNK(entry.external_attr >> 16)
            if not (entry.is_dir() or is_link):
                is_locked = bool(entry.flag_bits & ENCRYPTED)
                reason = "it is encrypted: unpack it with its password first" if is_locked else None
                name = _name(entry).translate(OF_WINDOWS)
                self._contents.add(name, entry, entry.file_size, reason)

    def members(self, every_seconds: float) -> Iterator[Member]:
        """By name."""
        return self._contents.members()

    def size_bytes(self, name: str) -> int:
        """As the directory has it."""
        return self._contents.entry(name)[1].size_bytes

    def pieces(self, name: str) -> Iterator[bytes]:
        """No more than the size in the directory, which is bounded."""
        entry, member = self._contents.entry(name)
        if member.reason is not None:
            raise PictureError(member.reason)
        yield from self._pieces(entry)

    def texts(self, name: str) -> Mapping[str, bytes]:
        """Those of the same stem in the same folder of the zip."""
        found = self._contents.texts(name)
        return {ending: b"".join(self._pieces(entry)) for ending, entry in found.items()}

    def close(self) -> None:
        """Close the file."""
        self._zip.close()

    def _pieces(self, entry: zipfile.ZipInfo) -> Iterator[bytes]:
        try:
            with self._zip.open(entry) as stream:
                while piece := stream.read(PIECE_BYTES):
                    yield piece
        except NotImplementedError as error:
            raise PictureError(f"the zip packs it in a way that cannot be read: {error}") from error
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError) as error:
            raise PictureError(f"the zip is damaged where it lies: {error}") from error
        except RuntimeError as error:  # what zipfile says of encryption that no flag told
            raise PictureError(f"it cannot be unpacked: {error}") from error


def _name(entry: zipfile.ZipInfo) -> str:
    """The name as it was meant: without its flag, most write UTF-8, and Chinese Windows GB 2312."""
    if entry.flag_bits & UTF_8_NAME or entry.filename.isascii():
        return entry.filename
    written = entry.filename.encode("cp437")
    for encoding in ("utf-8", "gb2312"):
        try:
            return written.decode(encoding)
        except UnicodeDecodeError:
            continue
    return entry.filename
