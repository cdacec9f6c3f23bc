"""index() and rebuild(): every file once, nothing twice, and no moment at which a kill hurts."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import ColourEncoder, draw
from PIL import Image

from imgsearch import encoders
from imgsearch.catalog import EncoderRow
from imgsearch.errors import (
    DownloadError,
    LibraryLockedError,
    NoEncoderError,
    PictureError,
    UsageError,
)
from imgsearch.indexing import (
    Added,
    BuildingGeneration,
    Embedding,
    Intake,
    Missing,
    Moved,
    Notice,
    Outcome,
    Scanned,
    Skipped,
    Unchanged,
    Withheld,
    index,
    rebuild,
)
from imgsearch.library import Library, generations, open_library
from imgsearch.upkeep import doctor

pytestmark = pytest.mark.filterwarnings("error")
SLOW = """
import sys, time
sys.path[:0] = [{tests!r}, {root!r}]
from conftest import ColourEncoder
from imgsearch.indexing import index
from imgsearch.library import open_library

class SlowEncoder(ColourEncoder):
    def embed_images(self, images):
        time.sleep(0.2)
        return super().embed_images(images)

with open_library(sys.argv[1]) as library:
    for outcome in index(library, sys.argv[2], encoder=SlowEncoder()):
        print(type(outcome).__name__, flush=True)
"""


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with open_library(tmp_path / "library") as opened:
        yield opened


class CountingEncoder(ColourEncoder):
    """Counts the pictures it is shown."""

    def __init__(self, name: str = "toy/counting", languages: tuple[str, ...] = ("en",)) -> None:
        super().__init__(name, languages)
        self.seen = 0
        self.sizes: list[int] = []

    def embed_images(self, images: list[Image.Image]) -> np.ndarray:
        self.seen += len(images)
        self.sizes.append(len(images))
        return super().embed_images(images)


def run(library: Library, *paths: Path, **options: object) -> dict[str, Outcome]:
    """Outcomes by file name; each file must have exactly one."""
    options.setdefault("encoder", ColourEncoder())
    outcomes = list(index(library, paths, **options))  # type: ignore[arg-type]
    named = {outcome.path.name: outcome for outcome in outcomes}
    assert len(named) == len(outcomes)
    return named


def kinds(outcomes: dict[str, Outcome]) -> dict[str, int]:
    return dict(Counter(type(outcome).__name__ for outcome in outcomes.values()))


def draw_many(folder: Path, count: int, start: int = 0) -> Path:
    for number in range(start, start + count):
        draw(folder / f"{number:04}.png", (number % 256, number // 256, 99), (8, 8))
    return folder


def slow_run(library_path: Path, photos: Path) -> "subprocess.Popen[str]":
    tests = Path(__file__).parent
    code = SLOW.format(tests=str(tests), root=str(tests.parent))
    return subprocess.Popen(
        [sys.executable, "-c", code, str(library_path), str(photos)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


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


def test_a_gone_file_is_missing_and_comes_back_for_nothing(library: Library, photos: Path) -> None:
    before = run(library, photos)["red.png"]
    (photos / "red.png").rename(photos.parent / "red.png")
    gone = run(library, photos)
    assert gone["red.png"] == Missing(photos / "red.png", before.photo_id)
    assert library.catalog.live_paths([before.photo_id]) == {}
    assert kinds(run(library, photos)) == {"Unchanged": 2}  # missing once
    (photos.parent / "red.png").rename(photos / "red.png")
    encoder = CountingEncoder("toy/colour")
    back = run(library, photos, encoder=encoder)["red.png"]
    assert back == Unchanged(photos / "red.png", before.photo_id) and encoder.seen == 0
    assert library.catalog.live_paths([before.photo_id])


def test_a_missing_photo_that_turns_up_elsewhere_has_moved(library: Library, photos: Path) -> None:
    before = run(library, photos)["red.png"]
    away = photos.parent / "away"
    away.mkdir()
    (photos / "red.png").rename(away / "red.png")
    run(library, photos)
    outcomes = run(library, away)
    assert outcomes["red.png"] == Moved(away / "red.png", photos / "red.png", before.photo_id)


def test_only_files_under_the_given_paths_are_compared(library: Library, tmp_path: Path) -> None:
    one, two = draw_many(tmp_path / "one", 3), draw_many(tmp_path / "two", 3, start=10)
    run(library, one, two)
    shutil.rmtree(two)
    assert kinds(run(library, one)) == {"Unchanged": 3}
    with pytest.raises(UsageError, match="two"):
        run(library, two)
    two.mkdir()
    assert kinds(run(library, two)) == {"Missing": 3}


def test_many_files_gone_at_once_change_nothing_until_accepted(
    library: Library, tmp_path: Path
) -> None:
    folder = draw_many(tmp_path / "photos", 40)
    run(library, folder)
    for number in range(10):
        (folder / f"{number:04}.png").unlink()
    notices: list[Notice] = []
    assert kinds(run(library, folder, notify=notices.append)) == {"Unchanged": 30}
    assert Withheld(folder, gone=10, known=40) in notices
    assert len(library.catalog.live_photo_ids(folder)) == 40
    with pytest.warns(UserWarning, match="10 of the 40 known files"):
        run(library, folder)
    accepted = run(library, folder, intake=Intake(accept_missing=True))
    assert kinds(accepted) == {"Unchanged": 30, "Missing": 10}


@pytest.mark.parametrize(("total", "gone"), [(60, 12), (20, 9)])
def test_a_fifth_or_fewer_than_ten_files_may_go(
    library: Library, tmp_path: Path, total: int, gone: int
) -> None:
    folder = draw_many(tmp_path / "photos", total)
    run(library, folder)
    for number in range(gone):
        (folder / f"{number:04}.png").unlink()
    assert kinds(run(library, folder)) == {"Unchanged": total - gone, "Missing": gone}


def test_moves_are_matched_before_files_count_as_gone(library: Library, tmp_path: Path) -> None:
    folder = draw_many(tmp_path / "photos", 30)
    run(library, folder)
    folder.joinpath("renamed").mkdir()
    for number in range(25):
        (folder / f"{number:04}.png").rename(folder / "renamed" / f"{number:04}.png")
    assert kinds(run(library, folder)) == {"Unchanged": 5, "Moved": 25}


def test_the_rule_holds_for_each_root_by_itself(library: Library, tmp_path: Path) -> None:
    steady, drive = draw_many(tmp_path / "steady", 90), draw_many(tmp_path / "drive", 12, 500)
    run(library, steady, drive)
    for file in drive.iterdir():
        file.unlink()
    (steady / "0001.png").unlink()
    notices: list[Notice] = []
    outcomes = list(index(library, [steady, drive], encoder=ColourEncoder(), notify=notices.append))
    assert Counter(type(outcome).__name__ for outcome in outcomes) == {
        "Unchanged": 89,
        "Missing": 1,
    }
    assert [notice for notice in notices if isinstance(notice, Withheld)] == [
        Withheld(drive, 12, 12)
    ]


def test_a_file_that_is_excluded_later_is_not_missing(library: Library, photos: Path) -> None:
    run(library, photos)
    outcomes = run(library, photos, intake=Intake(exclude=("red*",)))
    assert kinds(outcomes) == {"Unchanged": 2}
    assert len(library.catalog.live_photo_ids(photos)) == 3


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="needs a folder this user may not read"
)
def test_files_in_a_folder_that_cannot_be_read_are_not_missing(
    library: Library, photos: Path
) -> None:
    draw(photos / "locked" / "x.png", "white")
    run(library, photos)
    (photos / "locked").chmod(0)
    try:
        outcomes = run(library, photos)
    finally:
        (photos / "locked").chmod(0o755)
    assert kinds(outcomes) == {"Unchanged": 3, "Skipped": 1}


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
    active = library.catalog.active_encoder("en")
    assert active is not None and active.name == "toy/colour"
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


def test_without_paths_the_known_ones_that_are_there_are_used(
    library: Library, tmp_path: Path
) -> None:
    with pytest.raises(UsageError):
        run(library)
    one, two = draw_many(tmp_path / "one", 2), draw_many(tmp_path / "two", 2, start=10)
    run(library, one, two)
    two.rename(tmp_path / "unmounted")
    draw(one / "new.png", "white")
    assert kinds(run(library)) == {"Unchanged": 2, "Added": 1}
    assert len(library.catalog.live_photo_ids(two)) == 2


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


def test_the_first_run_ends_with_a_generation_and_small_ones_do_not(
    library: Library, photos: Path
) -> None:
    notices: list[Notice] = []
    run(library, photos, notify=notices.append)
    assert BuildingGeneration(3) in notices
    draw(photos / "new.png", "white")
    run(library, photos)
    encoder_id = library.catalog.encoders()[0].id
    current = library.catalog.current_generation(encoder_id)
    assert current is not None and (current.folder, current.count) == ("0001", 3)
    assert library.catalog.embeddings_after(encoder_id, current.last_embedding_id) == 1


def test_a_generation_is_due_above_a_thousand_and_a_tenth(library: Library, photos: Path) -> None:
    run(library, photos)
    row = library.catalog.encoders()[0]
    add_embeddings(library, row, 1000)
    assert not generations.is_due(library, row.id)
    add_embeddings(library, row, 1)
    assert generations.is_due(library, row.id)
    add_embeddings(library, row, 10_100)
    generations.build(library, row)  # of 11,104
    add_embeddings(library, row, 1110)
    assert not generations.is_due(library, row.id)
    add_embeddings(library, row, 1)
    assert generations.is_due(library, row.id)
    draw(photos / "new.png", "white")
    run(library, photos)
    current = library.catalog.current_generation(row.id)
    assert current is not None and current.count == 12_216


def add_embeddings(library: Library, encoder: EncoderRow, count: int) -> None:
    with library.catalog.write() as writer:
        execute = writer.connection.exec_driver_sql
        last = execute("SELECT max(id) FROM photos").scalar_one()
        rows = [(last + number, f"{last + number:064}") for number in range(1, count + 1)]
        execute(
            "INSERT INTO photos SELECT ?, ?, 1, 1, 1, 'PNG', added_at, NULL, NULL, NULL, added_at "
            "FROM photos WHERE id = 1",
            rows,
        )
        vectors = np.tile(np.eye(3, dtype=np.float32)[0], (count, 1))
        writer.add_embeddings(encoder.id, [row[0] for row in rows], vectors)


def test_rebuild_makes_the_next_generation_and_keeps_the_one_before(
    library: Library, photos: Path
) -> None:
    run(library, photos)
    built = [rebuild(library) for _ in range(3)]
    assert [row.folder for row in built] == ["0002", "0003", "0004"]
    assert [row.folder for row in library.catalog.generations()] == ["0003", "0004"]
    there = sorted(path.name for path in library.generations_folder.iterdir())
    assert there == ["0003", "0004"]
    _, ids = library.index_of(built[-1]).search(ColourEncoder().embed_texts(["blue"]), 1)
    assert library.catalog.live_paths(ids[0]) == {int(ids[0, 0]): photos / "blue.png"}
    with pytest.raises(NoEncoderError, match="toy/colour"):
        rebuild(library, encoder="no such encoder")


def test_a_missing_photo_stays_in_the_generation_so_that_it_returns_searchable(
    library: Library, photos: Path
) -> None:
    run(library, photos)
    (photos / "red.png").unlink()
    run(library, photos)
    assert rebuild(library).count == 3


def test_only_one_run_writes_at_a_time(tmp_path: Path, photos: Path) -> None:
    with open_library(tmp_path / "library") as library, open_library(library.path) as other:
        running = index(library, photos, encoder=ColourEncoder())
        next(running)
        with pytest.raises(LibraryLockedError, match=str(os.getpid())):
            list(index(other, photos, encoder=ColourEncoder()))
        list(running)
        assert kinds(run(other, photos)) == {"Unchanged": 3}


def test_closing_the_generator_keeps_what_was_committed(library: Library, tmp_path: Path) -> None:
    folder = draw_many(tmp_path / "photos", 40)
    running = index(library, folder, encoder=ColourEncoder())
    assert isinstance(next(running), Added)
    running.close()
    committed = len(library.catalog.live_photo_ids(folder))
    assert 4 <= committed < 40
    last = library.catalog.last_run()
    assert last is not None and last.outcome is not None and last.outcome["ended"] == "interrupted"
    outcomes = run(library, folder)
    assert kinds(outcomes) == {"Unchanged": committed, "Added": 40 - committed}
    assert list(doctor(library)) == []


def test_an_encoder_that_fails_loses_only_its_batch(library: Library, tmp_path: Path) -> None:
    class FailingEncoder(CountingEncoder):
        def embed_images(self, images: list[Image.Image]) -> np.ndarray:
            if self.seen >= 8:
                raise RuntimeError("out of memory")
            return super().embed_images(images)

    folder = draw_many(tmp_path / "photos", 20)
    with pytest.raises(RuntimeError, match="out of memory"):
        run(library, folder, encoder=FailingEncoder("toy/colour"))
    assert len(library.catalog.live_photo_ids(folder)) == 8
    last = library.catalog.last_run()
    assert last is not None and last.outcome is not None and last.outcome["ended"] == "failed"
    assert kinds(run(library, folder)) == {"Unchanged": 8, "Added": 12}


def test_batches_are_as_large_as_the_encoder_asks(library: Library, tmp_path: Path) -> None:
    encoder = CountingEncoder()
    run(library, draw_many(tmp_path / "photos", 10), encoder=encoder)
    assert encoder.sizes == [4, 4, 2]


@pytest.mark.parametrize("ended_by", [signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)])
def test_a_killed_run_loses_no_committed_photo_and_the_next_one_goes_on(
    tmp_path: Path, ended_by: signal.Signals
) -> None:
    folder = draw_many(tmp_path / "photos", 40)
    process = slow_run(tmp_path / "library", folder)
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(8)]
    process.send_signal(ended_by)
    said += process.stdout.readlines()
    process.wait()
    process.stdout.close()
    with open_library(tmp_path / "library") as library:
        committed = len(library.catalog.live_photo_ids(folder))
        assert said.count("Added\n") <= committed < 40
        assert list(doctor(library)) == []
        assert kinds(run(library, folder)) == {"Unchanged": committed, "Added": 40 - committed}
        assert list(doctor(library)) == []
        assert library.catalog.photo_count(library.catalog.encoders()[0].id) == 40


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process there")
def test_ctrl_c_ends_a_run_quickly_and_keeps_what_was_committed(tmp_path: Path) -> None:
    folder = draw_many(tmp_path / "photos", 40)
    process = slow_run(tmp_path / "library", folder)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    started = time.monotonic()
    process.communicate()
    assert time.monotonic() - started < 10 and process.returncode != 0
    with open_library(tmp_path / "library") as library:
        last = library.catalog.last_run()
        assert last is not None and last.outcome is not None
        assert last.outcome["ended"] == "interrupted"
        committed = len(library.catalog.live_photo_ids(folder))
        assert 4 <= committed < 40
        assert kinds(run(library, folder)) == {"Unchanged": committed, "Added": 40 - committed}


def test_a_second_process_fails_at_once_while_search_goes_on(tmp_path: Path) -> None:
    from imgsearch.searching import search

    folder = draw_many(tmp_path / "photos", 40)
    process = slow_run(tmp_path / "library", folder)
    assert process.stdout is not None
    try:
        said = [process.stdout.readline() for _ in range(4)]
        assert said == ["Added\n"] * 4
        with open_library(tmp_path / "library") as library:
            with pytest.raises(LibraryLockedError, match=str(process.pid)):
                run(library, folder)
            library.keep_encoder(ColourEncoder())
            assert len(search(library, "blue", k=40)) >= 4
    finally:
        process.kill()
        process.communicate()


def test_a_rebuild_cut_off_before_its_switch_leaves_the_old_generation(
    library: Library, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(library, photos)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):

        def stop(self: Path, target: Path) -> Path:
            raise KeyboardInterrupt

        patch.setattr(Path, "rename", stop)
        rebuild(library)
    assert (library.generations_folder / "0002.tmp").is_dir()
    current = library.catalog.current_generation(library.catalog.encoders()[0].id)
    assert current is not None and current.folder == "0001"
    assert library.index_of(current).count == 3
    assert rebuild(library).count == 3
    assert not list(library.generations_folder.glob("*.tmp"))


def test_a_new_library_without_a_network_starts_with_the_bundled_encoder(
    library: Library, photos: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from imgsearch.indexing import FellBack

    if not any(each.name.startswith("builtin/") for each in encoders.known()):
        pytest.skip("this checkout bundles no weights yet")
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
    active = library.catalog.active_encoder("en")
    assert active is not None and active.name == told[0].used
    run(library, photos, encoder=ColourEncoder())
    active = library.catalog.active_encoder("en")
    assert active is not None and active.name == "toy/colour"
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


@pytest.mark.slow
def test_a_hundred_thousand_unchanged_files_take_seconds(library: Library, tmp_path: Path) -> None:
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
    started = time.process_time()  # the machine may be busy with something else
    count = sum(isinstance(each, Unchanged) for each in index(library, folder))
    assert count == 100_001 and root.exists()
    assert time.process_time() - started < 5


def test_a_picture_error_is_an_outcome_and_never_ends_a_run(
    library: Library, tmp_path: Path
) -> None:
    folder = draw_many(tmp_path / "photos", 9)
    for number in range(0, 9, 3):
        (folder / f"{number:04}.png").write_bytes(b"")
    assert kinds(run(library, folder)) == {"Added": 6, "Skipped": 3}
    assert issubclass(PictureError, UsageError)
