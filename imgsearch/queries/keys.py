"""The keys of conditions, and what their values are read as: `iso` and `100-400` in, a Condition
out.

    after before                          Period
    year                                  Period
    month day                             Span of whole numbers: 1 to 12, 1 to 31, of local dates
    camera lens path name type            Like
    iso f mm mp width height              Span; f-number, millimetres, millions of pixels, pixels
    portrait landscape square captioned   Flag
    country city label album              Like
    lat lng dist                          one Condition with the key `near`: Near

`|` in a value separates tests of which one must hold, whatever the key.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from types import MappingProxyType
from typing import TypeAlias

from imgsearch.errors import QueryError
from imgsearch.queries import values
from imgsearch.queries.conditions import Condition, Like, Near, Test

Value: TypeAlias = str | float | bool | date

ALIASES: Mapping[str, str] = MappingProxyType({"folder": "path", "albums": "album", "lon": "lng"})
DEFAULT_KILOMETRES = 5.0
MOST_PARTS = 100  # of a value, and conditions of a query: SQLite reads no statement of any depth
LONGEST_PART = 4096  # characters, as the longest path of Linux
HALF_WAY_ROUND = 20_038.0  # kilometres; nothing is farther away
# what a type is called, and what the files of that type are called
_TYPES = {"jpg": "jpeg", "tif": "tiff", "heic": "heif", "jp2": "jpeg2000"}


@dataclass(frozen=True)
class _Kind:
    """How values are read, and what a person is told who wrote another."""

    read: Callable[[str], tuple[Test, ...]]
    expected: str
    examples: tuple[str, ...]


def _like(value: str) -> tuple[Like]:
    return (Like(value),)


def _type(value: str) -> tuple[Like]:
    return (Like(_TYPES.get(value.lower(), value)),)


def _numbers(grain: float, *examples: str) -> _Kind:
    read = partial(values.span, grain=grain)
    return _Kind(read, "a number, a range or a bound", examples)


def _texts(*examples: str) -> _Kind:
    return _Kind(_like, "a text, in which * stands for anything", examples)


_DATES = ("2023", "2023-07", "2023-07-14")
_FLAG = _Kind(values.flag, "yes or no", ("yes", "no"))
_KINDS: Mapping[str, _Kind] = MappingProxyType(
    {
        "after": _Kind(values.after, "a day, a month or a year", _DATES),
        "before": _Kind(values.before, "a day, a month or a year", _DATES),
        "year": _Kind(values.years, "years", ("2023", "2021-2023", ">2020", "2021|2023")),
        "month": _Kind(partial(values.turning, count=12), "months", ("7", "7-9", "12|1")),
        "day": _Kind(partial(values.turning, count=31), "days of the month", ("14", "1-7")),
        "camera": _texts("canon*", '"Canon EOS 5D"'),
        "lens": _texts("*50mm*"),
        "iso": _numbers(0, "400", "100-400", ">800"),
        "f": _numbers(0.1, "1.8", "1.4-2.8", "<2"),
        "mm": _numbers(1, "50", "50-85", ">200"),
        "path": _texts("2023/summer", '"/photos/summer 2023"'),
        "name": _texts("IMG_*", "beach.jpg"),
        "type": _Kind(_type, "a kind of file", ("jpeg", "png|webp")),
        "width": _numbers(0, "1920", ">=3840"),
        "height": _numbers(0, "1080", ">=2160"),
        "mp": _numbers(1, "12", "12-24", ">12"),
        "portrait": _FLAG,
        "landscape": _FLAG,
        "square": _FLAG,
        "country": _texts("France", "中国", "FR|IT"),
        "city": _texts("Paris", "北京"),
        "captioned": _FLAG,
        "label": _texts("dog", "狗"),
        "album": _texts('"summer 2023"'),
    }
)
_NEAR: Mapping[str, tuple[float, float, str]] = MappingProxyType(
    {
        "lat": (-90, 90, "degrees north, as lat:48.86 lng:2.35"),
        "lng": (-180, 180, "degrees east, as lat:48.86 lng:2.35"),
        "dist": (0, HALF_WAY_ROUND, "kilometres, as lat:48.86 lng:2.35 dist:10"),
    }
)

KEYS: Mapping[str, str] = MappingProxyType(
    {
        "after": "Taken on that day or later, or in that month or year: 2023-07-14, 2023-07, 2023.",
        "before": "Taken before that day, month or year: 2023-07-14, 2023-07, 2023.",
        "year": "Taken in that year: 2023, 2021-2023, >2020, 2021|2023.",
        "month": "Taken in that month of any year: 7, 7-9, 11-2.",
        "day": "Taken on that day of any month: 14, 1-7.",
        "camera": "Maker and model of the camera: canon*.",
        "lens": "The lens: *50mm*.",
        "iso": "Sensitivity: 400, 100-400, >800.",
        "f": "F-number: 1.8, 1.4-2.8, <2.",
        "mm": "Focal length in millimetres: 50, 50-85, >200.",
        "path": "At or below that path: 2023/summer, /photos/2023, */beach. Also folder:",
        "name": "The file's name, with its ending or without: IMG_*.",
        "type": "The kind of file: jpeg, png|webp.",
        "width": "Pixels from left to right: 1920, >=3840.",
        "height": "Pixels from top to bottom: 1080, >=2160.",
        "mp": "Millions of pixels: 12, 12-24, >12.",
        "portrait": "Higher than wide: yes or no.",
        "landscape": "Wider than high: yes or no.",
        "square": "As wide as high: yes or no.",
        "lat": "Taken near this latitude, in degrees north, with lng: 48.86.",
        "lng": "Taken near this longitude, in degrees east, with lat: 2.35. Also lon:",
        "dist": f"How near, in kilometres; {DEFAULT_KILOMETRES:g} without it.",
        "country": "The country, by its name or code: France, 中国, FR|IT.",
        "city": "The city: Paris, 北京.",
        "captioned": "With a caption: yes or no.",
        "label": "With this label: dog, 狗.",
        "album": "In this album: summer*. Also albums:",
    }
)


def condition(key: str, value: Value) -> Condition:
    """One condition, of any key but those of a point (lat, lng and dist): see `conditions`.

    A date of Python's is that day, True is yes. Raises QueryError for an unknown key and for a
    value that cannot be read.
    """
    name, text = known(key), _text(value)
    if name in _NEAR:
        raise QueryError(f"{name}: is a part of a point; give lat: and lng: together")
    kind = _KINDS[name]
    tests: list[Test] = []
    for part in _parts(name, text):
        try:
            tests += kind.read(_filled(part.strip()))
        except ValueError as error:
            examples = ", ".join(f"{name}:{each}" for each in kind.examples)
            raise QueryError(
                f"{name}:{text} cannot be understood ({error}); {name}: takes {kind.expected}: "
                f"{examples}"
            ) from error
    return Condition(name, tuple(tests))


def conditions(**values: Value | None) -> tuple[Condition, ...]:
    """Conditions by their keys: year=2023, camera="canon*"; one of None is left out.

    Raises QueryError for an unknown key and for a value that cannot be read.
    """
    return together((key, value) for key, value in values.items() if value is not None)


def together(pairs: Iterable[tuple[str, Value]]) -> tuple[Condition, ...]:
    """Conditions in their order, those of a point as one at the end. Raises QueryError."""
    found: list[Condition] = []
    point: dict[str, Value] = {}
    for key, value in pairs:
        name = known(key)
        if name not in _NEAR:
            found.append(condition(name, value))
        elif name in point:
            raise QueryError(f"{name}: is there twice; photos are looked for around one point")
        else:
            point[name] = value
    if len(found) > MOST_PARTS:
        raise QueryError(
            f"there are {len(found):,} conditions, and at most {MOST_PARTS} can hold together; "
            "leave some out"
        )
    return (*found, *_near(point))


def known(key: str) -> str:
    """A key in small letters, without aliases. Raises QueryError for one that there is not."""
    name = ALIASES.get(key.lower(), key.lower())
    if name not in KEYS:
        raise QueryError(
            f"there is no key {key}: to ask by; there are {', '.join(f'{each}:' for each in KEYS)}"
        )
    return name


def takes_text(key: str) -> bool:
    """Whether there is such a key, and its values are texts, which may hold spaces."""
    kind = _KINDS.get(ALIASES.get(key.lower(), key.lower()))
    return kind is not None and kind.read is _like


def _near(point: Mapping[str, Value]) -> tuple[Condition, ...]:
    if not point:
        return ()
    if missing := {"lat", "lng"} - point.keys():
        raise QueryError(
            f"{' and '.join(f'{key}:' for key in point)} without "
            f"{' and '.join(f'{key}:' for key in sorted(missing))} names no point; "
            "give both degrees: lat:48.86 lng:2.35 dist:10"
        )
    latitude, longitude, kilometres = (
        _coordinate(key, point.get(key, DEFAULT_KILOMETRES)) for key in _NEAR
    )
    return (Condition("near", (Near(latitude, longitude, kilometres),)),)


def _coordinate(key: str, value: Value) -> float:
    low, high, expected = _NEAR[key]
    text = _text(value)
    try:
        return values.number(text, low, high)
    except ValueError as error:
        raise QueryError(
            f"{key}:{text} cannot be understood ({error}); {key}: takes {expected}"
        ) from error


def _text(value: Value) -> str:
    """A value as a person would type it. Raises QueryError for one that is no valid text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = value.isoformat() if isinstance(value, date) else str(value)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise QueryError(f"the value {text!r} is not valid text; type it anew") from error
    return text


def _parts(name: str, text: str) -> list[str]:
    """What stands between the `|` of a value."""
    parts = text.split("|")
    if len(parts) > MOST_PARTS or len(max(parts, key=len)) > LONGEST_PART:
        raise QueryError(
            f"the value of {name}: has {len(parts):,} parts and {len(text):,} characters; at most "
            f"{MOST_PARTS} parts of {LONGEST_PART:,} characters can be asked for, so cut it, or "
            "save some of it as an album"
        )
    return parts


def _filled(part: str) -> str:
    if not part:
        raise ValueError("there is nothing in it")
    return part
