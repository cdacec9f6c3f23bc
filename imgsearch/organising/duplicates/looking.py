"""Photos opened to be looked at, small and by several threads; what was seen of each comes out.

A file that has changed since it was indexed holds another photo by now, and is not looked at in its
place.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Generic, TypeVar

from PIL import Image

from imgsearch import images
from imgsearch.catalog import FileRow
from imgsearch.errors import PictureError
from imgsearch.images import perceptual
from imgsearch.organising.duplicates.ranking import Ranking

MAX_THREADS = 16
Seen = TypeVar("Seen")


class Looking(Generic[Seen]):
    """Applies `see` to photos; `unread` has why photos could not be looked at, by photo id."""

    def __init__(self, ranking: Ranking, see: Callable[[Image.Image], Seen]) -> None:
        self.unread: dict[int, str] = {}
        self._ranking, self._see = ranking, see

    def at(self, photo_ids: Sequence[int]) -> Iterator[tuple[int, Seen]]:
        """The photos that can be read, in order, each with what was seen of it."""
        files = self._ranking.catalog.files_of_photos(photo_ids)
        with ThreadPoolExecutor(min(MAX_THREADS, os.cpu_count() or 1), "imgsearch-look") as pool:
            found = pool.map(lambda i: self._look(i, files.get(i, {})), photo_ids)
            for photo_id, seen in zip(photo_ids, found, strict=True):
                if seen is not None:
                    yield photo_id, seen

    def _look(self, photo_id: int, files: Mapping[str, FileRow]) -> Seen | None:
        photo, reason = self._ranking.of[photo_id], "its file is gone from the library"
        # It was taken in under whatever bound a person chose then.
        bound = max(images.DEFAULT_MAX_PIXELS, photo.width * photo.height)
        for name, file in files.items():
            if file.state != "live":
                continue
            try:
                return self._see(_as_indexed(Path(name), file, bound))
            except PictureError as error:
                reason = f"{name}: {error}"
            except OSError as error:
                reason = f"{name}: {error.strerror or error}"
        self.unread[photo_id] = reason
        return None


def _as_indexed(path: Path, file: FileRow, max_pixels: int) -> Image.Image:
    status = images.stat(path)
    if (status.size_bytes, status.mtime_ns) != (file.size_bytes, file.mtime_ns):
        raise PictureError("it has changed since it was indexed; `imgsearch index` takes it in")
    return images.read(path, max_pixels=max_pixels, short_side=perceptual.SHORT_SIDE)[0]
