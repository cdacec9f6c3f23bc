"""`imgsearch watch` as a process of its own: what it says, and how it ends."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import IO

import pytest

from commands import Run, environment
from conftest import draw

pytest_plugins = ["commands"]
PATIENCE_SECONDS = 60


class Lines:
    """The lines of a stream as they come."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._lines: Queue[bytes] = Queue()
        Thread(target=lambda: [self._lines.put(line) for line in stream], daemon=True).start()

    def next(self) -> str:
        return self._lines.get(timeout=PATIENCE_SECONDS).decode()


@pytest.fixture
def watching(indexed: Run, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = ["watch", "--library", str(tmp_path / "library"), "--settle", "0.2", "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "imgsearch.cli", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    yield process
    process.kill()
    process.communicate()


@pytest.mark.slow
def test_every_event_is_a_line_and_ctrl_c_ends_it(
    watching: subprocess.Popen[bytes], photos: Path
) -> None:
    assert watching.stdout is not None and watching.stderr is not None
    told, said = Lines(watching.stdout), Lines(watching.stderr)
    line = said.next()
    assert line.startswith("3 unchanged; watching ") and str(photos) in line

    draw(photos / "new.png", "navy")
    added = json.loads(told.next())
    assert (added["event"], added["path"]) == ("added", str(photos / "new.png"))
    (photos / "new.png").rename(photos / "other.png")
    moved = json.loads(told.next())
    assert (moved["event"], moved["previous"]) == ("moved", str(photos / "new.png"))
    assert moved["photo_id"] == added["photo_id"]

    watching.send_signal(signal.SIGINT)
    assert watching.wait(PATIENCE_SECONDS) == 130
    assert said.next().startswith("interrupted: what was committed is kept")


def test_a_path_that_is_not_there_makes_no_library(run: Run, tmp_path: Path) -> None:
    result = run("watch", tmp_path / "nowhere")
    assert (result.exit_code, (tmp_path / "library").exists()) == (2, False)
    assert "nowhere" in result.stderr
    assert run("watch").exit_code == 3
