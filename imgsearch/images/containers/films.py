"""Films: a frame at every so many seconds, through PyAV.

A frame is the one that is on the screen at its moment, upright, as an uncompressed picture file
with the film's date, camera and place in it. Films are read forwards: a frame is decoded on from
the last one asked for, or from the key frame before it where that is nearer. Frames are hashed well
before they are decoded for an encoder, so two places in a film are kept open.
"""

import errno
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from imgsearch.errors import PictureError
from imgsearch.images.containers.container import Member
from imgsearch.images.containers.frames import moment, moment_named, picture_file
from imgsearch.images.containers.shooting import exif_of_film

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

PLACES_KEPT = 2
SECONDS_BEFORE = (0.0, 1.0, 10.0)  # where to look for a key frame when the index points too far
LARGEST_PIXELS = 1 << 26  # 8K is half of it
LEAST_BYTES_A_SECOND = 1000  # a length that needs less is not believed but looked up
MOST_FRAMES = (
    250_000  # of one film: nearly three hours of every frame, a month of one in ten seconds
)
JUST = 0.0005  # seconds: moments are named by the millisecond


class Film:
    """An open film. Raises PictureError for what is none, and where PyAV is missing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        first = _Reader(path)
        self._readers = [first]
        self._seconds = first.seconds(os.path.getsize(path))
        self._size_bytes: int = 3 * first.stream.width * first.stream.height
        self._shot = dict(first.container.metadata) | dict(first.stream.metadata)

    def members(self, every_seconds: float) -> Iterator[Member]:
        """A frame at the start, and one every so many seconds."""
        for place in range(MOST_FRAMES):
            seconds = place * every_seconds
            if place and seconds >= self._seconds:
                return
            yield Member(moment(seconds), self._size_bytes)
        raise PictureError(
            f"it says that it lasts {self._seconds:,.0f} seconds; only the first {MOST_FRAMES:,} "
            "frames were taken: --every SECONDS takes fewer of them"
        )

    def size_bytes(self, name: str) -> int:
        """The bytes of its pixels: every frame has as many."""
        self._seconds_of(name)
        return self._size_bytes

    def pieces(self, name: str) -> Iterator[bytes]:
        """The frame at that moment, as a TIFF file."""
        seconds = self._seconds_of(name)
        with self._lock:
            picture = self._reader(seconds).at(seconds)
        yield picture_file(picture, exif_of_film(self._shot, seconds))

    def texts(self, name: str) -> Mapping[str, bytes]:
        """None."""
        return {}

    def close(self) -> None:
        """Close the film."""
        with self._lock:
            for reader in self._readers:
                reader.container.close()

    def _seconds_of(self, name: str) -> float:
        seconds = moment_named(name)
        if seconds is None or (seconds >= self._seconds and seconds > 0):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        return seconds

    def _reader(self, seconds: float) -> "_Reader":
        """The place that is nearest before that moment; the one used least recently, if none is."""
        before = [each for each in self._readers if each.shown_at <= seconds]
        if before:
            reader = max(before, key=lambda each: each.shown_at)
            self._readers.remove(reader)
        elif len(self._readers) < PLACES_KEPT:
            reader = _Reader(self._path)
        else:
            reader = self._readers.pop(0)
        self._readers.append(reader)
        return reader


class _Reader:
    """One place in a film: the frame that is shown there, and the next."""

    def __init__(self, path: Path) -> None:
        av = _av()
        try:
            self.container: InputContainer = av.open(os.fspath(path))
        except FileNotFoundError:
            raise
        except (av.FFmpegError, ValueError, OSError, MemoryError) as error:
            raise PictureError(f"it is no video that can be read: {_why(error)}") from error
        self.stream: VideoStream = _stream(self.container)
        if self.stream.width * self.stream.height > LARGEST_PIXELS:
            size = f"{self.stream.width} x {self.stream.height}"
            raise PictureError(f"{size} pixels is more than a frame may have")
        self.stream.thread_type = "AUTO"
        # No memory, a number too large: a damaged length asks for more than there is.
        self._errors = (av.FFmpegError, ValueError, MemoryError, OverflowError)
        self._start = float((self.stream.start_time or 0) * self.stream.time_base)
        try:
            self._rewind()
        except self._errors as error:
            self.container.close()
            raise PictureError(f"the video is damaged: {_why(error)}") from error

    @property
    def shown_at(self) -> float:
        """The moment of the frame that is shown; before all frames at first."""
        return float("-inf") if self._shown is None else self._time(self._shown)

    def seconds(self, size_bytes: int) -> float:
        """How long the film is. Where the file does not say, or says what a film of its size can
        hardly be, all of it is read, but not decoded.
        """
        told = self._told_seconds()
        if told is not None and told * LEAST_BYTES_A_SECOND <= size_bytes:
            return told
        last = 0.0
        try:
            self.container.seek(self._timestamp(0.0), stream=self.stream, backward=True)
            for packet in self.container.demux(self.stream):
                if packet.pts is not None:
                    last = max(
                        last, float((packet.pts + (packet.duration or 1)) * packet.time_base)
                    )
            self._seek(0.0)
        except self._errors as error:
            raise PictureError(f"the video is damaged: {_why(error)}") from error
        return last - self._start if told is None else min(told, last - self._start)

    def _told_seconds(self) -> float | None:
        if self.stream.duration:
            return float(self.stream.duration * self.stream.time_base)
        if self.container.duration:
            return float(self.container.duration / 1e6) - self._start  # Matroska: when it ends
        return None

    def at(self, seconds: float) -> Image.Image:
        """The frame on the screen at that moment, upright."""
        try:
            if seconds + JUST < self.shown_at or self._is_key_frame_between(seconds):
                self._look_from_key_frame(seconds)
            while self._next is not None and self._time(self._next) <= seconds + JUST:
                self._step()
        except self._errors as error:
            raise PictureError(f"the video is damaged there: {_why(error)}") from error
        frame = self._shown or self._next
        if frame is None:
            raise PictureError("the video is damaged: none of its frames can be decoded")
        return _upright(frame, self.stream)

    def _is_key_frame_between(self, seconds: float) -> bool:
        entries = self.stream.index_entries
        place = entries.search_timestamp(self._timestamp(seconds), backward=True)
        if place < 0:
            return False
        at = float(entries[place].timestamp * self.stream.time_base) - self._start
        return self._next is not None and at > self._time(self._next)

    def _look_from_key_frame(self, seconds: float) -> None:
        for before in (*SECONDS_BEFORE, seconds):
            self._seek(max(0.0, seconds - before))
            if self._next is not None and self._time(self._next) <= seconds + JUST:
                return

    def _seek(self, seconds: float) -> None:
        self.container.seek(self._timestamp(seconds), stream=self.stream, backward=True)
        self._rewind()

    def _rewind(self) -> None:
        self._frames = self._decoded()
        self._shown: VideoFrame | None = None
        self._next: VideoFrame | None = next(self._frames, None)

    def _step(self) -> None:
        self._shown, self._next = self._next, next(self._frames, None)

    def _decoded(self) -> "Iterator[VideoFrame]":
        for packet in self.container.demux(self.stream):
            try:
                frames = packet.decode()
            except self._errors:  # one packet that is damaged; those after it may be whole
                continue
            yield from (frame for frame in frames if frame.time is not None)

    def _time(self, frame: "VideoFrame") -> float:
        return float(frame.time) - self._start

    def _timestamp(self, seconds: float) -> int:
        return int((seconds + self._start) / self.stream.time_base + 0.5)


def _stream(container: "InputContainer") -> "VideoStream":
    from av.stream import Disposition

    for stream in container.streams.video:
        is_cover = bool(stream.disposition & Disposition.attached_pic)
        is_known = stream.codec_context is not None  # else nothing here decodes it
        if is_known and not is_cover and stream.width and stream.height:
            return stream
    container.close()
    raise PictureError("there is no video in it that can be decoded")


def _upright(frame: "VideoFrame", stream: "VideoStream") -> Image.Image:
    picture: Image.Image = frame.to_image()
    aspect = stream.sample_aspect_ratio
    if aspect and aspect != 1:  # pixels that are not square, as on DVDs
        picture = picture.resize((max(1, round(picture.width * aspect)), picture.height))
    return picture.rotate(frame.rotation, expand=True) if frame.rotation else picture


def _av() -> Any:
    try:
        import av
    except ImportError as error:
        raise PictureError(
            'videos are read by PyAV, which is missing: pip install "imgsearch[video]"'
        ) from error
    return av


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
