"""An export that is damaged: found before it is believed, told, and made anew on its own."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from commands import Run
from imgsearch import encoders
from imgsearch.encoders import exports
from imgsearch.encoders.exports import cache
from imgsearch.encoders.exports.cache import Export
from imgsearch.encoders.exports.exported import Exported
from imgsearch.errors import UsageError
from imgsearch.indexing import index
from imgsearch.library import open_library
from imgsearch.upkeep import doctor
from small_encoders import pictures

pytest_plugins = ["commands", "small_exports"]

FILES = ("text.onnx", "text.onnx.weights", "image.onnx", "image.onnx.weights", "merges.txt.gz")


def flip(file: Path) -> None:
    """Other bytes in the midst of a file, which is as long as it was."""
    content = bytearray(file.read_bytes())
    for place in range(len(content) // 2, len(content) // 2 + 32):
        content[place] ^= 0xFF
    file.write_bytes(bytes(content))


def flip_unseen(file: Path) -> None:
    """As a disk that goes bad: nobody has written the file since."""
    times = os.stat(file).st_atime_ns, os.stat(file).st_mtime_ns
    file.write_bytes(bytes(file.stat().st_size))
    os.utime(file, ns=times)


def export_of(name: Path | str) -> Export:
    found: Any = encoders.load(str(name), device="cpu")
    assert isinstance(found, Exported)
    return found.export


def cut(folder: Path) -> None:
    (folder / "text.onnx.weights").write_bytes(b"")


def lose(folder: Path) -> None:
    (folder / "image.onnx").unlink()


def lose_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def outdate(folder: Path) -> None:
    manifest = folder / "manifest.json"
    found = json.loads(manifest.read_text("utf-8"))
    manifest.write_text(json.dumps({**found, "format": found["format"] - 1}), "utf-8")


@pytest.mark.parametrize("damage", [cut, lose, lose_manifest, outdate])
def test_a_damaged_export_is_as_good_as_none(
    exported: Path, damage: Callable[[Path], None]
) -> None:
    export = export_of(exported)
    damage(export.folder)
    assert exports.find(export.manifest.identity) is None
    assert not isinstance(encoders.load(str(exported), device="cpu"), Exported)


@pytest.mark.parametrize("name", FILES)
def test_other_bytes_of_the_same_size_are_found_before_they_are_believed(
    exported: Path, name: str
) -> None:
    export = export_of(exported)
    flip(export.folder / name)
    assert exports.find(export.manifest.identity) is None
    (told,) = exports.damages(export.manifest.identity)
    assert told == f"{export.folder / name} has other bytes than when it was made"


def test_a_copy_that_keeps_no_times_is_looked_through_once(exported: Path) -> None:
    export = export_of(exported)
    weights = export.folder / "text.onnx.weights"
    os.utime(weights)
    assert exports.find(export.manifest.identity) is not None
    flip_unseen(weights)  # what a second look would find
    assert exports.find(export.manifest.identity) is not None


@pytest.mark.parametrize("name", FILES)
def test_damage_that_only_shows_in_use_is_told_and_the_next_start_finds_no_export(
    exported: Path, name: str
) -> None:
    export = export_of(exported)
    flip_unseen(export.folder / name)
    found = encoders.load(str(exported), device="cpu")
    with pytest.raises(UsageError, match=rf"export of toy/tiny was damaged .*{name} has other"):
        found.embed_images(pictures(2)) if "image" in name else found.embed_texts(["a dog"])
    assert not isinstance(encoders.load(str(exported), device="cpu"), Exported)


def test_an_error_that_is_none_of_the_exports_stays_what_it_is(exported: Path) -> None:
    found: Any = encoders.load(str(exported), device="cpu")
    with pytest.raises(AttributeError, match="'str' object"):
        found.embed_images(["no picture"])
    assert found.export.folder.exists()


@pytest.mark.parametrize("precision", [pytest.param("", marks=pytest.mark.slow), "@int8"])
def test_a_search_makes_a_damaged_export_anew_and_says_why(
    run: Run, exported: Path, photos: Path, precision: str
) -> None:
    cpu = ("--device", "cpu")
    name = f"{exported}{precision}"
    assert run("index", photos, "--encoder", name, *cpu).exit_code == 0
    folder = export_of(name).folder
    before = encoders.load(name, device="cpu").embed_images(pictures(2))
    flip(folder / "image.onnx")  # of which int8 has its own
    result = run("search", "green", "--prompt", "raw", "--all", *cpu)
    assert result.exit_code == 0, result.output
    assert f"preparing toy/tiny{precision} anew, since its export is damaged: " in result.stderr
    assert "image.onnx has other bytes than when it was made" in result.stderr
    assert list(cache.damages(folder.name)) == []
    after = encoders.load(name, device="cpu").embed_images(pictures(2))
    assert np.array_equal(after, before)


def test_a_damaged_export_of_a_library_is_told_and_repaired_by_removing_it(
    exported: Path, photos: Path, tmp_path: Path
) -> None:
    with open_library(tmp_path / "library") as library:
        list(index(library, photos, encoder=str(exported), device="cpu"))
        folder = cache.folder() / library.catalog.encoders()[0].identity
        weights = folder / "image.onnx.weights"
        weights.write_bytes(bytes(weights.stat().st_size))
        (found,) = doctor(library, repair=False)
        assert str(weights) in found.what and "imgsearch" in found.remedy
        assert folder.exists() and not found.is_repaired
        (found,) = doctor(library)
        assert found.is_repaired and not folder.exists()
        assert list(doctor(library)) == []


def test_a_damaged_export_that_cannot_be_removed_says_where_it_is(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = export_of(exported)
    flip_unseen(export.folder / "text.onnx.weights")
    found = encoders.load(str(exported), device="cpu")
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)  # as in a folder of another user
    with pytest.raises(UsageError, match=rf"and {export.folder} cannot be removed from here"):
        found.embed_texts(["a dog"])
