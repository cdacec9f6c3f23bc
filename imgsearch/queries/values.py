"""Numbers, dates and claims as a person types them, in; the tests they mean, out.

Each function reads one value, without the `|` between several, and raises ValueError with what is
wrong with it. Full-width digits and 2023年7月14日 read as 2023-07-14 does. A date is one of this
machine's own zone, as the capture times of most photos are (see `images/facts.py`).
"""

import math
import re
import unicodedata
from datetime import date, datetime

from imgsearch.queries.conditions import Flag, Period, Span

EARLIEST_YEAR, LATEST_YEAR = 1000, 9998  # with room for any zone, and for the year after
YES = frozenset(("yes", "true", "是"))
NO = frozenset(("no", "false", "否"))

_NUMBER = r"[0-9]{1,15}(?:\.[0-9]{0,15})?|\.[0-9]{1,15}"
_NUMBERS = re.compile(rf"({_NUMBER})(?:-({_NUMBER}))?")
_BOUND = re.compile(rf"([<>]=?)({_NUMBER})")
_DATE = re.compile(r"([0-9]{4})(?:-([0-9]{1,2})(?:-([0-9]{1,2}))?)?")
_YEARS = re.compile(r"([0-9]{4})(?:-([0-9]{4}))?")
_YEAR_BOUND = re.compile(r"([<>]=?)([0-9]{4})")
_PLACES = re.compile(r"([0-9]{1,2})(?:-([0-9]{1,2}))?")


def span(value: str, grain: float = 0) -> tuple[Span]:
    """`400`, `100-400`, `>800`, `>=800`, `800-`, `<100`, `<=100`.

    A camera's numbers are measured: with a `grain`, a single number stands for all that round to
    it, as f/1.78 does to 1.8. More digits than the grain has ask for more.
    """
    value = _with_sign(_plain(value))
    if bound := _BOUND.fullmatch(value):
        return (_bounded(bound[1], float(bound[2])),)
    numbers = _NUMBERS.fullmatch(value)
    if not numbers:
        raise ValueError("it is no number")
    if numbers[2] is not None:
        low, high = float(numbers[1]), float(numbers[2])
        if low > high:
            raise ValueError("it runs backwards")
        return (Span(low, high),)
    number = float(numbers[1])
    if not grain:
        return (Span(number, number),)
    digits = len(numbers[1].partition(".")[2])
    half = min(grain, 10.0**-digits) / 2
    return (Span(number - half, math.nextafter(number + half, -math.inf)),)


def after(value: str) -> tuple[Period]:
    """From the beginning of a day, a month or a year on."""
    return (Period(_beginning(value), None),)


def before(value: str) -> tuple[Period]:
    """Up to the beginning of a day, a month or a year."""
    return (Period(None, _beginning(value)),)


def years(value: str) -> tuple[Period]:
    """`2023`, `2021-2023`, `>2020`, `>=2021`, `2021-`, `<2020`, `<=2020`."""
    value = _with_sign(_plain(value).replace("年", ""))
    if bound := _YEAR_BOUND.fullmatch(value):
        # After a year is from the next one on, as before it is up to its beginning.
        edge = _moment(int(bound[2]) + (bound[1] in (">", "<=")), 1, 1)
        return (Period(edge, None) if bound[1].startswith(">") else Period(None, edge),)
    found = _YEARS.fullmatch(value)
    if not found:
        raise ValueError("it is no year of four digits")
    first, last = int(found[1]), int(found[2] or found[1])
    if first > last:
        raise ValueError("it runs backwards")
    return (Period(_moment(first, 1, 1), _moment(last + 1, 1, 1)),)


def turning(value: str, count: int) -> tuple[Span, ...]:
    """A place in a round of `count`, from 1: `7`, `7-9`, and across its end `11-2`."""
    found = _PLACES.fullmatch(_plain(value).strip("月日号"))
    if not found or not all(1 <= int(each) <= count for each in found.groups(found[1])):
        raise ValueError(f"it is no number from 1 to {count}")
    first, last = int(found[1]), int(found[2] or found[1])
    if first <= last:
        return (Span(first, last),)
    return Span(first, count), Span(1, last)


def flag(value: str) -> tuple[Flag]:
    """`yes` or `no`, `true` or `false`, 是 or 否."""
    claim = _plain(value).lower()
    if claim not in YES | NO:
        raise ValueError("it is neither yes nor no")
    return (Flag(claim in YES),)


def number(value: str, low: float, high: float) -> float:
    """One number from `low` to `high`, which may be signed."""
    value = _plain(value)
    if not re.fullmatch(rf"[+-]?(?:{_NUMBER})", value):
        raise ValueError("it is no number")
    if not low <= float(value) <= high:
        raise ValueError(f"it is not from {low:g} to {high:g}")
    return float(value)


def _plain(value: str) -> str:
    return unicodedata.normalize("NFKC", value).strip()


def _with_sign(value: str) -> str:
    """`800-` as `>=800`; any other value as it is."""
    return f">={value[:-1]}" if value.endswith("-") else value


def _bounded(sign: str, bound: float) -> Span:
    if sign.startswith("<"):
        return Span(None, bound if sign == "<=" else math.nextafter(bound, -math.inf))
    return Span(bound if sign == ">=" else math.nextafter(bound, math.inf), None)


def _beginning(value: str) -> datetime:
    value = re.sub("[年月](?=.)", "-", _plain(value)).rstrip("年月日号")
    found = _DATE.fullmatch(value)
    if not found:
        raise ValueError("it is no date")
    return _moment(*(int(each or 1) for each in found.groups()))


def _moment(year: int, month: int, day: int) -> datetime:
    if not EARLIEST_YEAR <= year <= LATEST_YEAR + 1:
        raise ValueError(f"its year is not from {EARLIEST_YEAR} to {LATEST_YEAR}")
    try:
        moment = date(year, month, day)
    except ValueError as error:
        raise ValueError("there is no such day") from error
    try:
        return datetime(moment.year, moment.month, moment.day).astimezone()
    except (OverflowError, OSError) as error:  # Windows has no zones before 1970
        raise ValueError("this system cannot tell the time of that day") from error
