"""index(): every file once, with what became of it, and nothing done twice."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import ColourEncoder, draw
from imgsearch.errors import PictureError, UsageError
from imgsearch.indexing import Added, Intake, Moved, Notice, Scanned, Skipped, Unchanged, index
from imgsearch.library import Library, open_library
from runs import CountingEncoder, draw_many, kinds, run

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with open_library(tmp_path / "library") as opened:
        yield opened


def test_new_photos_are_added_with_their_facts_and_vectors(library: Library, photos: Path) -> None:
    outcomes = run(library, photos)
    assert kinds(outcomes) == {"Added": 3}
    red = outcomes["red.png"]
    assert isinstance(red, Added)
    encoder = library.catalog.encoders()[0]
    _, vectors = library.catalog.embeddings(encoder.id, photo_ids=[red.photo_id])
    expected = ColourEncoder().embed_images([Image.new("RGB", (8, 8), "red")])
    np.testing.assert_array_equal(vectors, expected)
    with library.catalog.engine.connect() as connection:
        row = connection.exec_driver_sql(
            "SELECT width, height, format, size_bytes FROM photos WHERE id = ?", (red.photo_id,)
        ).one()
    assert tuple(row) == (32, 24, "PNG", (photos / "red.png").stat().st_size)


def test_a_second_run_reads_no_photo_and_changes_nothing(library: Library, photos: Path) -> None:
    run(library, photos)
    for file in photos.iterdir():  # same size and time, other bytes: it must not be opened
        status = file.stat()
        file.write_bytes(b"x" * status.st_size)
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    encoder = CountingEncoder("toy/colour")
    assert kinds(run(library, photos, encoder=encoder)) == {"Unchanged": 3}
    assert encoder.seen == 0 and library.catalog.generations()[0].folder == "0001"
    assert len(library.catalog.generations()) == 1


def test_a_touched_file_is_read_again_but_not_embedded(library: Library, photos: Path) -> None:
    run(library, photos)
    os.utime(photos / "red.png", (1, 1))
    encoder = CountingEncoder("toy/colour")
    assert kinds(run(library, photos, encoder=encoder)) == {"Unchanged": 3}
    assert encoder.seen == 0
    known = library.catalog.files_under([photos])[str(photos / "red.png")]
    assert known.mtime_ns == 10**9


def test_a_moved_file_keeps_its_photo(library: Library, photos: Path) -> None:
    before = run(library, photos)["red.png"]
    (photos / "sub").mkdir()
    (photos / "red.png").rename(photos / "sub" / "rot.png")
    encoder = CountingEncoder("toy/colour")
    outcomes = run(library, photos, encoder=encoder)
    assert kinds(outcomes) == {"Unchanged": 2, "Moved": 1} and encoder.seen == 0
    new = photos / "sub" / "rot.png"
    assert outcomes["rot.png"] == Moved(new, photos / "red.png", before.photo_id)
    assert library.catalog.live_paths([before.photo_id]) == {before.photo_id: new}
    assert kinds(run(library, photos)) == {"Unchanged": 3}


def test_a_file_moved_over_another_is_moved(library: Library, photos: Path) -> None:
    before = run(library, photos)
    (photos / "red.png").replace(photos / "blue.png")
    outcomes = run(library, photos)
    assert kinds(outcomes) == {"Unchanged": 1, "Moved": 1}
    assert outcomes["blue.png"].photo_id == before["red.png"].photo_id
    assert library.catalog.live_paths([before["blue.png"].photo_id]) == {}
    assert kinds(run(library, photos)) == {"Unchanged": 2}


def test_two_files_that_change_names_keep_two_photos(library: Library, photos: Path) -> None:
    before = run(library, photos)
    (photos / "red.png").rename(photos / "x")
    (photos / "blue.png").rename(photos / "red.png")
    (photos / "x").rename(photos / "blue.png")
    os.utime(photos / "red.png", (1, 1))
    os.utime(photos / "blue.png", (2, 2))
    outcomes = run(library, photos)
    assert outcomes["red.png"].photo_id == before["blue.png"].photo_id
    assert outcomes["blue.png"].photo_id == before["red.png"].photo_id


def test_equal_files_are_one_photo_embedded_once(library: Library, photos: Path) -> None:
    shutil.copy(photos / "red.png", photos / "copy.png")
    encoder = CountingEncoder()
    outcomes = run(library, photos, encoder=encoder)
    assert kinds(outcomes) == {"Added": 3, "Unchanged": 1} and encoder.seen == 3
    shutil.copy(photos / "blue.png", photos / "later.png")
    later = run(library, photos, encoder=encoder)
    assert isinstance(later["later.png"], Unchanged) and encoder.seen == 3
    assert later["later.png"].photo_id == outcomes["blue.png"].photo_id
    assert later["copy.png"].photo_id == outcomes["red.png"].photo_id


def test_a_file_edited_in_place_is_a_new_photo(library: Library, photos: Path) -> None:
    before = run(library, photos)["red.png"]
    draw(photos / "red.png", "yellow", (20, 20))
    after = run(library, photos)["red.png"]
    assert isinstance(after, Added) and after.photo_id != before.photo_id
    assert library.catalog.live_paths([before.photo_id, after.photo_id]) == {
        after.photo_id: photos / "red.png"
    }


def test_a_broken_file_is_skipped_with_its_reason_and_tried_again(
    library: Library, photos: Path
) -> None:
    whole = (photos / "red.png").read_bytes()
    (photos / "red.png").write_bytes(whole[:-30])
    shutil.copy(photos / "red.png", photos / "twin.png")
    outcomes = run(library, photos)
    assert kinds(outcomes) == {"Added": 2, "Skipped": 2}
    skipped = outcomes["red.png"]
    assert isinstance(skipped, Skipped) and "cut short" in skipped.reason
    assert library.catalog.files_under([photos])[str(photos / "red.png")].state == "skipped"
    assert kinds(run(library, photos)) == {"Unchanged": 2, "Skipped": 2}
    (photos / "red.png").write_bytes(whole)
    (photos / "twin.png").unlink()
    assert kinds(run(library, photos)) == {"Unchanged": 2, "Added": 1}
    assert str(photos / "twin.png") not in library.catalog.files_under([photos])


def test_a_pixel_cap_skips_and_a_higher_one_adds(library: Library, photos: Path) -> None:
    outcomes = run(library, photos, intake=Intake(max_pixels=10))
    assert kinds(outcomes) == {"Skipped": 3}
    assert kinds(run(library, photos)) == {"Added": 3}


def test_a_file_that_vanishes_during_the_run_is_skipped(library: Library, tmp_path: Path) -> None:
    folder = draw_many(tmp_path / "photos", 3)
    notices: list[Notice] = []

    def notify(notice: Notice) -> None:
        notices.append(notice)
        if isinstance(notice, Scanned):
            (folder / "0001.png").unlink()

    outcomes = run(library, folder, notify=notify)
    assert kinds(outcomes) == {"Added": 2, "Skipped": 1}
    assert isinstance(outcomes["0001.png"], Skipped)
    assert kinds(run(library, folder)) == {"Unchanged": 2}


def test_one_file_may_be_given_and_folders_may_overlap(library: Library, photos: Path) -> None:
    assert kinds(run(library, photos / "red.png")) == {"Added": 1}
    assert kinds(run(library, photos, photos / "red.png", photos)) == {"Unchanged": 1, "Added": 2}
    assert kinds(run(library, photos / "red.png")) == {"Unchanged": 1}
    (photos / "red.png").unlink()
    assert kinds(run(library, photos)) == {"Unchanged": 2, "Missing": 1}


def test_a_path_that_does_not_exist_is_refused_before_anything_is_loaded(
    library: Library, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="nowhere"):
        run(library, tmp_path / "nowhere", encoder="no such encoder")
    assert library.catalog.last_run() is None


@pytest.mark.skipif(sys.platform != "linux", reason="needs names that are no text")
def test_names_that_are_no_text_survive_a_round_trip(library: Library, tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"f\xffotos")
    plain = draw(tmp_path / "x.png", "red")
    folder.mkdir()
    target = folder / os.fsdecode(b"caf\xe9 \xe7\x8c\xab.png")
    shutil.copy(plain, target)
    added = run(library, folder)[target.name]
    assert library.catalog.live_paths([added.photo_id]) == {added.photo_id: target}
    assert library.catalog.live_paths([added.photo_id])[added.photo_id].exists()
    assert kinds(run(library, folder)) == {"Unchanged": 1}
    target.unlink()
    assert kinds(run(library, folder)) == {"Missing": 1}


@pytest.mark.slow
def test_a_hundred_thousand_unchanged_files_are_not_opened(
    library: Library, tmp_path: Path
) -> None:
    folder = tmp_path / "many"
    for number in range(100):
        (folder / f"{number:03}").mkdir(parents=True)
    root = draw(folder / "one.png", "red")
    run(library, folder)
    names = [folder / f"{number // 1000:03}" / f"{number:06}.png" for number in range(100_000)]
    for name in names:
        name.touch()
    status = [name.stat() for name in names]
    with library.catalog.write() as writer:
        writer.connection.exec_driver_sql(
            "INSERT INTO files (root_id, path, photo_id, size_bytes, mtime_ns, state, seen_at) "
            "VALUES (1, ?, 1, ?, ?, 'live', '2024-01-01')",
            [
                (str(name), each.st_size, each.st_mtime_ns)
                for name, each in zip(names, status, strict=True)
            ],
        )
    count = sum(isinstance(each, Unchanged) for each in index(library, folder))
    assert count == 100_001 and root.exists()  # they are empty: one that was read would be skipped


def test_a_picture_error_is_an_outcome_and_never_ends_a_run(
    library: Library, tmp_path: Path
) -> None:
    folder = draw_many(tmp_path / "photos", 9)
    for number in range(0, 9, 3):
        (folder / f"{number:04}.png").write_bytes(b"")
    assert kinds(run(library, folder)) == {"Added": 6, "Skipped": 3}
    assert issubclass(PictureError, UsageError)


class PickyEncoder(ColourEncoder):
    """Stumbles over tall pictures, in the way it is told to."""

    def __init__(self, fault: type[Exception] | None, name: str = "toy/picky") -> None:
        super().__init__(name)
        self.fault = fault

    def embed_images(self, images: list[Image.Image]) -> np.ndarray:
        vectors = super().embed_images(images)
        for row, image in enumerate(images):
            if image.height > image.width:
                if self.fault is not None:
                    raise self.fault("too tall for me")
                vectors[row] = np.nan
        return vectors


@pytest.mark.parametrize("fault", [MemoryError, ValueError, RuntimeError, None])
def test_a_photo_an_encoder_stumbles_over_is_skipped_and_the_others_added(
    library: Library, tmp_path: Path, fault: type[Exception] | None
) -> None:
    folder = draw_many(tmp_path / "photos", 9)
    draw(folder / "0004 tall.png", "white", (8, 40))
    outcomes = run(library, folder, encoder=PickyEncoder(fault))
    assert kinds(outcomes) == {"Added": 9, "Skipped": 1}
    skipped = outcomes["0004 tall.png"]
    assert isinstance(skipped, Skipped) and "toy/picky" in skipped.reason
    assert ("too tall for me" in skipped.reason) == (fault is not None)
    assert library.catalog.photo_count(1) == 9
    # alone in its batch, it still does not end the run
    assert kinds(run(library, folder, encoder=PickyEncoder(fault))) == {
        "Unchanged": 9,
        "Skipped": 1,
    }


def test_a_photo_one_of_two_encoders_stumbles_over_is_kept_for_the_other(
    library: Library, tmp_path: Path
) -> None:
    tall = draw(tmp_path / "photos" / "tall.png", "white", (8, 40))
    both = [PickyEncoder(RuntimeError), ColourEncoder()]
    assert kinds(run(library, tall.parent, encoder=both)) == {"Skipped": 1}
    assert [library.catalog.photo_count(row.id) for row in library.catalog.encoders()] == [0, 1]


def test_a_time_beyond_what_a_database_holds_is_no_obstacle(library: Library, photos: Path) -> None:
    os.utime(photos / "red.png", ns=(2**63 + 5, 2**63 + 5))
    if (photos / "red.png").stat().st_mtime_ns < 2**63:
        pytest.skip("this file system holds no such time")
    assert kinds(run(library, photos)) == {"Added": 3}
    encoder = CountingEncoder("toy/colour")
    assert kinds(run(library, photos, encoder=encoder)) == {"Unchanged": 3}
    assert encoder.seen == 0


@pytest.mark.skipif(sys.platform == "win32", reason="a leading dot hides nothing there")
def test_paths_given_beside_their_folder_are_taken_whatever_their_name(
    library: Library, photos: Path
) -> None:
    draw(photos / ".hidden" / "x.png", "white")
    draw(photos / "c.png", "yellow").rename(photos / "c.dat")
    assert kinds(run(library, photos, photos / ".hidden", photos / "c.dat")) == {"Added": 5}


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_a_photo_met_by_another_name_now_is_still_looked_at(library: Library, photos: Path) -> None:
    draw(photos / "z" / "x.png", "white")
    before = run(library, photos)["x.png"]
    (photos / "a").symlink_to(photos / "z")
    draw(photos / "z" / "x.png", "yellow")
    list(index(library, photos, encoder=ColourEncoder()))
    assert before.photo_id not in library.catalog.live_paths([before.photo_id])


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_a_link_to_itself_is_refused_by_its_name(library: Library, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(UsageError, match="loop"):
        run(library, tmp_path / "loop")


def test_a_tilde_that_names_no_user_is_a_name_like_any_other(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    draw(tmp_path / "~nosuch user" / "x.png", "red")
    assert kinds(run(library, Path("~nosuch user"))) == {"Added": 1}
