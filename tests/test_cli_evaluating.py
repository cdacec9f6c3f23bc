"""`imgsearch eval` and `score` as typed: encoders side by side, prediction files, reports."""

import json
import shutil
from pathlib import Path

import pytest

from commands import Run
from conftest import draw

pytest_plugins = ["commands"]


@pytest.fixture
def captioned(tmp_path: Path) -> Path:
    """Twelve photos with a sentence each in both languages."""
    folder = tmp_path / "captioned"
    for number in range(12):
        draw(folder / f"{number:02}.png", (20 * number, 255 - 20 * number, 90))
        sentences = {"en": [f"photo {number}"], "zh": [f"照片 {number}"]}
        (folder / f"{number:02}.json").write_text(json.dumps(sentences), "utf-8")
    return folder


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


def test_eval_sets_encoders_side_by_side_even_those_that_share_a_name(
    run: Run, captioned: Path, encoder: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(encoder, copy)
    asked = ["eval", captioned, "--encoder", encoder, "--encoder", copy, "--language", "zh"]
    result = run(*asked)
    assert result.exit_code == 0, result.stderr
    lines = [line.split() for line in result.stdout.splitlines()]
    assert [line[0] for line in lines] == [
        *("retrieval,", "text", "toy/tiny", str(copy), "image", "toy/tiny", str(copy)),
    ]
    assert lines[2][1:] == lines[3][1:], "the same weights"
    rows = [json.loads(line) for line in run(*asked, "--json").stdout.splitlines()]
    assert [row["encoder"] for row in rows] == ["toy/tiny", str(copy)]
    assert rows[0]["metrics"] == rows[1]["metrics"]


def test_what_was_measured_is_shown_before_an_error_of_the_next_encoder(
    run: Run, captioned: Path, encoder: Path
) -> None:
    result = run("eval", captioned, "--encoder", encoder, "--encoder", "nobodys")
    assert result.exit_code == 3
    assert "toy/tiny" in result.stdout
    assert "no encoder and no file is called 'nobodys'" in result.stderr


def test_eval_knows_the_encoders_of_the_library(
    indexed: Run, captioned: Path, encoder: Path, tmp_path: Path
) -> None:
    models = tmp_path / "library" / "models"
    shutil.copytree(encoder, models / "flowers-v2")
    result = indexed("eval", captioned, "--encoder", "flowers-v2", "--json")
    assert result.exit_code == 0, result.stderr
    assert {json.loads(line)["language"] for line in result.stdout.splitlines()} == {"en", "zh"}
    elsewhere = tmp_path / "elsewhere"
    refused = indexed("eval", captioned, "--encoder", "flowers-v2", "--library", elsewhere)
    assert refused.exit_code == 3
    assert str(elsewhere) in refused.stderr


def test_eval_writes_predictions_that_score_what_it_measured(
    run: Run, captioned: Path, encoder: Path, tmp_path: Path
) -> None:
    asked = ["eval", captioned, "--encoder", encoder, "--prompt", "raw", "--json"]
    result = run(*asked, "--predictions", "out")
    assert result.exit_code == 0, result.stderr
    metrics = {
        row["language"]: row["metrics"] for row in map(json.loads, result.stdout.splitlines())
    }
    for language in ("en", "zh"):
        for direction, part in (("text_to_image", ""), ("image_to_text", "tr_")):
            found = f"out/{language}_raw_{part}predictions.jsonl"
            scored = run("score", f"out/{language}_texts.jsonl", found, "report.json", "--json")
            assert scored.exit_code == 0, scored.stderr
            report = json.loads(scored.stdout)
            assert json.loads(Path("report.json").read_text("utf-8")) == report
            for k in (1, 5, 10):
                measured = metrics[language][f"{direction}_recall@{k}"]
                assert report["scoreJson"][f"r{k}"] == measured * 100
    copy = tmp_path / "second"
    shutil.copytree(encoder, copy)
    assert run(*asked, "--encoder", copy, "--predictions", "both").exit_code == 0
    assert {each.name for each in Path("both").iterdir()} == {
        "toy-tiny",
        str(copy).strip("/").replace("/", "-"),
    }


def test_predictions_are_refused_before_any_work_where_they_cannot_be(
    run: Run, photos: Path, encoder: Path, tmp_path: Path
) -> None:
    for photo in photos.iterdir():
        photo.with_suffix(".txt").write_text("a photo", "utf-8")
    small = run("eval", photos, "--encoder", encoder, "--predictions", "out")
    assert small.exit_code == 2
    assert "there are 3 photos in 'en', and predictions are 10 a query" in small.stderr
    draw(tmp_path / "classes" / "red" / "1.png", "red")
    classes = run("eval", tmp_path / "classes", "--encoder", encoder, "--predictions", "out")
    assert classes.exit_code == 2
    assert "these have classes: leave --predictions out" in classes.stderr
    assert not Path("out").exists()


def test_score_writes_the_failing_report_and_says_why(run: Run, tmp_path: Path) -> None:
    truth, predictions = tmp_path / "truth.jsonl", tmp_path / "predictions.jsonl"
    truth.write_text(json.dumps({"text_id": 1, "image_ids": [3]}), "utf-8")
    predictions.write_text(json.dumps({"text_id": 1, "image_ids": [3]}), "utf-8")
    result = run("score", truth, predictions, "report.json")
    assert result.exit_code == 2
    assert "has 1 image_ids for text_id 1, not 10" in result.stderr
    report = json.loads(Path("report.json").read_text("utf-8"))
    assert (report["success"], report["scoreJson"]) == (False, {})
    assert "not 10" in report["errorMsg"]
    predictions.write_text(json.dumps({"text_id": 1, "image_ids": [*range(10)]}), "utf-8")
    shown = run("score", truth, predictions)
    assert shown.exit_code == 0
    assert shown.stdout.splitlines()[1].split()[-4:] == ["0.00%", "100.00%", "100.00%", "66.67%"]
