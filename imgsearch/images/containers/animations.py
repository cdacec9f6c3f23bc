"""Animated pictures: GIF, WebP and PNG with more than one frame, taken apart like films.

The first frame is the photo at the file's own path, as it is without taking anything apart; the
frames below it begin one step later.
"""

import bisect
import errno
import itertools
import math
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from imgsearch.errors import PictureError
from imgsearch.images.containers.container import Member
from imgsearch.images.containers.frames import moment, moment_named, picture_file
from imgsearch.images.upright import upright_rgb

FORMATS = ("GIF", "WEBP", "PNG")
LARGEST_PIXELS = 1 << 26
MOST_FRAMES = 10_000
UNTOLD_MILLISECONDS = 100  # what browsers make of a frame that lasts no time


class Animation:
    """An open animated picture. Raises PictureError for what is no picture."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        try:
            self._image = Image.open(path, formats=FORMATS)
        except UnidentifiedImageError as error:
            raise PictureError("it is not a picture of a kind imgsearch reads") from error
        except FileNotFoundError:
            raise
        except Exception as error:  # decoders meet garbage in a hundred ways
            raise PictureError(f"the picture is damaged or cut short: {error}") from error
        width, height = self._image.size
        try:
            if width * height > LARGEST_PIXELS:
                raise PictureError(f"{width} x {height} pixels is more than a frame may have")
            self._starts, self._seconds = self._timetable()
        except PictureError:
            self._image.close()
            raise
        except Exception as error:  # as above
            self._image.close()
            raise PictureError(f"the picture is damaged or cut short: {error}") from error
        self._size_bytes = 3 * width * height

    def members(self, every_seconds: float) -> Iterator[Member]:
        """A frame every so many seconds after the first, each once; none of a picture that stands
        still.
        """
        place = 0
        for begins, ends in itertools.pairwise([*self._starts[1:], self._seconds]):
            following = max(place + 1, math.ceil(begins / every_seconds))
            if following * every_seconds < ends:
                place = following
                yield Member(moment(place * every_seconds), self._size_bytes)

    def size_bytes(self, name: str) -> int:
        """The bytes of its pixels."""
        self._seconds_of(name)
        return self._size_bytes

    def pieces(self, name: str) -> Iterator[bytes]:
        """The frame at that moment, as a TIFF file."""
        seconds = self._seconds_of(name)
        with self._lock:
            try:
                self._image.seek(bisect.bisect_right(self._starts, seconds) - 1)
                picture, _ = upright_rgb(self._image, 1)
            except Exception as error:  # as above
                raise PictureError(f"the picture is damaged there: {error}") from error
        yield picture_file(picture)

    def texts(self, name: str) -> Mapping[str, bytes]:
        """None."""
        return {}

    def close(self) -> None:
        """Close the file."""
        self._image.close()

    def _timetable(self) -> tuple[list[float], float]:
        """When each frame begins, and when the last one ends, in seconds."""
        count = min(getattr(self._image, "n_frames", 1), MOST_FRAMES)
        starts, end = [], 0.0
        for place in range(count if count > 1 else 0):
            self._image.seek(place)
            self._image.load()  # only now does a WebP say how long it lasts
            starts.append(end)
            end += (self._image.info.get("duration") or UNTOLD_MILLISECONDS) / 1000
        return starts, end

    def _seconds_of(self, name: str) -> float:
        seconds = moment_named(name)
        if seconds is None or seconds >= self._seconds:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        return seconds
