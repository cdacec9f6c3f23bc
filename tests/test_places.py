"""Places: the city that is meant, not the quarter; countries alone far out; nothing on the sea."""

import pytest

from imgsearch.places import country_codes, country_names, place_of


@pytest.mark.parametrize(
    ("position", "name", "country"),
    [
        ((48.8606, 2.3376), "Paris", "FR"),  # the Louvre has a quarter of its own
        ((40.758, -73.9855), "New York City", "US"),
        ((52.40, 13.06), "Potsdam", "DE"),  # not Berlin, which ends before it
        ((48.8049, 2.1204), "Versailles", "FR"),
        ((31.24, 121.49), "Shanghai", "CN"),
        ((27.988, 86.925), "Lobuche", "NP"),  # Everest: 12 km from a village
        ((-17.8, -179.99), "Levuka", "FJ"),  # across the date line
        ((24.0, 2.0), "", "DZ"),  # the Sahara: a country, no city
    ],
)
def test_a_position_has_the_place_that_a_person_would_say(
    position: tuple[float, float], name: str, country: str
) -> None:
    place = place_of(*position)
    assert place is not None
    assert (place.name, place.country) == (name, country)


@pytest.mark.parametrize("position", [(0.0, -140.0), (-90.0, 0.0), (90.0, 0.0)])
def test_the_open_sea_and_the_poles_have_no_place(position: tuple[float, float]) -> None:
    assert place_of(*position) is None


def test_the_nearest_place_does_not_end_at_the_date_line() -> None:
    west, east = place_of(-16.8, 179.99), place_of(-16.8, -179.99)
    assert west is not None and west == east


def test_a_city_brings_its_names_and_a_country_its_own() -> None:
    paris = place_of(48.86, 2.34)
    assert paris is not None and {"巴黎", "Париж"} <= set(paris.names)
    assert country_names("FR")[0] == "France"
    assert {"法国", "法國", "FR", "FRA"} <= set(country_names("FR"))
    assert "香港" in country_names("HK") and "UK" in country_names("GB")
    assert country_names("XX") == ("XX",)
    assert all(len(code) == 2 and country_names(code)[0] != code for code in country_codes())
