"""What relevance makes of cosines: hand-made vectors with known answers, then real libraries."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import imgsearch
from conftest import COLOURS, ColourEncoder, draw
from imgsearch import prompts, relevance
from imgsearch.catalog import EncoderRow
from imgsearch.library import Library
from imgsearch.relevance import LEAST_RELEVANT, Background, background_of
from imgsearch.vectors import Vectors, ensemble, normalise
from stars import open_stars, random_vectors


def directions(count: int, dim: int = 64, seed: int = 0) -> Vectors:
    """Unit rows in any direction."""
    rows: Vectors = normalise(np.random.default_rng(seed).standard_normal((count, dim)))
    return rows


TEXTS, PHOTOS = directions(280, seed=1), directions(50, seed=2)
BACKGROUND = Background(TEXTS, PHOTOS, len(PHOTOS))


def shown(query: Vectors, share: float, seed: int = 3) -> Vectors:
    """A photo (1, d) of what a query asks for: its cosine with it is about `share`."""
    return normalise(share * query + np.sqrt(1 - share**2) * directions(1, seed=seed))


def test_what_stands_out_is_relevant_and_what_does_not_is_not() -> None:
    query = directions(1, seed=4)[0]
    right = shown(query, 0.9)
    background = Background(TEXTS, np.concatenate([PHOTOS, right]), 51)
    assert background.relevance(query, right)[0] > 0.95
    assert background.relevance(query, PHOTOS).max() < background.relevance(query, right)[0]
    nearest = PHOTOS[np.argsort(-(PHOTOS @ query))[:3]]
    assert BACKGROUND.relevance(query, nearest).max() < 0.5


def test_relevance_lies_between_0_and_1_and_no_photos_have_none() -> None:
    found = BACKGROUND.relevance(TEXTS[0], np.concatenate([PHOTOS, TEXTS[:1], -TEXTS[:1]]))
    assert found.shape == (52,)
    assert np.all((found >= 0) & (found <= 1))
    assert BACKGROUND.relevance(TEXTS[0], PHOTOS[:0]).shape == (0,)


def test_of_two_like_photos_the_nearer_one_is_the_more_relevant() -> None:
    query = directions(1, seed=4)[0]
    photos = np.concatenate([shown(query, share) for share in (0.2, 0.4, 0.6, 0.8)])
    assert np.all(np.diff(BACKGROUND.relevance(query, photos)) > 0)


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
    here = Background(TEXTS, photos, 51).relevance(query[0], photos)
    other = Background(texts_squeezed(TEXTS), photos_squeezed(photos), 51)
    there = other.relevance(texts_squeezed(query)[0], photos_squeezed(photos))
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
    background = background_of(library.catalog, row, language, encoder.embed_texts)
    assert background is not None
    ids, photos = library.catalog.embeddings(row.id)
    paths = library.catalog.live_paths(ids)
    found = background.relevance(vector, photos)
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


@pytest.fixture
def asked(colour_encoder: ColourEncoder) -> tuple[list[int], Callable[[list[str]], Vectors]]:
    counts: list[int] = []

    def embed(texts: list[str]) -> Vectors:
        counts.append(len(texts))
        return colour_encoder.embed_texts(texts)

    return counts, embed


def row_of(library: Library) -> EncoderRow:
    return library.catalog.active_encoders()["en"]


def test_ordinary_texts_are_embedded_once_and_kept(
    tmp_path: Path,
    photos: Path,
    colour_encoder: ColourEncoder,
    asked: tuple[list[int], Callable[[list[str]], Vectors]],
) -> None:
    counts, embed = asked
    with indexed(tmp_path / "library", photos, colour_encoder) as library:
        first = background_of(library.catalog, row_of(library), "en", embed)
        assert background_of(library.catalog, row_of(library), "en", embed) is first
    with imgsearch.open_library(tmp_path / "library") as again:
        second = background_of(again.catalog, row_of(again), "en", embed)
    assert counts == [280]
    assert first is not None
    assert second is not None
    assert np.array_equal(first.texts, second.texts)


def test_a_library_that_has_grown_gets_a_new_background(
    tmp_path: Path, photos: Path, colour_encoder: ColourEncoder
) -> None:
    with indexed(tmp_path / "library", photos, colour_encoder) as library:
        embed = colour_encoder.embed_texts
        before = background_of(library.catalog, row_of(library), "en", embed)
        draw(photos / "grey.png", "grey")
        list(imgsearch.index(library, photos, encoder=colour_encoder))
        after = background_of(library.catalog, row_of(library), "en", embed)
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
        assert background_of(library.catalog, row, "en", colour_encoder.embed_texts) is None


def test_a_sample_is_spread_evenly_and_stays_the_same(tmp_path: Path) -> None:
    with open_stars(tmp_path) as stars:
        stars.add(random_vectors(300))
        catalog = stars.library.catalog
        row = row_of(stars.library)
        everything, last = catalog.sample_embeddings(row.id, 300)
        sample, same_last = catalog.sample_embeddings(row.id, 30)
        again, _ = catalog.sample_embeddings(row.id, 30)
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


@pytest.mark.parametrize("query", ["a helicopter", "sushi", "直升机", "giraffe"])
def test_what_the_demo_does_not_show_is_not(demo: Library, query: str) -> None:
    assert all(found < LEAST_RELEVANT for _, found in relevances(demo, query))
