"""Shell completion: the protocol as bash and zsh speak it, in a process of its own."""

import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from commands import environment
from conftest import ColourEncoder
from imgsearch.cli import completion
from imgsearch.display.terminal import PROTOCOLS
from imgsearch.indexing import index
from imgsearch.library import open_library
from imgsearch.prompts import LANGUAGES, Policy
from imgsearch.searching import MODES

MAIN = [sys.executable, "-c", "from imgsearch.cli import main; main()"]


def completed(shell: str, line: str) -> str:
    """What the shell is told when TAB is pressed at the end of a line."""
    words = line.split(" ")
    asked = {
        "bash": {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)},
        "zsh": {"_TYPER_COMPLETE_ARGS": line},
    }[shell]
    surroundings = {**environment(), **asked, "_IMGSEARCH_COMPLETE": f"complete_{shell}"}
    ran = subprocess.run(MAIN, capture_output=True, text=True, env=surroundings)
    assert ran.stderr == "", ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from PIL import Image

    folder = tmp_path_factory.mktemp("completion")
    (folder / "photos").mkdir()
    Image.new("RGB", (8, 8), "red").save(folder / "photos" / "red.png")
    with open_library(folder / "library") as opened:
        for name in ("toy/colour", "toy/other"):
            list(index(opened, [folder / "photos"], encoder=ColourEncoder(name)))
    return folder / "library"


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_commands_are_completed(shell: str) -> None:
    told = completed(shell, "imgsearch si")
    assert "similar" in told and "search" not in told


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_options_are_completed(shell: str) -> None:
    told = completed(shell, "imgsearch similar --pre")
    assert "--preview" in told and "--preview-as" in told and "--path" not in told


def test_names_of_choices_are_completed() -> None:
    told = completed("bash", "imgsearch random --preview-as s")
    assert told.split() == ["sixel"]


def test_encoders_are_those_of_the_library_wherever_it_is_named(library: Path) -> None:
    for shell, line in (
        ("bash", f"imgsearch --library {library} similar --encoder toy/c"),
        ("zsh", f"imgsearch similar --library {library} --encoder toy/c"),
    ):
        told = completed(shell, line)
        assert "toy/colour" in told and "toy/other" not in told


def test_where_there_is_no_library_or_a_broken_one_nothing_is_offered(tmp_path: Path) -> None:
    line = f"imgsearch --library {tmp_path} similar --encoder t"
    assert completed("bash", line).strip() == ""
    (tmp_path / "library.db").write_bytes(b"no database")
    assert completed("bash", line).strip() == ""
    assert [path.name for path in tmp_path.iterdir()] == ["library.db"]


def test_a_tab_loads_no_model_and_no_index(library: Path) -> None:
    code = "import sys; from imgsearch.cli import run; run(); print(*sys.modules)"
    variables = {
        "COMP_WORDS": "imgsearch similar --encoder toy/c",
        "COMP_CWORD": "3",
        "_IMGSEARCH_COMPLETE": "complete_bash",
        "IMGSEARCH_LIBRARY": str(library),
    }
    ran = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**environment(), **variables},
    )
    loaded = set(ran.stdout.split())
    assert "toy/colour" in loaded and not {"torch", "faiss", "open_clip"} & loaded


def test_the_script_of_a_shell_is_shown() -> None:
    ran = subprocess.run(
        [*MAIN, "--show-completion"],
        capture_output=True,
        text=True,
        env={**environment(), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
    )
    assert (
        ran.returncode == 2 and "--show-completion" in ran.stderr
    )  # it then wants the shell's name


def test_the_names_of_choices_are_those_the_program_knows() -> None:
    assert completion.MODES == MODES
    assert get_args(Policy) == completion.PROMPTS
    assert completion.LANGUAGES == LANGUAGES
    assert completion.PREVIEWS == PROTOCOLS
