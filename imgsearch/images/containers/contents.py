"""What of an archive's list counts: photos, and the text beside them.

Names as they stand in an archive go in, with where their bytes are; photos by a name of ours come
out. A name in an archive is data that somebody wrote: whatever it is, ours lies below the archive.
Of two members of one name the later counts, as unpacking would leave it.
"""

import errno
import os
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from imgsearch.images import names, raw
from imgsearch.images.containers.container import Member

LARGEST_BYTES = 3 << 28  # 805 million: no picture within the pixel cap is larger, uncompressed
TEXTS = frozenset((".txt", ".json"))
LARGEST_TEXT_BYTES = 1 << 20
# What else leads out of a path on Windows: a drive ("C:"), and folders by another letter.
UNSAFE = str.maketrans({"\0": "_"} | ({":": "_", "\\": "/"} if os.name == "nt" else {}))
NESTED = "it is inside an archive, and only photos are taken from there: unpack it first"

Entry = TypeVar("Entry")


@dataclass
class Contents(Generic[Entry]):
    """The photos of an archive with the entries their bytes are read by, and texts by stem."""

    photos: dict[str, tuple[Entry, Member]] = field(default_factory=dict)
    beside: dict[str, dict[str, Entry]] = field(default_factory=dict)

    def add(self, written: str, entry: Entry, size_bytes: int, reason: str | None = None) -> None:
        """Keep a photo or a text, unless hidden; `reason` says why it cannot be read."""
        name = own_name(written)
        if not name or any(map(names.is_left_out, name.split("/"))):
            return
        kind = names.ending(name)
        if kind in TEXTS:
            if reason is None and size_bytes <= LARGEST_TEXT_BYTES:
                self.beside.setdefault(names.stem(name), {})[kind] = entry
            return
        if kind in names.ARCHIVES | names.OTHER_ARCHIVES | names.FILMS:
            reason = NESTED
        elif kind not in names.ENDINGS | names.RAW:
            return
        elif size_bytes > LARGEST_BYTES:
            reason = f"{size_bytes:,} bytes are more than a picture in an archive may have"
        elif kind in names.RAW:
            reason = reason or raw.why_not()
        self.photos[name] = entry, Member(name, size_bytes, reason)

    def members(self) -> Iterator[Member]:
        """All of them, by name; a RAW photo beside the JPEG of the same shot is that shot."""
        developed = {
            names.stem(name).lower()
            for name in self.photos
            if names.ending(name) in names.DEVELOPED
        }
        for name in sorted(self.photos):
            if names.ending(name) in names.RAW and names.stem(name).lower() in developed:
                continue
            yield self.photos[name][1]

    def entry(self, name: str) -> tuple[Entry, Member]:
        """Where a member is read. Raises FileNotFoundError."""
        if name not in self.photos:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        return self.photos[name]

    def texts(self, name: str) -> Mapping[str, Entry]:
        """The texts beside a member, by ending."""
        return self.beside.get(names.stem(name), {})


def own_name(written: str) -> str:
    """A name below the archive, whatever was written: "/a.jpg" and "../a.jpg" are "a.jpg"."""
    parts = (part for part in written.translate(UNSAFE).split("/") if part not in ("", ".", ".."))
    return posixpath.join("", *parts)
