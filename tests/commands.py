"""What tests of the command line share: a tiny encoder, a library to run on, hits read back.

A plugin of pytest: a test file that names it in `pytest_plugins` has its fixtures.
(PYTEST_DONT_REWRITE: the test file has imported it before, and pytest would warn.)
"""

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import imgsearch
from conftest import draw
from imgsearch.cli import app

Run = Callable[..., Result]
MODEL = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 2},
}


def environment() -> dict[str, str]:
    """For a process of its own, which may run elsewhere than in the repository."""
    return {**os.environ, "PYTHONPATH": str(Path(imgsearch.__file__).parent.parent)}


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny open_clip encoder for both languages, with random weights."""
    import torch
    from safetensors.torch import save_file

    from imgsearch.encoders import open_clip

    folder = tmp_path_factory.mktemp("encoders") / "tiny"
    folder.mkdir()
    config: dict[str, Any] = {"model_cfg": MODEL, "preprocess_cfg": {"size": 32}}
    config["imgsearch"] = {"name": "toy/tiny", "languages": ["en", "zh"]}
    (folder / "open_clip_config.json").write_text(json.dumps(config), "utf-8")
    torch.manual_seed(27)  # under which "red" is found relevant, and 月亮 is not
    model: Any = open_clip.build(config)
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return folder


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command on a library of this test alone, in its folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMGSEARCH_LIBRARY", str(tmp_path / "library"))

    def run_command(*arguments: object, stdin: str | None = None) -> Result:
        return CliRunner().invoke(app, [str(each) for each in arguments], input=stdin)

    return run_command


@pytest.fixture(scope="session")
def indexed_once(tmp_path_factory: pytest.TempPathFactory, encoder: Path) -> Path:
    """A folder with the red, green and blue photos, and a library that has them indexed."""
    folder = tmp_path_factory.mktemp("indexed").resolve()
    for colour in ("red", "green", "blue"):
        draw(folder / "photos" / f"{colour}.png", colour)
    library = ("--library", str(folder / "library"))
    command = [*library, "index", str(folder / "photos"), "--encoder", str(encoder), "--quiet"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.stderr
    return folder


@pytest.fixture
def indexed(run: Run, photos: Path, indexed_once: Path, tmp_path: Path) -> Run:
    """The same, with the red, green and blue photos indexed: copied, which is quicker."""
    shutil.copytree(indexed_once / "library", tmp_path / "library")
    shutil.copytree(indexed_once / "photos", photos, dirs_exist_ok=True)  # with their times
    with contextlib.closing(sqlite3.connect(tmp_path / "library" / "library.db")) as connection:
        for table in ("roots", "files"):
            connection.execute(
                f"UPDATE {table} SET path = replace(path, ?, ?)",
                (str(indexed_once), str(tmp_path.resolve())),
            )
        connection.commit()
    return run


def hits(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def command_line(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "imgsearch.cli", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
