"""search() by words: what captions and file names alone can answer, and what each hit says of it.

On a library of random vectors, which know nothing of any caption.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from conftest import ColourEncoder, draw
from imgsearch.errors import NoEncoderError, QueryError, UsageError
from imgsearch.indexing import index
from imgsearch.library import Library, open_library
from imgsearch.searching import Filters, Hit, Mode, search
from stars import Stars, direction, open_stars, random_vectors

SENTENCES = (
    "Two dogs run on the beach.",
    "A man in a red hat drinks coffee",
    "一只猫坐在红色沙发上。",
    "海滩上的日落",
)


@pytest.fixture
def stars(tmp_path: Path) -> Iterator[Stars]:
    """Twenty photos; the first four have captions, in their order."""
    with open_stars(tmp_path) as opened:
        ids = opened.add(random_vectors(20))
        opened.build("flat")
        for photo_id, sentence in zip(ids, SENTENCES, strict=False):
            write(opened.library, photo_id, sentence)
        yield opened


def write(library: Library, photo_id: int, sentence: str) -> None:
    language = "en" if sentence.isascii() else "zh"
    with library.catalog.write() as writer:
        writer.add_captions(photo_id, [sentence], language, "user")


def generate(library: Library, photo_ids: list[int], sentence: str) -> None:
    with library.catalog.write() as writer:
        captioner_id = writer.add_captioner("toy", "identity-of-toy")
        rows = [(photo_id, sentence, -1.0) for photo_id in photo_ids]
        writer.put_generated_captions(captioner_id, "en", rows)


def by_words(stars: Stars, text: str, k: int = 10, filters: Filters | None = None) -> list[Hit]:
    return search(stars.library, text, k, mode="text", filters=filters or Filters())


# What is found


@pytest.mark.parametrize(
    ("query", "photo_id", "matched"),
    [
        ("dog", 1, ("dogs",)),
        ("running dogs at a beach", 1, ("dogs", "run", "beach")),
        ("RED", 2, ("red",)),
        ("猫", 3, ("猫",)),
        ("沙发", 3, ("沙发",)),
        ("红色沙发", 3, ("红色沙发",)),
        ("日落", 4, ("日落",)),
        ('"red hat"', 2, ("red", "hat")),
    ],
)
def test_captions_answer_where_pixels_cannot(
    stars: Stars, query: str, photo_id: int, matched: tuple[str, ...]
) -> None:
    first = by_words(stars, query)[0]
    assert (first.photo_id, first.caption) == (photo_id, SENTENCES[photo_id - 1])
    assert set(first.matched) == set(matched)
    assert (first.score, first.vector_rank, first.text_rank) == (None, None, 1)
    assert first.text_score is not None and first.text_score > 0


def test_the_order_is_that_of_bm25(stars: Stars) -> None:
    write(stars.library, 9, "a dog beside another dog looks at a third dog")
    write(stars.library, 11, "one dog among very many other things that are named here at length")
    hits = by_words(stars, "dog")
    scores = [hit.text_score or 0.0 for hit in hits]
    assert hits[0].photo_id == 9
    assert {hit.photo_id for hit in hits} == {1, 9, 11}
    assert scores == sorted(scores, reverse=True)
    assert [hit.text_rank for hit in hits] == [hit.rank for hit in hits] == [1, 2, 3]
    assert by_words(stars, "dog", 2) == hits[:2]


def test_names_of_files_and_folders_are_words(tmp_path: Path) -> None:
    draw(tmp_path / "p" / "Grandma at home" / "IMG_2034.png", "red")
    draw(tmp_path / "p" / "海滩" / "1.png", "blue", (9, 9))
    with open_library(tmp_path / "library") as library:
        list(index(library, [tmp_path / "p"], encoder=ColourEncoder()))
        for query, name, matched in (
            ("grandma", "IMG_2034.png", ("Grandma",)),
            ("img_2034", "IMG_2034.png", ("IMG", "2034")),
            ("海滩", "1.png", ("海滩",)),
        ):
            (hit,) = search(library, query, mode="text")
            assert (hit.path.name, hit.matched, hit.caption) == (name, matched, None)


def test_a_photo_that_lost_its_file_is_never_a_hit(stars: Stars) -> None:
    write(stars.library, 7, "a dog")
    stars.lose([1])
    assert [hit.photo_id for hit in by_words(stars, "dog")] == [7]


def test_the_caption_shown_is_the_one_that_matched(stars: Stars) -> None:
    write(stars.library, 2, "Uncle Bob")
    write(stars.library, 2, "鲍勃叔叔")
    hit = by_words(stars, "coffee with Bob and a hat")[0]
    assert hit.caption == SENTENCES[1]
    assert set(hit.matched) == {"coffee", "hat", "Bob"}
    assert by_words(stars, "bob")[0].caption == "Uncle Bob"
    assert by_words(stars, "叔叔")[0].caption == "鲍勃叔叔"


def test_without_a_match_a_persons_caption_in_the_language_of_the_query_is_shown(
    stars: Stars,
) -> None:
    generate(stars.library, [2, 5], "a photo of something")
    write(stars.library, 2, "鲍勃叔叔")
    for text, expected in (
        ("sun", {2: SENTENCES[1], 5: "a photo of something", 4: None, 6: None}),
        ("星", {2: "鲍勃叔叔", 5: None, 4: SENTENCES[3], 6: None}),
    ):
        hits = search(stars.library, text, 20, mode="vector", encoder=stars.encoder)
        captions = {hit.photo_id: hit.caption for hit in hits}
        assert {photo_id: captions[photo_id] for photo_id in expected} == expected
        assert {hit.matched for hit in hits} == {()}
    like = {hit.photo_id: hit.caption for hit in search(stars.library, 7, 20)}
    assert like[3] == SENTENCES[2]  # a photo speaks no language


def test_words_are_answered_without_an_encoder_of_their_language_and_without_torch(
    tmp_path: Path, photos: Path
) -> None:
    with open_library(tmp_path / "library") as library:
        list(index(library, [photos], encoder=ColourEncoder(languages=("en",))))
        write(library, 2, "蓝色的海")
        with pytest.raises(NoEncoderError):
            search(library, "海")
        code = (
            "import sys; from imgsearch.library import open_library; from imgsearch.searching"
            " import search; library = open_library(sys.argv[1]);"
            " print([hit.photo_id for hit in search(library, '海', mode='text')]);"
            " sys.exit(any(each in sys.modules for each in ('torch', 'faiss', 'open_clip')))"
        )
        command = [sys.executable, "-c", code, str(library.path)]
        assert subprocess.check_output(command, text=True).strip() == "[2]"


# What cannot be asked


@pytest.mark.parametrize("text", ['"', "*", "😀", '"" *', "()", "。"])
def test_a_query_without_a_word_is_an_error_by_words_and_a_vector_otherwise(
    stars: Stars, text: str
) -> None:
    with pytest.raises(QueryError, match="no word"):
        by_words(stars, text)
    asked = {"prompt": "raw", "encoder": stars.encoder}
    near = search(stars.library, text, mode="vector", **asked)  # type: ignore[arg-type]
    both = search(stars.library, text, mode="hybrid", **asked)  # type: ignore[arg-type]
    assert both == near


@pytest.mark.parametrize(
    "text", ["AND OR", "NOT", "dog AND", r"captions\:dog", "dog*", "-dog", "a"]
)
def test_nothing_in_a_query_is_an_operator(stars: Stars, text: str) -> None:
    hits = by_words(stars, text)
    assert [hit.photo_id for hit in hits if "dog" in text] == [1] * ("dog" in text)


def test_what_a_mode_cannot_do_is_a_sentence(stars: Stars, tmp_path: Path) -> None:
    modes: tuple[Mode, ...] = ("text", "hybrid")
    for mode in modes:
        with pytest.raises(QueryError, match=f"photo id 3 has no words.* mode {mode}"):
            search(stars.library, 3, mode=mode)
        with pytest.raises(QueryError, match="a picture has no words"):
            search(stars.library, tmp_path / "cat.jpg", mode=mode)
    with pytest.raises(UsageError, match=r"least score of 0\.2.*mode text has none"):
        by_words(stars, "dog", filters=Filters(min_score=0.2))
    with pytest.raises(UsageError, match=r"encoder 'nobody'.*mode text asks none"):
        search(stars.library, "dog", mode="text", encoder="nobody")
    with pytest.raises(UsageError, match=r"prompt 'raw'.*mode text makes none"):
        search(stars.library, "dog", mode="text", prompt="raw")
    for mode in (*modes, "vector"):
        with pytest.raises(NoEncoderError, match="understands 'xx'"):
            search(stars.library, "dog", mode=mode, language="xx")
    with stars.library.catalog.write() as writer:
        writer.add_captions(5, ["un chien"], "fr", "user")
    (hit,) = search(stars.library, "chien", mode="text", language="fr")
    assert hit.caption == "un chien"
    with pytest.raises(UsageError, match="no mode is called 'words'; there are auto, vector"):
        search(stars.library, "dog", mode="words")  # type: ignore[arg-type]
    with (
        open_library(tmp_path / "empty") as empty,
        pytest.raises(QueryError, match="holds no photos yet"),
    ):
        search(empty, "dog", mode="text")


# Filters


def test_an_empty_caption_is_not_shown_and_the_next_one_is(stars: Stars) -> None:
    generate(stars.library, [1, 5], "")
    hits = {hit.photo_id: hit for hit in search(stars.library, 5, 20)}
    assert hits[5].caption is None and hits[1].caption == SENTENCES[0]
    assert 5 not in {
        hit.photo_id for hit in search(stars.library, 5, 20, filters=Filters(captioned=True))
    }


def test_captioned_and_uncaptioned_part_the_photos_in_every_mode(stars: Stars) -> None:
    stars.lose([2])
    for with_path in (None, stars.library.path / "photos"):
        captioned = Filters(path=with_path, captioned=True)
        bare = Filters(path=with_path, captioned=False)
        modes: tuple[Mode, ...] = ("vector", "hybrid")
        for mode in modes:
            found = [
                {
                    hit.photo_id
                    for hit in search(
                        stars.library, "sun", 50, mode=mode, encoder=stars.encoder, filters=filters
                    )
                }
                for filters in (captioned, bare)
            ]
            assert found == [{1, 3, 4}, stars.live - {1, 3, 4}]
        assert by_words(stars, "dog", filters=bare) == []
        assert [hit.photo_id for hit in by_words(stars, "dog", filters=captioned)] == [1]


def test_a_path_bounds_what_words_find(stars: Stars) -> None:
    (elsewhere,) = stars.add(direction(b"dog")[None], folder="b")
    write(stars.library, elsewhere, "dog")
    folder = stars.library.path / "photos" / "b"
    hits = by_words(stars, "dog", filters=Filters(path=folder))
    assert [(hit.photo_id, hit.rank) for hit in hits] == [(elsewhere, 1)]
    assert hits[0].path.is_relative_to(folder)
    assert np.isclose(stars.vectors[elsewhere] @ direction(b"dog"), 1)
