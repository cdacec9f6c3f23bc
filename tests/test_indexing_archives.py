"""index() over archives: photos inside are like any other, and unchanged ones cost nothing."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from archives import png, tarred, zipped
from conftest import draw
from imgsearch import images
from imgsearch.indexing import Intake, Missing, Moved, Notice, Skipped, UnreadTexts, Withheld, index
from imgsearch.library import Library, open_library
from runs import CountingEncoder, kinds, run

pytestmark = pytest.mark.filterwarnings("error")
ARCHIVES = Intake(archives=True)


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with open_library(tmp_path / "library") as opened:
        yield opened


def test_photos_in_an_archive_are_added_and_found_unchanged(
    library: Library, tmp_path: Path
) -> None:
    path = zipped(tmp_path / "a.zip", {"red.png": png("red"), "sub/blue.png": png("blue")})
    assert kinds(run(library, path)) == {"Added": 2}
    live = library.catalog.files_under([path])
    assert set(live) == {str(path / "red.png"), str(path / "sub" / "blue.png")}
    encoder = CountingEncoder("toy/colour")
    assert kinds(run(library, path, encoder=encoder)) == {"Unchanged": 2} and encoder.seen == 0
    assert kinds(run(library)) == {"Unchanged": 2}


def test_an_unchanged_archive_is_not_opened(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zipped(tmp_path / "a.zip", {f"{n}.png": png(size=(n + 1, 8)) for n in range(3)})
    run(library, path)
    status = path.stat()
    path.write_bytes(b"x" * status.st_size)  # same size and time: it must not be read
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert kinds(run(library, path)) == {"Unchanged": 3}


def test_archives_in_a_folder_are_taken_when_asked_for(library: Library, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    draw(folder / "green.png", "green")
    zipped(folder / "a.zip", {"red.png": png("red")})
    assert kinds(run(library, folder)) == {"Added": 1}
    assert kinds(run(library, folder, intake=ARCHIVES)) == {"Added": 1, "Unchanged": 1}
    assert kinds(run(library, folder)) == {"Unchanged": 2}
    zipped(folder / "b.zip", {"blue.png": png("blue")})
    assert kinds(run(library, folder)) == {"Unchanged": 2}
    assert kinds(run(library, folder, intake=ARCHIVES)) == {"Added": 1, "Unchanged": 2}


def test_an_archive_whose_photos_are_known_is_followed_without_being_asked_for(
    library: Library, tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    pictures = {f"{n}.png": png(size=(n + 1, 8)) for n in range(25)}
    path = zipped(folder / "a.zip", dict(list(pictures.items())[:20]))
    run(library, folder, intake=ARCHIVES)
    zipped(path, dict(list(pictures.items())[15:]))
    assert kinds(run(library, folder)) == {"Added": 5, "Unchanged": 5, "Missing": 15}
    content = path.read_bytes()
    path.unlink()
    assert kinds(run(library, folder)) == {"Missing": 10}
    path.write_bytes(content)
    assert kinds(run(library)) == {"Unchanged": 10}
    assert library.catalog.roots() == [folder]


def test_a_known_archive_that_was_cut_short_is_told_by_a_run_over_its_folder(
    library: Library, tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    path = zipped(folder / "b.zip", {f"{n}.png": png(size=(n + 1, 8)) for n in range(9)})
    run(library, path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    for _ in range(2):
        (told,) = run(library, folder).values()
        assert isinstance(told, Skipped) and told.path == path and "no zip file" in told.reason
    path.write_bytes(content)
    assert kinds(run(library, folder)) == {"Unchanged": 9}


def test_an_archive_that_is_excluded_now_brings_nothing_new(
    library: Library, tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    (folder / "raw").mkdir(parents=True)
    path = zipped(folder / "raw" / "a.zip", {"red.png": png("red")})
    run(library, folder, intake=ARCHIVES)
    zipped(path, {"red.png": png("red"), "blue.png": png("blue")})
    for exclude, expected in (("raw", {"Unchanged": 1}), ("*.zip", {})):
        assert kinds(run(library, folder, intake=Intake(exclude=(exclude,)))) == expected
    assert kinds(run(library, folder)) == {"Added": 1, "Unchanged": 1}


def test_one_photo_of_an_archive_that_is_gone_from_it_brings_no_others(
    library: Library, tmp_path: Path
) -> None:
    path = zipped(tmp_path / "a.zip", {"red.png": png("red")})
    run(library, path / "red.png")
    zipped(path, {"blue.png": png("blue")})
    assert kinds(run(library, path / "red.png")) == {"Missing": 1}


def test_what_is_excluded_inside_is_taken_in_once_it_is_not(
    library: Library, tmp_path: Path
) -> None:
    path = zipped(tmp_path / "a.zip", {"red.png": png("red"), "raw/blue.png": png("blue")})
    assert kinds(run(library, path, intake=Intake(exclude=("raw",)))) == {"Added": 1}
    assert kinds(run(library, path)) == {"Added": 1, "Unchanged": 1}
    assert kinds(run(library, path, intake=Intake(exclude=("raw",)))) == {"Unchanged": 1}


def test_an_archive_that_moved_keeps_its_photos(library: Library, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    path = zipped(folder / "a.zip", {f"{n}.png": png(size=(n + 1, 8)) for n in range(12)})
    before = run(library, folder, intake=ARCHIVES)
    new = path.rename(folder / "b.zip")
    encoder = CountingEncoder("toy/colour")
    outcomes = run(library, folder, intake=ARCHIVES, encoder=encoder)
    assert kinds(outcomes) == {"Moved": 12} and encoder.seen == 0
    photo_id = getattr(before["3.png"], "photo_id", None)
    assert outcomes["3.png"] == Moved(new / "3.png", path / "3.png", photo_id)


def test_photos_of_an_archive_that_is_gone_are_missing_and_come_back(
    library: Library, tmp_path: Path
) -> None:
    path = zipped(tmp_path / "a.zip", {f"{n}.png": png(size=(n + 1, 8)) for n in range(12)})
    run(library, path)
    content, status = path.read_bytes(), path.stat()
    path.unlink()
    outcomes = run(library)  # one file is gone, however many photos it held
    assert kinds(outcomes) == {"Missing": 12}
    assert all(isinstance(each, Missing) for each in outcomes.values())
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    encoder = CountingEncoder("toy/colour")
    assert kinds(run(library, encoder=encoder)) == {"Unchanged": 12} and encoder.seen == 0
    assert len(library.catalog.live_paths(list(range(1, 13)))) == 12


def test_many_archives_gone_at_once_are_taken_for_a_drive(library: Library, tmp_path: Path) -> None:
    folder = tmp_path / "drive"
    folder.mkdir()
    for number in range(10):
        zipped(folder / f"{number}.zip", {f"{number}.png": png(size=(number + 1, 8))})
    run(library, folder, intake=ARCHIVES)
    for archive in folder.iterdir():
        archive.unlink()
    told: list[Notice] = []
    assert kinds(run(library, folder, intake=ARCHIVES, notify=told.append)) == {}
    assert Withheld(folder, 10, 10) in told


def test_an_archive_with_one_photo_more_brings_that_photo(library: Library, tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"red.png": png("red")})
    run(library, path)
    zipped(path, {"red.png": png("red"), "blue.png": png("blue")})
    encoder = CountingEncoder("toy/colour")
    assert kinds(run(library, path, encoder=encoder)) == {"Added": 1, "Unchanged": 1}
    assert encoder.seen == 1


def test_bad_members_and_bad_archives_are_skipped_one_by_one(
    library: Library, tmp_path: Path
) -> None:
    path = zipped(tmp_path / "a.zip", {"red.png": png(), "bad.png": b"no", "in.zip": b"PK"})
    broken = tmp_path / "b.tar"
    broken.write_bytes(b"no tar")
    for _ in range(2):  # they are told at every run
        outcomes = run(library, path, broken)
        assert {n for n, each in outcomes.items() if isinstance(each, Skipped)} == {
            *("bad.png", "in.zip", "b.tar")
        }
        assert len(outcomes) == 4


def test_the_captions_of_a_webdataset_tar_come_along(library: Library, tmp_path: Path) -> None:
    told = json.dumps({"caption": "a red wall", "key": "000"}).encode()
    path = tarred(
        tmp_path / "shard.tar",
        {
            "000.png": png("red"),
            "000.json": told,
            "000.txt": b"a red wall",
            "001.png": png("blue"),
            "001.txt": "一面蓝色的墙\nA blue wall".encode(),
            "002.png": png("green"),
            "002.json": b"{not json",
            "002.cls": b"7",
        },
    )
    notices: list[Notice] = []
    outcomes = run(library, path, notify=notices.append)
    assert kinds(outcomes) == {"Added": 3}
    ids = {name: each.photo_id for name, each in outcomes.items() if not isinstance(each, Skipped)}
    rows = library.catalog.captions(list(ids.values()))
    assert {(row.language, row.text, row.source) for row in rows[ids["000.png"]]} == {
        ("en", "a red wall", "sidecar")
    }
    assert {(row.language, row.text) for row in rows[ids["001.png"]]} == {
        ("zh", "一面蓝色的墙"),
        ("en", "A blue wall"),
    }
    assert ids["002.png"] not in rows
    (unread,) = [each for each in notices if isinstance(each, UnreadTexts)]
    assert (unread.count, unread.path) == (1, path / "002.png")


def test_listed_paths_are_taken_and_those_that_do_not_exist_skipped(
    library: Library, photos: Path
) -> None:
    listed = (photos / "red.png", photos / "gone.png", photos / "blue.png")
    outcomes = run(library, intake=Intake(listed=listed))
    assert kinds(outcomes) == {"Added": 2, "Skipped": 1}
    (photos / "red.png").unlink()
    assert kinds(run(library, intake=Intake(listed=listed[:2]))) == {"Missing": 1, "Skipped": 1}


def test_a_run_that_is_stopped_opens_the_archive_again(library: Library, tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {f"{n}.png": png(size=(n + 1, 8)) for n in range(9)})
    stopped = index(library, path, encoder=CountingEncoder("toy/colour"))
    next(stopped)
    stopped.close()  # type: ignore[attr-defined]
    assert library.catalog.containers() == {}
    outcomes = run(library, path, encoder=CountingEncoder("toy/colour"))
    assert kinds(outcomes) == {"Added": 5, "Unchanged": 4}
    assert library.catalog.containers().keys() == {path}


def test_another_encoder_sees_the_photos_inside(library: Library, tmp_path: Path) -> None:
    from imgsearch.indexing import rebuild

    path = tarred(tmp_path / "a.tar", {"red.png": png("red"), "blue.png": png("blue")})
    run(library, path)
    assert rebuild(library, CountingEncoder("toy/second")).embedded == 2
    images.let_go()
