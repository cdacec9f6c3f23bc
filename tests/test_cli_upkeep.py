"""`imgsearch doctor`, `rebuild`, `switch`, `rollback` and `prune` as they are typed: what they say,
how they end.
"""

import io
import json
import re
import shutil
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from conftest import ColourEncoder, draw
from imgsearch.catalog import GenerationRow
from imgsearch.cli import app
from imgsearch.display.rebuilding import rebuilt_page
from imgsearch.encoders import load
from imgsearch.indexing import Rebuilt, index
from imgsearch.library import open_library

pytest_plugins = ["commands"]


@pytest.fixture
def folder(tmp_path: Path, photos: Path) -> Path:
    """A library of three photos, seen by two encoders."""
    with open_library(tmp_path / "library") as library:
        list(index(library, photos, encoder=[ColourEncoder(), ColourEncoder("toy/other")]))
    return tmp_path / "library"


def imgsearch(folder: Path, *words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, [*words, "--library", str(folder)])
    assert result.exit_code == code, result.output
    return result.output


def test_a_photo_gone_since_is_worth_a_note_and_no_fault(folder: Path, photos: Path) -> None:
    (photos / "red.png").unlink()
    said = imgsearch(folder, "doctor")
    assert "note: 1 files of" in said and "--accept-missing" in said and "nothing wrong" in said
    assert json.loads(imgsearch(folder, "doctor", "--json"))["is_fault"] is False


def test_a_fault_that_stays_ends_with_exit_code_4(folder: Path) -> None:
    (folder / "generations" / "0001" / "index.faiss").unlink()
    assert "fault: " in imgsearch(folder, "doctor", "--no-repair", code=4)
    assert "repaired: " in imgsearch(folder, "doctor")


def test_rebuild_makes_the_kind_of_index_asked_for(folder: Path) -> None:
    assert imgsearch(folder, "rebuild") == "toy/colour: 3 photos, flat index 0003\n"
    said = imgsearch(folder, "rebuild", "--index-kind", "hnsw")
    assert said == "toy/colour: 3 photos, hnsw index 0004\n"
    plain = json.loads(imgsearch(folder, "rebuild", "--json"))
    assert (plain["encoder"], plain["generation"]["kind"]) == ("toy/colour", "hnsw")
    assert "no kind of index is called" in imgsearch(folder, "rebuild", "--index-kind", "x", code=2)


def test_rebuild_is_quiet_when_asked_and_is_the_last_run(folder: Path) -> None:
    assert imgsearch(folder, "rebuild", "--quiet") == ""
    last = json.loads(imgsearch(folder, "status", "--json"))["last_run"]
    assert (last["verb"], last["ended"], last["outcome"]["indexes"]) == ("rebuild", "done", 1)


def test_rebuild_compares_on_the_captions_it_is_given(
    tmp_path: Path, photos: Path, encoder: Path
) -> None:
    path = tmp_path / "library"
    imgsearch(path, "index", str(photos), "--encoder", "builtin", "--quiet")
    (photos / "captions.txt").write_text(
        "image,caption\nred.png,a red photo\nblue.png,a blue photo\n", "utf-8"
    )
    words = ("rebuild", "--encoder", str(encoder), "--no-switch")
    assert "not compared: no photo has a caption beside it; --pairs" in imgsearch(path, *words)
    said = imgsearch(path, *words, "--pairs", str(photos / "captions.txt"))
    assert "en, 2 photos, 2 texts" in said and "not compared" not in said
    for colour in ("red", "blue"):
        draw(tmp_path / "classes" / colour / "1.png", colour)
    refused = imgsearch(path, *words, "--pairs", str(tmp_path / "classes"), code=2)
    assert "holds photos with classes" in refused
    assert "--encoder NAME" in imgsearch(path, "rebuild", "--pairs", str(photos), code=2)


def test_the_pace_of_a_rebuild_is_that_of_embedding() -> None:
    generation = GenerationRow(1, 1, "0001", "flat", 90, 90)
    rebuilt = Rebuilt("toy", generation, embedded=90, embedding_seconds=3.0, seconds=60.0)
    console = Console(width=200, file=io.StringIO())
    with console.capture() as shown:
        console.print(rebuilt_page(rebuilt, ""))
    assert shown.get().startswith("90 embedded in 3.0 s, 30.0 photos/s; 60.0 s in all\n")


def test_rebuild_with_an_encoder_lets_it_answer_and_says_how_to_return(folder: Path) -> None:
    said = imgsearch(folder, "rebuild", "--encoder", "toy/other").splitlines()
    assert re.fullmatch(r"0 embedded; [\d.]+ s in all", said[0])
    assert said[1:4] == [
        "toy/other: 3 photos, flat index 0003",
        "not compared: no photo has a caption beside it; --pairs PATH names captions that lie "
        "elsewhere",
        "toy/other answers en and zh now, where toy/colour did",
    ]
    assert said[4] == f"take it back: imgsearch rollback --library {folder}"
    assert imgsearch(folder, "rollback").splitlines() == [
        "toy/colour answers en, where toy/other did",
        "toy/colour answers zh, where toy/other did",
    ]
    assert "has no switch to take back" in imgsearch(folder, "rollback", code=2)


def test_a_model_of_the_library_takes_over_and_moves_with_it(
    tmp_path: Path, photos: Path, encoder: Path
) -> None:
    """As after `finetune`: the model is a folder in models/, with captions beside the photos."""
    path = tmp_path / "library"
    for colour in ("red", "green", "blue"):
        (photos / f"{colour}.txt").write_text(f"a {colour} photo", "utf-8")
    imgsearch(path, "index", str(photos), "--encoder", "builtin", "--quiet")
    shutil.copytree(encoder, path / "models" / "flowers-v2")
    said = imgsearch(path, "rebuild", "--encoder", "models/flowers-v2/")
    assert "3 embedded in " in said and "skipped" not in said
    before, after = (line.split() for line in said.splitlines() if "%" in line)
    assert before[:6] == ["en,", "3", "photos,", "3", "texts", "builtin/2"]
    assert after[0] == "flowers-v2"
    assert before[7:9] == after[2:4] == ["100.0%", "100.0%"]  # of three photos, five are all
    (tmp_path / "elsewhere").mkdir()
    path = path.rename(tmp_path / "elsewhere" / "library")
    hit = json.loads(
        imgsearch(path, "search", "red", "-k", "1", "--prompt", "raw", "--all", "--json")
    )
    embedded = load(str(path / "models" / "flowers-v2")).embed_texts(["red"])[0]
    with open_library(path) as library:
        row = library.catalog.active_encoders()["en"]
        assert row is not None and row.source == "flowers-v2"
        ids, vectors = library.catalog.embeddings(row.id)
    assert hit["photo_id"] == ids[(vectors @ embedded).argmax()]


def test_rebuild_that_does_not_switch_says_what_does(folder: Path) -> None:
    said = imgsearch(folder, "rebuild", "--encoder", "toy/other", "--no-switch")
    assert f"let it answer: imgsearch switch --library {folder} toy/other\n" in said
    said = imgsearch(folder, "rebuild", "--encoder", "toy/other", "--add")
    assert "every language it knows is answered already; let it answer: " in said
    plain = json.loads(imgsearch(folder, "rebuild", "--encoder", "toy/other", "--json"))
    assert [each["language"] for each in plain["switched"]] == ["en", "zh"]
    assert plain["switched"][0]["previous"] == "toy/colour" and plain["missing"] == []
    assert "not both" in imgsearch(
        folder, "rebuild", "--encoder", "toy/other", "--add", "--no-switch", code=2
    )
    assert "--encoder NAME" in imgsearch(folder, "rebuild", "--add", code=2)


def test_prune_says_what_it_frees_and_asks_first(folder: Path) -> None:
    imgsearch(folder, "switch", "toy/other")
    imgsearch(folder, "switch", "toy/colour")
    listed = imgsearch(folder, "prune", "--dry-run")
    assert "to drop" in listed and "toy/other" in listed and "toy/colour" not in listed
    result = CliRunner().invoke(app, ["prune", "--library", str(folder)], input="n\n")
    assert result.exit_code == 0 and "nothing was dropped" in result.output
    result = CliRunner().invoke(app, ["prune", "--library", str(folder)], input="")
    assert result.exit_code == 2 and "--yes" in result.output
    assert "toy/other" in imgsearch(folder, "status")
    result = CliRunner().invoke(app, ["prune", "--library", str(folder)], input="y\n")
    assert result.exit_code == 0 and result.output.endswith(" freed\n")
    assert "toy/other" not in imgsearch(folder, "status")
    assert imgsearch(folder, "prune", "--yes").startswith("nothing to drop")
    assert json.loads(imgsearch(folder, "prune", "--dry-run", "--json"))["encoders"] == []


def test_prune_leaves_an_encoder_that_waits_and_says_how_to_drop_it(folder: Path) -> None:
    said = imgsearch(folder, "prune", "--yes")
    assert said.startswith(
        "nothing to drop: every other encoder answers a language\ntoy/other stays"
    )
    assert "waits for `imgsearch switch`; --encoder toy/other drops it as well" in said
    assert json.loads(imgsearch(folder, "prune", "--json"))["waiting"][0]["encoder"] == "toy/other"
    said = imgsearch(folder, "prune", "--yes", "--encoder", "toy/other")
    assert "toy/other, which never answered" in said and "toy/other stays" not in said
    assert "toy/other" not in imgsearch(folder, "status")


def test_switch_changes_who_answers(folder: Path, photos: Path) -> None:
    said = imgsearch(folder, "switch", "toy/other")
    assert said == "toy/other answers en and zh now: 3 photos\n"
    assert "toy/other" in imgsearch(folder, "status")
    draw(photos / "new.png", "white")
    with open_library(folder) as library:
        list(index(library, photos, encoder=ColourEncoder("toy/other")))
    said = imgsearch(folder, "rollback")
    assert "toy/colour has not embedded 1 of the photos" in said and "imgsearch index" in said
    assert "it has toy/colour, toy/other" in imgsearch(folder, "switch", "nobody", code=3)


def test_upkeep_is_refused_beside_a_writer(folder: Path) -> None:
    with open_library(folder) as other, other.lock():
        for words in (
            ("doctor",),
            ("rebuild",),
            ("switch", "toy/other"),
            ("rollback",),
            ("prune",),
        ):
            assert "is being written to" in imgsearch(folder, *words, code=4)
