"""What a photo says of itself: size, format, when, with what and where it was taken.

A decoded picture's EXIF goes in, `Facts` come out. EXIF is written by thousands of programs, many
of them wrong, so every field is believed only when it makes sense and none of them can spoil a
photo.

Times are UTC. A capture time with its offset is exact. One without (most cameras write only the
wall clock) is taken as this machine's own zone: shown in that zone again it reads as it did on the
camera's display.
"""

import math
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from PIL import Image
from PIL.ExifTags import IFD, Base

LONGEST_CAMERA = 100
LONGEST_LENS = 100
LENS_TAG = 0xA434  # Pillow's name for it came late
ISO_TAGS = (0x8827, 0x8831, 0x8832, 0x8833)  # the first holds 16 bits, the others what is above
ISO_ABOVE = 65_535  # in the first tag: look in the others
HIGHEST_ISO = 10_000_000
HIGHEST_F_NUMBER = 1000.0  # a pinhole's is some hundreds
LONGEST_FOCAL_LENGTH_MM = 20_000.0  # of telescopes
EARLIEST_YEAR = 1826  # the oldest photograph there is
MAKER_SUFFIXES = frozenset(
    (
        *("corporation", "corp", "company", "co", "ltd", "limited", "inc", "gmbh", "ag"),
        *("imaging", "optical", "digital", "electronics", "camera", "computer"),
    )
)


@dataclass(frozen=True)
class Exposure:
    """What the camera was set to; the focal length as it stands on the lens."""

    lens: str | None = None
    iso: int | None = None
    f_number: float | None = None
    focal_length_mm: float | None = None


@dataclass(frozen=True)
class Facts:
    """One photo's own facts; width and height of the full, upright picture, degrees signed."""

    width: int
    height: int
    size_bytes: int
    format: str
    taken_at: datetime
    camera: str | None
    exposure: Exposure
    latitude: float | None
    longitude: float | None


def taken_at(exif: Image.Exif, modified_at: float) -> datetime:
    """When the photo was taken, in UTC: by its EXIF, else by the file's own time."""
    detail = _section(exif, IFD.Exif)
    candidates = (
        (detail.get(Base.DateTimeOriginal), detail.get(Base.OffsetTimeOriginal)),
        (detail.get(Base.DateTimeDigitized), detail.get(Base.OffsetTimeDigitized)),
        (exif.get(Base.DateTime), detail.get(Base.OffsetTime)),
    )
    for written, offset in candidates:
        moment = _moment(as_text(written), as_text(offset))
        if moment is not None:
            return moment
    try:
        return datetime.fromtimestamp(modified_at, UTC)
    except (OverflowError, ValueError, OSError):  # a file system may hold any number
        return datetime.fromtimestamp(0, UTC)


def camera(exif: Image.Exif) -> str | None:
    """Maker and model as a person would say them: "Canon EOS 5D", not "Canon Canon EOS 5D"."""
    make, model = as_text(exif.get(Base.Make)), as_text(exif.get(Base.Model))
    words = [word for word in make.split() if _bare(word) not in MAKER_SUFFIXES]
    if model and words and _bare(words[0]) == _bare(model.split()[0]):
        words = []
    name = " ".join([*words, *model.split()]) or make
    return name[:LONGEST_CAMERA] or None


def exposure(exif: Image.Exif) -> Exposure:
    """What the camera was set to, as far as it says so."""
    detail = _section(exif, IFD.Exif)
    highest = dict.fromkeys(ISO_TAGS, HIGHEST_ISO) | {ISO_TAGS[0]: ISO_ABOVE - 1}
    told = (_number(detail.get(tag), 1, bound) for tag, bound in highest.items())
    iso = next((number for number in told if number is not None), None)
    return Exposure(
        lens=_lens(as_text(detail.get(LENS_TAG))),
        iso=None if iso is None else round(iso),
        f_number=_number(detail.get(Base.FNumber), 0.1, HIGHEST_F_NUMBER),
        focal_length_mm=_number(detail.get(Base.FocalLength), 0.1, LONGEST_FOCAL_LENGTH_MM),
    )


def position(exif: Image.Exif) -> tuple[float, float] | tuple[None, None]:
    """(latitude, longitude) in signed degrees; (None, None) without a believable pair.

    Exactly 0, 0 is what cameras write before their first fix, so it counts as no position.
    """
    gps = _section(exif, IFD.GPSInfo)
    latitude = _degrees(gps.get(2), as_text(gps.get(1)), "NS", 90)
    longitude = _degrees(gps.get(4), as_text(gps.get(3)), "EW", 180)
    if latitude is None or longitude is None or latitude == longitude == 0:
        return None, None
    return latitude, longitude


def _section(exif: Image.Exif, ifd: IFD) -> dict[int, object]:
    try:
        return exif.get_ifd(ifd)
    except Exception:  # Pillow parses the section only now, and garbage in it raises anything
        return {}


def as_text(value: object) -> str:
    """A value of a photo's as one line of text; empty for what is none."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        return ""
    with suppress(
        UnicodeError
    ):  # the standard says ASCII, phones write UTF-8, Pillow reads Latin-1
        value = value.encode("latin-1").decode("utf-8")
    value = value.split("\0")[0]
    return " ".join("".join(c if c.isprintable() else " " for c in value).split())


def _bare(word: str) -> str:
    return word.strip(".,()").lower()


def _moment(written: str, offset: str) -> datetime | None:
    digits = re.match(r"(\d{4})\D(\d\d)\D(\d\d)[ T](\d\d):(\d\d)(?::(\d\d))?", written)
    if not digits:
        return None
    year, month, day, hour, minute, second = (int(group or 0) for group in digits.groups())
    try:
        moment = datetime(year, month, day, hour, minute, min(second, 59))
        zone = _zone(offset)
        # replace: a written offset is the truth; astimezone: a naive time is this machine's
        known = moment.replace(tzinfo=zone) if zone else moment.astimezone()
        return known.astimezone(UTC) if year >= EARLIEST_YEAR else None
    except (ValueError, OverflowError, OSError):  # 31 February; times the platform cannot place
        return None


def _zone(offset: str) -> timezone | None:
    parts = re.fullmatch(r"([+-])(\d\d):?(\d\d)", offset)
    if not parts:
        return UTC if offset == "Z" else None
    span = timedelta(hours=int(parts[2]), minutes=int(parts[3]))
    if span > timedelta(hours=14):
        return None
    return timezone(-span if parts[1] == "-" else span)


def _lens(written: str) -> str | None:
    """The lens, unless the camera only says that it knows none: "----", "0.0 mm f/0.0"."""
    says_something = any(c.isalpha() for c in written) and written.lower() != "unknown"
    if not says_something or re.match(r"0+(\.0+)? ?mm", written):
        return None
    return written[:LONGEST_LENS]


def _number(value: object, lowest: float, highest: float) -> float | None:
    first = value[0] if isinstance(value, tuple | list) and value else value
    try:
        number = round(float(first), 4)  # type: ignore[arg-type]  # a Rational of Pillow's, or junk
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return number if lowest <= number <= highest else None


def _degrees(value: object, reference: str, letters: str, limit: int) -> float | None:
    parts = tuple(value) if isinstance(value, tuple | list) else (value,)
    if reference.upper() not in (*letters, ""):
        return None
    try:
        degrees = math.fsum(
            float(part) / unit for part, unit in zip(parts, (1, 60, 3600), strict=False)
        )
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    if not math.isfinite(degrees) or not -limit <= degrees <= limit:
        return None
    return round(-degrees if reference.upper() == letters[1] else degrees, 7)
