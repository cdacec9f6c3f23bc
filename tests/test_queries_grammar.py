"""A query's text, clause by clause of its grammar, and whatever else a person may type."""

import random
import sys
from pathlib import Path

import pytest

from conftest import draw
from imgsearch.errors import QueryError
from imgsearch.images import ENDINGS
from imgsearch.queries import (
    KEYS,
    Address,
    Like,
    PhotoId,
    Picture,
    Query,
    Term,
    Words,
    conditions,
    parse,
    query_of,
)


def words(*weighted: tuple[str, float]) -> Query:
    return Query(tuple(Term(Words(text), weight) for text, weight in weighted))


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("  a  black\tcat ", words(("a black cat", 1))),
        ("一只　黑猫", words(("一只 黑猫", 1))),
        ("horse + stripes", words(("horse", 1), ("stripes", 1))),
        ("马 + 条纹 - 草地", words(("马", 1), ("条纹", 1), ("草地", -1))),
        ("- fruit", words(("fruit", -1))),
        ("+ fruit", words(("fruit", 1))),
        ("2:golden retriever + 0.5:snow", words(("golden retriever", 2), ("snow", 0.5))),
        ("horse - .5:stripes", words(("horse", 1), ("stripes", -0.5))),
        ("2:金毛犬", words(("金毛犬", 2))),
        ("t-shirt", words(("t-shirt", 1))),
        ("C++ or -5 or a+b", words(("C++ or -5 or a+b", 1))),
        ("马 ＋ 条纹 － 草地", words(("马", 1), ("条纹", 1), ("草地", -1))),
        ("C＋＋ －5 a－b", words(("C＋＋ －5 a－b", 1))),
        ("16：9 note：this 城市：北京", words(("16：9 note：this 城市：北京", 1))),
        ("“year：2021”", words(("“year：2021”", 1))),
        ("wallpaper 16:9", words(("wallpaper 16:9", 1))),
        ("16:9 wallpaper at 7:30", words(("16:9 wallpaper at 7:30", 1))),
        (r"2\: horses", words(("2: horses", 1))),
        ("at 7: horses", words(("at 7: horses", 1))),
        ("a 2:horse", words(("a 2:horse", 1))),
        ("note: this", words(("note: this", 1))),
        (r"year\: 2023", words(("year: 2023", 1))),
        ("in the end:", words(("in the end:", 1))),
        (r"note\:this", words(("note:this", 1))),
        (r"2\:horse", words(("2:horse", 1))),
        (r"id\:5", words(("id:5", 1))),
        ("备注：这个", words(("备注：这个", 1))),
        (r"C:\x.jpg", words((r"C:\x.jpg", 1))),
        (r"f:\x.jpg", words((r"f:\x.jpg", 1))),
        ('"rock + roll" - "foo:bar"', words(('"rock + roll"', 1), ('"foo:bar"', -1))),
        ("“摇 + 滚” + 「a - b」", words(("“摇 + 滚”", 1), ("「a - b」", 1))),
        ('2:"golden + retriever"', words(('"golden + retriever"', 2))),
        ('a 5" nail + a 7" nail', words(('a 5" nail', 1), ('a 7" nail', 1))),
        ("./nowhere.jpg id", words(("./nowhere.jpg id", 1))),  # no endings: no pictures
        ("id:123", Query((Term(PhotoId(123)),))),
        ("ID：照片", words(("ID：照片", 1))),
        ("id：123", Query((Term(PhotoId(123)),))),
        ("id:1 - 3:id:2", Query((Term(PhotoId(1)), Term(PhotoId(2), -3)))),
    ],
)
def test_a_text_is_a_sum_of_terms(text: str, query: Query) -> None:
    assert parse(text) == query


def test_conditions_stand_anywhere_and_are_no_part_of_the_sum() -> None:
    expected = conditions(year="2021|2023", camera="Canon EOS 5D", iso=400, country="中国")
    terms = words(("a horse", 1), ("snow", -2)).terms
    text = 'year:2021|2023 a camera:"Canon EOS 5D" horse iso:400 - country:中国 2:snow'
    assert parse(text) == Query(terms, expected)
    assert parse("f:2.8") == parse("F:2.8") == Query((), conditions(f="2.8"))
    assert parse("camera:“佳能 5D”").conditions[0].tests == (Like("佳能 5D"),)
    assert parse('camera:"Canon EOS"|"佳能 5D"').conditions[0].tests == (
        Like("Canon EOS"),
        Like("佳能 5D"),
    )
    assert parse('path:"/a  b"').conditions[0].tests == (Like("/a  b"),)
    assert parse(r"path:C:\photos name:a\:b").conditions == conditions(
        path=r"C:\photos", name="a:b"
    )
    assert parse("狗 Year：2021 city：“北京” camera：a：b") == Query(
        words(("狗", 1)).terms, conditions(year=2021, city="北京", camera="a：b")
    )
    assert parse("folder:x albums:y").conditions == conditions(path="x", album="y")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        (" \t　", "empty"),
        ("+", r"the \+ has nothing after it.*horse \+ stripes"),
        ("horse -", "the - has nothing after it.*subtracted"),
        ("horse + - stripes", r"the \+ has nothing after it"),
        ("horse + year:2023", r"the \+ has nothing after it"),
        ("2:year:2023", "weight 2: has nothing after it"),
        ("horse + 2:", r"weight 2: has nothing after it; write 2:stripes.*2\\:"),
        ("2: horses", "weight 2: has nothing after it"),
        ("album:", r"album: has nothing after it.*album\\:"),
        ("a dog captioned: yes", "captioned: has nothing after it.*without a space"),
        ("0:horse", "0: is no weight"),
        ("nan:horse", "nan: is no weight"),
        ("inf:horse", "inf: is no weight"),
        ("1e9:horse", "1e9: is no weight.*0.001 to 1000"),
        ("9" * 5000 + ":horse", "is no weight"),
        ("-2:horse", "-2: is no weight.*after a - of its own"),
        ("colour:red", r"no key colour:; there are after:, .* album:.*write colour\\:red"),
        ("a 备注:这个", r"write 备注\\:这个"),
        ("id:abc", "ids are numbers, as id:123"),
        ("id:1 dog", r"'id:1' is a photo and.*put a \+ or a -"),
        ("https://a.org/b.jpg", "--allow-url"),
        ('camera:"Canon', "no end"),
        ("caf\udce9", "not valid text"),
        ("camera:caf\udce9", "not valid text"),
        ("iso:many", "iso:many cannot be understood.*iso:100-400"),
    ],
)
def test_what_can_only_be_a_mistake_is_an_error_that_says_so(text: str, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        parse(text)


def test_an_unknown_key_is_text_once_it_is_written_as_its_error_says() -> None:
    for text in ("colour:red", "std::vector", "Re:a:b"):
        with pytest.raises(QueryError) as caught:
            parse(text)
        advice = str(caught.value).rsplit(" ", 1)[1]
        assert parse(advice) == words((text, 1))


def test_the_error_of_an_unknown_key_lists_every_key() -> None:
    with pytest.raises(QueryError) as caught:
        parse("colour:red")
    assert all(f"{key}:" in str(caught.value) for key in KEYS)


def test_an_address_is_one_only_where_addresses_are_allowed() -> None:
    url = "HTTPS://example.org/a.jpg?x=1:2"
    assert parse(f"{url} - snow", allows_addresses=True).terms == (
        Term(Address(url)),
        Term(Words("snow"), -1),
    )
    with pytest.raises(QueryError, match=r"is an address and the term.*put a \+"):
        parse(f"{url} snow", allows_addresses=True)
    assert parse(r"https\://example.org") == words(("https://example.org", 1))


# Pictures


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("red.png", "a - b.png", "my red.png", "x:y.png"):
        draw(tmp_path / name, "red")
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "holiday.zip").write_bytes(b"PK")
    return tmp_path


def pictured(text: str) -> Query:
    return parse(text, picture_endings=ENDINGS)


def picture(name: str, weight: float = 1) -> Term:
    return Term(Picture(Path(name)), weight)


@pytest.mark.skipif(sys.platform == "win32", reason="a file name may hold no colon there")
def test_a_term_that_names_a_picture_is_that_picture(here: Path) -> None:
    assert pictured("red.png").terms == (picture("red.png"),)
    assert pictured("./red.png + 2:snow").terms == (picture("red.png"), Term(Words("snow"), 2))
    assert pictured("snow - 2:red.png").terms == (Term(Words("snow")), picture("red.png", -2))
    assert pictured(f"{here}/my red.png year:2023").terms == (picture(f"{here}/my red.png"),)
    assert pictured("a - b.png").terms == (picture("a - b.png"),)  # a whole text that is a name
    assert pictured('"a - b.png" + snow').terms == (picture("a - b.png"), Term(Words("snow")))
    assert pictured(r"x\:y.png + snow").terms[0] == picture("x:y.png")
    assert pictured("./holiday.zip/beach/1.jpg").terms == (picture("holiday.zip/beach/1.jpg"),)
    assert pictured("./notes.txt").terms == (picture("notes.txt"),)  # decoding says what it is


def test_without_endings_nothing_is_read_from_the_disk(here: Path) -> None:
    for text in ("red.png", "./red.png", "./nowhere.png", str(here / "red.png")):
        assert parse(text) == query_of(text) == words((text, 1))


def test_what_names_no_picture_is_text(here: Path) -> None:
    for text in ("notes.txt", "green.png", "cats and/or dogs", "and/or " * 999, "a\0/b.png"):
        assert pictured(text) == words((" ".join(text.split()), 1))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("./nowhere.png", "does not exist"),
        ("snow + photos/nowhere.png", "does not exist"),
        ("./", "is a folder"),
        ("~/" + "x" * 300 + ".jpg", "cannot be looked at"),
        ("red.png at night", r"'red.png' is a picture and the term.*put a \+ or a -"),
        ("at ./nowhere.png", "does not exist"),
    ],
)
def test_a_path_without_a_picture_is_an_error(here: Path, text: str, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        pictured(text)


def test_a_home_folder_is_resolved(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(here))
    monkeypatch.setenv("USERPROFILE", str(here))
    assert pictured("~/red.png").terms == (picture(str(here / "red.png")),)


# From Python


def test_whatever_one_searches_with_from_python_is_a_query() -> None:
    assert query_of("horse + stripes") == words(("horse", 1), ("stripes", 1))
    assert query_of(Path("a.png")) == Query((picture("a.png"),))
    assert query_of(7) == Query((Term(PhotoId(7)),))
    query = Query((Term(PhotoId(7), 0.5),), conditions(year=2023))
    assert query_of(query) is query


# Anything at all


def test_text_without_signs_and_colons_comes_out_as_it_went_in() -> None:
    chance = random.Random(1)
    letters = "abcXYZ019 éß猫海滩。，！？：.,;!?'()[]{}&%$#@~*|_=<>/\\😀\"“「"
    for _ in range(3000):
        text = " ".join("".join(chance.choices(letters, k=chance.randint(1, 40))).split())
        if text:
            assert parse(text) == words((text, 1)), text
    for _ in range(3000):  # signs and colons inside of words, or with spaces behind
        parts = (
            chance.choice(("a-b", "c++", "x+", "-1", "b: c", "1:2", "--", "猫-狗")) for _ in "abc"
        )
        text = " ".join(parts)
        assert parse(text) == words((text, 1)), text


def test_no_text_breaks_anything_but_the_rules(here: Path) -> None:
    chance = random.Random(2)
    pieces = [
        *(f"{key}:" for key in KEYS),
        *("+", "-", " + ", " - ", " ", ":", "|", "*", '"', "“", "”", "\\", "\\:", "~", "/", "./"),
        *("id:", "http://", "https://[", "2:", "nan:", "1e999:", ">", "<=", "2023-07", "100-400"),
        *("red.png", "猫", "２０２３", "٣", "²", "\0", "\udce9", "\ud800", "\u2028", "9" * 400),
        *("lat:1 lng:2 ", "~\ud800/x.png", "~root/", "C:\\", "day:31", "year:2023|", "\U0010ffff"),
    ]
    understood = 0
    for _ in range(8000):
        text = "".join(
            chance.choice(pieces) if chance.random() < 0.8 else chr(chance.randrange(0x110000))
            for _ in range(chance.randint(1, 8))
        )
        try:
            query = parse(text, picture_endings=ENDINGS, allows_addresses=True)
        except QueryError:
            continue
        understood += 1
        assert query.terms or query.conditions
        assert all(term.weight for term in query.terms)
    assert understood > 1000
