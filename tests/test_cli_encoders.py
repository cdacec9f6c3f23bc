"""`imgsearch encoders` as it is typed: the table and its JSON."""

import json

from commands import Run

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
