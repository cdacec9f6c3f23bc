"""The encoders of a library: found again without torch, and computing where they are asked to."""

import ctypes
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from conftest import CACHE
from imgsearch import encoders
from imgsearch.catalog import EncoderRow
from imgsearch.encoders import exports
from imgsearch.encoders.exports import Origin, cache
from imgsearch.encoders.exports.exported import Exported
from imgsearch.errors import NoEncoderError
from imgsearch.indexing import index, prune
from imgsearch.library import open_library
from imgsearch.queries import query_of
from imgsearch.searching.question import Question
from imgsearch.upkeep import status
from imgsearch.weights import device
from test_devices import Driver

pytest_plugins = ["commands"]
NEWEST = 99 * 1000  # of CUDA: whatever torch was built for


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that counts a GPU, which torch then does not find."""
    load = ctypes.CDLL

    def load_driver(name: str, *rest: Any, **named: Any) -> Any:
        return Driver(NEWEST, 1) if "cuda" in str(name) else load(name, *rest, **named)

    monkeypatch.setattr(ctypes, "CDLL", load_driver)
    if not device.has_gpu():
        pytest.skip("torch was built for no GPU here")


@pytest.mark.skipif(sys.platform != "linux", reason="the driver has another name elsewhere")
def test_a_search_computes_on_the_cpu_though_there_is_a_gpu(
    photos: Path, tmp_path: Path, gpu: None
) -> None:
    encoders.export(encoders.load("builtin", device="cpu"))
    with open_library(tmp_path / "library") as library:
        list(index(library, photos, encoder="builtin", device="cpu"))
    with open_library(tmp_path / "library") as library:
        question = Question(library, query_of("a red picture"), None, None)
        assert isinstance(question.encoder(), Exported)
        assert not isinstance(library.load_encoder(question.row), Exported)


def test_auto_finds_what_was_loaded_for_the_cpu_where_there_is_no_gpu(
    tmp_path: Path, encoder: Path
) -> None:
    with open_library(tmp_path / "library") as library:
        loaded = library.load_encoder(str(encoder), "cpu")
        row = EncoderRow(1, loaded.identity, "tiny", loaded.dim, ("en",), str(encoder))
        assert (library.load_encoder(row) is loaded) == device.is_cpu("auto")
        assert library.load_encoder(row, "cpu") is loaded


def test_the_copy_of_a_bundled_encoder_is_found_exported(photos: Path, tmp_path: Path) -> None:
    encoders.export(encoders.load("builtin", device="cpu"))
    for folder in ("one", "other"):
        with open_library(tmp_path / folder) as library:
            list(index(library, photos, encoder="builtin", device="cpu"))
        with open_library(tmp_path / folder) as library:
            assert list(library.models_folder.iterdir())
            assert isinstance(library.load_encoder("builtin", "cpu"), Exported)


def test_an_export_goes_with_the_weights_it_was_made_of_where_they_lay_in_models_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: Any = encoders.export(encoders.load("builtin", device="cpu"))
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    there = cache.folder() / made.identity
    shutil.copytree(made.export.folder, there, ignore=shutil.ignore_patterns(cache.ORIGINS))
    export = cache.Export(there, made.export.manifest)
    with open_library(tmp_path / "library") as library:
        mine, other = library.models_folder / "mine.pt", tmp_path / "other.pt"
        mine.parent.mkdir()
        for file in (mine, other):
            file.write_bytes(b"weights")
            cache.keep_origin(export, Origin.of("mine", "mine.pt", [file]))
        assert status(library).exports.size_bytes >= made.export.manifest.files["image.onnx"][0]
        prune(library, dry_run=False, models=["mine.pt"])
        assert cache.find(made.identity) is not None  # it was loaded from elsewhere as well
        shutil.rmtree(there / cache.ORIGINS)
        mine.write_bytes(b"weights")
        cache.keep_origin(export, Origin.of("mine", "mine.pt", [mine]))
        prune(library, dry_run=False, models=["mine.pt"])
        assert cache.find(made.identity) is None
        assert cache.size_bytes() == 0


def test_torch_has_of_an_encoder_in_int8_the_one_it_was_made_of(
    tmp_path: Path, encoder: Path
) -> None:
    whole = encoders.load(str(encoder), device="cpu", runtime="torch")
    identity, source = exports.int8_identity(whole.identity), f"{encoder}@int8"
    row = EncoderRow(1, identity, "toy/tiny@int8", whole.dim, ("en",), source)
    other = EncoderRow(2, "of other weights", "toy/other@int8", whole.dim, ("en",), source)
    with open_library(tmp_path / "library") as library:
        found = library.load_encoder(row, "cpu", runtime="torch")
        assert (found.identity, found.name) == (whole.identity, whole.name)
        assert library.load_encoder(row, "cpu", runtime="torch") is found
        with pytest.raises(NoEncoderError, match="has other weights now"):
            library.load_encoder(other, "cpu", runtime="torch")
