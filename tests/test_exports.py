"""An encoder that ONNX Runtime runs is the one that torch runs: same vectors, same identity.

A small model with random weights is exported once a run. Each test has a cache of its own, with a
copy of that export.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from commands import Run
from conftest import CACHE, ColourEncoder
from imgsearch import encoders
from imgsearch.encoders import exports
from imgsearch.encoders.exports import cache, making
from imgsearch.encoders.exports.exported import Exported
from imgsearch.errors import QueryError, UsageError
from imgsearch.indexing import index
from imgsearch.library import Preparing, open_library
from imgsearch.prompts import expand, templates
from imgsearch.upkeep import doctor
from small_encoders import (
    CHINESE,
    MODEL,
    TEXTS,
    furthest,
    pictures,
    write_chinese_file,
    write_folder,
)

pytest_plugins = ["commands"]

ALL_TEXTS = [*TEXTS, *CHINESE, "word " * 40, "a"]


@pytest.fixture(scope="session")
def shared() -> Path:
    """A small open_clip model and the cache with its export, made once for all workers of a run."""
    folder = Path(os.environ[CACHE]) / "test_exports"
    try:
        folder.mkdir()
    except FileExistsError:  # another worker is at it
        for _ in range(600):
            if (folder / "done").exists():
                return folder
            time.sleep(0.1)
        raise
    write_folder(folder / "english")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE, str(folder / "cache"))
        encoders.export(encoders.load(str(folder / "english"), device="cpu"))
    (folder / "done").touch()
    return folder


@pytest.fixture
def english(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """That model, and a copy of that cache for one test."""
    shutil.copytree(shared / "cache", tmp_path / "cache")
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    return shared / "english"


def both(path: Path) -> tuple[Any, Any]:
    name = str(path)
    torch = encoders.load(name, device="cpu", runtime="torch")
    return encoders.load(name, device="cpu"), torch


def check_equal(exported: Any, torch: Any) -> None:
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


def test_an_export_gives_the_vectors_of_torch_under_the_same_identity(english: Path) -> None:
    check_equal(*both(english))


def test_prompts_that_share_their_beginnings_have_the_vectors_of_torch(english: Path) -> None:
    exported, torch = both(english)
    prompts = expand("dog", templates("ensemble", "dog", "en"))
    texts = [*prompts, "dog dog dog dog", *prompts[:3], "word " * 75, "dog <end_of_text> cat"]
    vectors = exported.embed_texts(texts)
    assert exported.export.manifest.text_ending == "highest"
    assert furthest(vectors, torch.embed_texts(texts)) < 1e-6
    for place in (0, 83, 85):
        assert furthest(vectors[place], exported.embed_texts(texts[place : place + 1])) < 1e-6


@pytest.mark.slow
def test_a_tower_that_answers_at_its_end_token_is_read_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    more = {"tokenizer_kwargs": {"additional_special_tokens": ["<more>"]}, "vocab_size": 49409}
    text = {**MODEL["text_cfg"], **more, "pool_type": "eos", "eos_id": 49407, "layers": 1}
    folder = write_folder(tmp_path / "x", model_cfg={**MODEL, "text_cfg": text})
    torch: Any = encoders.load(str(folder), device="cpu")
    exported: Any = encoders.export(torch)
    assert exported.export.manifest.text_ending == 49407
    texts = [*TEXTS, "a <more> cat", "a <end_of_text> cat <more>"]
    assert furthest(exported.embed_texts(texts), torch.embed_texts(texts)) < 1e-6


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


def test_a_text_and_a_picture_are_embedded_without_torch(english: Path) -> None:
    code = (
        "import sys; from PIL import Image; from imgsearch import encoders;"
        f"encoder = encoders.load({str(english)!r}, device='cpu');"
        "encoder.embed_texts(['a dog']); assert '_image_tower' not in vars(encoder);"
        "encoder.embed_images([Image.new('RGB', (90, 60), 'red')]); print(*sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    heavy = {"torch", "torchvision", "open_clip", "cn_clip", "transformers", "timm", "onnx"}
    assert not heavy & set(result.stdout.split())


def test_an_export_is_not_used_once_its_files_change(english: Path) -> None:
    config = english / "open_clip_config.json"
    before, times = config.read_bytes(), (config.stat().st_atime_ns, config.stat().st_mtime_ns)
    try:
        config.write_text(json.dumps(json.loads(before), indent=4), "utf-8")
        assert not isinstance(encoders.load(str(english), device="cpu"), Exported)
    finally:
        config.write_bytes(before)
        os.utime(config, ns=times)
    assert isinstance(encoders.load(str(english), device="cpu"), Exported)


def test_encoders_of_one_name_in_two_folders_are_told_apart(english: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    for library in ("one", "other"):
        shutil.copytree(english, models / library / "mine")
    first: Any = encoders.load("mine", device="cpu", models=models / "one")
    encoders.export(first)
    assert isinstance(encoders.load("mine", device="cpu", models=models / "one"), Exported)
    second = encoders.load("mine", device="cpu", models=models / "other")
    assert not isinstance(second, Exported)
    assert len(list(cache.folder().glob("*/manifest.json"))) == 1  # equal weights, one export


@pytest.mark.parametrize("damage", ["cut", "gone", "no manifest", "another format"])
def test_a_damaged_export_is_as_good_as_none(english: Path, damage: str) -> None:
    exported: Any = encoders.load(str(english), device="cpu")
    folder = exported.export.folder
    manifest = folder / "manifest.json"
    if damage == "cut":
        (folder / "text.onnx.weights").write_bytes(b"")
    elif damage == "gone":
        (folder / "image.onnx").unlink()
    elif damage == "no manifest":
        manifest.unlink()
    else:
        found = json.loads(manifest.read_text("utf-8"))
        manifest.write_text(json.dumps({**found, "format": found["format"] - 1}), "utf-8")
    assert exports.find(exported.identity) is None
    assert not isinstance(encoders.load(str(english), device="cpu"), Exported)


def test_other_bytes_of_the_same_size_are_found_by_their_hash(english: Path) -> None:
    exported: Any = encoders.load(str(english), device="cpu")
    weights = exported.export.folder / "text.onnx.weights"
    weights.write_bytes(bytes(weights.stat().st_size))
    assert exports.find(exported.identity) is not None
    assert [str(weights) in each for each in cache.damages(exported.identity)] == [True]


def test_int8_has_an_identity_and_a_name_of_its_own_and_nearly_the_same_vectors(
    english: Path,
) -> None:
    name = str(english)
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


def test_int8_is_refused_where_it_cannot_run(english: Path) -> None:
    with pytest.raises(UsageError, match="only runs on a CPU"):
        encoders.load(f"{english}@int8", device="cuda")
    with pytest.raises(UsageError, match=f"or trains: name {english}$"):
        encoders.load(f"{english}@int8", runtime="torch")


def test_what_is_no_encoder_of_torch_is_not_exported(colour_encoder: ColourEncoder) -> None:
    with pytest.raises(UsageError, match="toy/colour is a ColourEncoder"):
        encoders.export(colour_encoder)


def test_a_failed_export_is_remembered_until_a_package_changes(english: Path) -> None:
    encoder: Any = encoders.load(str(english), device="cpu", runtime="torch")
    shutil.rmtree(cache.folder() / encoder.identity)
    cache.keep_failure(encoder.identity, making.versions(), "torch cannot export it: why")
    with pytest.raises(UsageError, match="torch cannot export it: why"):
        encoders.export(encoder)
    assert making.is_known(encoder.identity)
    cache.keep_failure(encoder.identity, {**making.versions(), "torch": "1"}, "long ago")
    assert not making.is_known(encoder.identity)


@pytest.mark.slow
def test_a_tower_that_computes_something_else_is_not_believed(english: Path) -> None:
    encoder: Any = encoders.load(str(english), device="cpu", runtime="torch")
    shutil.rmtree(cache.folder() / encoder.identity)
    encoder.embed_texts = lambda texts: -type(encoder).embed_texts(encoder, texts)
    with pytest.raises(UsageError, match=r"text.onnx differs from torch by .* in unit rows"):
        making.make(encoder)
    assert not list(cache.folder().glob("*.tmp"))


@pytest.mark.slow
def test_of_two_processes_that_export_at_once_both_find_one_export(
    shared: Path, tmp_path: Path
) -> None:
    code = (
        "from imgsearch import encoders;"
        f"torch = encoders.load({str(shared / 'english')!r}, device='cpu', runtime='torch');"
        "print(encoders.export(torch).export.folder)"
    )
    environment = {**os.environ, CACHE: str(tmp_path)}
    started = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment)
        for _ in range(2)
    ]
    printed = [process.communicate()[0] for process in started]
    assert [process.returncode for process in started] == [0, 0]
    assert len(set(printed)) == 1
    made = Path(printed[0].decode().strip())
    assert [path for path in made.parent.iterdir() if path.is_dir()] == [made]  # none half made


def test_a_library_prepares_an_encoder_once_and_finds_it_by_its_identity(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    weights = write_chinese_file(tmp_path / "mine.pt")
    torch = encoders.load(str(weights), device="cpu", runtime="torch")
    told: list[Preparing] = []
    with open_library(tmp_path / "library") as library:
        library.preparing = told.append
        list(index(library, photos, encoder=str(weights), device="cpu"))
        row = library.catalog.encoders()[0]
    assert [bool(each.seconds) for each in told] == [False, True]
    assert "to run faster on this machine (once)" in str(told[0])
    weights.unlink()
    with open_library(tmp_path / "library") as library:
        found: Any = library.load_encoder(row, "cpu")
    assert found.export.manifest.text_ending is None  # its texts are padded
    check_equal(found, torch)


def test_a_damaged_export_of_a_library_is_told_and_repaired_by_removing_it(
    english: Path, photos: Path, tmp_path: Path
) -> None:
    with open_library(tmp_path / "library") as library:
        list(index(library, photos, encoder=str(english), device="cpu"))
        folder = cache.folder() / library.catalog.encoders()[0].identity
        weights = folder / "image.onnx.weights"
        weights.write_bytes(bytes(weights.stat().st_size))
        (found,) = doctor(library, repair=False)
        assert str(weights) in found.what and "imgsearch" in found.remedy
        assert folder.exists() and not found.is_repaired
        (found,) = doctor(library)
        assert found.is_repaired and not folder.exists()
        assert list(doctor(library)) == []


def test_precision_is_asked_for_where_photos_are_embedded(
    run: Run, english: Path, photos: Path
) -> None:
    int8 = ("--precision", "int8", "--device", "cpu")
    name = f"open_clip/{english.name}"
    assert run("index", photos, "--encoder", english, *int8).exit_code == 0
    assert json.loads(run("status", "--json").stdout)["encoders"][0]["name"] == f"{name}@int8"
    told = run("index", photos, "--precision", "int16")
    assert told.exit_code == 2 and "it is float32 or int8" in told.stderr
