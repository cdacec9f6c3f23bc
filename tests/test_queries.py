"""Every form a query can take, in a real folder indexed by a toy encoder: the answer is obvious."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import ColourEncoder
from imgsearch.errors import NoEncoderError, PictureError, QueryError, UsageError
from imgsearch.indexing import index
from imgsearch.library import Library, open_library
from imgsearch.searching import search
from stars import StarEncoder, Stars, direction, names, open_stars, random_vectors


@pytest.fixture
def stars(tmp_path: Path) -> Iterator[Stars]:
    with open_stars(tmp_path) as opened:
        yield opened


@pytest.fixture
def colours(tmp_path: Path, photos: Path, colour_encoder: ColourEncoder) -> Iterator[Library]:
    with open_library(tmp_path / "library") as library:
        list(index(library, [photos], encoder=colour_encoder))
        yield library


# Texts


def test_red_finds_the_red_photo_in_both_languages(
    colours: Library, photos: Path, colour_encoder: ColourEncoder
) -> None:
    for text, name in (("red", "red.png"), ("绿", "green.png"), ("something blue", "blue.png")):
        hits = search(colours, text, encoder=colour_encoder)
        assert names(hits)[0] == name
        assert hits[0].path == (photos / name).resolve()
        assert len(hits) == 3


def test_a_label_is_the_mean_of_its_templates_and_a_sentence_itself(stars: Stars) -> None:
    stars.add(random_vectors(10))
    search(stars.library, "ready", encoder=stars.encoder)  # the ordinary texts are known now
    stars.encoder.texts_seen.clear()
    search(stars.library, "dogs", encoder=stars.encoder)
    assert len(stars.encoder.texts_seen) == 80
    each = np.array([direction(text.encode()) for text in stars.encoder.texts_seen])
    mean = each.mean(0) / np.linalg.norm(each.mean(0))
    scores = {
        hit.photo_id: hit.score for hit in search(stars.library, "dogs", encoder=stars.encoder)
    }
    for photo_id, vector in stars.vectors.items():
        assert scores[photo_id] == pytest.approx(vector @ mean, abs=1e-6)
    stars.encoder.texts_seen.clear()
    search(stars.library, "two dogs run on grass", encoder=stars.encoder)
    assert stars.encoder.texts_seen == ["two dogs run on grass"]


def test_a_text_is_embedded_once_and_then_needs_no_encoder(stars: Stars) -> None:
    stars.add(random_vectors(10))
    first = search(stars.library, "dogs", encoder=stars.encoder)
    stars.encoder.texts_seen.clear()
    # the encoder of this library was an object: without it, only a cached text can be answered
    assert search(stars.library, "  dogs ") == first
    assert search(stars.library, "dogs", encoder="toy/stars") == first
    assert stars.encoder.texts_seen == []
    with pytest.raises(NoEncoderError):
        search(stars.library, "cats")


def test_a_cached_text_and_a_photo_id_are_answered_without_torch(stars: Stars) -> None:
    stars.add(random_vectors(10))
    stars.build("flat")
    expected = search(stars.library, "dogs", encoder=stars.encoder)
    code = (
        "import sys; from imgsearch.library import open_library; from imgsearch.searching import"
        " search; library = open_library(sys.argv[1]); search(library, 1);"
        " print([hit.photo_id for hit in search(library, 'dogs')]);"
        " sys.exit(any(name in sys.modules for name in ('torch', 'open_clip', 'cn_clip')))"
    )
    command = [sys.executable, "-c", code, str(stars.library.path)]
    output = subprocess.check_output(command, text=True)
    assert output.strip() == str([hit.photo_id for hit in expected])


def test_the_cache_tells_policies_texts_and_encoders_apart(stars: Stars) -> None:
    stars.add(random_vectors(40))
    asked = [(text, policy) for text in ("dogs", "Dogs") for policy in ("raw", "photo", "seven")]
    fresh = [search(stars.library, t, prompt=p, encoder=stars.encoder) for t, p in asked]  # type: ignore[arg-type]
    again = [search(stars.library, t, prompt=p, encoder=stars.encoder) for t, p in asked]  # type: ignore[arg-type]
    assert fresh == again
    assert len({tuple(hits) for hits in fresh}) == len(asked)


@pytest.mark.parametrize("text", ["", "   ", "\n\t"])
def test_an_empty_text_is_an_error(colours: Library, text: str) -> None:
    with pytest.raises(QueryError, match="empty"):
        search(colours, text)


def test_a_text_that_is_no_text_is_an_error(colours: Library) -> None:
    with pytest.raises(QueryError, match="not valid text"):
        search(colours, "caf\udce9")


# Languages and encoders


@pytest.fixture
def bilingual(tmp_path: Path, photos: Path) -> Iterator[tuple[Library, ColourEncoder, StarEncoder]]:
    english, chinese = ColourEncoder("toy/en", ("en",)), StarEncoder("toy/zh", ("zh",))
    with open_library(tmp_path / "two") as library:
        list(index(library, [photos], encoder=[english, chinese]))
        yield library, english, chinese


def test_a_text_goes_to_the_encoder_of_its_language(
    bilingual: tuple[Library, ColourEncoder, StarEncoder],
) -> None:
    library, english, chinese = bilingual
    by_english = search(library, "red", encoder=english)
    by_chinese = search(library, "红", encoder=chinese)
    # both texts are cached now, so routing alone decides what they find
    assert search(library, "red") == by_english
    assert search(library, "红") == by_chinese
    assert {hit.score for hit in by_english}.isdisjoint({hit.score for hit in by_chinese})


def test_the_language_asked_for_wins_over_the_script(
    bilingual: tuple[Library, ColourEncoder, StarEncoder],
) -> None:
    library, english, chinese = bilingual
    with pytest.raises(NoEncoderError, match=r"toy/zh understands Chinese.*English"):
        search(library, "red", encoder=chinese)
    by_chinese = search(library, "red", language="zh", encoder=chinese)
    assert "一张red的照片。" in chinese.texts_seen
    assert search(library, "red", language="zh") == by_chinese
    assert names(search(library, "红", language="en", encoder=english))[0] == "red.png"


def test_a_language_without_encoder_names_the_command_that_adds_one(
    tmp_path: Path, photos: Path
) -> None:
    with open_library(tmp_path / "library") as library:
        list(index(library, [photos], encoder=ColourEncoder(languages=("en",))))
        command = library.command("index", "--encoder", "cn_clip/ViT-B-16")
        with pytest.raises(NoEncoderError, match=f"Chinese.*toy/colour.*{re.escape(command)}"):
            search(library, "红色")
        with pytest.raises(NoEncoderError, match=r"'fr'.*--encoder NAME"):
            search(library, "rouge", language="fr")


def test_an_encoder_the_library_has_not_got_is_an_error_that_names_those_it_has(
    colours: Library,
) -> None:
    for encoder in ("toy/other", StarEncoder("toy/other")):
        with pytest.raises(NoEncoderError, match=r"toy/other; it has toy/colour.*--encoder toy/o"):
            search(colours, "red", encoder=encoder)


# Pictures and photos


def test_a_photo_of_the_library_finds_itself_by_file_image_and_id(
    colours: Library, photos: Path, colour_encoder: ColourEncoder
) -> None:
    file = photos / "green.png"
    by_file = search(colours, file, encoder=colour_encoder)
    with Image.open(file) as image:
        by_image = search(colours, image, encoder=colour_encoder)
    by_id = search(colours, by_file[0].photo_id)  # needs no encoder: it is stored
    assert by_file == by_image == by_id
    assert names(by_file)[0] == "green.png"
    assert by_file[0].score == 1.0


def test_a_picture_is_turned_upright_before_it_is_embedded(tmp_path: Path, stars: Stars) -> None:
    upright = Image.effect_noise((9, 7), 90).convert("RGB")
    stars.add(stars.encoder.embed_images([upright]))
    exif = Image.Exif()
    exif[0x0112] = 6
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    for query in (tmp_path / "turned.png", Image.open(tmp_path / "turned.png")):
        assert search(stars.library, query, encoder=stars.encoder)[0].score == 1.0


def test_a_photo_without_an_embedding_or_unknown_is_an_error(colours: Library) -> None:
    for photo_id in (999, 0, -1):
        with pytest.raises(QueryError, match=f"no photo {photo_id} "):
            search(colours, photo_id)


def test_a_file_that_is_no_picture_is_an_error_that_names_it(
    colours: Library, tmp_path: Path, colour_encoder: ColourEncoder
) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    for name in ("notes.txt", "missing.png"):
        with pytest.raises(PictureError, match=name):
            search(colours, tmp_path / name, encoder=colour_encoder)


def test_a_truncated_image_object_is_a_picture_error(
    colours: Library, tmp_path: Path, colour_encoder: ColourEncoder
) -> None:
    file = tmp_path / "cut.png"
    Image.effect_noise((64, 64), 50).save(file)
    file.write_bytes(file.read_bytes()[:900])
    with Image.open(file) as image, pytest.raises(PictureError, match="cannot be decoded"):
        search(colours, image, encoder=colour_encoder)


# Nothing to search


def test_an_empty_library_is_an_error_that_says_how_to_fill_it(
    tmp_path: Path, stars: Stars
) -> None:
    with open_library(tmp_path / "empty") as library:
        for query in ("dogs", 7, tmp_path / "x.png"):
            with pytest.raises(QueryError, match=r"no photos yet.*imgsearch index .*FOLDER"):
                search(library, query)
    with pytest.raises(QueryError, match="--encoder toy/stars"):  # known, but embedded nothing
        search(stars.library, "dogs", encoder=stars.encoder)


def test_a_library_whose_files_are_all_gone_has_no_hits(stars: Stars) -> None:
    stars.lose(stars.add(random_vectors(40)))
    stars.build("flat")
    assert stars.search("sun") == []


@pytest.mark.parametrize("k", [0, -3])
def test_k_below_one_is_a_usage_error(colours: Library, k: int) -> None:
    with pytest.raises(UsageError, match=f"at least 1, got {k}"):
        search(colours, "red", k)
