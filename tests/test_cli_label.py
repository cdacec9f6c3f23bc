"""`imgsearch label`, `cluster` and `map` through a real folder: exit codes, tables, JSON, files."""

import csv
import json
from pathlib import Path

from PIL import Image

from commands import Run

pytest_plugins = "commands"


def test_a_list_of_labels_is_given_and_told(indexed: Run, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("# colours\nred = a red thing\n绿色\n", "utf-8")
    result = indexed("label", "labels.txt", "blue", "--min-confidence", "0", "--json")
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert [each["label"] for each in told["labels"]] == ["red", "绿色", "blue"]
    assert sum(each["given"] for each in told["labels"]) == told["looked_at"] == 3
    table = indexed("label", "labels.txt", "blue", "--min-confidence", "0")
    assert "labelled so before; --relabel" in table.stdout and table.stderr == ""
    again = indexed("label", "labels.txt", "blue", "--min-confidence", "0", "--relabel")
    assert "3 of 3 photos got a label, 0 none of these" in again.stdout
    assert indexed("label", "red", "--relabel", "--quiet").stdout == ""


def test_a_dry_run_keeps_nothing(indexed: Run) -> None:
    result = indexed("label", "red", "--dry-run", "--min-confidence", "0")
    assert result.exit_code == 0 and "3 of 3 photos" in result.stdout
    listed = indexed("label", "--list")
    assert listed.stdout == "" and "no labels yet" in listed.stderr


def test_a_persons_labels_are_given_shown_listed_exported_and_taken_back(
    indexed: Run, photos: Path, tmp_path: Path
) -> None:
    red = json.loads(indexed("show", photos / "red.png", "--json").stdout)["photo_id"]
    result = indexed("label", "--add", "my [b]best[/b]", photos / "red.png", f"id:{red}")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "" and "1 of 1 photos got the label" in result.stderr
    assert "my [b]best[/b]" in indexed("show", photos / "red.png").stdout
    (label,) = json.loads(indexed("show", f"id:{red}", "--json").stdout)["labels"]
    assert (label["label"], label["source"], label["confidence"]) == (
        "my [b]best[/b]",
        "user",
        None,
    )
    assert "my [b]best[/b]" in indexed("label", "--list").stdout
    (row,) = map(json.loads, indexed("label", "--list", "--json").stdout.splitlines())
    assert row == {"label": "my [b]best[/b]", "photos": 1, "by_people": 1, "by_encoders": 0}
    assert indexed("label", "--export", "labels.csv").exit_code == 0
    rows = list(csv.DictReader((tmp_path / "labels.csv").read_text("utf-8").splitlines()))
    assert [(each["path"], each["source"]) for each in rows] == [(str(photos / "red.png"), "user")]
    assert indexed("label", "--remove", "my [b]best[/b]", f"id:{red}").exit_code == 0
    assert indexed("label", "--drop", "my [b]best[/b]").exit_code == 0
    assert "no labels yet" in indexed("label", "--list").stderr


def test_what_cannot_be_is_said_with_what_to_type(indexed: Run) -> None:
    for arguments, said in (
        ((), "imgsearch label cat dog"),
        (("nowhere.txt",), "cannot be read"),
        (("--add", "cat"), "names no photo"),
        (("--add", "cat", "id:99"), "no photo 99"),
        (("--drop", "cat"), "has no label 'cat'"),
        (("--list", "--drop", "cat"), "one at a time"),
        (("cat", "cat"), "twice"),
    ):
        result = indexed("label", *arguments)
        assert result.exit_code == 2 and said in result.stderr, (arguments, result.stderr)


def test_groups_are_a_table_json_and_a_sheet(indexed: Run, tmp_path: Path) -> None:
    result = indexed("cluster", "-k", "2", "--contact-sheet", tmp_path / "groups.png")
    assert result.exit_code == 0, result.stderr
    assert len(result.stdout.splitlines()) == 3 and ".png" in result.stdout
    with Image.open(tmp_path / "groups.png") as drawn:
        assert drawn.format == "PNG"
    rows = [json.loads(line) for line in indexed("cluster", "--json").stdout.splitlines()]
    assert sorted(i for row in rows for i in row["photo_ids"]) == [1, 2, 3]
    result = indexed("cluster", "-k", "4")
    assert result.exit_code == 2 and "make from 1 to 3 groups" in result.stderr
    result = indexed("cluster", "--contact-sheet", tmp_path / "nowhere" / "groups.png")
    assert result.exit_code == 2 and "cannot be written" in result.stderr


def test_a_map_is_a_picture_or_a_page_and_says_what_it_left_out(
    indexed: Run, tmp_path: Path
) -> None:
    result = indexed("map", tmp_path / "map.png")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "" and "map of 3 photos" in result.stderr
    with Image.open(tmp_path / "map.png") as drawn:
        assert drawn.width == drawn.height > 100
    result = indexed("map", tmp_path / "map.html", "--most", "2")
    assert "2 of 3 photos are on the map" in result.stderr and "kB" in result.stderr
    assert (tmp_path / "map.html").read_text("utf-8").endswith("</html>\n")
    for target in ("map.nothing", "map.jpg", "map", "nowhere/map.png", "nowhere/map.html"):
        result = indexed("map", tmp_path / target)
        assert result.exit_code == 2 and "cannot be written" in result.stderr
