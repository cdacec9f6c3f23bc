"""Pictures with text beside them, in tars and folders; without text, folders named after a class.

In: a folder, a tar (compressed or not), or several of either. Out: one `Found` each. A picture and
its sidecars share folder and stem. A picture's class is its folder, or a folder above where all
classes call theirs the same (Tiny ImageNet's `n01443537/images/1.JPEG`). Of an uncompressed tar
only the index is read and the sidecars that belong to a picture; a compressed one cannot be read
from the middle, so its pictures are held in memory.
"""

import lzma
import posixpath
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from imgsearch.errors import UsageError
from imgsearch.pairs.class_names import CLASSES
from imgsearch.pairs.hidden import is_hidden
from imgsearch.pairs.photos import Described, Found, Unpaired
from imgsearch.pairs.pictures import Picture, TarMember
from imgsearch.pairs.sidecars import ENDINGS, described_by, ending, stem
from imgsearch.pairs.texts import bytes_of

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})

Sidecars = dict[str, tuple[str, bytes | Path | TarMember]]  # ending -> name and content


@dataclass
class Members:
    """The pictures of one tar or folder by name, and the sidecars by stem, none of them parsed."""

    source: Path
    pictures: dict[str, Picture] = field(default_factory=dict)
    sidecars: dict[str, Sidecars] = field(default_factory=dict)

    def add(self, name: str, content: bytes | Path | TarMember) -> None:
        """Keep a picture or a sidecar."""
        if ending(name) in PICTURES:
            self.pictures[name] = content
        elif posixpath.basename(name) != CLASSES:
            self.sidecars.setdefault(stem(name), {})[ending(name)] = (name, content)

    @property
    def has_sidecars(self) -> bool:
        """Whether any picture has one."""
        return any(stem(name) in self.sidecars for name in self.pictures)

    @property
    def classes(self) -> set[str]:
        """The names of the folders that tell pictures apart, but the outermost."""
        return set(_labels(self.pictures, _depth_of_classes(self.pictures)).values()) - {""}


def list_members(path: Path) -> Members:
    """The pictures and sidecars of a tar or a folder, hidden ones left out.

    Raises UsageError for what is no tar.
    """
    members = Members(path)
    for name, content in _of_tar(path) if path.is_file() else _of_folder(path):
        if (ending(name) in PICTURES or ending(name) in ENDINGS) and not is_hidden(name):
            members.add(name, content)
    return members


def describe(sets: Sequence[Members]) -> list[Found]:
    """Each set's pictures with what the text beside them says, or else with their folder's name.

    Photos may be in one folder and captions in the next: pictures of a set none of whose has a
    sidecar take those of the same name from sets without pictures. Sets that have both share
    nothing, since 1.jpg of two shards is two photos. A set without any sidecar is labelled by its
    folders. Raises UsageError naming a sidecar that does not read.
    """
    spare: dict[str, Sidecars] = {}
    lonely = 0
    for members in sets:
        if members.pictures:
            lonely += len(members.sidecars.keys() - {stem(name) for name in members.pictures})
        else:
            spare |= members.sidecars
    used: set[str] = set()
    beside_of = []
    for members in sets:
        sidecars = members.sidecars if members.has_sidecars else spare
        pairs = {name: beside for name in members.pictures if (beside := sidecars.get(stem(name)))}
        if sidecars is spare:
            used |= {stem(name) for name in pairs}
        beside_of.append(pairs)
    silent = [members for members, pairs in zip(sets, beside_of, strict=True) if not pairs]
    depth = _depth_of_classes(name for members in silent for name in members.pictures)
    found = [
        _captioned(members, pairs) if pairs else _labelled(members, depth)
        for members, pairs in zip(sets, beside_of, strict=True)
    ]
    if any(each.photos and not each.has_captions for each in found):
        return found  # beside class folders a .txt may be anything: a licence, a list of classes
    return [*found, Found("", (), Unpaired(texts=lonely + len(spare.keys() - used)))]


def _captioned(members: Members, pairs: Mapping[str, Sidecars]) -> Found:
    photos, empty = [], 0
    for name, sidecars in _read_in_order(pairs):
        captions, label = described_by(sidecars)
        if captions or label:
            photos.append(Described(members.pictures[name], captions, label))
        else:
            empty += 1
    without = len(members.pictures) - len(photos)
    return Found(str(members.source), tuple(photos), Unpaired(without, empty))


def _labelled(members: Members, depth: int) -> Found:
    labels = _labels(members.pictures, depth)
    photos = tuple(
        Described(picture, {}, label)
        for name, picture in members.pictures.items()
        if (label := labels[name])
    )
    without = len(members.pictures) - len(photos)
    return Found(str(members.source), photos, Unpaired(without))


def _depth_of_classes(names: Iterable[str]) -> int:
    """Which folder above pictures is their class: 1 for their own, more where all of those are
    called the same and a folder above is not.
    """
    folders = list(filter(None, map(_folders, {posixpath.dirname(name) for name in names})))
    shallowest = min(map(len, folders), default=0)
    depths = range(1, shallowest + 1)
    return next((n for n in depths if len({each[-n] for each in folders}) > 1), 1)


def _labels(names: Iterable[str], depth: int) -> dict[str, str]:
    """The class of each picture, empty for those of the outermost folder."""
    of_folder: dict[str, str] = {}
    found = {}
    for name in names:
        folder = posixpath.dirname(name)
        if folder not in of_folder:
            of_folder[folder] = (_folders(folder) or ("",) * depth)[-depth]
        found[name] = of_folder[folder]
    return found


def _folders(path: str) -> tuple[str, ...]:
    return PurePosixPath(path.lstrip("/")).parts


def _read_in_order(
    pairs: Mapping[str, Sidecars],
) -> Iterator[tuple[str, dict[str, tuple[str, bytes]]]]:
    """Pictures' names and their sidecars' bytes; a tar is opened once for all of its sidecars."""
    with ExitStack() as stack:
        tars: dict[Path, BinaryIO] = {}
        for name, sidecars in pairs.items():
            contents = {}
            for kind, (sidecar, content) in sidecars.items():
                if isinstance(content, TarMember):
                    if content.path not in tars:
                        tars[content.path] = stack.enter_context(open(content.path, "rb"))
                    tars[content.path].seek(content.offset)
                    content = tars[content.path].read(content.size)
                elif isinstance(content, Path):
                    content = bytes_of(content)
                contents[kind] = (sidecar, content)
            yield name, contents


def _of_tar(path: Path) -> Iterator[tuple[str, bytes | TarMember]]:
    try:
        try:
            tar = tarfile.open(path, "r:")  # noqa: SIM115  closed by the generator below
        except tarfile.ReadError:
            tar = tarfile.open(path)  # noqa: SIM115
            yield from _unpacked(tar)
        else:
            yield from _indexed(path, tar)
    except (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError) as error:
        reason = str(error).partition("\n")[0].rstrip(":") or type(error).__name__
        raise UsageError(
            f"{path} is no tar that can be read ({reason}): give a whole one, or the folder it "
            "was made of"
        ) from error


def _unpacked(tar: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    with tar:
        for member in tar:
            file = tar.extractfile(member) if member.isfile() else None
            if file is not None:
                yield member.name, file.read()


def _indexed(path: Path, tar: tarfile.TarFile) -> Iterator[tuple[str, bytes | TarMember]]:
    with tar:
        while (member := tar.next()) is not None:
            tar.members = []  # type: ignore[attr-defined]  # it would keep a record of each
            if member.isfile() and not member.issparse():
                yield member.name, TarMember(path, member.offset_data, member.size)
            elif member.isfile() and (file := tar.extractfile(member)) is not None:
                yield member.name, file.read()


def _of_folder(path: Path) -> Iterable[tuple[str, Path]]:
    for file in sorted(path.rglob("*")):
        if ending(file.name) in PICTURES | set(ENDINGS) and file.is_file():
            yield file.relative_to(path).as_posix(), file
