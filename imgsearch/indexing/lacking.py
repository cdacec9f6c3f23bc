"""Show an encoder the photos it has not seen, read from the files the library knows.

An encoder goes in; what it embedded, what has no file and what cannot be read come out. A photo is
its bytes: a file that holds other bytes by now is not read in its place. Batches are committed as
they come and no language is answered from them, so searches go on with another encoder, and a run
that is stopped is continued by the next.
"""

import itertools
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from imgsearch import images
from imgsearch.catalog import FileRow, PhotoRow
from imgsearch.errors import PictureError
from imgsearch.indexing.ahead import ahead
from imgsearch.indexing.choosing import ChosenEncoder
from imgsearch.indexing.comparing import storable
from imgsearch.indexing.embedding import Pictures, embed, fitted, short_side
from imgsearch.indexing.outcomes import Embedded, Embedding, Notice, Skipped
from imgsearch.library import Library

PHOTOS_AT_ONCE = 1000  # looked up in the catalog
BATCHES_AHEAD = 2
MAX_THREADS = 16


@dataclass(eq=False)
class Waiting:
    """A photo that is to be embedded, its live files; `reason` says why it cannot be."""

    photo: PhotoRow
    files: Mapping[str, FileRow]
    photo_id: int | None
    reason: str | None = None
    path: Path | None = None  # of the file that was tried


@dataclass
class Seen:
    """How many photos were embedded; a path of each that has no file; those that cannot be read.

    `seconds` went by from the loaded encoder to the last commit.
    """

    embedded: int = 0
    seconds: float = 0.0
    missing: list[Path] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


def embed_lacking(
    library: Library, chosen: ChosenEncoder, notify: Callable[[Notice], None]
) -> Seen:
    """Embed and commit every photo of the library that the encoder lacks and that has a file."""
    photos = library.catalog.photos_lacking(chosen.row.id)
    seen = Seen()
    waiting = _waiting(library, photos, seen)
    first = next(waiting, None)
    if first is None:  # no reason to load weights
        return seen
    notify(Embedding(chosen.row.name, len(photos)))
    size = chosen.encoder.batch_size
    notify(Embedded(0, len(photos), 0))
    started = time.monotonic()

    def decode(each: Waiting) -> Pictures:
        return _decode(each, chosen)

    batch: dict[Waiting, Pictures] = {}
    pool = ThreadPoolExecutor(min(MAX_THREADS, os.cpu_count() or 1), "imgsearch-decode")
    try:
        every = itertools.chain([first], waiting)
        for each, pictures in ahead(pool, decode, every, lambda: BATCHES_AHEAD * size):
            if pictures:
                batch[each] = pictures
            elif each.reason is None:
                seen.missing.append(Path(next(iter(each.files))))
            else:
                seen.skipped.append(_skipped(each))
            if len(batch) >= size:
                _commit(library, chosen, batch, seen)
                done = seen.embedded + len(seen.missing) + len(seen.skipped)
                notify(Embedded(done, len(photos), len(seen.skipped)))
        _commit(library, chosen, batch, seen)
    finally:
        pool.shutdown(cancel_futures=True)
    seen.seconds = time.monotonic() - started
    notify(Embedded(len(photos), len(photos), len(seen.skipped)))
    return seen


def _waiting(library: Library, photos: Sequence[PhotoRow], seen: Seen) -> Iterator[Waiting]:
    """The photos with a live file; those without are listed."""
    for start in range(0, len(photos), PHOTOS_AT_ONCE):
        some = photos[start : start + PHOTOS_AT_ONCE]
        files = library.catalog.files_of_photos([photo.id for photo in some])
        for photo in some:
            known = files.get(photo.id, {})
            live = {name: file for name, file in known.items() if file.state == "live"}
            if live:
                yield Waiting(photo, live, photo.id)
            elif known:  # without any, another photo has taken its path: it is nowhere to be found
                seen.missing.append(Path(next(iter(known))))


def _decode(waiting: Waiting, chosen: ChosenEncoder) -> Pictures:
    """The picture from the first file that has it; none, and a reason unless all are gone."""
    for name, file in waiting.files.items():
        if images.is_gone(name):
            continue
        try:
            picture = _read(Path(name), file, waiting.photo, short_side(chosen.encoder))
        except (PictureError, OSError) as error:
            waiting.path, waiting.reason = Path(name), str(error)
        else:
            waiting.reason = None
            return {chosen.row.id: fitted(chosen, picture)}
    return {}


def _read(path: Path, file: FileRow, photo: PhotoRow, side: int) -> Image.Image:
    # It was taken in under whatever bound a person chose then; its bytes are the same.
    bound = max(images.DEFAULT_MAX_PIXELS, photo.pixels)
    picture, _ = images.read(path, max_pixels=bound, short_side=side)
    status = images.stat(path)
    seen = (status.size_bytes, storable(status.mtime_ns))
    is_as_known = seen == (file.size_bytes, file.mtime_ns)
    if not is_as_known and images.content_hash(path) != photo.content_hash:
        raise PictureError("it holds another picture by now; `imgsearch index` takes that in")
    return picture


def _commit(
    library: Library, chosen: ChosenEncoder, batch: dict[Waiting, Pictures], seen: Seen
) -> None:
    """Embed and commit a batch, and empty it."""
    if not batch:
        return
    owners, vectors = embed(chosen, batch)
    photo_ids = [each.photo.id for each in owners]
    with library.catalog.write() as writer:
        writer.add_waiting_embeddings(chosen.row.id, photo_ids, vectors)
    chosen.photo_ids.update(photo_ids)
    seen.embedded += len(owners)
    embedded = set(owners)
    for each in batch:
        if each not in embedded:
            each.path = Path(next(iter(each.files)))
            seen.skipped.append(_skipped(each))
    batch.clear()


def _skipped(waiting: Waiting) -> Skipped:
    return Skipped(waiting.path or Path(), waiting.reason or "it cannot be read")
