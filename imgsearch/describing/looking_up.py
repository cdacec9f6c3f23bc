"""All that is known of one photo.

A path or a photo's id goes in, a `KnownPhoto` comes out: the catalog's word on it, whether its
files are on the disk today or not. A path that the catalog does not know is told by its bytes.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from imgsearch.catalog import CaptionRow, FileRow, LabelRow, PhotoFacts, facts
from imgsearch.errors import PictureError, QueryError
from imgsearch.images import content_hash
from imgsearch.library import Library, check_is_one
from imgsearch.places import Place


@dataclass(frozen=True)
class KnownFile:
    """A file that holds a photo, or held it when it was last seen: `live` or `missing`."""

    path: Path
    state: str


@dataclass(frozen=True)
class KnownPhoto:
    """A photo: its files, what its bytes say, where it was taken, its captions and labels (a
    person's first), and the names of the encoders that have embedded it.
    """

    photo_id: int
    files: tuple[KnownFile, ...]
    facts: PhotoFacts
    place: Place | None
    captions: tuple[CaptionRow, ...]
    labels: tuple[LabelRow, ...]
    encoders: tuple[str, ...]


def look_up(library: Library, photo: Path | str | int) -> KnownPhoto:
    """What is known of the photo with that id, or of the one at that path.

    Raises QueryError for a photo that the library has not got, and for a path that many are in.
    """
    photo_id = photo if isinstance(photo, int) else _photo_at(library, Path(photo))
    known = facts.of_photos(library.catalog, [photo_id]).get(photo_id) if photo_id < 2**63 else None
    if known is None:
        raise QueryError(
            f"the library has no photo {photo_id}; `imgsearch search --json` tells the ids of hits"
        )
    files = library.catalog.files_of_photos([photo_id]).get(photo_id, {})
    return KnownPhoto(
        photo_id,
        tuple(KnownFile(Path(name), file.state) for name, file in files.items()),
        known,
        facts.place_of(library.catalog, photo_id),
        library.catalog.captions([photo_id]).get(photo_id, ()),
        library.catalog.labels([photo_id]).get(photo_id, ()),
        facts.encoders_of(library.catalog, photo_id),
    )


def _photo_at(library: Library, path: Path) -> int:
    expanded = os.path.expanduser(path)
    # The catalog's paths are free of links, but for those below a folder that was given to it.
    for name in dict.fromkeys((os.path.realpath(expanded), os.path.abspath(expanded))):
        file = library.catalog.files_under([Path(name)]).get(name)
        if file is not None:
            return _photo_of(library, Path(name), file)
    check_is_one(library, Path(expanded))
    try:
        known = library.catalog.photos_with_hashes([content_hash(Path(expanded))])
    except PictureError as error:
        raise QueryError(
            f"the library knows no {str(path)!r}, and {error}. Give the path of a photo that was "
            f"indexed, or its id as in id:7"
        ) from error
    if not known:
        raise QueryError(
            f"{str(path)!r} is not in the library; this takes it in: "
            f"{library.command('index', expanded)}"
        )
    return next(iter(known.values()))


def _photo_of(library: Library, path: Path, file: FileRow) -> int:
    if file.photo_id is None:
        raise QueryError(
            f"{str(path)!r} could not be indexed: {facts.reason_of(library.catalog, path)}. "
            f"Once it is mended: {library.command('index', path)}"
        )
    return file.photo_id
