"""The paths of a run: those that are there, to be walked, and those that are gone with their files.

What a caller gave or listed goes in, or nothing for all that was ever given; paths free of links
come out. A path that is not on disk is no error while the library knows files of it: its
disappearance is news about those files.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from imgsearch.errors import UsageError
from imgsearch.images import Unreadable, is_gone, stat
from imgsearch.library import Library


@dataclass
class Roots:
    """`there` are walked, `gone` only compared; `closed` may not be looked at and stay as known."""

    there: list[Path] = field(default_factory=list)
    gone: list[Path] = field(default_factory=list)
    closed: list[Unreadable] = field(default_factory=list)

    @property
    def compared(self) -> list[Path]:
        """What the catalog's files are compared with."""
        return self.there + self.gone


def find_roots(
    library: Library,
    paths: Sequence[Path | str] | Path | str,
    listed: Sequence[Path] = (),
) -> Roots:
    """The absolute paths of a run. One that is neither known nor there is left in `there`, for the
    walk to refuse, or is `closed` if it is only listed.

    Raises UsageError when none is given or listed and none was before.
    """
    named = [paths] if isinstance(paths, Path | str) else list(paths)
    given = [*named, *listed]
    known = library.catalog.roots()
    if not (given or known):
        raise UsageError(
            f"No path is given, and none was before. Name a folder of photos: "
            f"{library.command('index', 'FOLDER')}"
        )
    roots, is_root = Roots(), set(known)
    # Not Path.expanduser and Path.resolve: those raise for "~nobody" and for a link to itself.
    wanted = [Path(os.path.realpath(os.path.expanduser(path))) for path in given]
    refused = set(wanted[: len(named)])
    for path in dict.fromkeys(wanted or known):
        if is_gone(path):
            is_known = path in is_root or library.catalog.files_under([path])
            if is_known:
                roots.gone.append(path)
            elif path in refused:
                roots.there.append(path)
            else:
                roots.closed.append(Unreadable(path, "it is listed and does not exist"))
        elif given:
            roots.there.append(path)
        else:
            _look(path, roots)
    return roots


def _look(path: Path, roots: Roots) -> None:
    """A path of an earlier run must not end this one, whatever has become of it."""
    try:
        stat(path)
        roots.there.append(path)
    except OSError as error:
        roots.closed.append(Unreadable(path, f"it cannot be looked at: {error.strerror}"))


def root_of(name: str, roots: set[str]) -> str:
    """The folder a file is counted with: the nearest root it lies under, else its own folder."""
    folder = os.path.dirname(name)
    above = folder
    while above not in roots:
        parent = os.path.dirname(above)
        if parent == above:
            return folder
        above = parent
    return above
