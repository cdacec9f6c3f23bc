"""index() over videos and animated pictures: frames are photos, unchanged films are left alone."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from films import film
from imgsearch.indexing import Intake, Skipped, index
from imgsearch.library import Library, open_library
from runs import CountingEncoder, kinds, run

pytestmark = pytest.mark.filterwarnings("error")
pytest.importorskip("av")


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with open_library(tmp_path / "library") as opened:
        yield opened


def test_the_frames_of_a_film_are_photos(library: Library, tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", 6)
    outcomes = run(library, path, intake=Intake(every_seconds=2))
    assert kinds(outcomes) == {"Added": 3}
    assert set(outcomes) == {"00-00-00.000", "00-00-02.000", "00-00-04.000"}
    encoder = CountingEncoder("toy/colour")
    assert kinds(run(library, encoder=encoder)) == {"Unchanged": 3} and encoder.seen == 0


def test_an_unchanged_film_is_not_opened(library: Library, tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", 6)
    run(library, path, intake=Intake(every_seconds=2))
    status = path.stat()
    path.write_bytes(b"x" * status.st_size)  # same size and time: it must not be read
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert kinds(run(library, path)) == {"Unchanged": 3}


def test_other_moments_may_be_asked_for_later(library: Library, tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", 6)
    assert kinds(run(library, path)) == {"Added": 1}
    encoder = CountingEncoder("toy/colour")
    outcomes = run(library, path, intake=Intake(every_seconds=2), encoder=encoder)
    assert kinds(outcomes) == {"Added": 2, "Unchanged": 1} and encoder.seen == 2
    assert kinds(run(library, path)) == {"Unchanged": 3}


def test_what_was_said_once_of_the_frames_holds_for_later_films(
    library: Library, tmp_path: Path
) -> None:
    path = film(tmp_path / "films" / "a.mp4", 6)
    run(library, path.parent, intake=Intake(every_seconds=2))
    path.rename(path.with_name("b.mp4"))
    assert kinds(run(library)) == {"Moved": 3}
    film(path.with_name("c.mp4"), 6, size=(80, 48))
    outcomes = list(index(library, [], encoder=CountingEncoder("toy/colour")))
    assert Counter(type(each).__name__ for each in outcomes) == {"Unchanged": 3, "Added": 3}


def test_a_film_that_changed_is_taken_as_was_said_once(library: Library, tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", 6)
    run(library, path, intake=Intake(every_seconds=2))
    for size in ((80, 48), (96, 48)):
        film(path, 6, size=size)
        assert kinds(run(library)) == {"Added": 3}


def test_a_film_that_moved_keeps_its_frames(library: Library, tmp_path: Path) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    path = film(folder / "a.mkv", 6)
    run(library, folder, intake=Intake(every_seconds=1))
    path.rename(folder / "b.mkv")
    encoder = CountingEncoder("toy/colour")
    outcomes = run(library, folder, intake=Intake(every_seconds=1), encoder=encoder)
    assert kinds(outcomes) == {"Moved": 6} and encoder.seen == 0


def test_a_film_in_a_folder_is_found_and_a_corrupt_one_skipped(
    library: Library, tmp_path: Path
) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    film(folder / "a.webm", 2, codec="libvpx-vp9")
    (folder / "b.mp4").write_bytes(b"no film")
    outcomes = run(library, folder)
    assert kinds(outcomes) == {"Added": 1, "Skipped": 1}
    assert isinstance(outcomes["b.mp4"], Skipped)


def test_an_animated_picture_is_one_photo_until_it_is_taken_apart(
    library: Library, tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "green", "blue")]
    frames[0].save(folder / "a.gif", save_all=True, append_images=frames[1:], duration=1000)
    assert kinds(run(library, folder)) == {"Added": 1}
    outcomes = run(library, folder, intake=Intake(every_seconds=1))
    assert kinds(outcomes) == {"Unchanged": 1, "Added": 2}
    assert kinds(run(library, folder)) == {"Unchanged": 3}
    assert kinds(run(library, folder, intake=Intake(every_seconds=1))) == {"Unchanged": 3}
