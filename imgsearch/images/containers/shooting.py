"""When, where and with what a film was shot, as the EXIF of one of its frames.

The names that phones and cameras write into MP4 and QuickTime files go in. Anything that is not of
the expected shape says nothing.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from PIL import Image
from PIL.ExifTags import GPS, IFD, Base
from PIL.TiffImagePlugin import IFDRational

DATES = ("com.apple.quicktime.creationdate", "creation_time", "date")  # the first has its offset
MAKERS = ("com.apple.quicktime.make", "make", "com.android.manufacturer")
MODELS = ("com.apple.quicktime.model", "model", "com.android.model")
POSITIONS = ("com.apple.quicktime.location.ISO6709", "location")
_POSITION = re.compile(r"([+-]\d{1,2}(?:\.\d+)?)([+-]\d{1,3}(?:\.\d+)?)")


def exif_of_film(shot: Mapping[str, str], seconds: float) -> Image.Exif:
    """The EXIF of the frame that many seconds into a film."""
    exif = Image.Exif()
    for tag, keys in ((Base.Make, MAKERS), (Base.Model, MODELS)):
        if value := _first(shot, keys):
            exif[tag] = value
    if (taken := _moment(_first(shot, DATES))) is not None:
        taken += timedelta(seconds=seconds)
        detail: dict[int, object] = {Base.DateTimeOriginal: f"{taken:%Y:%m:%d %H:%M:%S}"}
        if offset := f"{taken:%z}":
            detail[Base.OffsetTimeOriginal] = f"{offset[:3]}:{offset[3:5]}"
        exif[IFD.Exif] = detail
    if position := _POSITION.match(_first(shot, POSITIONS)):
        exif[IFD.GPSInfo] = _gps(float(position[1]), float(position[2]))
    return exif


def _first(shot: Mapping[str, str], keys: tuple[str, ...]) -> str:
    return next((shot[key] for key in keys if shot.get(key)), "")


def _moment(written: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        return None
    return moment if moment.year > 1970 else None  # the clock of a camera that nobody set


def _gps(latitude: float, longitude: float) -> dict[int, object]:
    return {
        GPS.GPSLatitudeRef: "N" if latitude >= 0 else "S",
        GPS.GPSLatitude: _degrees(abs(latitude)),
        GPS.GPSLongitudeRef: "E" if longitude >= 0 else "W",
        GPS.GPSLongitude: _degrees(abs(longitude)),
    }


def _degrees(value: float) -> tuple[IFDRational, ...]:
    return IFDRational(round(value * 1_000_000), 1_000_000), IFDRational(0), IFDRational(0)
