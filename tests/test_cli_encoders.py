"""`imgsearch encoders` and `eval` as they are typed: the tables and their JSON."""

import json
from pathlib import Path

from commands import Run
from conftest import draw

pytest_plugins = ["commands"]


def test_encoders_lists_what_there_is_and_what_this_library_has(indexed: Run) -> None:
    rows = [json.loads(line) for line in indexed("encoders", "--json").stdout.splitlines()]
    by_name = {row["name"]: row for row in rows}
    assert by_name["toy/tiny"] == {
        "name": "toy/tiny",
        "languages": ["en", "zh"],
        "dim": 16,
        "size_bytes": None,
        "is_cached": None,
        "photos": 3,
        "answers": ["en", "zh"],
    }
    assert by_name["cn_clip/ViT-B-16"]["photos"] is None
    assert by_name["cn_clip/ViT-B-16"]["languages"] == ["zh"]
    table = indexed("encoders").stdout
    assert table.splitlines()[0].split() == [
        *("encoder", "languages", "dim", "download", "photos", "answers"),
    ]
    assert table.splitlines()[1].endswith("en, zh")
    assert table.splitlines()[1].split()[4:6] == ["is", "here"]
    assert "cn_clip/ViT-B-16" in table


def test_encoders_needs_no_library(run: Run) -> None:
    assert "open_clip/ViT-B-32/laion2b_s34b_b79k" in run("encoders").stdout


def test_eval_measures_an_encoder_on_class_folders(run: Run, tmp_path: Path, encoder: Path) -> None:
    for colour in ("red", "blue"):
        for number in range(2):
            draw(tmp_path / "classes" / colour / f"{number}.png", colour)
    result = run("eval", tmp_path / "classes", "--encoder", encoder, "--prompt", "raw", "--json")
    assert result.exit_code == 0, result.stderr
    (row,) = (json.loads(line) for line in result.stdout.splitlines())
    assert (row["task"], row["language"], row["prompt"]) == ("zero-shot", "en", "raw")
    assert (row["photos"], row["metrics"]["top_5"]) == (4, 1.0)
    assert "top-5" in run("eval", tmp_path / "classes", "--encoder", encoder).stdout
    assert run("eval", "nowhere", "--encoder", encoder).exit_code == 2
