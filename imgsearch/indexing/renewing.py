"""Photos of earlier libraries are read anew, for what we have learned to read since.

A library goes in; facts are filled up in the catalog. Only the header of a file is read and nothing
is embedded. Batches are committed as they come, and a photo that is through is not asked for again,
so a run that is stopped is continued by the next; where there is nothing to do, it costs one look
into an index.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from imgsearch import images
from imgsearch.catalog import NewFacts, OldFacts
from imgsearch.errors import PictureError
from imgsearch.images import Exposure
from imgsearch.indexing.ahead import ahead
from imgsearch.indexing.comparing import storable
from imgsearch.indexing.outcomes import Notice, Renewing
from imgsearch.library import Library
from imgsearch.places import place_of

PHOTOS_AT_ONCE = 500  # in a transaction
HEADERS_AHEAD = 64
MAX_THREADS = 16


def renew_facts(library: Library, notify: Callable[[Notice], None]) -> None:
    """Fill up the facts of every photo that has a file which still reads."""
    photos = library.catalog.photos_with_old_facts()
    if not photos:
        return
    pool = ThreadPoolExecutor(min(MAX_THREADS, os.cpu_count() or 1), "imgsearch-headers")
    try:
        for start in range(0, len(photos), PHOTOS_AT_ONCE):
            notify(Renewing(start, len(photos)))
            some = photos[start : start + PHOTOS_AT_ONCE]
            rows = list(_read(library, some, pool))
            with library.catalog.write() as writer:
                writer.renew_facts(rows)
    finally:
        pool.shutdown(cancel_futures=True)


def _read(
    library: Library, photos: Sequence[OldFacts], pool: ThreadPoolExecutor
) -> Iterator[NewFacts]:
    files = library.catalog.files_of_photos([photo.photo_id for photo in photos])

    def read(photo: OldFacts) -> Exposure | None:
        for name, file in files.get(photo.photo_id, {}).items():
            if file.state != "live":
                continue
            try:
                status = images.stat(name)
                seen = (status.size_bytes, storable(status.mtime_ns))
                if seen == (file.size_bytes, file.mtime_ns):
                    return images.read_exposure(Path(name))
            except (PictureError, OSError):  # the run that comes upon it has told why
                continue
        return None

    for photo, exposure in ahead(pool, read, photos, lambda: HEADERS_AHEAD):
        if exposure is None:
            continue
        place = None
        if photo.latitude is not None and photo.longitude is not None:
            place = place_of(photo.latitude, photo.longitude)
        yield NewFacts(photo.photo_id, **vars(exposure), place=place)
