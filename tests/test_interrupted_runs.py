"""Runs that are stopped, killed or refused: what was committed stays, the next goes on."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import ColourEncoder
from imgsearch.errors import LibraryLockedError
from imgsearch.indexing import Added, index
from imgsearch.library import Library, open_library
from imgsearch.upkeep import doctor
from runs import CountingEncoder, draw_many, kinds, run

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


def slow_run(library_path: Path, photos: Path) -> "subprocess.Popen[str]":
    tests = Path(__file__).parent
    code = SLOW.format(tests=str(tests), root=str(tests.parent))
    return subprocess.Popen(
        [sys.executable, "-c", code, str(library_path), str(photos)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


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
