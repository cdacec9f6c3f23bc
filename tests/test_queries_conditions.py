"""Conditions: what each key takes, what its values mean, and what is said of other ones."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from imgsearch.errors import QueryError
from imgsearch.queries import (
    KEYS,
    Condition,
    Flag,
    Like,
    Near,
    Period,
    Span,
    Test,
    Value,
    condition,
    conditions,
)
from imgsearch.queries.keys import together

CHINA = timezone(timedelta(hours=8))


def meaning(key: str, value: Value) -> tuple[Test, ...]:
    return condition(key, value).tests


@pytest.fixture
def in_china(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if not hasattr(time, "tzset"):
        pytest.skip("the zone of a process cannot be chosen on this system; run it elsewhere")
    before = os.environ.get("TZ")
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    yield
    if before is None:
        monkeypatch.delenv("TZ")
    else:
        monkeypatch.setenv("TZ", before)
    time.tzset()


# Dates


@pytest.mark.usefixtures("in_china")
@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2023", datetime(2023, 1, 1, tzinfo=CHINA)),
        ("2023-07", datetime(2023, 7, 1, tzinfo=CHINA)),
        ("2023-07-14", datetime(2023, 7, 13, 16, tzinfo=UTC)),
        ("2023-7-4", datetime(2023, 7, 4, tzinfo=CHINA)),
        ("２０２３-07-14", datetime(2023, 7, 14, tzinfo=CHINA)),
        ("2023年", datetime(2023, 1, 1, tzinfo=CHINA)),
        ("2023年7月", datetime(2023, 7, 1, tzinfo=CHINA)),
        ("2023年7月14日", datetime(2023, 7, 14, tzinfo=CHINA)),
        (date(2023, 7, 14), datetime(2023, 7, 14, tzinfo=CHINA)),
        (2023, datetime(2023, 1, 1, tzinfo=CHINA)),
    ],
)
def test_after_begins_with_a_date_and_before_ends_at_it(value: Value, moment: datetime) -> None:
    assert meaning("after", value) == (Period(moment, None),)
    assert meaning("before", value) == (Period(None, moment),)


@pytest.mark.usefixtures("in_china")
def test_a_year_is_from_its_first_moment_to_its_last_where_this_machine_stands() -> None:
    first, last = datetime(2021, 1, 1, tzinfo=CHINA), datetime(2024, 1, 1, tzinfo=CHINA)
    assert meaning("year", "2021-2023") == (Period(first, last),)
    assert meaning("year", 2023) == (Period(datetime(2023, 1, 1, tzinfo=CHINA), last),)
    for since in (">2020", ">=2021", "2021-", "2021年-"):
        assert meaning("year", since) == (Period(first, None),)
    for until in ("<2024", "<=2023", "＜2024年"):
        assert meaning("year", until) == (Period(None, last),)
    assert meaning("iso", "800-") == meaning("iso", ">=800")
    assert meaning("year", "2021|2023年") == meaning("year", 2021) + meaning("year", 2023)


def test_months_and_days_are_numbers_that_may_run_across_the_end() -> None:
    assert meaning("month", 7) == (Span(7, 7),)
    assert meaning("month", "7-9") == (Span(7, 9),)
    assert meaning("month", "11-2") == (Span(11, 12), Span(1, 2))
    assert meaning("month", "7月") == (Span(7, 7),)
    assert meaning("day", "14|1-7") == (Span(14, 14), Span(1, 7))


# Numbers


def holds(key: str, value: Value, number: float) -> bool:
    (span,) = meaning(key, value)
    assert isinstance(span, Span)
    return (span.low is None or span.low <= number) and (span.high is None or number <= span.high)


@pytest.mark.parametrize(
    ("key", "value", "inside", "outside"),
    [
        ("iso", "400", [400], [399, 401]),
        ("iso", 400, [400], [399, 401]),
        ("iso", "100-400", [100, 200, 400], [99, 401]),
        ("iso", ">800", [801, 3200], [800, 100]),
        ("iso", ">=800", [800, 801], [799]),
        ("iso", "<100", [99, 50], [100]),
        ("iso", "<=100", [100], [101]),
        ("iso", "８００", [800], [801]),
        ("width", "1920", [1920], [1921]),
        ("height", ">=2160", [2160], [2159]),
        ("f", "1.8", [1.75, 1.78, 1.8, 1.849], [1.7, 1.85, 2]),
        ("f", 2, [2, 1.96], [1.8, 2.2]),
        ("f", "1.78", [1.78], [1.8, 1.77]),
        ("f", "1.4-2.8", [1.4, 2.8], [1.2, 3.2]),
        ("f", "<2", [1.8], [2]),
        ("mm", "50", [49.6, 50, 50.4], [49, 50.5, 51]),
        ("mm", "4.2", [4.2, 4.24], [4.1, 4.3]),
        ("mm", "50-85", [50, 85], [49.9, 85.1]),
        ("mp", "12", [12, 12.19], [11.4, 12.6]),
        ("mp", ">12", [12.19], [12]),
        ("mp", ".5", [0.5], [0.6]),
    ],
)
def test_a_number_a_range_and_a_bound_hold_for_these(
    key: str, value: Value, inside: list[float], outside: list[float]
) -> None:
    assert [holds(key, value, number) for number in inside] == [True] * len(inside)
    assert [holds(key, value, number) for number in outside] == [False] * len(outside)


# Texts, claims and points


@pytest.mark.parametrize("key", ["camera", "lens", "path", "name", "country", "city", "label"])
def test_a_text_is_a_pattern_in_any_script_and_a_bar_means_or(key: str) -> None:
    assert meaning(key, "Canon*|中国 | a b") == (Like("Canon*"), Like("中国"), Like("a b"))


def test_a_type_goes_by_the_ending_as_well() -> None:
    assert meaning("type", "JPG|png|heic") == (Like("jpeg"), Like("png"), Like("heif"))


def test_claims_are_yes_or_no() -> None:
    for key in ("portrait", "landscape", "square", "captioned"):
        for value in ("yes", "TRUE", "是", True):
            assert meaning(key, value) == (Flag(True),)
        for value in ("no", "False", "否", False):
            assert meaning(key, value) == (Flag(False),)


def test_latitude_longitude_and_distance_are_one_condition() -> None:
    near = Condition("near", (Near(48.86, -2.35, 5),))
    assert conditions(lat=48.86, lng="-2.35") == (near,)
    assert conditions(lon="-2.35", lat="+48.86", dist="5") == (near,)
    year = condition("year", 2023)
    assert conditions(lat=48.86, year=2023, lng=-2.35) == (year, near)


def test_conditions_come_in_their_order_and_none_is_left_out() -> None:
    assert conditions(iso=100, camera=None, f="<2") == (condition("iso", 100), condition("f", "<2"))
    assert conditions() == ()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"after": "soon"}, r"after:soon cannot be understood \(it is no date\).*after:2023-07-14"),
        ({"after": "2023-02-30"}, "no such day"),
        ({"before": "0001"}, "year is not from 1000 to 9998"),
        ({"before": date(1, 1, 1)}, "year is not from"),
        ({"year": "23"}, "year:23 .*four digits.*year:2021-2023"),
        ({"year": "2023-2021"}, "backwards"),
        ({"year": ">23"}, "four digits"),
        ({"year": ">9999"}, "year is not from 1000 to 9998"),
        ({"year": "-"}, "four digits"),
        ({"iso": "800--"}, "no number"),
        ({"month": "13"}, "no number from 1 to 12"),
        ({"month": "0-3"}, "no number from 1 to 12"),
        ({"day": "32"}, "no number from 1 to 31"),
        ({"iso": "many"}, r"iso:many .*no number.*iso:400, iso:100-400, iso:>800"),
        ({"iso": "400-100"}, "backwards"),
        ({"iso": "9" * 400}, "no number"),
        ({"iso": "-5"}, "no number"),
        ({"f": "nan"}, "no number"),
        ({"mp": float("inf")}, "mp:inf"),
        ({"mp": "12|"}, "nothing in it"),
        ({"camera": ""}, "nothing in it"),
        ({"portrait": "maybe"}, "portrait:maybe .*neither yes nor no"),
        ({"captioned": 1}, "captioned:1 "),
        ({"lat": "91", "lng": "0"}, "lat:91 .*from -90 to 90.*degrees north"),
        ({"lat": "0", "lng": "181"}, "from -180 to 180"),
        ({"lat": "0", "lng": "x"}, "lng:x .*no number"),
        ({"lat": "0", "lng": "0", "dist": "-1"}, "from 0 to 20038"),
        ({"dist": "5"}, "dist: without lat: and lng: names no point"),
        ({"lat": "5", "dist": "5"}, "lat: and dist: without lng:"),
        ({"lng": 5, "lon": 6, "lat": 7}, "lng: is there twice"),
        ({"colour": "red"}, "no key colour: .*after:, before:"),
        ({"label": "\ud800"}, "not valid text"),
        ({"iso": "|".join(["100"] * 101)}, "iso: has 101 parts .*at most 100"),
        ({"name": "a" * 4097}, "name: has 1 parts and 4,097 characters"),
    ],
)
def test_a_value_that_cannot_be_is_an_error_with_what_is_expected(
    values: dict[str, Value], message: str
) -> None:
    with pytest.raises(QueryError, match=message):
        conditions(**values)


def test_more_conditions_than_a_statement_holds_are_an_error() -> None:
    assert len(together([("iso", 100)] * 100)) == 100
    with pytest.raises(QueryError, match="101 conditions, and at most 100"):
        together([("iso", 100)] * 101)


def test_a_part_of_a_point_is_no_condition_by_itself() -> None:
    with pytest.raises(QueryError, match="give lat: and lng: together"):
        condition("lat", 5)


def test_every_key_has_a_line_of_help_and_takes_what_its_line_says() -> None:
    for line in KEYS.values():
        assert line.endswith((".", ":")), line
        assert len(line) <= 90
    samples = {"lat": "48.86", "lng": "2.35", "dist": "10"}
    claims = dict.fromkeys(("portrait", "landscape", "square", "captioned"), "yes")
    for key, line in KEYS.items():
        if key not in samples | claims:
            shown = line.split(": ", 1)[1].split(" Also")[0].rstrip(".")
            samples[key] = shown.split("; ")[0].split(", ")[0]
    found = {each.key for each in conditions(**samples, **claims)}
    assert found == KEYS.keys() - {"lat", "lng", "dist"} | {"near"}
