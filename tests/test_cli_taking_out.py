"""`imgsearch open`, `copy`, `link`: what the last search found, by number."""

import json
import os
import shlex
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest

from commands import Run
from imgsearch.errors import UsageError
from imgsearch.library import open_library
from imgsearch.library.last_search import FILE, last_search, remember_search

pytest_plugins = "commands"


@pytest.fixture
def searched(indexed: Run) -> list[Path]:
    """The hits of a search, which the library remembers."""
    result = indexed("random", "--seed", "7", "--json")
    return [Path(json.loads(line)["path"]) for line in result.stdout.splitlines()]


def test_the_last_search_is_remembered_whatever_its_paths_are(tmp_path: Path) -> None:
    odd = [Path(os.fsdecode(b"/a/\xff.jpg")), Path("/b/海 滩\n.jpg")]
    with open_library(tmp_path / "library") as library:
        remember_search(library, "海滩", odd)
        remember_search(library, "beach", odd)
        kept = last_search(library)
        assert kept.asked == "beach" and list(kept.paths) == odd
        assert [path.name for path in library.path.glob(f"{FILE}*")] == [FILE]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 2, "asked": "", "paths": []}'])
def test_what_does_not_read_as_a_search_is_none(tmp_path: Path, content: str) -> None:
    with open_library(tmp_path / "library") as library:
        with pytest.raises(UsageError, match="remembers no search"):
            last_search(library)
        (library.path / FILE).write_text(content)
        with pytest.raises(UsageError, match="remembers no search"):
            last_search(library)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="needs a folder to close")
def test_a_library_that_cannot_be_written_remembers_none(tmp_path: Path) -> None:
    with open_library(tmp_path / "library") as library:
        library.path.chmod(0o500)
        try:
            remember_search(library, "beach", [])
            with pytest.raises(UsageError, match="remembers no search"):
                last_search(library)
        finally:
            library.path.chmod(0o700)


def test_numbers_choose_hits_in_their_order_each_once(indexed: Run, searched: list[Path]) -> None:
    printed = indexed("open", "3", "1-2", "2", "--print").stdout.splitlines()
    assert [shlex.split(line)[-1] for line in printed] == [
        str(searched[number]) for number in (2, 0, 1)
    ]


@pytest.mark.parametrize("wrong", ["0", "4", "2-9", "3-1", "1-", "x", "-1", "9" * 30])
def test_a_number_that_no_hit_has_opens_nothing(
    indexed: Run, searched: list[Path], wrong: str
) -> None:
    result = indexed("open", "--print", "--", "1", wrong)
    assert result.exit_code == 2 and result.stdout == "" and wrong in result.stderr


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="their openers are the system's")
def test_open_runs_the_viewer_of_the_system_without_a_shell(
    indexed: Run, searched: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    opener = programs / "xdg-open"
    opener.write_text(f'#!/bin/sh\nprintf "%s" "$1" > {shlex.quote(str(tmp_path / "said"))}\n')
    opener.chmod(0o700)
    monkeypatch.setenv("PATH", str(programs))
    result = indexed("open", "2")
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "said").read_text() == str(searched[1])
    opener.write_text("#!/bin/sh\necho no viewer for it >&2\nexit 3\n")
    refused = indexed("open", "2")
    assert refused.exit_code == 2 and "no viewer for it" in refused.stderr
    opener.unlink()
    assert "has no xdg-open" in indexed("open", "2").stderr
    searched[1].unlink()
    assert "No such file" in indexed("open", "2").stderr


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="their openers are the system's")
def test_a_photo_inside_an_archive_is_opened_as_a_file_of_its_own(
    indexed: Run, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.write(photos / "red.png", "beach/red.png")
    with open_library(tmp_path / "library") as library:
        remember_search(library, "red", [tmp_path / "all.zip" / "beach" / "red.png"])
    opener = tmp_path / "xdg-open"
    opener.write_text(f'#!/bin/sh\n/bin/cp "$1" {shlex.quote(str(tmp_path / "seen"))}\n')
    opener.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    result = indexed("open", "1")
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "seen").read_bytes() == (photos / "red.png").read_bytes()
    printed = shlex.split(indexed("open", "1", "--print").stdout)
    assert Path(printed[-1]).read_bytes() == (photos / "red.png").read_bytes()


def test_without_a_search_there_is_nothing_to_open_or_copy(indexed: Run, tmp_path: Path) -> None:
    for words in (("open", "1"), ("copy", tmp_path / "out"), ("link", tmp_path / "out")):
        result = indexed(*words)
        assert result.exit_code == 2 and "remembers no search" in result.stderr
    assert not (tmp_path / "out").exists()


def test_copy_takes_all_hits_or_those_that_are_named(
    indexed: Run, searched: list[Path], tmp_path: Path
) -> None:
    some = indexed("copy", tmp_path / "some", "1", "3")
    assert some.exit_code == 0 and "2 copied" in some.stderr
    assert {each.name for each in (tmp_path / "some").iterdir()} == {
        searched[0].name,
        searched[2].name,
    }
    rows = [
        json.loads(line)
        for line in indexed("copy", tmp_path / "some", "--json").stdout.splitlines()
    ]
    assert [row["path"] for row in rows] == [str(path) for path in searched]
    assert [row["was_there"] for row in rows] == [True, False, True]
    assert all(Path(row["target"]).is_file() and row["reason"] is None for row in rows)


def test_link_makes_symbolic_links_or_hard_ones(
    indexed: Run, searched: list[Path], tmp_path: Path
) -> None:
    assert indexed("link", tmp_path / "soft", "1").exit_code == 0
    assert os.readlink(tmp_path / "soft" / searched[0].name) == str(searched[0])
    assert indexed("link", tmp_path / "hard", "1", "--hard").exit_code == 0
    assert (tmp_path / "hard" / searched[0].name).stat().st_nlink == 2
    planned = indexed("link", tmp_path / "dry", "--dry-run")
    assert "3 would be linked" in planned.stderr and not (tmp_path / "dry").exists()


def test_a_query_can_be_given_in_place_of_the_last_search(
    indexed: Run, searched: list[Path], photos: Path, tmp_path: Path
) -> None:
    result = indexed("copy", tmp_path / "out", "--query", photos / "red.png", "-k", "1")
    assert result.exit_code == 0, result.stderr
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["red.png"]
    both = indexed("copy", tmp_path / "out", "1", "--query", "red")
    assert both.exit_code == 2 and "give one" in both.stderr


def test_hits_of_a_query_that_are_not_relevant_are_taken_only_with_all(
    indexed: Run, searched: list[Path], tmp_path: Path
) -> None:
    asked = ("--query", "月亮")
    refused = indexed("copy", tmp_path / "out", *asked)
    assert refused.exit_code == 1 and "nothing relevant found" in refused.stderr
    assert not (tmp_path / "out").exists()
    assert "3 linked" in indexed("link", tmp_path / "out", *asked, "--all").stderr
    unused = indexed("copy", tmp_path / "out", "--all")
    assert unused.exit_code == 2 and "give --query" in unused.stderr


def test_nothing_taken_is_exit_code_1(
    indexed: Run, searched: list[Path], photos: Path, tmp_path: Path
) -> None:
    (photos / "red.png").unlink()
    assert indexed("copy", tmp_path / "some").exit_code == 0
    for path in searched:
        path.unlink(missing_ok=True)
    none = indexed("copy", tmp_path / "none")
    assert none.exit_code == 1 and "3 left out" in none.stderr
