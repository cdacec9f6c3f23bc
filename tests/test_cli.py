"""What all commands share: exit codes, streams, which library, errors that are sentences."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from typer.testing import CliRunner

import imgsearch
from commands import Run, command_line, environment, hits
from conftest import draw
from imgsearch.cli import app

pytest_plugins = ["commands"]


def test_a_tilde_that_names_no_user_is_a_word_or_a_path_like_any_other(
    indexed: Run, tmp_path: Path
) -> None:
    for text in ("~100 balloons", "~100 cats and/or dogs", "~"):
        assert len(hits(indexed("search", text, "--all", "--json"))) == 3
    for words in (
        ["search", "~nosuchuser/x.png"],
        ["index", "~nosuchuser/photos", "--library", tmp_path / "other"],
        ["eval", "~nosuchuser/val.tar"],
    ):
        result = indexed(*words)
        assert result.exit_code == 2, result.output
        assert "~nosuchuser" in result.stderr
    assert indexed("--library", "~nosuchuser/library", "status").exit_code == 3


def test_an_empty_word_is_no_path(run: Run, tmp_path: Path) -> None:
    for words in (
        ["index", ""],
        ["eval", ""],
        ["search", "cat", "--path", ""],
        ["search", "cat", "--contact-sheet", ""],
        ["--library", "", "status"],
    ):
        result = run(*words)
        assert result.exit_code == 2, words
        assert "empty" in result.stderr
    assert not (tmp_path / "library").exists()


def test_no_library_is_exit_code_3_and_names_the_command(run: Run) -> None:
    for command in (["search", "cat"], ["status"], ["doctor"], ["rebuild"]):
        result = run(*command)
        assert result.exit_code == 3, command
        assert "imgsearch index" in result.stderr


def test_a_library_is_named_before_or_after_the_command_and_that_wins(
    run: Run, photos: Path, encoder: Path, tmp_path: Path
) -> None:
    run("index", photos, "--encoder", encoder, "--library", tmp_path / "a")
    run("--library", tmp_path / "b", "index", photos / "red.png", "--encoder", encoder)
    assert not (tmp_path / "library").exists()
    assert len(hits(run("search", "cat", "--all", "--json", "--library", tmp_path / "a"))) == 3
    assert len(hits(run("--library", tmp_path / "b", "search", "cat", "--all", "--json"))) == 1
    both = (
        "--library",
        tmp_path / "b",
        "search",
        "cat",
        "--all",
        "--json",
        "--library",
        tmp_path / "a",
    )
    assert len(hits(run(*both))) == 3


def test_a_locked_library_is_exit_code_4_and_names_the_holder(indexed: Run, photos: Path) -> None:
    holder = (
        "import os, sys, imgsearch\n"
        "library = imgsearch.open_library(os.environ['IMGSEARCH_LIBRARY'])\n"
        "with library.lock():\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        refused = indexed("index", photos)
        found = indexed("search", "cat", "--all", "--json")
        process.communicate("")
    assert refused.exit_code == 4
    assert str(process.pid) in refused.stderr
    assert len(hits(found)) == 3  # searching goes on meanwhile
    assert indexed("index", photos, "--wait").exit_code == 0


def test_a_damaged_library_is_exit_code_4(run: Run, tmp_path: Path) -> None:
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "library.db").write_bytes(b"this is no database" * 500)
    result = run("search", "cat", "--all")
    assert result.exit_code == 4
    assert "Traceback" not in result.stderr


def test_status_doctor_and_rebuild_agree_about_a_healthy_library(indexed: Run) -> None:
    status = json.loads(indexed("status", "--json").stdout)
    assert status["photos"] == {"live": 3, "missing": 0}
    assert [each["name"] for each in status["encoders"]] == ["toy/tiny"]
    page = indexed("status").stdout
    assert "3 live, 0 missing" in page
    assert "toy/tiny" in page
    assert "index on" in page
    checked = indexed("doctor")
    assert (checked.exit_code, checked.stdout[:13]) == (0, "nothing wrong")
    rebuilt = indexed("rebuild")
    assert rebuilt.exit_code == 0, rebuilt.stderr
    assert rebuilt.stdout == "toy/tiny: 3 photos, flat index 0002\n"


def test_doctor_repairs_an_index_and_reports_what_only_a_person_can_mend(
    indexed: Run, tmp_path: Path, photos: Path
) -> None:
    for index in (tmp_path / "library" / "generations").rglob("index.faiss"):
        index.write_bytes(b"garbage")
    reported = indexed("doctor", "--no-repair", "--json")
    assert reported.exit_code == 4
    assert json.loads(reported.stdout.splitlines()[0])["is_repaired"] is False
    repaired = indexed("doctor")
    assert repaired.exit_code == 0, repaired.stdout
    assert repaired.stdout.startswith("repaired: ")
    (photos / "red.png").unlink()
    left = indexed("doctor")
    assert left.exit_code == 0, "a photo gone since the last run is no damage"
    assert left.stdout.startswith("note: ")


def test_version_and_help() -> None:
    runner = CliRunner()
    assert runner.invoke(app, ["--version"]).stdout == f"imgsearch {imgsearch.__version__}\n"
    everything = runner.invoke(app, ["--help"]).stdout
    for command in ("index", "search", "status", "doctor", "encoders", "eval", "rebuild", "switch"):
        assert command in everything
        text = runner.invoke(app, [command, "--help"]).stdout
        assert f"imgsearch {command}" in text  # usage and an example
    assert runner.invoke(app, ["serach"]).exit_code == 2


def test_help_loads_nothing_heavy() -> None:
    code = "import sys; from imgsearch.cli import app; app(['--help'], standalone_mode=False)"
    heavy = {"torch", "faiss", "sqlalchemy", "alembic", "open_clip", "cn_clip", "numpy", "PIL"}
    code += f"; sys.exit(bool({heavy!r} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, env=environment())


def test_a_bug_is_a_traceback_and_exit_code_70(tmp_path: Path) -> None:
    code = (
        "import imgsearch.cli as cli\n"
        "@cli.app.command('boom')\n"
        "def boom() -> None:\n"
        "    raise ZeroDivisionError('a bug')\n"
        "import sys; sys.argv = ['imgsearch', 'boom']\n"
        "cli.main()\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment()
    )
    assert result.returncode == 70
    assert "ZeroDivisionError: a bug" in result.stderr
    assert "report" in result.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a file that is always full")
def test_a_full_disk_and_a_closed_stdout_are_no_bugs(indexed: Run) -> None:
    indexed("search", "cat", "--all")
    line = f"{sys.executable} -m imgsearch.cli search cat --all"
    results = [
        subprocess.run(
            ["sh", "-c", line + to], capture_output=True, text=True, env=environment(), check=False
        )
        for to in (" >/dev/full", " >&-", " 2>&-")
    ]
    assert [result.returncode for result in results] == [2, 0, 0]
    assert results[0].stderr.startswith("the result cannot be written: No space left")
    assert len(results[0].stderr.splitlines()) == 1
    assert results[1].stderr == ""
    assert len(results[2].stdout.splitlines()) == 3


def test_a_reader_that_has_had_enough_is_no_error(indexed: Run) -> None:
    indexed(
        "search", "cat", "--all"
    )  # its embedding is kept: the process below need not load the encoder
    with command_line("search", "cat", "--all", "-f") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()  # as `| head` does
        assert process.stderr.read() == b""
    assert process.returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal to send")
def test_ctrl_c_is_exit_code_130_and_says_how_to_go_on(indexed: Run, photos: Path) -> None:
    with imgsearch.open_library(os.environ["IMGSEARCH_LIBRARY"]) as library, library.lock():
        timer = threading.Timer(
            2, signal.raise_signal, [signal.SIGINT]
        )  # busy: it must wait by then
        timer.start()
        result = indexed("index", photos, "--wait")  # waits for the lock, in vain
        timer.join()
    assert result.exit_code == 130
    assert "run the same command" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal to send")
def test_ctrl_c_in_what_cannot_go_on_promises_nothing(indexed: Run) -> None:
    with imgsearch.open_library(os.environ["IMGSEARCH_LIBRARY"]) as library, library.lock():
        timer = threading.Timer(
            2, signal.raise_signal, [signal.SIGINT]
        )  # busy: it must wait by then
        timer.start()
        result = indexed("doctor", "--wait")
        timer.join()
    assert (result.exit_code, result.stderr) == (130, "interrupted\n")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux file systems hold such names")
def test_a_name_that_is_not_valid_text_can_be_indexed_and_found(
    run: Run, tmp_path: Path, encoder: Path
) -> None:
    raw = os.fsencode(tmp_path) + b"/odd/caf\xe9.png"
    picture = draw(tmp_path / "odd" / "plain.png", "red")
    os.rename(picture, raw)
    (tmp_path / "odd" / "bad\udcff.jpg").touch()
    counted = json.loads(run("index", tmp_path / "odd", "--encoder", encoder, "--json").stdout)
    assert (counted["added"], counted["skipped"]) == (1, 1)
    assert (
        run("search", "cat", "--all").exit_code == 0
    )  # and its embedding is kept for what follows
    with command_line("search", "cat", "--all", "-f") as process:
        assert process.communicate()[0] == raw + b"\n"
    with command_line("search", "cat", "--all") as process:
        assert b"caf\\xe9.png" in process.communicate()[0]
