"""take_out(): photos into a folder, as copies or links; nothing that is there is ever replaced.

Paths of photos go in, one `TakenOut` or `LeftOut` for each comes out as it happens. A name that the
folder has already gets a number behind it, unless the file there has the very same bytes: then a
second run does nothing. A photo inside a container is written out, since nothing can link to it.
A photo has its name when the last of its bytes is written: an interrupt leaves no broken one.
"""

import filecmp
import io
import itertools
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from imgsearch.errors import PictureError, UsageError
from imgsearch.images import opened, place_of

How: TypeAlias = Literal["copy", "hardlink", "symlink"]
HOWS: tuple[How, ...] = get_args(How)
ENDINGS = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp"}  # of a picture whose name has none


@dataclass(frozen=True)
class TakenOut:
    """A photo that is in the folder now, at `target`; `was_there`: it was before."""

    path: Path
    target: Path
    was_there: bool = False


@dataclass(frozen=True)
class LeftOut:
    """A photo that could not be taken, and why."""

    path: Path
    reason: str


def take_out(
    photos: Iterable[Path], folder: Path, how: How = "copy", *, dry_run: bool = False
) -> Iterator[TakenOut | LeftOut]:
    """Copy or link photos into a folder, which is made; one outcome a photo, in their order.

    `dry_run` says what would happen and changes nothing. Raises UsageError for a folder that cannot
    be made or is a file.
    """
    if not dry_run:
        _make(folder)
    elif folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; give a folder for the photos")
    promised: set[str] = set()  # names of a dry run, which are not in the folder
    for path in photos:
        try:
            yield _taken_out(path, folder, how, promised, dry_run=dry_run)
        except PictureError as error:
            yield LeftOut(path, str(error))
        except OSError as error:
            yield LeftOut(path, error.strerror or str(error))


def write_out(path: Path, folder: Path) -> Path:
    """A photo of a container as a file of its own in a folder, which must not have that name yet.

    Raises OSError and PictureError.
    """
    with opened(path) as stream:
        content = stream.read()
    target = folder / _name(path, content)
    target.write_bytes(content)
    return target


def _taken_out(
    path: Path, folder: Path, how: How, promised: set[str], *, dry_run: bool
) -> TakenOut:
    is_inside = place_of(path).member is not None
    content = None
    if is_inside:
        with opened(path) as stream:
            content = stream.read()
    else:
        os.stat(path)  # a link to nothing would be made gladly
    for name in _names(_name(path, content)):
        target = folder / name
        if name.casefold() in promised:
            continue
        if os.path.lexists(target):
            if _is_same(path, content, target, how):
                return TakenOut(path, target, was_there=True)
            continue
        if dry_run:
            promised.add(name.casefold())
            return TakenOut(path, target)
        try:
            _put(path, content, target, how)
        except FileExistsError:  # since a moment ago
            continue
        return TakenOut(path, target)
    raise AssertionError("numbers do not end")


def _put(path: Path, content: bytes | None, target: Path, how: How) -> None:
    """Make the target, which must not be there: FileExistsError."""
    if content is None and how == "symlink":
        os.symlink(os.path.abspath(path), target)
    elif content is None and how == "hardlink":
        os.link(path, target)
    else:
        _write(path, content, target)


def _write(path: Path, content: bytes | None, target: Path) -> None:
    """Write the photo beside the target first: what has a photo's name is a whole photo."""
    part = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with open(part, "xb") as file:
            if content is not None:
                file.write(content)
            else:
                with open(path, "rb") as source:
                    shutil.copyfileobj(source, file)
        if content is None:
            shutil.copystat(path, part)
        _name_it(part, target)
    finally:
        part.unlink(missing_ok=True)


def _name_it(part: Path, target: Path) -> None:
    """Give a file its name, unless something has it: FileExistsError."""
    try:
        os.link(part, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without links, as FAT: an empty file holds the name
        open(target, "xb").close()
        os.replace(part, target)


def _is_same(path: Path, content: bytes | None, target: Path, how: How) -> bool:
    """Whether the target is already what would be put there."""
    if not target.is_file():
        return False
    if content is not None:
        return target.stat().st_size == len(content) and target.read_bytes() == content
    if how == "copy":
        return not target.is_symlink() and filecmp.cmp(path, target, shallow=False)
    return os.path.samefile(path, target) and target.is_symlink() == (how == "symlink")


def _name(path: Path, content: bytes | None) -> str:
    """The photo's own name; of a moment in a film, the film's with the moment, and an ending."""
    place = place_of(path)
    if content is None or place.seconds is None:
        return path.name
    from PIL import Image

    with Image.open(io.BytesIO(content)) as picture:
        ending = ENDINGS.get(str(picture.format), ".png")
    return f"{place.container.stem}_{place.member}{ending}"


def _names(name: str) -> Iterator[str]:
    """cat.jpg, cat-2.jpg, cat-3.jpg ..."""
    yield name
    stem, ending = os.path.splitext(name)
    yield from (f"{stem}-{number}{ending}" for number in itertools.count(2))


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise UsageError(f"{folder} is a file; give a folder for the photos") from error
    except OSError as error:
        raise UsageError(f"the folder {folder} cannot be made: {error.strerror}") from error
