"""Sums of texts, pictures and photos as one vector: which encoder answers, and what it is asked."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from conftest import ColourEncoder
from imgsearch.errors import NoEncoderError, QueryError
from imgsearch.indexing import index
from imgsearch.library import Library, open_library
from imgsearch.queries import PhotoId, Picture, Query, Term, Words, parse
from imgsearch.searching import Manner, search_all
from imgsearch.searching.question import Question, embed_together
from stars import StarEncoder, Stars, open_stars, random_vectors


class CountingEncoder(ColourEncoder):
    """The same, and every batch of texts it was given, and how many pictures at once."""

    batches: list[list[str]]
    picture_counts: list[int]

    def embed_texts(self, texts: list[str]) -> npt.NDArray[np.float32]:
        self.batches = [*getattr(self, "batches", []), texts]
        return super().embed_texts(texts)

    def embed_images(self, images: list[Image.Image]) -> npt.NDArray[np.float32]:
        self.picture_counts = [*getattr(self, "picture_counts", []), len(images)]
        return super().embed_images(images)


@pytest.fixture
def encoder() -> CountingEncoder:
    made = CountingEncoder()
    made.batches = []
    return made


@pytest.fixture
def library(tmp_path: Path, photos: Path, encoder: CountingEncoder) -> Iterator[Library]:
    with open_library(tmp_path / "library") as opened:
        list(index(opened, [photos], encoder=encoder))
        encoder.batches.clear()  # of ordinary texts, which indexing embeds
        yield opened


@pytest.fixture
def stars(tmp_path: Path) -> Iterator[Stars]:
    with open_stars(tmp_path) as opened:
        yield opened


def unit(vector: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    return vector / np.linalg.norm(vector)


# The mixture


def test_a_sum_is_the_weighted_sum_of_unit_vectors_scaled_to_length_1(stars: Stars) -> None:
    ids = stars.add(random_vectors(3))
    encoder = stars.encoder
    picture = Image.effect_noise((9, 7), 90).convert("RGB")
    terms = (
        Term(Words("a horse in the rain"), 2),
        Term(Words("some fruit on a table"), -0.5),
        Term(PhotoId(ids[1]), 0.25),
        Term(picture, -1),
    )
    vector = Question(stars.library, Query(terms), None, encoder).vector("raw")
    each = encoder.embed_texts(["a horse in the rain", "some fruit on a table"])
    shown = encoder.embed_images([picture])[0]
    expected = unit(2 * each[0] - 0.5 * each[1] + 0.25 * stars.vectors[ids[1]] - shown)
    assert vector == pytest.approx(expected, abs=1e-6)
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)


def test_red_and_green_without_blue_is_between_red_and_green(
    library: Library, encoder: CountingEncoder, photos: Path
) -> None:
    text = f"红 + {photos / 'green.png'} - 2:blue"
    query = parse(text, picture_endings=(".png",))
    assert query.terms[1] == Term(Picture(photos / "green.png"))
    vector = Question(library, query, None, encoder).vector("raw")
    assert vector == pytest.approx(unit(np.array([1, 1, -2])), abs=5e-3)


def test_one_term_with_any_weight_is_that_term(library: Library, encoder: CountingEncoder) -> None:
    plain = Question(library, "red", None, encoder).vector("auto")
    assert Question(library, "7:red", None, encoder).vector("auto") == pytest.approx(plain)
    assert Question(library, "- red", None, encoder).vector("auto") == pytest.approx(-plain)


@pytest.mark.parametrize("text", ["red - red", "2:red - red - red", "id:1 - id:1"])
def test_a_sum_that_cancels_out_is_an_error(
    library: Library, encoder: CountingEncoder, text: str
) -> None:
    with pytest.raises(QueryError, match="cancel each other out"):
        Question(library, text, None, encoder).vector("auto")


def test_conditions_alone_are_no_question(library: Library) -> None:
    with pytest.raises(QueryError, match="conditions alone"):
        Question(library, "year:2023", None, None)


def test_a_photo_that_is_not_there_is_an_error_within_a_sum(
    library: Library, encoder: CountingEncoder
) -> None:
    with pytest.raises(QueryError, match="no photo 99 "):
        Question(library, "red + id:99", None, encoder).vector("auto")


# One batch


def test_the_new_texts_of_all_questions_are_one_batch(
    library: Library, encoder: CountingEncoder
) -> None:
    asked = ("red + 2:blue", "blue - green", "id:1 + 红", "red")
    together = [Question(library, text, None, encoder) for text in asked]
    vectors = embed_together(together, "photo")
    assert [len(batch) for batch in encoder.batches] == [4]  # red, blue, green, 红: each once
    alone = [Question(library, text, None, encoder).vector("photo") for text in asked]
    assert len(encoder.batches) == 1  # the library kept them
    assert np.array(vectors) == pytest.approx(np.array(alone), abs=1e-6)
    embed_together(together, "seven")
    assert [len(batch) for batch in encoder.batches] == [4, 28]
    assert embed_together([], "auto") == []


def test_the_pictures_of_all_questions_are_one_batch(
    library: Library, encoder: CountingEncoder, photos: Path
) -> None:
    red, green = photos / "red.png", photos / "green.png"
    blue = Image.new("RGB", (9, 7), "blue")
    asked = [
        Query((Term(Picture(red)), Term(Words("green")), Term(blue, -0.5))),
        Query((Term(Words("blue")),)),
        Query((Term(Picture(green)),)),
    ]
    questions = [Question(library, each, None, encoder) for each in asked]
    alone = [question.vector("raw") for question in questions]
    encoder.picture_counts.clear()
    together = embed_together(questions, "raw")
    assert encoder.picture_counts == [3]
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_thousands_of_queries_are_answered_some_at_a_time(
    library: Library, encoder: CountingEncoder
) -> None:
    asked = [f"red {number}" for number in range(130)]
    found = search_all(library, asked, 1, Manner(encoder=encoder, prompt="raw"))
    assert [len(each) for each in encoder.batches if each[0] in asked] == [64, 64, 2]
    assert {hit.path.name for hits in found for hit in hits} == {"red.png"} and len(found) == 130


def test_a_known_text_and_a_photo_need_no_encoder(
    library: Library, encoder: CountingEncoder
) -> None:
    first = Question(library, "red + blue", None, encoder).vector("raw")
    library.close()
    with open_library(library.path) as again:  # the encoder was an object: it cannot be loaded
        assert (Question(again, "blue + red", None, None).vector("raw") == first).all()
        assert len(Question(again, "id:1 - red", None, None).vector("raw")) == 3
        with pytest.raises(NoEncoderError):
            Question(again, "red + green", None, None).vector("raw")


# Languages


def test_each_text_is_put_in_templates_of_its_own_language(
    library: Library, encoder: CountingEncoder
) -> None:
    Question(library, "red + 蓝", None, encoder).vector("photo")
    assert encoder.batches == [["a photo of a red.", "一张蓝的照片。"]]
    Question(library, "green + 绿", "zh", encoder).vector("photo")
    assert encoder.batches[1] == ["一张green的照片。", "一张绿的照片。"]


@pytest.fixture
def bilingual(tmp_path: Path, photos: Path) -> Iterator[Library]:
    encoders = [ColourEncoder("toy/en", ("en",)), StarEncoder("toy/zh", ("zh",))]
    with open_library(tmp_path / "two") as library:
        list(index(library, [photos], encoder=encoders))
        yield library


def test_a_sum_is_answered_by_one_encoder_that_knows_all_its_languages(bilingual: Library) -> None:
    def name(text: str, language: str | None = None) -> str:
        return Question(bilingual, text, language, None).row.name

    assert (name("red + blue"), name("红 - 蓝")) == ("toy/en", "toy/zh")
    assert name("红 + id:1 + 红色 car") == "toy/zh"  # a text with a Chinese word is Chinese
    assert name("id:1 - id:2") == "toy/en"
    with pytest.raises(NoEncoderError, match=r"Chinese and English, and no .* both \(it has toy/"):
        name("红 + blue")
    assert (name("红 + blue", "zh"), name("红 + blue", "en")) == ("toy/zh", "toy/en")
    with pytest.raises(NoEncoderError, match="toy/en understands English, the query is Chinese"):
        Question(bilingual, "红 + blue", None, "toy/en")


def test_the_language_of_a_question_is_chinese_as_soon_as_a_text_is(library: Library) -> None:
    def language(text: str, given: str | None = None) -> str | None:
        return Question(library, text, given, None).language

    assert [language(text) for text in ("red", "red + 红", "id:1")] == ["en", "zh", None]
    assert language("red", "zh") == "zh"
