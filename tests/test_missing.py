"""Files that are gone: missing one by one, withheld when a drive seems unmounted."""

import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import ColourEncoder, draw
from imgsearch.errors import UsageError
from imgsearch.indexing import Intake, Missing, Moved, Notice, Unchanged, Withheld, index
from imgsearch.library import Library, open_library
from runs import CountingEncoder, draw_many, kinds, run

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with open_library(tmp_path / "library") as opened:
        yield opened


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
    assert kinds(run(library, two)) == {"Missing": 3}


def test_a_known_folder_that_is_gone_takes_its_photos_along(
    library: Library, tmp_path: Path
) -> None:
    one, two = draw_many(tmp_path / "one", 30), draw_many(tmp_path / "two", 3, start=50)
    run(library, one, two)
    shutil.rmtree(one)
    notices: list[Notice] = []
    assert kinds(run(library, one, two, notify=notices.append)) == {"Unchanged": 3}
    assert Withheld(one, gone=30, known=30) in notices
    notices.clear()
    assert kinds(run(library, notify=notices.append)) == {"Unchanged": 3}  # the known paths
    assert Withheld(one, gone=30, known=30) in notices
    accepted = run(library, one, intake=Intake(accept_missing=True))
    assert kinds(accepted) == {"Missing": 30}
    assert len(library.catalog.live_photo_ids(tmp_path)) == 3
    assert kinds(run(library)) == {"Unchanged": 3}


def test_a_photo_given_by_its_own_path_can_go_missing(library: Library, photos: Path) -> None:
    given = [photos / "red.png", photos / "blue.png"]
    run(library, *given)
    given[0].unlink()
    assert kinds(run(library)) == {"Unchanged": 1, "Missing": 1}
    given[1].unlink()
    assert kinds(run(library, given[1])) == {"Missing": 1}


def test_photos_given_one_by_one_are_withheld_like_their_folder(
    library: Library, tmp_path: Path
) -> None:
    given = sorted(draw_many(tmp_path / "photos", 12).iterdir())
    run(library, *given)
    shutil.rmtree(tmp_path / "photos")
    with pytest.warns(UserWarning, match="12 of the 12 known files"):
        assert kinds(run(library)) == {}


def test_the_rule_holds_for_a_known_folder_inside_another(library: Library, tmp_path: Path) -> None:
    drive = draw_many(tmp_path / "A" / "usb", 20)
    run(library, drive)
    run(library, draw_many(tmp_path / "A", 180, start=300))
    for file in drive.iterdir():
        file.unlink()
    notices: list[Notice] = []
    assert kinds(run(library, tmp_path / "A", notify=notices.append)) == {"Unchanged": 180}
    assert Withheld(drive, gone=20, known=20) in notices


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="needs a folder this user may not read"
)
def test_a_known_folder_that_cannot_be_looked_at_does_not_end_a_run(
    library: Library, tmp_path: Path
) -> None:
    one, two = draw_many(tmp_path / "x" / "one", 2), draw_many(tmp_path / "two", 2, start=10)
    run(library, one, two)
    (tmp_path / "x").chmod(0)
    try:
        outcomes = run(library)
    finally:
        (tmp_path / "x").chmod(0o755)
    assert kinds(outcomes) == {"Unchanged": 2, "Skipped": 1}


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


def test_without_paths_all_known_ones_are_compared(library: Library, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="imgsearch index"):
        run(library)
    one, two = draw_many(tmp_path / "one", 2), draw_many(tmp_path / "two", 2, start=10)
    run(library, one, two)
    two.rename(tmp_path / "unmounted")
    draw(one / "new.png", "white")
    assert kinds(run(library)) == {"Unchanged": 2, "Added": 1, "Missing": 2}
    (tmp_path / "unmounted").rename(two)
    assert kinds(run(library)) == {"Unchanged": 5}
