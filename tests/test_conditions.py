"""Conditions against an oracle: every key, and combinations, on photos whose facts are known."""

import itertools
import random
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from imgsearch.catalog import Catalog, FilePlace, PhotoFacts, upgrade
from imgsearch.catalog.patterns import fits
from imgsearch.errors import QueryError
from imgsearch.places import place_of
from imgsearch.queries import Condition, Flag, Like, Near, Period, Span, Test, condition, parse
from imgsearch.queries.keys import LONGEST_PART, MOST_PARTS

ROOT = Path("/photos")


@dataclass
class Photo:
    """What the oracle knows of a photo."""

    facts: PhotoFacts
    paths: list[Path]
    captions: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    albums: list[str] = field(default_factory=list)
    country: str | None = None
    city: str | None = None
    is_live: bool = True


CAMERAS = ("Canon EOS 5D", "NIKON D90", "小米 14", "ÉLITE 100%", None)
LENSES = ("EF50mm f/1.4 USM", "AF-S_35mm", None)
POSITIONS = ((48.86, 2.34), (52.52, 13.4), (31.24, 121.49), (-17.8, 179.99), (0.0, -140.0), None)
FOLDERS = ("2021/beach", "2022/Beach_2", "2022/Übung", "海滩", ".")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Catalog, dict[int, Photo]]]:
    """Three hundred photos with every combination of facts that chance gave them."""
    path = tmp_path_factory.mktemp("conditions") / "library.db"
    upgrade(path)
    catalog = Catalog(path)
    chance = random.Random(5)
    known: dict[int, Photo] = {}
    with catalog.write() as writer:
        root = writer.add_root(ROOT)
        for number in range(300):
            photo = _photo(number, chance)
            position = (photo.facts.latitude, photo.facts.longitude)
            place = place_of(position[0], position[1]) if position[0] is not None else None
            if place is not None:
                photo.country, photo.city = place.country, place.name
            photo_id = writer.add_photo(photo.facts, place)
            known[photo_id] = photo
            for each in photo.paths:
                writer.put_file(FilePlace(each, root, 1, 1), photo_id)
            writer.add_captions(photo_id, photo.captions, "en", "user")
            for label in photo.labels:
                writer.add_label(label, [photo_id])
            for album in photo.albums:
                writer.add_to_album(album, [photo_id])
        maker = writer.add_captioner("toy", "toy")
        writer.put_generated_captions(maker, "en", [(1, "", 0.0)])
        known[1].captions = []
    gone = [i for i, photo in known.items() if not photo.is_live]
    files = catalog.files_of_photos(gone)
    with catalog.write() as writer:
        writer.set_state([file.id for each in files.values() for file in each.values()], "missing")
    yield catalog, known
    catalog.close()


def _photo(number: int, chance: random.Random) -> Photo:
    width, height = chance.choice([(4000, 3000), (3000, 4000), (1000, 1000), (4032, 3024)])
    position = chance.choice(POSITIONS)
    facts = PhotoFacts(
        content_hash=f"{number:064x}",
        width=width,
        height=height,
        size_bytes=1000,
        format=chance.choice(["JPEG", "PNG", "HEIF"]),
        taken_at=datetime(2019, 12, 30, tzinfo=UTC) + timedelta(hours=chance.randrange(40_000)),
        camera=chance.choice(CAMERAS),
        latitude=position[0] if position else None,
        longitude=position[1] if position else None,
        lens=chance.choice(LENSES),
        iso=chance.choice([100, 400, 3200, None]),
        f_number=chance.choice([1.4, 1.78, 8.0, None]),
        focal_length_mm=chance.choice([4.25, 35.0, 50.0, None]),
    )
    name = chance.choice([f"IMG_{number}.jpg", f"strand {number}.JPG", f"ärger-{number}.tar.jpg"])
    paths = [ROOT / chance.choice(FOLDERS) / name]
    if number % 10 == 0:
        paths.append(ROOT / "copies" / f"copy-{number}.jpg")
    return Photo(
        facts,
        paths,
        captions=chance.choice([[], ["a dog"], ["a dog", "a cat"]]) if number else [],
        labels=chance.sample(["dog", "Cat", "hot dog", "狗"], chance.randrange(3)),
        albums=chance.sample(["summer 2023", "Übersee", "best"], chance.randrange(2)),
        is_live=number % 17 != 0,
    )


def found(catalog: Catalog, *conditions: Condition) -> set[int]:
    """The photos that are listed, which must be those that are told one by one."""
    ids = catalog.photo_ids(conditions)
    assert ids.tolist() == sorted(ids.tolist())
    everybody = catalog.photo_ids()
    assert set(catalog.live_paths(everybody, asked=conditions)) == set(ids.tolist())
    return set(ids.tolist())


def expected(known: dict[int, Photo], test: Callable[[Photo], bool]) -> set[int]:
    return {i for i, photo in known.items() if photo.is_live and test(photo)}


def fold(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()


def like(text: str | None, pattern: str) -> bool:
    """What a pattern means, said another way."""
    special = fold(pattern).replace("[", "[[]").replace("?", "[?]")
    return text is not None and fnmatchcase(fold(text), special)


def between(number: float | None, low: float | None, high: float | None) -> bool:
    return (
        number is not None and (low is None or number >= low) and (high is None or number <= high)
    )


def of_number(number: Callable[[PhotoFacts], float | None]) -> Callable[[Photo, Test], bool]:
    return lambda photo, test: (
        isinstance(test, Span) and between(number(photo.facts), test.low, test.high)
    )


def of_text(text: Callable[[Photo], list[str | None]]) -> Callable[[Photo, Test], bool]:
    return lambda photo, test: (
        isinstance(test, Like) and any(like(each, test.pattern) for each in text(photo))
    )


def of_part(text: Callable[[PhotoFacts], str | None]) -> Callable[[Photo, Test], bool]:
    def holds(photo: Photo, test: Test) -> bool:
        assert isinstance(test, Like)
        pattern = test.pattern if "*" in test.pattern else f"*{test.pattern}*"
        return like(text(photo.facts), pattern)

    return holds


def of_claim(claim: Callable[[Photo], bool]) -> Callable[[Photo, Test], bool]:
    return lambda photo, test: isinstance(test, Flag) and claim(photo) == test.is_so


def of_date(photo: Photo, test: Test) -> bool:
    assert isinstance(test, Period)
    moment = photo.facts.taken_at
    return (test.start is None or moment >= test.start) and (test.end is None or moment < test.end)


ORACLE: dict[str, Callable[[Photo, Test], bool]] = {
    "after": of_date,
    "before": of_date,
    "year": of_date,
    "month": of_number(lambda facts: facts.taken_at.astimezone().month),
    "day": of_number(lambda facts: facts.taken_at.astimezone().day),
    "camera": of_part(lambda facts: facts.camera),
    "lens": of_part(lambda facts: facts.lens),
    "iso": of_number(lambda facts: facts.iso),
    "f": of_number(lambda facts: facts.f_number),
    "mm": of_number(lambda facts: facts.focal_length_mm),
    "width": of_number(lambda facts: facts.width),
    "height": of_number(lambda facts: facts.height),
    "mp": of_number(lambda facts: facts.width * facts.height / 1e6),
    "type": of_text(lambda photo: [photo.facts.format]),
    "portrait": of_claim(lambda photo: photo.facts.height > photo.facts.width),
    "landscape": of_claim(lambda photo: photo.facts.height < photo.facts.width),
    "square": of_claim(lambda photo: photo.facts.height == photo.facts.width),
    "captioned": of_claim(lambda photo: bool(photo.captions)),
    "label": of_text(lambda photo: [*photo.labels]),
    "album": of_text(lambda photo: [*photo.albums]),
    "country": of_text(lambda photo: [COUNTRIES.get(photo.country or "")]),
    "city": of_text(lambda photo: [photo.city]),
}
COUNTRIES = {"FR": "France", "DE": "Germany", "CN": "China", "FJ": "Fiji"}
QUESTIONS = (
    *("after:2021", "before:2022-03", "year:2020-2021", "year:2020|2023", "month:7", "month:11-2"),
    *("day:1-7", "camera:canon", "camera:nikon*|小米", "camera:élite", "camera:100%", "lens:f/1.4"),
    *("lens:af-s_35mm", "lens:*35*", "iso:400", "iso:>100", "iso:100|3200", "f:1.8", "f:<2"),
    *("mm:4", "mm:4.25", "mm:35-50", "width:4000", "height:>=3024", "mp:12", "mp:<2"),
    *("type:jpg", "type:heic|png", "type:*e*", "portrait:yes", "landscape:no", "square:yes"),
    *("captioned:yes", "captioned:no", "label:dog", "label:cat|狗", "label:*dog", "label:nothing*"),
    *("album:best", "album:summer*", "album:übersee", "country:France", "country:f*", "city:paris"),
    *("city:shang*|berlin", "camera:c_non", "lens:%50%"),
)


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_condition_finds_what_the_facts_say(
    photos: tuple[Catalog, dict[int, Photo]], question: str
) -> None:
    catalog, known = photos
    (condition,) = parse(question).conditions
    right = expected(
        known, lambda photo: any(ORACLE[condition.key](photo, test) for test in condition.tests)
    )
    assert found(catalog, condition) == right


def test_conditions_together_are_all_of_them(photos: tuple[Catalog, dict[int, Photo]]) -> None:
    catalog, known = photos
    for pair in random.Random(2).sample(list(itertools.combinations(QUESTIONS, 3)), 60):
        conditions = [each for question in pair for each in parse(question).conditions]
        right = expected(
            known,
            lambda photo, conditions=conditions: all(
                any(ORACLE[each.key](photo, test) for test in each.tests) for each in conditions
            ),
        )
        assert found(catalog, *conditions) == right, pair


@pytest.mark.parametrize(
    ("pattern", "glob"),
    [
        ("2021", "2021/*"),
        ("2022/beach_2", "2022/beach_2/*"),
        ("2022/Übung/", "2022/übung/*"),
        ("U\u0308bung", None),
        ("*/übung", "*/übung/*"),
        ("海滩", "海滩/*"),
        ("202*", "202*"),
        ("/photos/2021", "2021/*"),
        ("/photos/202*/beach", "202*/beach/*"),
        ("beach", None),
        ("*beach*", "*beach*"),
        ("copies", "copies/*"),
        ("/photos", "*"),
    ],
)
def test_a_path_is_at_or_below(
    photos: tuple[Catalog, dict[int, Photo]], pattern: str, glob: str | None
) -> None:
    catalog, known = photos
    right = expected(
        known,
        lambda photo: any(glob and like(str(each.relative_to(ROOT)), glob) for each in photo.paths),
    )
    assert found(catalog, Condition("path", (Like(pattern),))) == right
    assert right or glob is None


@pytest.mark.parametrize(
    ("pattern", "globs"),
    [
        ("IMG_3*", ["img_3*"]),
        ("img_30.jpg", ["img_30.jpg"]),
        ("IMG_30", ["img_30.jpg"]),
        ("STRAND *", ["strand *"]),
        ("ÄRGER*", ["ärger*"]),
        ("*.tar", ["*.tar.jpg"]),
        ("beach*", []),
        ("IMG?30", []),
    ],
)
def test_a_name_is_that_of_the_file_with_its_ending_or_without(
    photos: tuple[Catalog, dict[int, Photo]], pattern: str, globs: list[str]
) -> None:
    catalog, known = photos
    right = expected(
        known, lambda photo: any(like(p.name, glob) for p in photo.paths for glob in globs)
    )
    assert found(catalog, Condition("name", (Like(pattern),))) == right


def test_one_file_satisfies_all_that_is_said_of_files_and_is_the_one_shown(
    photos: tuple[Catalog, dict[int, Photo]],
) -> None:
    catalog, known = photos
    conditions = (Condition("path", (Like("copies"),)), Condition("name", (Like("copy-*"),)))
    ids = found(catalog, *conditions)
    assert ids == expected(known, lambda photo: len(photo.paths) == 2)
    shown = catalog.live_paths(sorted(ids), asked=conditions)
    assert shown.keys() == ids
    assert all(path.parent.name == "copies" for path in shown.values())
    crossed = (conditions[0], Condition("name", (Like("IMG_*"),)))
    assert not found(catalog, *crossed)
    folder = catalog.photo_ids([conditions[1]], folder=ROOT / "copies")
    assert set(folder.tolist()) == ids
    assert not len(catalog.photo_ids([conditions[1]], folder=ROOT / "2021"))


@pytest.mark.parametrize(
    "near",
    [
        Near(48.86, 2.34, 1),
        Near(48.0, 2.34, 96.0),
        Near(48.0, 2.34, 95.0),
        Near(-17.8, -179.99, 5),  # across the date line
        Near(89.0, 0.0, 4600),  # a pole is in it
        Near(0.0, -140.0, 20_000),
    ],
)
def test_near_is_by_the_distance_along_the_surface(
    photos: tuple[Catalog, dict[int, Photo]], near: Near
) -> None:
    from math import acos, cos, radians, sin

    def is_near(photo: Photo) -> bool:
        if photo.facts.latitude is None or photo.facts.longitude is None:
            return False
        a, b = radians(photo.facts.latitude), radians(near.latitude)
        turn = radians(photo.facts.longitude - near.longitude)
        cosine = sin(a) * sin(b) + cos(a) * cos(b) * cos(turn)
        return 6371 * acos(max(-1.0, min(1.0, cosine))) <= near.kilometres

    catalog, known = photos
    assert found(catalog, Condition("near", (near,))) == expected(known, is_near)


@pytest.mark.parametrize(
    ("name", "code"),
    [("FR", "FR"), ("法国", "FR"), ("fra", "FR"), ("德国", "DE"), ("china", "CN"), ("中国", "CN")],
)
def test_a_country_has_a_code_and_names_in_both_languages(
    photos: tuple[Catalog, dict[int, Photo]], name: str, code: str
) -> None:
    catalog, known = photos
    right = expected(known, lambda photo: photo.country == code)
    assert right and found(catalog, Condition("country", (Like(name),))) == right


@pytest.mark.parametrize(("name", "city"), [("上海", "Shanghai"), ("PARÍS", "Paris")])
def test_a_city_has_its_names_in_other_languages(
    photos: tuple[Catalog, dict[int, Photo]], name: str, city: str
) -> None:
    catalog, known = photos
    right = expected(known, lambda photo: photo.city == city)
    assert right and found(catalog, Condition("city", (Like(name),))) == right


@pytest.mark.parametrize(
    ("key", "name", "said"),
    [
        ("label", "dgo", "'Cat', 'dog', 'hot dog', '狗'"),
        ("album", "worst", "'best', 'summer 2023', 'Übersee'"),
        ("country", "Frnace", "code as FR"),
    ],
)
def test_a_name_that_nothing_has_is_an_error_that_says_what_there_is(
    photos: tuple[Catalog, dict[int, Photo]], key: str, name: str, said: str
) -> None:
    with pytest.raises(QueryError, match=said):
        photos[0].photo_ids([Condition(key, (Like(name),))])


def test_a_pattern_of_many_stars_fits_what_it_says_and_soon() -> None:
    assert not fits("é" + "a" * 2_000, "é*a*a*a*a*a*a*a*b")
    assert fits("É" + "a" * 2_000 + "b", "é*a*a*a*a*a*a*a*b")
    chance = random.Random(11)
    for _ in range(3_000):
        text = "".join(chance.choices("éAb", k=chance.randrange(7)))
        pattern = "".join(chance.choices("ÉaB*", k=chance.randrange(6)))
        assert fits(text, pattern) == like(text, pattern), (text, pattern)


@pytest.mark.parametrize("key", ["iso", "colour", "path", "album", "near"])
def test_a_test_that_a_key_does_not_take_is_an_error(
    photos: tuple[Catalog, dict[int, Photo]], key: str
) -> None:
    with pytest.raises(QueryError):
        photos[0].photo_ids([Condition(key, (Flag(True),))])


def test_as_much_as_may_be_asked_for_is_answered(
    photos: tuple[Catalog, dict[int, Photo]],
) -> None:
    catalog, known = photos
    everything = catalog.photo_ids().tolist()
    many = "|".join(["-*"] * (MOST_PARTS - 1) + ["*"])
    for key in ("path", "name", "camera", "label", "album"):
        asked = [Condition("iso", (Span(0, None),)), condition(key, many)]
        assert set(catalog.photo_ids(asked)) <= set(everything)
    numbers = condition("iso", "|".join(["100-400"] * MOST_PARTS))
    right = expected(known, lambda photo: between(photo.facts.iso, 100, 400))
    others = [condition("iso", ">=100")] * (MOST_PARTS - 1)
    assert found(catalog, *others, numbers) == right
    assert found(catalog, condition("name", "_" * LONGEST_PART)) == set()
    assert found(catalog, condition("path", "%" * LONGEST_PART)) == set()


def test_the_newest_come_first(photos: tuple[Catalog, dict[int, Photo]]) -> None:
    catalog, known = photos
    conditions = parse("camera:canon").conditions
    right = sorted(
        found(catalog, *conditions), key=lambda i: (known[i].facts.taken_at, i), reverse=True
    )
    assert catalog.newest_photo_ids(conditions, limit=7).tolist() == right[:7]
    assert len(catalog.newest_photo_ids(limit=1000)) == len(found(catalog))


def test_a_saved_search_is_the_photos_that_satisfy_it(
    photos: tuple[Catalog, dict[int, Photo]],
) -> None:
    catalog, _ = photos
    with catalog.write() as writer:
        writer.save_album("old canons", "camera:canon before:2022")
        writer.save_album("old", 'album:"old canons"|best')
    right = found(catalog, *parse("camera:canon before:2022").conditions)
    assert found(catalog, Condition("album", (Like("old canons"),))) == right
    both = right | found(catalog, Condition("album", (Like("best"),)))
    assert found(catalog, Condition("album", (Like("OLD"),))) == both
    circles = (("old canons", "album:old"), ("old canons", "album:O*"), ("new", "album:N*"))
    for name, query in circles:
        message = f"lead back to '{name}'"
        with pytest.raises(QueryError, match=message), catalog.write() as writer:
            writer.save_album(name, query)
    with catalog.write() as writer:
        writer.save_album("by name", "album:su*")
    with pytest.raises(QueryError, match="lead back"), catalog.write() as writer:
        writer.rename_album("by name", "summer")
    assert found(catalog, Condition("album", (Like("OLD"),))) == both
    with catalog.write() as writer:
        writer.drop_album("by name")
        writer.drop_album("old")
        writer.drop_album("old canons")


def test_a_saved_search_outlives_what_it_names(photos: tuple[Catalog, dict[int, Photo]]) -> None:
    catalog, known = photos
    dogs = expected(known, lambda photo: "dog" in photo.labels)
    with catalog.write() as writer:
        writer.add_to_album("by hand", sorted(dogs)[:3])
        writer.save_album("of both", 'album:"by hand"|best')
        writer.save_album("of labels", "label:dog|gone")
    both = found(catalog, Condition("album", (Like("of both"),)))
    with catalog.write() as writer:
        writer.rename_album("by hand", "kept")
    best = found(catalog, Condition("album", (Like("best"),)))
    assert found(catalog, Condition("album", (Like("of both"),))) == best != both
    assert found(catalog, Condition("album", (Like("of labels"),))) == dogs != set()
    assert found(catalog, Condition("album", (Like("of*"),))) == best | dogs
    with pytest.raises(QueryError, match="no album 'by hand'"):
        catalog.photo_ids([Condition("album", (Like("by hand"),))])


def test_a_share_of_photos_is_told_from_some_of_them(
    photos: tuple[Catalog, dict[int, Photo]],
) -> None:
    catalog, known = photos
    for asked in ("camera:canon", "year:2021-2023", "camera:canon name:IMG*", "label:dog"):
        conditions = parse(asked).conditions
        right = len(found(catalog, *conditions)) / len(known)
        assert catalog.share(conditions, least=1) == pytest.approx(right, abs=0.15)
    assert catalog.share(conditions, least=len(known) + 1) is None
