"""`imgsearch doctor`, `rebuild` and `switch` as they are typed: what they say, how they end."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from conftest import ColourEncoder
from imgsearch.cli import app
from imgsearch.indexing import index
from imgsearch.library import open_library


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
    said = imgsearch(folder, "rebuild", "--encoder", "toy/other", "--index-kind", "hnsw")
    assert said == "toy/other: 3 photos, hnsw index 0003\n"
    assert "no kind of index is called" in imgsearch(folder, "rebuild", "--index-kind", "x", code=2)


def test_switch_changes_who_answers(folder: Path) -> None:
    said = imgsearch(folder, "switch", "toy/other")
    assert said == "toy/other answers en and zh now: 3 photos\n"
    assert "toy/other" in imgsearch(folder, "status")
    assert "it has toy/colour, toy/other" in imgsearch(folder, "switch", "nobody", code=3)


def test_upkeep_is_refused_beside_a_writer(folder: Path) -> None:
    with open_library(folder) as other, other.lock():
        for words in (("doctor",), ("rebuild",), ("switch", "toy/other")):
            assert "is being written to" in imgsearch(folder, *words, code=4)
