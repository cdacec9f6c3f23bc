"""Where the pictures are that a table names: found by looking, because tables rarely say.

A table's folder and the names in it go in; name -> path comes out, names that are nowhere left out.
Names are looked for in the folders the person gave, then beside the table, then in its sub-folders,
then in the folders beside its own. The first of these that holds any is the place, so a small copy
of some pictures elsewhere never mixes in.
"""

import os
import posixpath
import unicodedata
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from imgsearch.errors import UsageError
from imgsearch.pairs.hidden import is_hidden
from imgsearch.pairs.members import PICTURES

DEPTH = 3  # folders below a table's own that are looked into

Wanted: TypeAlias = dict[str, dict[str, str]]  # folder in the name -> last part -> name


@dataclass
class Listing:
    """One folder's files by name, its pictures by name and by stem, none of them hidden; its
    sub-folders, hidden ones as well: a table may name one.
    """

    files: dict[str, str] = field(default_factory=dict)
    stems: dict[str, str] = field(default_factory=dict)
    pictures: set[str] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)


class Places:
    """Folders listed once each, however many names are looked for in them."""

    def __init__(self, given: Sequence[Path] = ()) -> None:
        self.given = tuple(given)
        self._listings: dict[str, Listing] = {}

    def locate(self, folder: Path, names: Iterable[str]) -> dict[str, Path]:
        """The path of each name of a table in `folder` that is found, names as `normal` gives them.

        A name may have folders in it and may lack its ending. Raises UsageError where two folders
        hold the same pictures: which was meant cannot be known.
        """
        absolute, wanted = _grouped(names)
        found = self._held("", absolute)
        return found | self._relative(folder, wanted)

    def unlisted(self, found: Set[Path]) -> int:
        """How many pictures lie in the same folders as the found ones and are none of them."""
        folders = {path.parent for path in found}
        lying = (folder / name for folder in folders for name in self._listing(folder).pictures)
        return sum(path not in found for path in lying)

    def _relative(self, folder: Path, wanted: Wanted) -> dict[str, Path]:
        given = [each for one in self.given for each in self._tree(one, DEPTH)]
        if found := self._best(given, wanted):
            return found
        own = self._held(folder, wanted)
        half = sum(map(len, wanted.values())) / 2
        if len(own) >= half:
            return own
        if found := self._best(self._tree(folder, DEPTH), wanted):
            return found
        found = self._best(self._tree(folder.absolute().parent, DEPTH - 1), wanted)
        return found if len(found) >= half else {}  # next door a few 1.jpg prove nothing

    def _best(self, folders: Iterable[Path], wanted: Wanted) -> dict[str, Path]:
        """The names in the folder that holds most, and in those that share none with it."""
        holdings = [held for folder in folders if (held := self._held(folder, wanted))]
        holdings.sort(key=len, reverse=True)  # stable: the outer folder first
        found: dict[str, Path] = {}
        for held in holdings:
            shared = held.keys() & found.keys()
            if not shared:
                found |= held
            elif len(held) == len(holdings[0]):
                name = min(shared)
                if held[name].resolve() != found[name].resolve():
                    raise UsageError(
                        f"{name} is both {found[name]} and {held[name]}: give the folder that is "
                        "meant beside the table"
                    )
        return found

    def _held(self, folder: str | Path, wanted: Wanted) -> dict[str, Path]:
        found: dict[str, Path] = {}
        for parent, names in wanted.items():
            first = parent.partition("/")[0]
            if (
                first in ("", "..")
                or os.path.isabs(parent)
                or first in self._listing(folder).folders
            ):
                inside = os.path.join(folder, parent) if parent else os.fspath(folder)
                listing = self._listing(inside)
                for known in (listing.stems, listing.files):
                    for key in known.keys() & names.keys():
                        found[names[key]] = Path(inside, known[key])
        return found

    def _tree(self, folder: Path, depth: int) -> Iterator[Path]:
        """The folder and those below it, outer ones first, hidden ones left out."""
        level = [folder]
        for _ in range(depth + 1):
            yield from level
            level = [
                each / name
                for each in level
                for name in sorted(self._listing(each).folders)
                if not is_hidden(name)
            ]

    def _listing(self, folder: str | Path) -> Listing:
        name = os.fspath(folder)
        if name not in self._listings:
            self._listings[name] = _listed(name)
        return self._listings[name]


def _listed(folder: str) -> Listing:
    listing = Listing()
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir():
                    listing.folders.add(entry.name)
                    continue
                if is_hidden(entry.name):
                    continue
                listing.files[_composed(entry.name)] = entry.name
                stem, ending = os.path.splitext(entry.name)
                if ending.lower() in PICTURES:
                    listing.pictures.add(entry.name)
                    listing.stems[_composed(stem)] = entry.name
    except OSError:  # no such folder, no folder, not ours to read: nothing is found in it
        return Listing()
    return listing


def _grouped(names: Iterable[str]) -> tuple[Wanted, Wanted]:
    """Absolute names and relative ones, each by the folder they name."""
    absolute: Wanted = {}
    relative: Wanted = {}
    for name in names:
        parent, last = posixpath.split(name)
        group = absolute if os.path.isabs(name) else relative
        group.setdefault(parent, {})[last] = name
    return absolute, relative


def normal(name: str) -> str:
    """One spelling for a name in a table: forward strokes, no detours, accents composed."""
    return _composed(posixpath.normpath(name.strip().replace("\\", "/")))


def _composed(name: str) -> str:
    return name if name.isascii() else unicodedata.normalize("NFC", name)
