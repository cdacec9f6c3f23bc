"""`imgsearch caption` through a real folder: exit codes, tables, JSON, pictures, both streams."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from colour_captioners import write_captioner
from commands import Run, command_line
from conftest import draw
from imgsearch.captioning import TrainedOn
from imgsearch.display.contact_sheet import CELL, GAP, Cell, sheet
from imgsearch.library import open_library
from runs import draw_many

pytest_plugins = "commands"

TINY = TrainedOn(("toy/tiny",), None, 16)


@pytest.fixture(scope="module")
def captioner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_captioner(tmp_path_factory.mktemp("captioners") / "toy", trained_on=TINY)


def captioned(run: Run, captioner: Path, *arguments: object) -> dict[str, Any]:
    result = run("caption", "--captioner", captioner, "--json", *arguments)
    assert result.exit_code == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def shown(run: Run, photo: object) -> dict[str, Any]:
    result = run("show", photo, "--json")
    assert result.exit_code == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_photos_are_captioned_and_the_table_says_so(indexed: Run, captioner: Path) -> None:
    result = indexed("caption", "--captioner", captioner)
    assert result.exit_code == 0, result.stderr
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[1][:2] == ["en", "3"] and lines[2][:2] == ["zh", "3"]
    assert lines[3][:3] == ["6", "captions", "in"]
    assert result.stderr == ""
    assert "caption on" in indexed("status").stdout
    again = captioned(indexed, captioner)
    assert again["languages"]["en"] == {
        "captioned": 0,
        "empty": 0,
        "by_people": 0,
        "up_to_date": 3,
        "by_others": {},
        "unembedded": 0,
    }


def test_languages_may_be_listed(indexed: Run, captioner: Path) -> None:
    assert list(captioned(indexed, captioner, "--language", "zh,en")["languages"]) == ["zh", "en"]
    assert list(captioned(indexed, captioner, "--language", "EN, zh")["languages"]) == ["en", "zh"]
    result = indexed("caption", "--captioner", captioner, "--language", "en,")
    assert result.exit_code == 2 and "names no language" in result.stderr
    result = indexed("caption", "--captioner", captioner, "--language", "fr")
    assert result.exit_code == 2 and "not 'fr'" in result.stderr


def test_what_is_left_undone_is_said_however_quiet(
    indexed: Run, captioner: Path, tmp_path: Path
) -> None:
    captioned(indexed, captioner, "--language", "en")
    result = indexed(
        "caption", "--captioner", captioner, "--language", "en", "--decode", "greedy", "--quiet"
    )
    assert (result.exit_code, result.stdout) == (0, "")
    assert "--recaption toy/captioner" in result.stderr
    again = ("--language", "en", "--decode", "greedy", "--recaption", "toy/captioner")
    assert captioned(indexed, captioner, *again)["languages"]["en"]["captioned"] == 3


def test_a_captioner_of_another_encoder_names_the_command_that_helps(
    indexed: Run, tmp_path: Path
) -> None:
    stranger = write_captioner(tmp_path / "stranger")
    result = indexed("caption", "--captioner", stranger)
    assert result.exit_code == 3
    assert "imgsearch index" in result.stderr and "--encoder toy/colour" in result.stderr


def test_a_dry_run_draws_a_sheet_and_writes_nothing(
    indexed: Run, captioner: Path, tmp_path: Path
) -> None:
    result = indexed("caption", "--captioner", captioner, "--dry-run", "2")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.count(".png") == 2
    assert "contact sheet: captions.png" in result.stderr
    with Image.open(tmp_path / "captions.png") as drawn:
        assert drawn.width == GAP + 2 * (CELL + GAP)
    out = tmp_path / "other.png"
    result = indexed(
        *("caption", "--captioner", captioner, "--dry-run", "1", "--json"),
        *("--contact-sheet", out, "--language", "en"),
    )
    (row,) = map(json.loads, result.stdout.splitlines())
    assert row["captions"].keys() == {"en"} and out.is_file()
    assert shown(indexed, "id:1")["captions"] == []
    captioned(indexed, captioner)
    result = indexed("caption", "--captioner", captioner, "--dry-run", "2")
    assert result.exit_code == 0 and "every photo has its caption" in result.stderr


def test_a_sheet_that_nobody_named_takes_no_others_place(
    indexed: Run, captioner: Path, tmp_path: Path
) -> None:
    (tmp_path / "captions.png").write_bytes(b"mine")
    dry_run = ("caption", "--captioner", captioner, "--dry-run", "1")
    for quiet in ("--quiet", "--json"):
        assert indexed(*dry_run, quiet).exit_code == 0
    assert [each.name for each in tmp_path.glob("*.png")] == ["captions.png"]
    for name in ("captions-2.png", "captions-3.png"):
        assert f"contact sheet: {name}" in indexed(*dry_run).stderr
    assert (tmp_path / "captions.png").read_bytes() == b"mine"
    assert indexed(*dry_run, "--quiet", "--contact-sheet", "captions.png").exit_code == 0
    assert (tmp_path / "captions.png").read_bytes() != b"mine"


def test_a_sheet_folds_long_captions_and_chinese(photos: Path) -> None:
    ink = (0, 0, 0)
    long = "a very long caption about a dog that runs on a beach " * 3
    short = sheet([Cell(photos / "red.png", [("short", ink, 1)])], "title")
    folded = sheet([Cell(photos / "red.png", [(long, ink, 3), ("一只狗" * 40, ink, 3)])], "title")
    assert folded.height - short.height == 5 * 20
    rows = [folded.crop((0, y, folded.width, y + 20)) for y in range(short.height - 36, 0, 20)][:5]
    assert all(row.getextrema()[0][0] < 200 for row in rows)  # each row has ink


def test_captions_go_out_and_come_in_again(
    indexed: Run, captioner: Path, photos: Path, tmp_path: Path
) -> None:
    (photos / "list.csv").write_text("image,caption\nred.png,my red\nlost.png,x\n", "utf-8")
    result = indexed("caption", "--import", photos / "list.csv")
    assert result.exit_code == 0 and "1 captions taken in, 0 were there" in result.stdout
    assert "1 texts" in result.stdout
    (photos / "list.csv").unlink()
    captioned(indexed, captioner)
    result = indexed("caption", "--export", "out.csv")
    assert result.exit_code == 0
    assert "6 captions of 3 photos written to out.csv" in result.stdout
    with open(tmp_path / "out.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sum(row["source"] == "generated" for row in rows) == 5
    result = indexed("caption", "--import", "out.csv", "--json")
    assert json.loads(result.stdout)["known"] == 1
    result = indexed("caption", "--export", "out.jsonl", "--language", "zh", "--path", photos)
    assert "3 captions of 3 photos" in result.stdout
    result = indexed("caption", "--export", "sidecars")
    assert "1 captions of 1 photos written" in result.stdout
    assert "2 photos have generated captions alone" in result.stdout
    assert [each.read_text("utf-8") for each in photos.glob("*.txt")] == ["my red\n"]
    result = indexed("caption", "--export", "sidecars")
    assert "1 photos have text beside them already" in result.stdout
    result = indexed("caption", "--import", "out.csv")
    assert "5 left out: a captioner made them, and no person" in result.stdout
    result = indexed("caption", "--export", "out.csv", "--language", "xx")
    assert result.exit_code == 2 and "en, zh" in result.stderr
    assert (tmp_path / "out.csv").read_text("utf-8").count("\n") == 7


def test_sidecars_come_in_without_a_path(indexed: Run, photos: Path, tmp_path: Path) -> None:
    (photos / "red.txt").write_text("my red\n", "utf-8")
    result = indexed("caption", "--import")
    assert result.exit_code == 0 and "1 captions taken in" in result.stdout
    (row,) = shown(indexed, photos / "red.png")["captions"]
    assert (row["text"], row["source"], row["captioner"]) == ("my red", "sidecar", None)
    elsewhere = draw(tmp_path / "elsewhere" / "white.png", "white")
    elsewhere.with_suffix(".txt").write_text("white", "utf-8")
    result = indexed("caption", "--import", elsewhere.parent)
    assert "1 pictures are not in the library:" in result.stdout
    assert str(elsewhere) in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["photos"], "--path FOLDER"),
        (["--import", "--export", "out.csv"], "not both"),
        (["--import", "--recaption", "x"], "--recaption is of making captions"),
        (["--export", "out.csv", "--beams", "3"], "--beams is of making captions"),
        (["--import", "--path", "photos"], "--path is a filter, and --import takes all"),
        (["--contact-sheet", "a.png"], "--dry-run"),
        (["--export", "out.doc"], "`sidecars`"),
        (["--decode", "greedy", "--beams", "3"], "--beams is for --decode beam"),
        (["--captioner", "nobody"], "nobody"),
        (["--path", "nowhere"], "knows no photo at or under"),
    ],
)
def test_options_that_cannot_be_right_are_refused(
    arguments: list[str], said: str, indexed: Run, captioner: Path
) -> None:
    if "--import" not in arguments and "--export" not in arguments:
        arguments = ["--captioner", str(captioner), *arguments]
    result = indexed("caption", *arguments)
    assert result.exit_code == 2 and said in result.stderr


def test_without_a_library_nothing_is_made(run: Run, tmp_path: Path) -> None:
    assert run("caption").exit_code == 3
    assert run("show", "id:1").exit_code == 3
    assert not (tmp_path / "library").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process there")
def test_an_interrupt_ends_with_130_and_the_same_command_goes_on(
    run: Run, encoder: Path, captioner: Path, tmp_path: Path
) -> None:
    folder = draw_many(tmp_path / "many", 300)
    assert run("index", folder, "--encoder", encoder, "--quiet").exit_code == 0
    library = tmp_path / "library"
    process = command_line("caption", "--captioner", str(captioner), "--library", str(library))
    with open_library(library) as opened:
        while not opened.catalog.generated_by("en") and process.poll() is None:
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGINT)
        _, said = process.communicate()
        assert process.returncode == 130
        assert b"run the same command to continue" in said
        first = sum(map(len, opened.catalog.generated_by("en").values()))
    languages = captioned(run, captioner)["languages"]
    assert languages["en"]["up_to_date"] == first
    assert languages["en"]["captioned"] == 300 - first
    assert languages["zh"]["captioned"] + languages["zh"]["up_to_date"] == 300


def test_it_is_one_of_the_commands() -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "imgsearch.cli", "caption", "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "120"},
    )
    assert "--recaption" in listed.stdout and "--top-p" in listed.stdout
