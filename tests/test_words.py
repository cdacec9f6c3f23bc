"""The words of a text: what is kept of it and what is looked for, by hand."""

import random

import pytest

from imgsearch.words import are_scattered, indexed, parse, spans


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Two dogs, running!", "Two dogs running"),
        ("猫", "猫"),
        ("海滩", "海滩 海 滩"),
        ("a 红色沙发 here", "a 红色 色沙 沙发 here 红 色 沙 发"),
        ("猫 狗", "猫狗 猫 狗"),  # Chinese leaves no spaces: one that is there says nothing
        ("3只猫", "3 只猫 只 猫"),
        ("とうきょうタワー", "とう うき きょ ょう うタ タワ ワー と う き ょ う タ ワ ー"),
        ("𠮷野家", "𠮷野 野家 𠮷 野 家"),
        ("IMG_2034.jpg", "IMG 2034 jpg"),
        ("BeachSunset2023", "BeachSunset2023 Beach Sunset 2023"),
        ("HTMLPage", "HTMLPage HTML Page"),
        ("ÉtéÀParis", "ÉtéÀParis ÉtéÀ Paris"),  # capitals of ASCII alone begin a part
        ("３Ｄ ＩＭＧ＿１", "3D IMG 1 3 D"),
        ("?!… 🙂", ""),
    ],
)
def test_a_text_is_kept_as_its_words_in_order(text: str, words: str) -> None:
    assert indexed(text) == words


@pytest.mark.parametrize(
    ("query", "words", "expected"),
    [
        ("大象", ("大", "象"), True),
        ("大象", ("大象", "大", "象"), False),
        ("红色的大象 dog", ("大",), True),
        ("红色的大象 dog", ("大", "dog"), False),
        ("狗 大象", ("狗",), False),  # a word of its own
        ("狗", ("狗",), False),
        ("狗", (), False),
    ],
)
def test_characters_of_longer_words_are_scattered(
    query: str, words: tuple[str, ...], expected: bool
) -> None:
    assert are_scattered(query, words) is expected


@pytest.mark.parametrize(
    ("query", "terms"),
    [
        ("red sofas", [("red",), ("sofas",)]),
        ("a photo of a dog", [("dog",)]),
        ("the who", [("the",), ("who",)]),  # stop words alone are looked for
        ("photos", [("photos",)]),
        ("a dog's life", [("dog",), ("life",)]),
        ("dog dog", [("dog",)]),
        ('"a red sofa" cat', [("a", "red", "sofa"), ("cat",)]),
        ('"a"', [("a",)]),
        ('"red sofa', [("red",), ("sofa",)]),
        ("IMG_2034", [("IMG", "2034")]),
        ("img2034", [("img2034",), ("img", "2034")]),
        ("猫", [("猫",)]),
        ("沙发", [("沙发",), ("沙",), ("发",)]),
        ("黑的猫", [("黑的",), ("的猫",), ("黑",), ("猫",)]),
        ("猫和狗", [("猫和",), ("和狗",), ("猫",), ("狗",)]),
        ("的", [("的",)]),
        ("“红色沙发”", [("红色", "色沙", "沙发")]),
        ("「红 沙发」", [("红沙", "沙发")]),
        ("ＤＯＧ", [("DOG",)]),
        ("", []),
        ('"" \'*: - ^', []),
        ("NEAR(cat, 2) AND captions:x*", [("NEAR",), ("cat",), ("2",), ("captions",), ("x",)]),
    ],
)
def test_a_query_is_read_as_terms(query: str, terms: list[tuple[str, ...]]) -> None:
    assert list(parse(query)) == terms


def test_every_word_of_a_text_is_found_in_what_is_kept_of_it() -> None:
    characters = "aB9_-.é猫的海滩カ한*(ＡＢ🙂\x00\udcff"
    chance = random.Random(0)
    for _ in range(300):
        text = "".join(chance.choices(characters, k=chance.randint(0, 12)))
        kept = f" {indexed(text)} "
        for term in parse(text):
            assert f" {' '.join(term)} " in kept


def test_words_that_were_found_have_places_in_the_text() -> None:
    text = "A Dog and dogs by the café, ＤＯＧ; 红色沙发"
    assert [text[start:end] for start, end in spans(text, ["dog"])] == ["Dog", "ＤＯＧ"]
    assert [text[start:end] for start, end in spans(text, ["café", "dogs"])] == ["dogs", "café"]
    assert [text[start:end] for start, end in spans(text, ["红色", "色沙", "红"])] == ["红色沙"]
    assert spans("BeachSunset_2023", ["Sunset", "2023"]) == [(5, 11), (12, 16)]
    assert spans("cafe\u0301s cafe\u0301", ["café"]) == [(7, 12)]  # as a Mac writes file names
    assert spans("BeachSunset海滩", ["Sunset"]) == [(5, 11)]
    assert spans("哈哈哈", ["哈哈"]) == [(0, 3)]
    assert spans(text, ["cat"]) == spans(text, []) == []
