"""How far apart two positions are, in SQL: a box of degrees, then the distance within it."""

import math

from sqlalchemy import ColumnElement, and_, func, or_

from imgsearch.catalog.tables import Photo
from imgsearch.places import EARTH_KM
from imgsearch.queries import Near

KILOMETRES = "imgsearch_kilometres"  # the function's name in SQL; `connection` registers it


def is_near(test: Near) -> ColumnElement[bool]:
    """Whether a photo was taken within the distance; a box, which SQLite compares fast, first."""
    here = (test.latitude, test.longitude)
    distance = getattr(func, KILOMETRES)(Photo.latitude, Photo.longitude, *here)
    return and_(_is_in_box(test), distance <= test.kilometres)


def kilometres(
    latitude: float | None,
    longitude: float | None,
    other_latitude: float,
    other_longitude: float,
) -> float | None:
    """The distance of two points on the earth, in signed degrees, along its surface.

    None for a photo without a position.
    """
    if latitude is None or longitude is None:
        return None
    north, east, other_north, other_east = map(
        math.radians, (latitude, longitude, other_latitude, other_longitude)
    )
    half = math.sin((other_north - north) / 2) ** 2
    half += math.cos(north) * math.cos(other_north) * math.sin((other_east - east) / 2) ** 2
    return 2 * EARTH_KM * math.asin(min(1.0, math.sqrt(half)))


def _is_in_box(test: Near) -> ColumnElement[bool]:
    angle = test.kilometres / EARTH_KM  # radians
    south = test.latitude - math.degrees(angle)
    north = test.latitude + math.degrees(angle)
    is_in_belt = Photo.latitude.between(south, north)
    if south <= -90 or north >= 90:  # every longitude is near at a pole
        return is_in_belt
    reach = math.degrees(math.asin(math.sin(angle) / math.cos(math.radians(test.latitude))))
    west, east = test.longitude - reach, test.longitude + reach
    beyond = [Photo.longitude >= west + 360] if west < -180 else []  # across the date line
    beyond += [Photo.longitude <= east - 360] if east > 180 else []
    return and_(is_in_belt, or_(Photo.longitude.between(west, east), *beyond))
