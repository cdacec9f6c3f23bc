"""`imgsearch export` and `imgsearch import`: files, words and exit codes."""

import json
from pathlib import Path

import numpy as np
import pytest

from commands import Run, hits
from conftest import draw

pytest_plugins = ["commands"]


def top(run: Run, *more: object) -> list[tuple[str, float]]:
    return [(hit["path"], hit["score"]) for hit in hits(run("search", "red", "--json", *more))]


@pytest.mark.parametrize("name", ["out", "photos.npz", "features.jsonl"])
def test_a_library_is_written_out_and_read_back(
    indexed: Run, encoder: Path, tmp_path: Path, photos: Path, name: str
) -> None:
    if name == "out":
        pytest.importorskip("pyarrow", reason="needs pyarrow: pip install 'imgsearch[parquet]'")
    result = indexed("export", name, "--float32", "--json")
    assert result.exit_code == 0, result.stderr
    exported = json.loads(result.stdout)
    assert (exported["count"], exported["dim"], exported["encoder"]) == (3, 16, "toy/tiny")

    other = ("--library", tmp_path / "other")
    result = indexed("import", name, "--photos", photos, *other)
    assert result.exit_code == 2
    assert f"--encoder {str(encoder)!r}" in " ".join(result.stderr.split())
    result = indexed("import", name, "--photos", photos, "--encoder", encoder, *other)
    assert result.exit_code == 0, result.stderr
    assert "3 rows of toy/tiny: 3 embeddings added, 3 photos new" in result.stdout
    assert top(indexed, *other) == top(indexed)


def test_only_the_photos_asked_for_are_written(indexed: Run, photos: Path) -> None:
    draw(photos / "wide/wide.png", "navy", (200, 20))
    assert indexed("index", "--quiet").exit_code == 0
    assert indexed("export", "wide.npz", "--path", photos / "wide").exit_code == 0
    assert indexed("export", "landscape.npz", "--width", "100-").exit_code == 0
    for name in ("wide.npz", "landscape.npz"):
        assert [Path(path).name for path in np.load(name)["paths"]] == ["wide.png"]


def test_what_is_there_is_replaced_only_when_told(indexed: Run) -> None:
    assert indexed("export", "a.npz").exit_code == 0
    result = indexed("export", "a.npz")
    assert result.exit_code == 2
    assert "--force" in result.stderr
    assert indexed("export", "a.npz", "--force").exit_code == 0


def test_rows_without_a_photo_are_named_and_nothing_taken_is_code_1(
    indexed: Run, encoder: Path, tmp_path: Path
) -> None:
    assert indexed("export", "a.npz").exit_code == 0
    other = ("--encoder", encoder, "--library", tmp_path / "other")
    result = indexed("import", "a.npz", *other)
    assert result.exit_code == 1
    assert "3 left out: it lies in no folder of the library" in result.stdout
    assert "red.png" in result.stdout

    result = indexed("import", "a.npz", *other, "--json")
    assert json.loads(result.stdout)["left_out"][0]["count"] == 3


def test_a_format_or_a_file_that_is_none_is_refused_before_a_library_is_made(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("hello")
    result = run("import", "a.txt")
    assert (result.exit_code, (tmp_path / "library").exists()) == (2, False)
    assert "no embeddings in a known format" in result.stderr
    result = run("import", "a.txt", "--format", "csv")
    assert "there are clip-retrieval, npz, jsonl" in result.stderr
