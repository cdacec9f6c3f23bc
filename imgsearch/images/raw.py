"""RAW photos: the preview that the camera put into the file, as a picture file of its own.

A RAW file goes in; a JPEG comes out, the camera's own to the pixel, with what the RAW file says of
the shot (how it was held, when, with what) in place of its own EXIF. A file without a preview, or
with one no larger than a stamp, is developed at half its size. All through LibRaw, by rawpy.
"""

import importlib.util
import io
from typing import Any, BinaryIO

from PIL import Image
from PIL.ExifTags import IFD, Base

from imgsearch.errors import PictureError
from imgsearch.images.containers.frames import picture_file

MISSING = 'RAW photos are read by rawpy, which is missing: pip install "imgsearch[raw]"'
LEAST_SIDE = 320  # pixels: encoders look at 224 and more
LIKE_TIFF = (b"IIRO", b"IIRS", b"MMOR", b"IIU\0")  # Olympus and Panasonic, after the order of bytes
ORIENTATIONS = {3: 3, 5: 8, 6: 6}  # LibRaw's flip -> EXIF's
MAIN_TAGS = (Base.Make, Base.Model, Base.ImageDescription, Base.Orientation, Base.DateTime)
DETAIL_TAGS = (
    *(Base.DateTimeOriginal, Base.DateTimeDigitized, Base.OffsetTime, Base.OffsetTimeOriginal),
    *(Base.OffsetTimeDigitized, Base.ISOSpeedRatings, Base.FNumber, Base.ExposureTime),
    *(Base.FocalLength, Base.FocalLengthIn35mmFilm, Base.LensMake, Base.LensModel),
)
POSITION_TAGS = (1, 2, 3, 4)


def why_not() -> str | None:
    """Why no RAW photo can be read on this machine; None if they can."""
    return MISSING if importlib.util.find_spec("rawpy") is None else None


def preview(stream: BinaryIO) -> tuple[BinaryIO, tuple[int, int]]:
    """The picture in a RAW file as a file, and the (width, height) of the whole photo, upright.

    Raises PictureError, whose message is the reason alone.
    """
    if (reason := why_not()) is not None:
        raise PictureError(reason)
    import rawpy

    content = stream.read()
    try:
        with rawpy.imread(io.BytesIO(content)) as raw:
            exif = _exif(content, raw)
            sizes = raw.sizes
            is_turned = sizes.flip in (5, 6)
            size = (sizes.height, sizes.width) if is_turned else (sizes.width, sizes.height)
            found = _embedded(raw, exif)
            if found is None:
                pixels = raw.postprocess(use_camera_wb=True, half_size=True)
                exif.pop(Base.Orientation, None)  # LibRaw turns what it develops
                found = picture_file(Image.fromarray(pixels), exif)
    except (rawpy.LibRawError, rawpy.NotSupportedError) as error:
        why = error.args[0] if error.args else error
        why = why.decode("utf-8", "replace") if isinstance(why, bytes) else str(why)
        raise PictureError(f"it is no RAW photo that LibRaw reads: {why}") from error
    return io.BytesIO(found), size


def _embedded(raw: Any, exif: Image.Exif) -> bytes | None:
    """The largest preview as a file; None where there is none that is of use."""
    import rawpy

    try:
        thumbnail = raw.extract_thumb()
    except (rawpy.LibRawNoThumbnailError, rawpy.LibRawUnsupportedThumbnailError):
        return None
    if thumbnail.format == rawpy.ThumbFormat.BITMAP:
        picture = Image.fromarray(thumbnail.data)
        return picture_file(picture, exif) if min(picture.size) >= LEAST_SIDE else None
    if thumbnail.format != rawpy.ThumbFormat.JPEG or min(_size(thumbnail.data)) < LEAST_SIDE:
        return None
    return _with_exif(thumbnail.data, exif)


def _size(jpeg: bytes) -> tuple[int, int]:
    try:
        with Image.open(io.BytesIO(jpeg), formats=("JPEG",)) as picture:
            return picture.size
    except (OSError, SyntaxError, Image.DecompressionBombError):
        return 0, 0


def _with_exif(jpeg: bytes, exif: Image.Exif) -> bytes:
    """A JPEG with this EXIF in place of its own."""
    kept = [jpeg[:2]]
    block = exif.tobytes()
    kept.append(b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block)
    place = 2
    while jpeg[place : place + 1] == b"\xff" and jpeg[place + 1] not in (0xDA, 0xD9):
        end = place + 2 + int.from_bytes(jpeg[place + 2 : place + 4], "big")
        if not jpeg[place:end].startswith(b"Exif\0\0", 4):
            kept.append(jpeg[place:end])
        place = end
    return b"".join([*kept, jpeg[place:]])


def _exif(content: bytes, raw: Any) -> Image.Exif:
    """What the file says of the shot. Most RAW files are TIFF files; of others LibRaw tells."""
    found = Image.Exif()
    written = Image.Exif()
    try:
        if content[:4] in LIKE_TIFF:
            content = content[:2] + (b"*\0" if content[:2] == b"II" else b"\0*") + content[4:]
        written.load_from_fp(io.BytesIO(content))
        _copy(written, found)
    except Exception:  # no TIFF, or a broken one, which raises anything and costs the photo nothing
        found = _told_by_libraw(raw)
    if Base.Orientation not in found and raw.sizes.flip in ORIENTATIONS:
        found[Base.Orientation] = ORIENTATIONS[raw.sizes.flip]
    return found


def _copy(written: Image.Exif, found: Image.Exif) -> None:
    for tag in MAIN_TAGS:
        if tag in written:
            found[tag] = written[tag]
    for section, tags in ((IFD.Exif, DETAIL_TAGS), (IFD.GPSInfo, POSITION_TAGS)):
        values = written.get_ifd(section)
        if kept := {tag: values[tag] for tag in tags if tag in values}:
            found[section] = kept
    found.tobytes()  # raises here if a value is of no kind that EXIF has


def _told_by_libraw(raw: Any) -> Image.Exif:
    found, other = Image.Exif(), raw.other
    detail: dict[int, object] = {}
    if other.timestamp:
        detail[Base.DateTimeOriginal] = f"{other.timestamp:%Y:%m:%d %H:%M:%S}"
    for tag, value in ((Base.FNumber, other.aperture), (Base.FocalLength, other.focal_length)):
        if value:
            detail[tag] = round(float(value), 2)
    if other.iso_speed:
        detail[Base.ISOSpeedRatings] = round(other.iso_speed)
    if raw.lens.model:
        detail[Base.LensModel] = raw.lens.model
    if detail:
        found[IFD.Exif] = detail
    return found
