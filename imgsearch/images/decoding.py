"""A file's bytes in, one upright RGB picture out, with its facts.

The order is the same for every encoder: open, check the pixel cap, decode the first frame, make it
RGB, turn it upright. For a plain RGB file the pixels are Pillow's own to the bit; for the rest they
are what a person sees, where a bare `convert("RGB")` gives a white page (16-bit grey) or a black
one (a logo on no ground).

`short_side` makes big pictures cheap: JPEGs are decoded at a half, a quarter or an eighth,
everything else is averaged down by a whole factor once decoded, so a queue of 50-megapixel photos
does not fill the memory.
"""

import hashlib
import io
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageFile, JpegImagePlugin, UnidentifiedImageError
from PIL.ExifTags import Base

from imgsearch.errors import PictureError
from imgsearch.images import facts, files, names, raw
from imgsearch.images.facts import Exposure, Facts
from imgsearch.images.room import Room
from imgsearch.images.upright import upright_view

DEFAULT_MAX_PIXELS = 250_000_000  # 750 MB of RGB; the largest medium-format backs make 150 million
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "AVIF", "HEIF", "JPEG2000", "PPM")
BYTES_A_PIXEL = 4  # as Pillow keeps RGB
SAME_FORMAT = {
    "MPO": "JPEG",
    "DIB": "BMP",
}  # a JPEG with a second one behind it is what phones call a JPEG

_pixels = Room(1 << 30)  # bytes that are decoded and not yet made small
_opening = threading.Lock()
_open_count = 0
_pillow_cap: int | None = None
_has_heif = False


def read(
    path: Path, *, max_pixels: int = DEFAULT_MAX_PIXELS, short_side: int | None = None
) -> tuple[Image.Image, Facts]:
    """One photo, upright and RGB, and its facts, of the full picture however small it decoded.

    With `short_side`, the picture may be smaller than the file's, its shorter side never below that
    number of pixels (unless the file's own is). Raises PictureError whose message is the reason
    alone, to be shown beside the path.
    """
    try:
        status = files.stat(path)
        with _opened_picture(path) as (stream, whole):
            image, form, size, exif = _read(stream, max_pixels, short_side)
    except OSError as error:
        raise PictureError(f"the file cannot be read: {error.strerror or error}") from error
    if whole is not None:
        form, size = names.ending(path.name)[1:].upper(), whole
    elif (place := files.place_of(path)).seconds is not None:
        form = names.ending(place.container.name)[1:].upper()  # a frame is a TIFF of our own making
    latitude, longitude = facts.position(exif)
    return image, Facts(
        width=size[0],
        height=size[1],
        size_bytes=status.size_bytes,
        format=form,
        taken_at=facts.taken_at(exif, status.mtime_ns / 1e9),
        camera=facts.camera(exif),
        exposure=facts.exposure(exif),
        latitude=latitude,
        longitude=longitude,
    )


def read_exposure(path: Path) -> Exposure:
    """What a photo's camera was set to, by the header of its file. Raises PictureError."""
    with opened_header(path) as image:
        return facts.exposure(exif_of(image))


def decode(
    source: Path | bytes, *, max_pixels: int = DEFAULT_MAX_PIXELS, short_side: int | None = None
) -> Image.Image:
    """The same pixels as `read`, from a file or its bytes. Raises PictureError naming the file."""
    try:
        if isinstance(source, bytes):
            return _read(io.BytesIO(source), max_pixels, short_side)[0]
        return read(source, max_pixels=max_pixels, short_side=short_side)[0]
    except PictureError as error:
        name = "the picture" if isinstance(source, bytes) else repr(str(source))
        raise PictureError(f"{name} cannot be used as a picture: {error}") from error


def content_hash(path: Path) -> str:
    """SHA-256 of all bytes of a file, in 64 hexadecimal digits. Raises PictureError."""
    try:
        digest = hashlib.sha256()
        for piece in files.pieces(path):
            digest.update(piece)
        return digest.hexdigest()
    except OSError as error:
        raise PictureError(f"the file cannot be read: {error.strerror or error}") from error


@contextmanager
def opened_header(path: Path) -> Iterator[ImageFile.ImageFile]:
    """A picture of which only the header has been read. Raises PictureError."""
    with ExitStack() as stack:
        try:
            image = stack.enter_context(_open(stack.enter_context(_opened_picture(path))[0]))
        except UnidentifiedImageError as error:
            raise PictureError("it is not a picture of a kind imgsearch reads") from error
        except OSError as error:
            raise PictureError(f"the file cannot be read: {error.strerror or error}") from error
        yield image


@contextmanager
def _opened_picture(path: Path) -> Iterator[tuple[BinaryIO, tuple[int, int] | None]]:
    """A picture file; for a RAW photo its preview, and the size of the whole."""
    with files.opened(path) as stream:
        yield raw.preview(stream) if names.ending(path.name) in names.RAW else (stream, None)


def _read(
    stream: BinaryIO, max_pixels: int, short_side: int | None
) -> tuple[Image.Image, str, tuple[int, int], Image.Exif]:
    """The picture, its format, its full upright (width, height), its EXIF."""
    if not stream.read(1):
        raise PictureError("the file is empty")
    stream.seek(0)
    try:
        with _open(stream) as source:
            width, height = source.size
            if width * height > max_pixels:
                raise PictureError(
                    f"{width} x {height} pixels is more than the cap of {max_pixels:,};"
                    " imgsearch index --max-pixels N raises it"
                )
            if short_side and isinstance(source, JpegImagePlugin.JpegImageFile):
                source.draft(None, (short_side, short_side))
            is_drafted = source.size != (width, height)
            with _pixels.taken(BYTES_A_PIXEL * source.width * source.height):
                source.load()
                exif = exif_of(source)
                image, is_turned = upright_view(source, _orientation(exif))
                size = image.size
                image = _made_small(image, short_side or min(size))
            form = SAME_FORMAT.get(str(source.format), str(source.format))
    except PictureError:
        raise
    except UnidentifiedImageError as error:
        raise PictureError("it is not a picture of a kind imgsearch reads") from error
    except MemoryError as error:
        raise PictureError("the picture does not fit in memory") from error
    except (
        Exception
    ) as error:  # decoders meet garbage in a hundred ways: OSError, struct.error, EOFError ...
        raise PictureError(f"the picture is damaged or cut short: {error}") from error
    if is_drafted:
        size = (height, width) if is_turned else (width, height)
    return image, form, size, exif


def _made_small(image: Image.Image, short_side: int) -> Image.Image:
    """The picture without its file's decoder and bytes, no smaller than that."""
    factor = min(image.size) // short_side
    if factor > 1:
        return image.reduce(factor)
    return image.copy() if isinstance(image, ImageFile.ImageFile) else image


@contextmanager
def _open(stream: BinaryIO) -> Iterator[ImageFile.ImageFile]:
    """Open without Pillow's own pixel check: a global, half a warning, not the user's to set.

    The check is lifted only while some thread of ours is inside `Image.open`, which reads the
    header alone.
    """
    global _open_count, _pillow_cap
    with _opening:
        _register_heif()
        if _open_count == 0:
            _pillow_cap, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        _open_count += 1
    try:
        image = Image.open(stream, formats=FORMATS)
    finally:
        with _opening:
            _open_count -= 1
            if _open_count == 0:
                Image.MAX_IMAGE_PIXELS = _pillow_cap
    with image:
        yield image


def _register_heif() -> None:
    global _has_heif
    if not _has_heif:
        import pillow_heif  # 20 ms and a native library: only once a picture is opened

        pillow_heif.register_heif_opener()
        _has_heif = True


def exif_of(image: Image.Image) -> Image.Exif:
    """The EXIF of an opened picture, empty where it has none that parses."""
    try:
        return image.getexif()
    except Exception:  # parsed only now; a broken block raises anything and costs the photo nothing
        return Image.Exif()


def _orientation(exif: Image.Exif) -> int:
    try:
        value = exif.get(Base.Orientation, 1)
    except Exception:  # as above: single values are parsed on access
        return 1
    return value if isinstance(value, int) else 1
