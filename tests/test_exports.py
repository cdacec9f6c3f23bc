"""An encoder that ONNX Runtime runs is the one that torch runs: same vectors, same identity.

Small models of both families with random weights are exported once for the file. Each test that
counts what is in the cache has a cache of its own.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import CACHE, ColourEncoder
from imgsearch import encoders
from imgsearch.encoders import exports
from imgsearch.encoders.exports import cache, making
from imgsearch.encoders.exports.exported import Exported
from imgsearch.errors import QueryError, UsageError
from imgsearch.library import Preparing, open_library
from small_encoders import (
    CHINESE,
    MODEL,
    TEXTS,
    furthest,
    pictures,
    write_chinese_file,
    write_folder,
)

ALL_TEXTS = [*TEXTS, *CHINESE, "word " * 40, "a"]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the exports of a small model of each family, and their weights beside it."""
    folder = tmp_path_factory.mktemp("exports")
    write_folder(folder / "english")
    write_chinese_file(folder / "chinese.pt")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE, str(folder / "cache"))
        for name in ("english", "chinese.pt"):
            encoders.export(encoders.load(str(folder / name), device="cpu"))
    return folder


@pytest.fixture
def own(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it for one test."""
    shutil.copytree(shared / "cache", tmp_path / "cache")
    for name in ("english", "chinese.pt"):  # the same files at the same path
        assert (shared / name).exists()
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    return shared


def both(path: Path) -> tuple[Any, Any]:
    name = str(path)
    torch = encoders.load(name, device="cpu", runtime="torch")
    return encoders.load(name, device="cpu"), torch


@pytest.mark.parametrize("name", ["english", "chinese.pt"])
def test_an_export_gives_the_vectors_of_torch_under_the_same_identity(own: Path, name: str) -> None:
    exported, torch = both(own / name)
    assert isinstance(exported, Exported) and not isinstance(torch, Exported)
    for attribute in ("identity", "name", "source", "dim", "languages", "image_size", "context"):
        assert getattr(exported, attribute) == getattr(torch, attribute)
    for count in (1, 2, 11):
        images = pictures(count)
        assert furthest(exported.embed_images(images), torch.embed_images(images)) < 1e-6
    assert exported.embed_images([]).shape == exported.embed_texts([]).shape == (0, 64)
    assert furthest(exported.embed_texts(ALL_TEXTS), torch.embed_texts(ALL_TEXTS)) < 1e-6
    assert exported.shorten("狗 " * 90) == torch.shorten("狗 " * 90)
    with pytest.raises(QueryError, match="this encoder reads at most"):
        exported.embed_texts(["狗 " * 90])


@pytest.mark.slow
def test_a_tower_that_sees_its_padding_is_exported_at_its_whole_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    text = {**MODEL["text_cfg"], "no_causal_mask": True, "layers": 1}
    folder = write_folder(tmp_path / "x", model_cfg={**MODEL, "text_cfg": text})
    torch: Any = encoders.load(str(folder), device="cpu")
    exported = encoders.export(torch)
    assert not torch.ignores_padding
    assert furthest(exported.embed_texts(TEXTS), torch.embed_texts(TEXTS)) < 1e-6


def test_a_text_and_a_picture_are_embedded_without_torch(own: Path) -> None:
    code = (
        "import sys; from PIL import Image; from imgsearch import encoders;"
        f"encoder = encoders.load({str(own / 'english')!r}, device='cpu');"
        "encoder.embed_texts(['a dog']); assert '_image_tower' not in vars(encoder);"
        "encoder.embed_images([Image.new('RGB', (90, 60), 'red')]); print(*sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    heavy = {"torch", "torchvision", "open_clip", "cn_clip", "transformers", "timm", "onnx"}
    assert not heavy & set(result.stdout.split())


def test_an_export_is_not_used_once_its_files_change(own: Path) -> None:
    config = own / "english" / "open_clip_config.json"
    before, times = config.read_bytes(), (config.stat().st_atime_ns, config.stat().st_mtime_ns)
    try:
        config.write_text(json.dumps(json.loads(before), indent=4), "utf-8")
        assert not isinstance(encoders.load(str(own / "english"), device="cpu"), Exported)
    finally:
        config.write_bytes(before)
        os.utime(config, ns=times)
    assert isinstance(encoders.load(str(own / "english"), device="cpu"), Exported)


def test_encoders_of_one_name_in_two_folders_are_told_apart(own: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    for library in ("one", "other"):
        shutil.copytree(own / "english", models / library / "mine")
    first: Any = encoders.load("mine", device="cpu", models=models / "one")
    encoders.export(first)
    assert isinstance(encoders.load("mine", device="cpu", models=models / "one"), Exported)
    second = encoders.load("mine", device="cpu", models=models / "other")
    assert not isinstance(second, Exported)
    assert len(list(cache.folder().glob("*/manifest.json"))) == 2  # equal weights, one export


@pytest.mark.parametrize("damage", ["cut", "gone", "no manifest", "another format"])
def test_a_damaged_export_is_as_good_as_none(own: Path, damage: str) -> None:
    name = str(own / "chinese.pt")
    exported: Any = encoders.load(name, device="cpu")
    folder = exported.export.folder
    manifest = folder / "manifest.json"
    if damage == "cut":
        (folder / "text.onnx.weights").write_bytes(b"")
    elif damage == "gone":
        (folder / "image.onnx").unlink()
    elif damage == "no manifest":
        manifest.unlink()
    else:
        manifest.write_text(manifest.read_text("utf-8").replace('"format": 1', '"format": 99'))
    assert exports.find(exported.identity) is None
    assert not isinstance(encoders.load(name, device="cpu"), Exported)


def test_other_bytes_of_the_same_size_are_found_by_their_hash(own: Path) -> None:
    exported: Any = encoders.load(str(own / "english"), device="cpu")
    weights = exported.export.folder / "text.onnx.weights"
    weights.write_bytes(bytes(weights.stat().st_size))
    assert exports.find(exported.identity) is not None
    assert [str(weights) in each for each in cache.damages(exported.identity)] == [True]


def test_int8_has_an_identity_and_a_name_of_its_own_and_nearly_the_same_vectors(own: Path) -> None:
    name = str(own / "english")
    full, small = (encoders.load(each, device="cpu") for each in (name, name + "@int8"))
    assert small.identity == exports.int8_identity(full.identity) != full.identity
    assert small.name == full.name + "@int8"
    images = pictures(5)
    rows = small.embed_images(images)
    cosines = (rows * full.embed_images(images)).sum(1)
    assert 0.99 < cosines.min() < 0.99999
    assert np.array_equal(rows[3:4], small.embed_images(images[3:4]))  # whatever is beside it
    assert np.array_equal(small.embed_texts(TEXTS), full.embed_texts(TEXTS))
    again: Any = encoders.load(name + "@int8", device="cpu")
    assert again.identity == small.identity and again.source == name + "@int8"


def test_int8_is_refused_for_a_tower_that_convolves() -> None:
    with pytest.raises(UsageError, match=r"only 3% .* matrix products.* without @int8"):
        encoders.load("builtin@int8", device="cpu")


def test_int8_is_refused_where_it_cannot_run(own: Path) -> None:
    with pytest.raises(UsageError, match="only runs on a CPU"):
        encoders.load(f"{own / 'english'}@int8", device="cuda")
    with pytest.raises(UsageError, match="only runs on a CPU"):
        encoders.load(f"{own / 'english'}@int8", runtime="torch")


def test_what_is_no_encoder_of_torch_is_not_exported(colour_encoder: ColourEncoder) -> None:
    with pytest.raises(UsageError, match="toy/colour is a ColourEncoder"):
        encoders.export(colour_encoder)


def test_a_failed_export_is_remembered_until_a_package_changes(own: Path) -> None:
    path = own / "chinese.pt"
    encoder: Any = encoders.load(str(path), device="cpu", runtime="torch")
    shutil.rmtree(cache.folder() / encoder.identity)
    cache.keep_failure(encoder.identity, making.versions(), "torch cannot export it: why")
    with pytest.raises(UsageError, match="torch cannot export it: why"):
        encoders.export(encoder)
    assert making.is_known(encoder.identity)
    cache.keep_failure(encoder.identity, {**making.versions(), "torch": "1"}, "long ago")
    assert not making.is_known(encoder.identity)


@pytest.mark.slow
def test_a_tower_that_computes_something_else_is_not_believed(own: Path) -> None:
    encoder: Any = encoders.load(str(own / "chinese.pt"), device="cpu", runtime="torch")
    shutil.rmtree(cache.folder() / encoder.identity)
    encoder.embed_texts = lambda texts: -type(encoder).embed_texts(encoder, texts)
    with pytest.raises(UsageError, match=r"text.onnx differs from torch by .* in unit rows"):
        making.make(encoder)
    assert not list(cache.folder().glob("*.tmp"))


def test_a_library_prepares_an_encoder_once_and_finds_it_by_its_identity(
    own: Path, photos: Path, tmp_path: Path
) -> None:
    from imgsearch.indexing import index

    told: list[Preparing] = []
    weights = tmp_path / "mine.pt"
    shutil.copyfile(own / "chinese.pt", weights)
    for folder in cache.folder().iterdir():  # damaged, so they are made anew
        (folder / "image.onnx.weights").unlink()
    with open_library(tmp_path / "library") as library:
        library.preparing = told.append
        list(index(library, photos, encoder=str(weights), device="cpu"))
        row = library.catalog.encoders()[0]
    assert [bool(each.seconds) for each in told] == [False, True]
    assert "to run faster on this machine (once)" in str(told[0])
    weights.unlink()
    with open_library(tmp_path / "library") as library:
        found = library.load_encoder(row, "cpu")
        assert isinstance(found, Exported)
        assert (found.name, found.source) == (row.name, str(weights))
