"""export_embeddings: what an encoder made of a library's photos, as a file others read.

A library goes in; a folder or a file is written under another name and takes its own when it is
whole. Only photos with a live file go out, by ascending id, a thousand in memory at once.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from imgsearch.catalog import CaptionRow, EncoderRow, Ids, facts
from imgsearch.errors import LibraryError, NoEncoderError, UsageError
from imgsearch.exchanging import chinese_clip, clip_retrieval, npz
from imgsearch.exchanging.formats import format_named
from imgsearch.exchanging.rows import ROWS_AT_ONCE, Format, Origin, Outgoing, Rows, Sentence
from imgsearch.library import Library

OURS = {"img_emb", "metadata"}  # all that a folder may hold to be replaced

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Exported:
    """`count` embeddings of `dim` values by `encoder` were written."""

    path: Path
    format: Format
    encoder: str
    identity: str
    count: int
    dim: int


@dataclass(frozen=True)
class Shape:
    """How embeddings are written: the format, that of the name unless given; in float32 where
    clip-retrieval has float16; in place of what is there, if `replaces`.
    """

    format: Format | None = None
    is_float32: bool = False
    replaces: bool = False


def export_embeddings(
    library: Library,
    target: Path,
    *,
    encoder: str | None = None,
    only: Ids | None = None,
    shape: Shape = Shape(),  # frozen
    progress: Progress | None = None,
) -> Exported:
    """Write the embeddings of all photos, or of `only` these ids, to a folder or file.

    `encoder` names which, where several have embeddings; those of the others may be of other
    photos. `progress` hears how many of how many are written.

    Raises UsageError for a target that is there, cannot be written or has a name of no format, and
    where no photo is to be written; NoEncoderError for an encoder without embeddings.
    """
    target = Path(os.path.abspath(os.path.expanduser(target)))
    kind = shape.format or format_named(target)
    row = _encoder(library, encoder)
    embedded = np.array(sorted(library.catalog.embedded_photo_ids(row.id)), np.int64)
    ids = np.intersect1d(embedded, library.catalog.photo_ids())
    if only is not None:
        ids = np.intersect1d(ids, only)
    if not len(ids):
        raise UsageError(f"no photo that {row.name} has embedded is asked for; nothing is written")
    _check(target, shape.replaces)
    parts = _parts(library, row, ids, progress)
    outgoing = Outgoing(Origin.of(row), len(ids), row.dim, parts)
    try:
        partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        try:
            whole = partial / target.name
            if kind == "clip-retrieval":
                clip_retrieval.write(whole, outgoing, "<f4" if shape.is_float32 else "<f2")
            else:
                (npz if kind == "npz" else chinese_clip).write(whole, outgoing)
            if os.path.lexists(target):
                target.rename(partial / "replaced")
            whole.replace(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise UsageError(
            f"{target} cannot be written: {error.strerror}; give a name in a folder that exists, "
            "on a disk with room"
        ) from error
    return Exported(target, kind, row.name, row.identity, len(ids), row.dim)


def _encoder(library: Library, wanted: str | None) -> EncoderRow:
    catalog = library.catalog
    there = [row for row in catalog.encoders() if catalog.photo_count(row.id)]
    if wanted is not None:
        row = library.find_encoder(wanted)
        if row in there:
            return row
    elif there:
        answering = {row.id: row for row in catalog.active_encoders().values()}
        if len(there) == 1 or len(answering) == 1:
            return there[0] if len(there) == 1 else next(iter(answering.values()))
    names = ", ".join(row.name for row in there) or "none"
    raise NoEncoderError(
        f"{library.path} has embeddings of {names}"
        + (f", and not of {wanted}" if wanted is not None else "; say which with --encoder NAME")
    )


def _check(target: Path, replaces: bool) -> None:
    if not os.path.lexists(target):
        return
    if not replaces:
        raise UsageError(f"{target} is there already; choose another name, or replace it: --force")
    if target.is_dir() and {each.name for each in target.iterdir()} - OURS:
        raise UsageError(
            f"{target} holds other things than embeddings and is not replaced; choose another name"
        )


def _parts(
    library: Library, encoder: EncoderRow, ids: Ids, progress: Progress | None
) -> Iterator[Rows]:
    catalog = library.catalog
    for start in range(0, len(ids), ROWS_AT_ONCE):
        part = ids[start : start + ROWS_AT_ONCE]
        _, vectors = catalog.embeddings(encoder.id, photo_ids=part)
        paths = catalog.live_paths(part)
        if not len(vectors) == len(paths) == len(part):
            raise LibraryError("photos of the library went while it was written out; try again")
        hashes = facts.content_hashes(catalog, part.tolist())
        captions = catalog.captions(part)
        photo_ids = part.tolist()
        yield Rows(
            vectors,
            part,
            [str(paths[photo_id]) for photo_id in photo_ids],
            [hashes[photo_id] for photo_id in photo_ids],
            [_first(captions.get(photo_id, ())) for photo_id in photo_ids],
        )
        if progress is not None:
            progress(start + len(part), len(ids))


def _first(captions: tuple[CaptionRow, ...]) -> Sentence | None:
    """A person's before a captioner's; an empty one says nothing."""
    return next((Sentence(row.text, row.source) for row in captions if row.text), None)
