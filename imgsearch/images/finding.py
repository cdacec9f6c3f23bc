"""Looking for photos: paths in, every photo file under them out, once each and in a stable order.

All that is under paths, or only what has changed there. A file that holds photos comes out as that;
`members` says which.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from imgsearch.errors import PictureError, UsageError
from imgsearch.images import files, names
from imgsearch.images.containers import opened
from imgsearch.images.exclusion import Exclusion
from imgsearch.images.findings import ContainerFile, Finding, PhotoFile, Unreadable, why
from imgsearch.images.walking import Walk, depth


def find(
    paths: Sequence[Path],
    exclude: Sequence[str] = (),
    containers: frozenset[str] = names.FILMS,
) -> Iterator[Finding]:
    """Every photo file at or under `paths`: within a folder by name, then its folders by name, and
    links to folders last.

    A folder's root is that folder, made absolute and free of links; a file given is its own root,
    and is taken whatever its ending. `exclude` holds globs, compared in any letter case with a name
    ("*.png", "drafts"), with a path below the root ("2019/drafts", "2019/*") or, when absolute,
    with the whole path. Files with the endings in `containers` are found in folders as files that
    hold photos; archives and films that are given always are. Raises UsageError at once for a path
    that does not exist.
    """
    roots: dict[Path, bool] = {}  # path -> is it a folder; a dict keeps the order and drops repeats
    for path in paths:
        try:
            resolved = _resolved(path)
            roots[resolved] = resolved.is_dir()
        except (
            OSError,
            RuntimeError,
        ) as error:  # RuntimeError: a loop of links, before Python 3.13
            raise UsageError(
                f"{os.fsdecode(path)!r} cannot be indexed: {why(error)};"
                " give a folder or a picture that exists"
            ) from error
    return Walk(Exclusion(exclude), containers).findings(roots)


def find_changed(
    paths: Sequence[Path],
    roots: Sequence[Path],
    exclude: Sequence[str] = (),
    containers: frozenset[str] = names.FILMS,
) -> Iterator[Finding]:
    """What `find` would tell of `paths` alone, which lie at or below its paths, the `roots`.

    A folder is walked, of a file's folder only the names are read. Roots are absolute and free of
    links. A path that is gone, or that `find` would leave out, is nothing.
    """
    walk = Walk(Exclusion(exclude), containers)
    outer_first = sorted(roots, key=depth)
    beside: dict[tuple[str, Path], set[str]] = {}
    for path in sorted(paths, key=depth):  # folders before what is in them
        root = next((each for each in outer_first if path.is_relative_to(each)), None)
        if root is None or walk.leaves_out(path.parent, root):
            continue
        if path != root:
            beside.setdefault((os.fspath(path.parent), root), set()).add(path.name)
        elif not files.is_gone(path):
            yield from walk.findings({path: path.is_dir()})
    for (folder, root), changed in beside.items():
        yield from walk.among(folder, root, changed)


def members(container: ContainerFile, every_seconds: float) -> Iterator[PhotoFile | Unreadable]:
    """The photos inside a container, by name; of a film a frame every so many seconds.

    What cannot be read is told, and last, by the container's own path, what ends the list early.
    """
    try:
        with opened(container.path) as inside:
            for member in inside.members(every_seconds):
                path = container.path / member.name
                if member.reason is not None:
                    yield Unreadable(path, member.reason)
                else:
                    yield PhotoFile(path, container.root, member.size_bytes, container.mtime_ns)
    except PictureError as error:
        yield Unreadable(container.path, str(error))
    except OSError as error:
        yield Unreadable(container.path, f"the file cannot be read: {why(error)}")


def _resolved(path: Path) -> Path:
    place = files.place_of(path)
    if place.member is None:
        return path.resolve(strict=True)
    resolved = place.container.resolve(strict=True) / place.member
    files.stat(resolved)
    return resolved
