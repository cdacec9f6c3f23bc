"""`imgsearch duplicates` on a real folder: the table, JSON, paths, contact sheet, exit codes."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from archives import zipped
from commands import Run
from test_perceptual import photo

pytest_plugins = ["commands"]


@pytest.fixture
def copied(run: Run, tmp_path: Path, encoder: Path) -> Run:
    """A library of a photo, a small copy of it, another photo and its equal."""
    folder = tmp_path / "photos"
    folder.mkdir()
    photo(0).save(folder / "a.png")
    photo(0).resize((160, 120)).save(folder / "a-small.jpg")
    photo(1).save(folder / "b.png")
    shutil.copy(folder / "b.png", folder / "b again.png")
    result = run("index", folder, "--encoder", encoder, "--quiet")
    assert result.exit_code == 0, result.stderr
    return run


def test_the_groups_are_shown_with_what_to_keep_and_why(copied: Run) -> None:
    result = copied("duplicates")
    assert result.exit_code == 0, result.stderr
    _, *rows = [line.split() for line in result.stdout.splitlines()]
    assert [row[:3] for row in rows[::2]] == [["1", "bytes", "keep"], ["2", "picture", "keep"]]
    assert "a.png  (most pixels)" in result.stdout and "known longest" in result.stdout
    assert [row[0] for row in rows[1::2]] == ["copy", "copy"]
    assert "160 x 120" in result.stdout
    assert "2 groups: 2 copies" in result.stderr and "Nothing was deleted." in result.stderr


def test_each_group_is_a_line_of_json(copied: Run, tmp_path: Path) -> None:
    result = copied("duplicates", "--json", "--quiet")
    same, picture = map(json.loads, result.stdout.splitlines())
    assert (same["tier"], picture["tier"]) == ("bytes", "picture")
    assert picture["keeper"] == {
        "photo_id": picture["keeper"]["photo_id"],
        "path": str(tmp_path / "photos" / "a.png"),
        "width": 320,
        "height": 240,
        "size_bytes": (tmp_path / "photos" / "a.png").stat().st_size,
        "format": "PNG",
        "score": 1.0,
    }
    (other,) = picture["others"]
    assert other["path"] == str(tmp_path / "photos" / "a-small.jpg")
    assert 0.92 <= other["score"] < 1 and picture["reason"] == "most pixels"
    assert picture["wasted_bytes"] == other["size_bytes"]
    assert result.stderr == ""


def test_the_paths_for_xargs_are_those_not_to_be_kept(copied: Run, tmp_path: Path) -> None:
    result = copied("duplicates", "-0")
    folder = tmp_path / "photos"
    *spare, last = result.stdout.split("\0")
    assert last == ""
    assert str(folder / "a-small.jpg") in spare and len(spare) == 2
    assert len({folder / "b.png", folder / "b again.png"} & set(map(Path, spare))) == 1
    assert len(list(folder.iterdir())) == 4
    assert "look before you delete" in " ".join(result.stderr.split())
    quiet = copied("duplicates", "-0", "--quiet").stderr  # what could cost a photo is always said
    assert "look before you delete" in " ".join(quiet.split())
    assert "look before" not in copied("duplicates", "-0", "--tier", "bytes").stderr
    assert "Look before you delete" in copied("duplicates", "--help").stdout


def test_what_lies_in_an_archive_is_shown_and_not_among_the_paths(
    copied: Run, tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    zipped(folder / "all.zip", {"a.png": (folder / "a.png").read_bytes()})
    assert copied("index", folder / "all.zip", "--quiet").exit_code == 0
    shown = copied("duplicates", "--tier", "bytes")
    assert "2 groups: 1 copy beside what is kept" in shown.stderr
    assert "1 inside archives" in shown.stderr and "a file of its own" in shown.stdout
    assert copied("duplicates", "--tier", "bytes", "-0").stdout.count("\0") == 1


def test_a_contact_sheet_has_a_row_a_group(copied: Run, tmp_path: Path) -> None:
    result = copied("duplicates", "--contact-sheet", "same.png")
    assert result.exit_code == 0, result.stderr
    one = copied("duplicates", "--tier", "bytes", "--contact-sheet", "one.png")
    assert one.exit_code == 0
    with Image.open(tmp_path / "same.png") as both, Image.open(tmp_path / "one.png") as single:
        assert both.height == 2 * single.height
    wrong = copied("duplicates", "--contact-sheet", "same.nonsense")
    assert wrong.exit_code == 2 and "cannot be written" in wrong.stderr


def test_tiers_thresholds_and_folders_narrow_what_is_found(copied: Run, tmp_path: Path) -> None:
    def found(*options: object) -> list[str]:
        lines = copied("duplicates", "--json", *options).stdout.splitlines()
        return [json.loads(line)["tier"] for line in lines]

    assert found("--tier", "bytes") == ["bytes"]
    assert found("--tier", "picture", "--threshold", 1) in ([], ["picture"])
    assert found("--tier", "picture", "--threshold", 0.9) == ["picture"]
    assert "scene" in found("--tier", "scene", "--threshold", 0.01)
    nothing = copied("duplicates", "--path", tmp_path / "elsewhere")
    assert (nothing.exit_code, nothing.stdout) == (2, "")
    assert "no photo at or under" in nothing.stderr
    assert copied("duplicates", "--after", "2999").exit_code == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--tier", "byte"], "bytes, picture, scene"),
        (["--threshold", "0.9", "--tier", "bytes"], "name one of the two"),
        (["--tier", "scene", "--threshold", "2"], "at most 1"),
    ],
)
def test_what_cannot_be_asked_is_a_clear_sentence(
    copied: Run, options: list[str], message: str
) -> None:
    result = copied("duplicates", *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in " ".join(result.stderr.split())
