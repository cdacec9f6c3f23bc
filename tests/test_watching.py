"""Watching: real files change under a real watch in a thread, and the library follows."""

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conftest import ColourEncoder, draw
from imgsearch.errors import UsageError
from imgsearch.indexing import (
    Added,
    Attention,
    Intake,
    Missing,
    Moved,
    Notice,
    Outcome,
    Skipped,
    Unchanged,
    Watching,
    Withheld,
    index,
    watch,
)
from imgsearch.library import Library, open_library
from imgsearch.searching import Filters, search
from runs import CountingEncoder, draw_many

PATIENCE_SECONDS = 20
SETTLE_SECONDS = 0.3


class Watcher:
    """A watch in a thread of its own; what it tells is kept."""

    def __init__(self, library: Library, *paths: Path, poll: float | None = None) -> None:
        self.outcomes: list[Outcome] = []
        self.notices: list[Notice] = []
        self.encoder = CountingEncoder(languages=("en", "zh"))
        self.error: BaseException | None = None
        self._attention = Attention(SETTLE_SECONDS, poll)
        self._running = watch(
            library,
            paths,
            encoder=self.encoder,
            intake=Intake(exclude=("drafts",)),
            attention=self._attention,
            notify=self.notices.append,
        )
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()

    def _follow(self) -> None:
        try:
            self.outcomes.extend(self._running)
        except BaseException as error:
            self.error = error

    def until(self, is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not is_so():
            assert self.error is None, self.error
            assert time.monotonic() < deadline, (self.outcomes, self.notices)
            time.sleep(0.02)

    def begun(self) -> "Watcher":
        self.until(lambda: any(isinstance(each, Watching) for each in self.notices))
        self.outcomes.clear()
        return self

    def told(self, count: int) -> list[Outcome]:
        """The next outcomes, by path; exactly so many."""
        self.until(lambda: len(self.outcomes) >= count)
        told = sorted(self.outcomes, key=lambda each: each.path)
        self.outcomes.clear()
        assert len(told) == count
        return told

    def end(self) -> None:
        self._attention.stop.set()
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive()


Watch = Callable[..., Watcher]


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with open_library(tmp_path / "library") as opened:
        yield opened


@pytest.fixture
def watching(library: Library) -> Iterator[Watch]:
    watchers: list[Watcher] = []

    def begin(*paths: Path, poll: float | None = None) -> Watcher:
        watchers.append(Watcher(library, *paths, poll=poll))
        return watchers[-1].begun()

    yield begin
    for each in watchers:
        each.end()


def names(outcomes: list[Outcome]) -> list[tuple[type, str]]:
    return [(type(each), each.path.name) for each in outcomes]


def hits(library: Library, query: str) -> list[str]:
    found = search(library, query, filters=Filters(min_score=0.9))
    return [hit.path.name for hit in found]


@pytest.mark.parametrize("poll", [None, 0.1], ids=["told by the system", "looking"])
def test_a_library_follows_what_happens_to_its_photos(
    library: Library, photos: Path, watching: Watch, poll: float | None
) -> None:
    watcher = watching(photos, poll=poll)
    assert watcher.encoder.seen == 3

    draw(photos / "trip/fire.png", (250, 3, 3))  # in a folder that is new, too
    assert names(watcher.told(1)) == [(Added, "fire.png")]
    assert set(hits(library, "red")) == {"red.png", "fire.png"}

    (photos / "trip/fire.png").rename(photos / "ember.png")
    (moved,) = watcher.told(1)
    assert isinstance(moved, Moved) and moved.previous == photos / "trip/fire.png"

    draw(photos / "green.png", (3, 3, 250))
    assert names(watcher.told(1)) == [(Added, "green.png")]
    assert (hits(library, "green"), len(hits(library, "blue"))) == ([], 2)

    (photos / "blue.png").unlink()
    assert names(watcher.told(1)) == [(Missing, "blue.png")]
    assert hits(library, "blue") == ["green.png"]
    assert watcher.encoder.seen == 5


def test_a_folder_that_is_renamed_moves_all_its_photos(
    library: Library, photos: Path, watching: Watch
) -> None:
    draw(photos / "trip/a.png", "navy")
    draw(photos / "trip/day/b.png", "teal")
    watcher = watching(photos)
    (photos / "trip").rename(photos / "journey")
    assert names(watcher.told(2)) == [(Moved, "a.png"), (Moved, "b.png")]
    shutil.rmtree(photos / "journey")
    assert names(watcher.told(2)) == [(Missing, "a.png"), (Missing, "b.png")]


def test_a_file_that_is_still_being_copied_is_left_alone_until_it_is_whole(
    photos: Path, tmp_path: Path, watching: Watch
) -> None:
    content = draw(tmp_path / "large.bmp", "red", (60, 40)).read_bytes()
    watcher = watching(photos)
    with open(photos / "slow.bmp", "wb") as file:
        for start in range(0, len(content), len(content) // 8):
            file.write(content[start : start + len(content) // 8])
            file.flush()
            time.sleep(SETTLE_SECONDS / 3)
            assert watcher.outcomes == []
    assert names(watcher.told(1)) == [(Added, "slow.bmp")]


def test_what_index_leaves_out_is_left_out(photos: Path, watching: Watch) -> None:
    watcher = watching(photos)
    (photos / "notes.txt").write_text("no photo")
    draw(photos / ".hidden/a.png", "red")
    draw(photos / "drafts/b.png", "red")
    (photos / "broken.jpg").write_bytes(b"no picture")
    assert names(watcher.told(1)) == [(Skipped, "broken.jpg")]


def test_what_changed_before_is_caught_up_with(
    library: Library, photos: Path, watching: Watch
) -> None:
    list(index(library, [photos], encoder=CountingEncoder(languages=("en", "zh"))))
    draw(photos / "fire.png", (250, 3, 3))
    watcher = watching()
    assert watcher.encoder.seen == 1
    assert "fire.png" in hits(library, "red")


def test_other_runs_have_their_turn_and_are_waited_for(
    library: Library, photos: Path, watching: Watch, tmp_path: Path
) -> None:
    watcher = watching(photos)
    with open_library(tmp_path / "library") as other, other.lock():
        draw(photos / "fire.png", (250, 3, 3))
        time.sleep(3 * SETTLE_SECONDS)
        assert watcher.outcomes == []
    assert names(watcher.told(1)) == [(Added, "fire.png")]


def test_a_drive_that_goes_loses_nothing_and_is_watched_again_when_it_is_back(
    library: Library, tmp_path: Path, watching: Watch
) -> None:
    drive = draw_many(tmp_path / "drive", 12)
    watcher = watching(drive)
    drive.rename(tmp_path / "unplugged")
    watcher.until(lambda: any(isinstance(each, Withheld) for each in watcher.notices))
    assert watcher.outcomes == []

    (tmp_path / "unplugged").rename(drive)
    assert {type(each) for each in watcher.told(12)} == {Unchanged}
    draw(drive / "new.png", "red")
    assert names(watcher.told(1)) == [(Added, "new.png")]


def test_many_photos_that_go_are_weighed_against_their_whole_root(
    library: Library, tmp_path: Path, watching: Watch
) -> None:
    root = draw_many(tmp_path / "root", 60)
    draw_many(root / "few", 10, start=100)
    watcher = watching(root)
    shutil.rmtree(root / "few")
    assert {type(each) for each in watcher.told(10)} == {Missing}
    for path in root.glob("*.png"):
        path.unlink()
    watcher.until(lambda: any(isinstance(each, Withheld) for each in watcher.notices))
    (withheld,) = [each for each in watcher.notices if isinstance(each, Withheld)]
    assert (withheld.root, withheld.gone, withheld.known) == (root, 60, 60)


def test_a_single_photo_can_be_watched(photos: Path, watching: Watch) -> None:
    watcher = watching(photos / "red.png")
    draw(photos / "other.png", "navy")
    draw(photos / "red.png.new.png", "teal").replace(photos / "red.png")
    assert names(watcher.told(1)) == [(Added, "red.png")]


def test_a_path_that_is_not_there_is_an_error(library: Library, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere"):
        next(watch(library, [tmp_path / "nowhere"], encoder=ColourEncoder()))
    with pytest.raises(UsageError, match="No path is given"):
        next(watch(library, encoder=ColourEncoder()))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads all")
def test_a_folder_that_may_not_be_read_is_told_and_passed_by(photos: Path, watching: Watch) -> None:
    closed = photos / "closed"
    closed.mkdir(mode=0)
    watcher = watching(photos)
    draw(photos / "fire.png", (250, 3, 3))
    assert names(watcher.told(1)) == [(Added, "fire.png")]
    closed.chmod(0o700)
