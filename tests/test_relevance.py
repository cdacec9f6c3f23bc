"""What relevance makes of cosines: hand-made vectors with known answers, then real libraries."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest

import imgsearch
from conftest import COLOURS, ColourEncoder, draw
from imgsearch import prompts, relevance
from imgsearch.catalog import EncoderRow
from imgsearch.errors import UsageError
from imgsearch.library import Library, sample_of
from imgsearch.relevance import LEAST_RELEVANT, Background, background_of
from imgsearch.relevance.background import SHORTFALL, Relevances
from imgsearch.vectors import Vectors, ensemble, normalise
from stars import open_stars, random_vectors

Embed: TypeAlias = Callable[[list[str]], Vectors]


def directions(count: int, dim: int = 64, seed: int = 0) -> Vectors:
    """Unit rows in any direction."""
    rows: Vectors = normalise(np.random.default_rng(seed).standard_normal((count, dim)))
    return rows


TEXTS, PHOTOS = directions(280, seed=1), directions(50, seed=2)
BACKGROUND = Background(TEXTS, PHOTOS, len(PHOTOS))


def judged(background: Background, query: Vectors, photos: Vectors) -> Relevances:
    """How relevant photos are to a label."""
    return background.relevance(query, photos, is_sentence=False)


def shown(query: Vectors, share: float, seed: int = 3) -> Vectors:
    """A photo (1, d) of what a query asks for: its cosine with it is about `share`."""
    return normalise(share * query + np.sqrt(1 - share**2) * directions(1, seed=seed))


def test_what_stands_out_is_relevant_and_what_does_not_is_not() -> None:
    query = directions(1, seed=4)[0]
    right = shown(query, 0.9)
    background = Background(TEXTS, np.concatenate([PHOTOS, right]), 51)
    assert judged(background, query, right)[0] > 0.95
    assert judged(background, query, PHOTOS).max() < judged(background, query, right)[0]
    nearest = PHOTOS[np.argsort(-(PHOTOS @ query))[:3]]
    assert judged(BACKGROUND, query, nearest).max() < 0.5


def test_relevance_lies_between_0_and_1_and_no_photos_have_none() -> None:
    found = judged(BACKGROUND, TEXTS[0], np.concatenate([PHOTOS, TEXTS[:1], -TEXTS[:1]]))
    assert found.shape == (52,)
    assert np.all((found >= 0) & (found <= 1))
    assert judged(BACKGROUND, TEXTS[0], PHOTOS[:0]).shape == (0,)


def test_of_two_like_photos_the_nearer_one_is_the_more_relevant() -> None:
    query = directions(1, seed=4)[0]
    photos = np.concatenate([shown(query, share) for share in (0.2, 0.4, 0.6, 0.8)])
    assert np.all(np.diff(judged(BACKGROUND, query, photos)) > 0)


@pytest.mark.parametrize(("scale", "offset"), [(0.4, 0.6), (0.7, 0.1)])
def test_an_encoder_of_another_scale_is_judged_alike(scale: float, offset: float) -> None:
    """All its cosines are squeezed and lifted: by a part that all its vectors share."""

    def squeezed(rows: Vectors) -> Vectors:
        shared = np.full((len(rows), 1), np.sqrt(offset), np.float32)
        own = np.sqrt(scale) * rows
        rest = np.full((len(rows), 1), np.sqrt(max(0.0, 1 - scale - offset)), np.float32)
        return np.concatenate([shared, own, rest], axis=1)

    def texts_squeezed(rows: Vectors) -> Vectors:  # what is left over is each side's own
        whole = squeezed(rows)
        return np.concatenate([whole[:, :-1], 0 * whole[:, -1:], whole[:, -1:]], axis=1)

    def photos_squeezed(rows: Vectors) -> Vectors:
        whole = squeezed(rows)
        return np.concatenate([whole, 0 * whole[:, -1:]], axis=1)

    query = directions(1, seed=4)
    photos = np.concatenate([PHOTOS, shown(query[0], 0.5)])
    here = judged(Background(TEXTS, photos, 51), query[0], photos)
    other = Background(texts_squeezed(TEXTS), photos_squeezed(photos), 51)
    there = judged(other, texts_squeezed(query)[0], photos_squeezed(photos))
    assert np.allclose(here, there, atol=1e-3)


def test_an_ordinary_text_of_the_same_meaning_is_no_rival() -> None:
    query = directions(1, seed=4)[0]
    photo = shown(query, 0.7)
    photos = np.concatenate([PHOTOS, photo])
    synonyms = np.concatenate([shown(query, 0.99, seed=seed) for seed in range(5, 8)])
    alone = Background(TEXTS, photos, 51).features(query, photo)
    beside = Background(np.concatenate([TEXTS, synonyms]), photos, 51).features(query, photo)
    assert beside["lift"] == pytest.approx(alone["lift"], rel=0.1)  # as a rival it would leave none


def test_features_are_what_they_say() -> None:
    texts = np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32)
    photos = np.array([[1, 0], [0.8, 0.6]], np.float32)
    query = np.array([0.8, 0.6], np.float32)
    cosines = texts @ photos.T  # 1 .8 | 0 .6 | .6 .96
    own = photos @ query  # .8, 1
    features = Background(texts, photos, 2).features(query, photos)
    mean, deviation = cosines.mean(), cosines.std()
    assert features["level"] == pytest.approx((own - mean) / deviation, rel=1e-5)
    # near: .8 .6 .96; the median .8 is .2 and .16 from the others, so that all three are rivals
    assert features["lift"] == pytest.approx((own - cosines.mean(axis=0)) / deviation, rel=1e-4)
    shrunk = (own.sum() + 10 * mean) / 12
    assert features["mean"] == pytest.approx(np.full(2, (shrunk - mean) / deviation), rel=1e-4)
    best = cosines.max(axis=1)
    assert features["reach"] == pytest.approx(np.full(2, (1 - best.mean()) / best.std()), rel=1e-4)


def test_the_best_of_many_photos_is_expected_to_reach_further_than_that_of_a_sample() -> None:
    query = directions(1, seed=4)[0]
    few = Background(TEXTS, PHOTOS, 50).features(query, PHOTOS)["reach"]
    many = Background(TEXTS, PHOTOS, 100_000).features(query, PHOTOS)["reach"]
    assert np.all(many < few)


@pytest.mark.parametrize("count", [1, 10, 50, 1000, 4000, 100_000])
@pytest.mark.parametrize("is_sentence", [False, True])
def test_what_reaches_the_line_of_its_size_is_just_relevant(count: int, is_sentence: bool) -> None:
    query = directions(1, seed=4)[0]
    background = Background(TEXTS, PHOTOS, count)
    line = SHORTFALL["sentence" if is_sentence else "label"]
    height = line.start + line.slope * np.log(min(max(count, 10), line.most))
    beyond = background.weighed(query, PHOTOS) - height
    odds = LEAST_RELEVANT / (1 - LEAST_RELEVANT) * np.exp(beyond)
    found = background.relevance(query, PHOTOS, is_sentence=is_sentence)
    assert found == pytest.approx(odds / (1 + odds))


def test_a_sentence_needs_to_be_less_near_than_a_label() -> None:
    query = directions(1, seed=4)[0]
    for count in (10, 50, 500, 4000):
        background = Background(TEXTS, PHOTOS, count)
        as_sentence = background.relevance(query, PHOTOS, is_sentence=True)
        assert np.all(as_sentence > judged(background, query, PHOTOS))


def test_an_encoder_that_takes_all_ordinary_texts_for_one_still_finds() -> None:
    query = directions(1, seed=4)[0]
    photos = np.concatenate([PHOTOS, shown(query, 0.8)])
    found = judged(Background(np.repeat(TEXTS[:1], 280, axis=0), photos, 51), query, photos)
    assert found.argmax() == 50
    assert found[50] > 0.9
    assert found.min() < LEAST_RELEVANT


# Real libraries


def indexed(folder: Path, photos: Path, encoder: ColourEncoder | str) -> Library:
    library = imgsearch.open_library(folder)
    list(imgsearch.index(library, photos, encoder=encoder))
    return library


def relevances(library: Library, query: str) -> list[tuple[str, float]]:
    """All photos with their relevance for a query, nearest first."""
    language = prompts.language_of(query)
    row = library.catalog.active_encoders()[language]
    encoder = library.load_encoder(row)
    templates = prompts.templates("auto", query, language)
    vector = ensemble(encoder.embed_texts(prompts.expand(query, templates)))
    background = ground(library, row, language, encoder.embed_texts)
    assert background is not None
    ids, photos = library.catalog.embeddings(row.id)
    paths = library.catalog.live_paths(ids)
    found = background.relevance(vector, photos, is_sentence=not prompts.is_label(query))
    order = np.argsort(-(photos @ vector))
    return [(paths[int(ids[place])].stem, float(found[place])) for place in order]


@pytest.mark.parametrize("word", list(COLOURS))
def test_only_the_photo_of_that_colour_is_relevant(
    tmp_path: Path, photos: Path, colour_encoder: ColourEncoder, word: str
) -> None:
    with indexed(tmp_path / "library", photos, colour_encoder) as library:
        (name, first), *others = relevances(library, word)
    assert name == ("red", "green", "blue")[COLOURS[word]]
    assert first > 0.9
    assert all(each < 0.01 for _, each in others)


def test_a_colour_that_no_photo_has_finds_nothing(
    tmp_path: Path, colour_encoder: ColourEncoder
) -> None:
    for shade in range(4):
        draw(tmp_path / "photos" / f"{shade}.png", (250 - shade, 0, 0))
    with indexed(tmp_path / "library", tmp_path / "photos", colour_encoder) as library:
        assert all(each < LEAST_RELEVANT for _, each in relevances(library, "blue"))


def test_one_photo_is_enough_of_a_library(tmp_path: Path, colour_encoder: ColourEncoder) -> None:
    draw(tmp_path / "photos" / "red.png", "red")
    with indexed(tmp_path / "library", tmp_path / "photos", colour_encoder) as library:
        assert relevances(library, "red")[0][1] > 0.9
        assert relevances(library, "blue")[0][1] < 0.01


def ground(library: Library, row: EncoderRow, language: str, embed: Embed) -> Background | None:
    return background_of(library.catalog, row, language, embed, lambda: sample_of(library, row))


class Counting(ColourEncoder):
    """The toy, which keeps how many texts it was asked for at once."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: list[int] = []

    def embed_texts(self, texts: list[str]) -> Vectors:
        self.counts.append(len(texts))
        return super().embed_texts(texts)


class Broken(ColourEncoder):
    """The toy with a text tower whose weights are no numbers."""

    def embed_texts(self, texts: list[str]) -> Vectors:
        return np.full((len(texts), self.dim), np.nan, np.float32)


def row_of(library: Library) -> EncoderRow:
    return library.catalog.active_encoders()["en"]


def test_ordinary_texts_are_embedded_once_while_photos_are_and_kept(
    tmp_path: Path, photos: Path
) -> None:
    encoder = Counting()
    with indexed(tmp_path / "library", photos, encoder) as library:
        first = ground(library, row_of(library), "en", encoder.embed_texts)
        again = ground(library, row_of(library), "en", encoder.embed_texts)
        assert again is first is not None
    with imgsearch.open_library(tmp_path / "library") as library:
        second = ground(library, row_of(library), "en", encoder.embed_texts)
    assert encoder.counts == [280, 280]  # in English, in Chinese
    assert second is not None
    assert np.array_equal(first.texts, second.texts)


def test_vectors_of_texts_that_are_no_numbers_are_told_and_not_kept(
    tmp_path: Path, photos: Path
) -> None:
    broken = Broken()
    with indexed(tmp_path / "library", photos, broken) as library:
        row = row_of(library)
        for _ in range(2):
            with pytest.raises(UsageError, match=r"toy/colour.*not finite.*--encoder NAME"):
                ground(library, row, "en", broken.embed_texts)
        mended = ground(library, row, "en", ColourEncoder().embed_texts)
    assert mended is not None
    assert np.isfinite(mended.texts).all()


@pytest.mark.parametrize(
    ("query", "is_sentence"),
    [("red", False), ("a big red photo, alone", True), ("red photo of a wall - blue", False)],
)
def test_a_search_tells_a_sentence_from_a_label_and_from_a_sum(
    tmp_path: Path, photos: Path, colour_encoder: ColourEncoder, query: str, is_sentence: bool
) -> None:
    added = query.split(" - ")[0]
    with indexed(tmp_path / "library", photos, colour_encoder) as library:
        hits = imgsearch.search(library, query, encoder=colour_encoder, mode="vector")
        embed = colour_encoder.embed_texts
        background = ground(library, row_of(library), "en", embed)
        ids, vectors = library.catalog.embeddings(row_of(library).id)
    assert background is not None
    templates = prompts.templates("auto", added, "en")
    vector = ensemble(embed(prompts.expand(added, templates)))
    found = background.relevance(vector, vectors, is_sentence=is_sentence)
    expected = dict(zip(ids.tolist(), found, strict=True))
    assert len(hits) == 3
    for hit in hits:
        assert hit.relevance == pytest.approx(expected[hit.photo_id], abs=1e-4)


def test_a_library_that_has_grown_gets_a_new_background(
    tmp_path: Path, photos: Path, colour_encoder: ColourEncoder
) -> None:
    with indexed(tmp_path / "library", photos, colour_encoder) as library:
        embed = colour_encoder.embed_texts
        before = ground(library, row_of(library), "en", embed)
        draw(photos / "grey.png", "grey")
        list(imgsearch.index(library, photos, encoder=colour_encoder))
        after = ground(library, row_of(library), "en", embed)
    assert before is not None
    assert after is not None
    assert (before.count, after.count) == (3, 4)


def test_an_encoder_without_photos_has_no_background(
    tmp_path: Path, photos: Path, colour_encoder: ColourEncoder
) -> None:
    with indexed(tmp_path / "library", photos, colour_encoder) as library:
        row = EncoderRow(0, "none", "none", 3, ("en",), None)
        with library.catalog.write() as writer:
            writer.add_encoder(row)
        row = next(each for each in library.catalog.encoders() if each.name == "none")
        assert ground(library, row, "en", colour_encoder.embed_texts) is None


def test_a_sample_is_spread_evenly_and_stays_the_same(tmp_path: Path) -> None:
    with open_stars(tmp_path) as stars:
        stars.add(random_vectors(300))
        catalog = stars.library.catalog
        row = row_of(stars.library)
        _, everything, last = catalog.sample_embeddings(row.id, 300)
        ids, sample, same_last = catalog.sample_embeddings(row.id, 30)
        _, again, _ = catalog.sample_embeddings(row.id, 30)
        assert np.array_equal(catalog.embeddings(row.id, photo_ids=ids)[1], sample)
        until, _, same = catalog.sample_embeddings(row.id, 300, until=last - 5)
        assert (len(until), same) == (295, last - 5)
        behind, _, _ = catalog.sample_embeddings(row.id, 300, after=last - 5)
        assert behind.tolist() == catalog.embeddings(row.id)[0][-5:].tolist()
        whole = catalog.embeddings(row.id)[1]
    assert np.array_equal(everything, whole)
    assert last == same_last > 0
    assert np.array_equal(sample, again)
    assert 25 <= len(sample) <= 35
    places = [int(np.flatnonzero((whole == each).all(axis=1))[0]) for each in sample]
    assert max(np.diff([0, *places, 300])) < 30


def test_both_languages_say_the_same_and_each_once() -> None:
    english, chinese = (relevance.ordinary_texts(language) for language in prompts.LANGUAGES)
    assert len(english) == len(chinese) == len(set(english)) == len(set(chinese)) == 280
    assert all(prompts.language_of(text) == "en" for text in english)
    assert all(prompts.language_of(text) == "zh" for text in chinese)
    assert relevance.ordinary_texts("fr") == english


# The bundled encoder on photos that come with scikit-image


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Library:
    skimage = pytest.importorskip("skimage", reason="scikit-image has the demo's photos")
    photos = Path(skimage.__file__).parent / "data"
    return indexed(tmp_path_factory.mktemp("demo") / "library", photos, "builtin")


@pytest.mark.parametrize(
    ("query", "name"),
    [("a cat", "chelsea"), ("一杯咖啡", "coffee"), ("motorcycle", "motorcycle_right")],
)
def test_what_the_demo_shows_is_answered(demo: Library, query: str, name: str) -> None:
    best, found = relevances(demo, query)[0]
    assert best == name
    assert found >= LEAST_RELEVANT


@pytest.mark.parametrize("query", ["a helicopter", "直升机", "giraffe"])
def test_what_the_demo_does_not_show_is_not(demo: Library, query: str) -> None:
    assert all(found < LEAST_RELEVANT for _, found in relevances(demo, query))
