"""The captions of a library's photos: the text that lies beside them, or a set that tells of them.

An open library goes in; the ids of photos that have a `.txt` or `.json` of the same stem beside one
of their live files come out, with the pictures and sentences as `read_pairs` reads them; or those
that a set given by a person tells of. The text is read where it lies and not kept: it belongs to
the person, and may change any day. Nobody said that what lies beside a photo was written as a
caption, so one that does not read is counted, where `read_pairs` refuses.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from imgsearch import images
from imgsearch.catalog import FileRow
from imgsearch.errors import PictureError, UsageError
from imgsearch.library.place import Library
from imgsearch.pairs import CaptionedPhotos, Picture, Unpaired, read_beside
from imgsearch.pairs.photos import Described
from imgsearch.pairs.sidecars import ENDINGS

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass
class Folder:
    """The names in one folder, and its sidecars by stem and ending."""

    names: frozenset[str] = frozenset()
    sidecars: dict[str, dict[str, Path]] = field(default_factory=dict)


@dataclass(frozen=True)
class Beside:
    """A live photo, and the text beside the first of its files that has any.

    `files` are those that are on disk, lowest file id first; `unread` counts texts that say
    nothing, do not read, or whose file is gone. `unreadable` are those of them that do not read:
    somebody wrote there what is not known today.
    """

    photo_id: int
    files: tuple[tuple[Path, FileRow], ...]
    described: Described | None
    unread: int
    unreadable: tuple[Path, ...] = ()


def beside(library: Library) -> Iterator[Beside]:
    """Every live photo with what lies beside it, by ascending id; each folder is listed once."""
    files_of: dict[int, list[tuple[int, str, FileRow]]] = {}
    for name, file in library.catalog.files_under(library.catalog.roots()).items():
        if file.state == "live" and file.photo_id is not None:
            files_of.setdefault(file.photo_id, []).append((file.id, name, file))
    folders: dict[str, Folder] = {}
    for photo_id in sorted(files_of):
        there: list[tuple[Path, FileRow]] = []
        first, unread = None, 0
        unreadable: list[Path] = []
        for _, name, file in sorted(files_of[photo_id]):
            parent, last = os.path.split(name)
            if parent not in folders:
                folders[parent] = _listed(parent)
            if last in folders[parent].names:
                there.append((Path(name), file))
            if first is None and (found := _described(name, folders[parent])) is not None:
                photo, broken = found
                unreadable += broken
                first = photo if photo.captions else None
                unread += len(broken) or first is None
        yield Beside(photo_id, tuple(there), first, unread, tuple(unreadable))


def captions_of(library: Library) -> tuple[tuple[int, ...], CaptionedPhotos]:
    """The ids of the photos with captions, ascending, and those photos in the same order.

    A photo with several files has the captions of the first that has any. `unpaired` counts live
    photos without captions, and texts that say nothing, do not read, or whose photo is gone from
    the disk. That no photo has captions is no error.
    """
    ids: list[int] = []
    photos: list[Described] = []
    unpaired = Unpaired()
    for each in beside(library):
        if each.described is not None:
            ids.append(each.photo_id)
            photos.append(each.described)
        unpaired += Unpaired(each.described is None, each.unread)
    labels = tuple(photo.label for photo in photos)
    return tuple(ids), CaptionedPhotos(
        tuple(photo.picture for photo in photos),
        tuple(photo.captions for photo in photos),
        labels if any(labels) else (),
        unpaired,
    )


def captions_among(
    library: Library, pairs: CaptionedPhotos
) -> tuple[tuple[int, ...], CaptionedPhotos]:
    """As `captions_of`, of a set of photos with sentences that was read from anywhere.

    Pictures are told as `photos_of` tells them. Sentences of a photo that is in the set twice are
    put together. `unpaired` counts, beside the set's own, texts of pictures that the library has
    not got.
    """
    ids = photos_of(library, pairs.pictures)
    captions: dict[int, dict[str, tuple[str, ...]]] = {}
    pictures: dict[int, Picture] = {}
    for place, photo_id in ids.items():
        pictures.setdefault(photo_id, pairs.pictures[place])
        of_photo = captions.setdefault(photo_id, {})
        for name, sentences in pairs.captions[place].items():
            of_photo[name] = tuple(dict.fromkeys((*of_photo.get(name, ()), *sentences)))
    texts = sum(
        len(sentences)
        for place, each in enumerate(pairs.captions)
        if place not in ids
        for sentences in each.values()
    )
    found = CaptionedPhotos(
        tuple(pictures[photo_id] for photo_id in sorted(captions)),
        tuple(captions[photo_id] for photo_id in sorted(captions)),
        unpaired=pairs.unpaired + Unpaired(texts=texts),
    )
    return tuple(sorted(captions)), found


def photos_of(
    library: Library, pictures: Sequence[Picture], content_hashes: Sequence[str | None] = ()
) -> dict[int, int]:
    """Place in the sequence -> photo id, ascending, of those pictures that the library has.

    A picture that is a file of the library is that photo; any other is the photo of the same bytes,
    or of the content hash in its place, where there is one.
    """
    files = library.catalog.files_under(library.catalog.roots())
    ids: dict[int, int] = {}
    told = dict(enumerate(content_hashes))
    hashes: dict[int, str] = {}
    for place, picture in enumerate(pictures):
        file = files.get(os.path.realpath(picture)) if isinstance(picture, Path) else None
        if file is not None and file.state == "live" and file.photo_id is not None:
            ids[place] = file.photo_id
        elif content_hash := (told.get(place) or _content_hash(picture)):
            hashes[place] = content_hash
    known = library.catalog.photos_with_hashes(list(hashes.values()))
    ids |= {place: known[each] for place, each in hashes.items() if each in known}
    return dict(sorted(ids.items()))


def _content_hash(picture: Picture) -> str | None:
    try:
        if isinstance(picture, Path):
            return images.content_hash(picture)
        return hashlib.sha256(picture if isinstance(picture, bytes) else picture.read()).hexdigest()
    except PictureError:  # gone since it was listed: no photo of the library can be told by it
        return None


def _described(name: str, folder: Folder) -> tuple[Described, list[Path]] | None:
    """A file with what lies beside it, and the sidecars that do not read; without captions where
    what lies there is of no use."""
    path = Path(name)
    sidecars = folder.sidecars.get(path.stem)
    if sidecars is None:
        return None
    if path.name not in folder.names:
        return Described(path, {}, None), []
    try:
        return Described(path, *_read(sidecars)), []
    except UsageError:
        readable = {ending: file for ending, file in sidecars.items() if _reads(ending, file)}
    broken = [file for ending, file in sidecars.items() if ending not in readable]
    return Described(path, *_read(readable)), broken


def _reads(ending: str, file: Path) -> bool:
    try:
        _read({ending: file})
    except UsageError:
        return False
    return True


def _read(sidecars: Mapping[str, Path]) -> tuple[Mapping[str, tuple[str, ...]], str | None]:
    captions, label = read_beside(sidecars)
    for text in (text for texts in captions.values() for text in texts):
        if _SURROGATE.search(text):  # JSON can escape half of a character
            raise UsageError(f"{text!r} is no Unicode")
    return captions, label


def _listed(path: str) -> Folder:
    """One listing instead of a look per photo."""
    try:
        names = sorted(os.listdir(path))
    except OSError:  # unplugged or moved since the last run: its photos have no captions today
        return Folder()
    folder = Folder(frozenset(names))
    for name in names:
        file = Path(path, name)
        if file.suffix.lower() in ENDINGS:
            folder.sidecars.setdefault(file.stem, {})[file.suffix.lower()] = file
    return folder
