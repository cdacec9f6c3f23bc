"""A frame's moment as its name, and its pixels as a picture file.

`00-01-30.500` is an hour, a minute and a second in a name that every system allows. The file is an
uncompressed TIFF, so that the same frame has the same bytes however it was stored.
"""

import io
import re

from PIL import Image

_MOMENT = re.compile(r"(\d+)-(\d\d)-(\d\d\.\d{3})")


def moment(seconds: float) -> str:
    """The name of the frame at that many seconds, to the millisecond."""
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}-{minutes:02}-{milliseconds / 1000:06.3f}"


def moment_named(name: str) -> float | None:
    """The seconds that the name of a frame says; None for what is no such name."""
    parts = _MOMENT.fullmatch(name)
    return None if parts is None else int(parts[1]) * 3600 + int(parts[2]) * 60 + float(parts[3])


def picture_file(picture: Image.Image, exif: Image.Exif | None = None) -> bytes:
    """An RGB picture as a file."""
    stream = io.BytesIO()
    picture.save(stream, "TIFF", exif=(exif or Image.Exif()).tobytes())
    return stream.getvalue()
