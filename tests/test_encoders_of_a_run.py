"""Which encoders a run uses, what it shows them, and which of them answers in the end."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import ColourEncoder, draw
from imgsearch import encoders
from imgsearch.errors import DownloadError, NoEncoderError, QueryError, UsageError
from imgsearch.indexing import Embedding, Notice, index, switch
from imgsearch.library import Library, open_library
from imgsearch.searching import search
from imgsearch.upkeep import doctor
from runs import CountingEncoder, draw_many, kinds, run

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with open_library(tmp_path / "library") as opened:
        yield opened


def test_several_encoders_share_one_pass(library: Library, photos: Path) -> None:
    one, two = CountingEncoder("toy/en", ("en",)), CountingEncoder("toy/zh", ("zh",))
    notices: list[Notice] = []
    run(library, photos, encoder=[one, two], notify=notices.append)
    assert one.seen == two.seen == 3
    rows = library.catalog.encoders()
    assert [library.catalog.photo_count(row.id) for row in rows] == [3, 3]
    active = {language: row.name for language, row in library.catalog.active_encoders().items()}
    assert active == {"en": "toy/en", "zh": "toy/zh"}
    assert len(library.catalog.generations()) == 2
    assert [notice for notice in notices if isinstance(notice, Embedding)] == [
        Embedding("toy/en", 3),
        Embedding("toy/zh", 3),
    ]


def test_a_further_encoder_embeds_what_it_lacks_and_takes_over_nothing(
    library: Library, photos: Path
) -> None:
    shutil.copy(photos / "red.png", photos / "copy.png")
    run(library, photos)
    later = CountingEncoder("toy/later", ("en",))
    assert kinds(run(library, photos, encoder=later)) == {"Unchanged": 4}
    assert later.seen == 3
    row = library.catalog.encoder_named("toy/later")
    assert row is not None and library.catalog.current_generation(row.id) is not None
    active = library.catalog.active_encoders()["en"]
    assert active.name == "toy/colour"
    run(library, photos, encoder=later)
    assert later.seen == 3


def test_without_an_encoder_the_active_ones_are_used(library: Library, photos: Path) -> None:
    encoder = CountingEncoder()
    run(library, photos, encoder=encoder)
    draw(photos / "new.png", "white")
    assert kinds(run(library, photos, encoder=None)) == {"Unchanged": 3, "Added": 1}
    assert encoder.seen == 4


def test_an_unchanged_folder_needs_no_encoder_at_all(tmp_path: Path, photos: Path) -> None:
    with open_library(tmp_path / "library") as library:
        run(library, photos)
    with open_library(tmp_path / "library") as library:  # the object is not known any more
        assert kinds(run(library, photos, encoder=None)) == {"Unchanged": 3}
        draw(photos / "new.png", "white")
        with pytest.raises(NoEncoderError, match="toy/colour"):
            run(library, photos, encoder=None)
        assert list(doctor(library)) == []


def test_a_new_library_without_a_network_starts_with_the_bundled_encoder(
    library: Library, photos: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from imgsearch.indexing import FellBack

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "empty"))
    notices: list[Notice] = []
    outcomes = run(library, photos, encoder=None, notify=notices.append)
    assert kinds(outcomes) == {"Added": 3}
    told = [notice for notice in notices if isinstance(notice, FellBack)]
    assert len(told) == 1 and told[0].wanted == encoders.DEFAULT["en"]
    assert told[0].used.startswith("builtin/") and str(photos) in told[0].command
    version = told[0].used.removeprefix("builtin/")
    assert (library.models_folder / f"builtin-{version}" / "open_clip_config.json").is_file()
    # a better encoder takes over from the bundled one, as soon as it covers the photos
    draw(photos / "new.png", "white")
    run(library, photos / "new.png", encoder=ColourEncoder())
    active = library.catalog.active_encoders()["en"]
    assert active.name == told[0].used
    run(library, photos, encoder=ColourEncoder())
    active = library.catalog.active_encoders()["en"]
    assert active.name == "toy/colour"
    with pytest.raises(DownloadError):
        run(library, photos, encoder=encoders.DEFAULT["en"])


def test_a_photo_is_decoded_no_larger_than_its_encoders_need(
    library: Library, tmp_path: Path
) -> None:
    shapes: list[tuple[int, int]] = []

    class MeasuringEncoder(ColourEncoder):
        def embed_images(self, images: list[Image.Image]) -> np.ndarray:
            shapes.extend(image.size for image in images)
            return super().embed_images(images)

    encoder = MeasuringEncoder()
    draw(tmp_path / "photos" / "large.jpg", "red", (1600, 800))
    run(library, tmp_path / "photos", encoder=encoder)
    (width, height) = shapes[0]
    assert 2 * encoder.image_size <= height < 800 and width == 2 * height


def test_batches_are_as_large_as_the_encoder_asks(library: Library, tmp_path: Path) -> None:
    encoder = CountingEncoder()
    run(library, draw_many(tmp_path / "photos", 10), encoder=encoder)
    assert encoder.sizes == [4, 4, 2]


def answers(library: Library) -> dict[str, str]:
    return {language: row.name for language, row in library.catalog.active_encoders().items()}


def test_an_encoder_that_covers_more_photos_takes_over(library: Library, tmp_path: Path) -> None:
    folder = draw_many(tmp_path / "photos", 12)
    running = index(library, folder, encoder=CountingEncoder("toy/first"))
    next(running)  # its first batch is committed, and can be searched
    assert answers(library) == {"en": "toy/first"}
    running.close()
    run(library, folder, encoder=ColourEncoder())
    assert answers(library) == {"en": "toy/colour", "zh": "toy/colour"}
    run(library, folder, encoder=CountingEncoder("toy/first"))  # as many: no reason to change
    assert answers(library)["en"] == "toy/colour"


def test_an_encoder_without_a_photo_answers_nothing(library: Library, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    first = CountingEncoder("toy/first")
    assert run(library, tmp_path / "empty", encoder=first) == {} == answers(library)
    with pytest.raises(QueryError, match="no photos yet"):
        search(library, "red")
    photos = draw_many(tmp_path / "photos", 2)
    assert kinds(run(library, photos, encoder=None)) == {"Added": 2}  # what it was told to use
    assert answers(library) == {"en": "toy/first"} and first.seen == 2


def test_a_run_that_names_no_encoder_changes_no_answer(library: Library, tmp_path: Path) -> None:
    one, two = draw_many(tmp_path / "one", 2), draw_many(tmp_path / "two", 4, start=10)
    run(library, one, two)
    run(library, one, encoder=CountingEncoder("toy/small"))
    switch(library, "toy/small")
    run(library, one, encoder=None)
    assert answers(library) == {"en": "toy/small", "zh": "toy/colour"}


def test_switching_lets_another_encoder_answer(library: Library, photos: Path) -> None:
    run(library, photos)
    later = CountingEncoder("toy/later")
    run(library, photos, encoder=later)
    assert answers(library) == {"en": "toy/colour", "zh": "toy/colour"}
    assert switch(library, "toy/later").name == "toy/later"
    assert answers(library) == {"en": "toy/later", "zh": "toy/colour"}
    switch(library, ColourEncoder())
    assert answers(library) == {"en": "toy/colour", "zh": "toy/colour"}
    with pytest.raises(NoEncoderError, match=r"toy/colour, toy/later.*--encoder nobody"):
        switch(library, "nobody")


def test_two_encoders_see_a_photo_as_each_would_alone(library: Library, tmp_path: Path) -> None:
    photo = draw(tmp_path / "photos" / "large.jpg", "red", (1600, 800))
    noise = np.random.default_rng(0).integers(0, 256, (800, 1600, 3), np.uint8)
    Image.fromarray(noise).save(photo)
    small, large = ColourEncoder("toy/small"), ColourEncoder("toy/large")
    large.image_size = 300
    run(library, photo, encoder=[large, small])
    for encoder in (small, large):
        assert search(library, photo, encoder=encoder)[0].score == pytest.approx(1, abs=1e-7)


@pytest.mark.skipif(sys.platform != "linux", reason="needs names that are no text")
def test_an_encoder_whose_name_is_no_text_is_refused(library: Library, photos: Path) -> None:
    with pytest.raises(UsageError, match="valid text"):
        run(library, photos, encoder=ColourEncoder("toy/" + os.fsdecode(b"\xff")))
