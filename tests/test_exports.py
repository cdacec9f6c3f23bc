"""An encoder that ONNX Runtime runs is the one that torch runs: same vectors, same identity."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conftest import CACHE, ColourEncoder
from imgsearch import encoders
from imgsearch.encoders import families
from imgsearch.encoders.exports import cache, making
from imgsearch.encoders.exports.exported import Exported
from imgsearch.errors import NoEncoderError, UsageError
from imgsearch.indexing import index
from imgsearch.library import Preparing, open_library
from imgsearch.prompts import expand, templates
from small_encoders import (
    MODEL,
    TEXTS,
    furthest,
    hugging_face_folder,
    pictures,
    write_chinese_file,
    write_folder,
)
from small_exports import check_equal

pytest_plugins = ["commands", "small_exports"]


def both(path: Path) -> tuple[Any, Any]:
    name = str(path)
    torch = encoders.load(name, device="cpu", runtime="torch")
    return encoders.load(name, device="cpu"), torch


def test_an_export_gives_the_vectors_of_torch_under_the_same_identity(exported: Path) -> None:
    check_equal(*both(exported))


def test_prompts_that_share_their_beginnings_have_the_vectors_of_torch(exported: Path) -> None:
    onnx, torch = both(exported)
    prompts = expand("dog", templates("ensemble", "dog", "en"))
    texts = [*prompts, "dog dog dog dog", *prompts[:3], "word " * 75, "dog <end_of_text> cat"]
    vectors = onnx.embed_texts(texts)
    assert onnx.export.manifest.text_ending == "highest"
    assert furthest(vectors, torch.embed_texts(texts)) < 1e-6
    for place in (0, 83, 85):
        assert furthest(vectors[place], onnx.embed_texts(texts[place : place + 1])) < 1e-6


@pytest.mark.slow
def test_a_tower_that_answers_at_its_end_token_is_read_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    more = {"tokenizer_kwargs": {"additional_special_tokens": ["<more>"]}, "vocab_size": 49409}
    text = {**MODEL["text_cfg"], **more, "pool_type": "eos", "eos_id": 49407, "layers": 1}
    folder = write_folder(tmp_path / "x", model_cfg={**MODEL, "text_cfg": text})
    torch: Any = encoders.load(str(folder), device="cpu")
    onnx: Any = encoders.export(torch)
    assert onnx.export.manifest.text_ending == 49407
    texts = [*TEXTS, "a <more> cat", "a <end_of_text> cat <more>"]
    assert furthest(onnx.embed_texts(texts), torch.embed_texts(texts)) < 1e-6


@pytest.mark.slow
def test_a_tower_that_sees_its_padding_is_exported_at_its_whole_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    text = {**MODEL["text_cfg"], "no_causal_mask": True, "layers": 1}
    folder = write_folder(tmp_path / "x", model_cfg={**MODEL, "text_cfg": text})
    torch: Any = encoders.load(str(folder), device="cpu")
    onnx = encoders.export(torch)
    assert not torch.ignores_padding
    assert furthest(onnx.embed_texts(TEXTS), torch.embed_texts(TEXTS)) < 1e-6


@pytest.mark.slow
def test_a_text_tower_of_transformers_is_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """XLM-RoBERTa, as `open_clip/xlm-roberta-base-ViT-B-32` has it, but small."""
    transformers = pytest.importorskip("transformers")
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    repo = tmp_path / "hub" / "models--some--xlm-roberta"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text("abc", "utf-8")
    files = hugging_face_folder(repo / "snapshots" / "abc")
    size = {"hidden_size": 64, "intermediate_size": 128, "max_position_embeddings": 90}
    layers = {"num_hidden_layers": 2, "num_attention_heads": 2}
    transformers.XLMRobertaConfig(
        vocab_size=12, pad_token_id=0, bos_token_id=2, eos_token_id=3, **size, **layers
    ).save_pretrained(files)
    text = {"hf_pooler_type": "mean_pooler", "hf_tokenizer_name": "some/xlm-roberta"}
    built = {**MODEL, "text_cfg": {**text, "hf_model_name": str(files), "context_length": 20}}
    folder = write_folder(tmp_path / "x", model_cfg=built)
    named = {**built, "text_cfg": {**built["text_cfg"], "hf_model_name": "some/xlm-roberta"}}
    config = {"model_cfg": named, "preprocess_cfg": {"size": 64}}
    (folder / "open_clip_config.json").write_text(json.dumps(config), "utf-8")
    torch: Any = encoders.load(str(folder), device="cpu", runtime="torch")
    onnx: Any = encoders.export(torch)
    assert torch.languages == ("en", "zh") and torch.ignores_padding
    assert onnx.export.manifest.text_ending is None  # its texts are padded, and see both ways
    texts = ["a dog", "金 金\n. café", "", "dogs cats a dog . a dogs . cat", "a", "cat " * 15]
    assert furthest(onnx.embed_texts(texts), torch.embed_texts(texts)) < 1e-6
    assert furthest(onnx.embed_texts(texts[:1]), torch.embed_texts(texts[:1])) < 1e-6
    assert furthest(onnx.embed_images(pictures(3)), torch.embed_images(pictures(3))) < 1e-6


def test_a_text_and_a_picture_are_embedded_without_torch(exported: Path) -> None:
    code = (
        "import sys; from PIL import Image; from imgsearch import encoders;"
        f"encoder = encoders.load({str(exported)!r}, device='cpu');"
        "encoder.embed_texts(['a dog']); assert '_image_tower' not in vars(encoder);"
        "encoder.embed_images([Image.new('RGB', (90, 60), 'red')]); print(*sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    heavy = {"torch", "torchvision", "open_clip", "cn_clip", "transformers", "timm", "onnx"}
    assert not heavy & set(result.stdout.split())


def test_an_export_is_not_used_once_its_files_change(exported: Path) -> None:
    config = exported / "open_clip_config.json"
    before, times = config.read_bytes(), (config.stat().st_atime_ns, config.stat().st_mtime_ns)
    try:
        config.write_text(json.dumps(json.loads(before), indent=4), "utf-8")
        assert not isinstance(encoders.load(str(exported), device="cpu"), Exported)
    finally:
        config.write_bytes(before)
        os.utime(config, ns=times)
    assert isinstance(encoders.load(str(exported), device="cpu"), Exported)


def test_encoders_of_one_name_in_two_folders_are_told_apart(exported: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    for library in ("one", "other"):
        shutil.copytree(exported, models / library / "mine")
    first: Any = encoders.load("mine", device="cpu", models=models / "one")
    encoders.export(first)
    assert isinstance(encoders.load("mine", device="cpu", models=models / "one"), Exported)
    second = encoders.load("mine", device="cpu", models=models / "other")
    assert not isinstance(second, Exported)
    assert len(list(cache.folder().glob("*/manifest.json"))) == 1  # equal weights, one export


def test_a_bundled_encoder_that_is_none_is_not_taken_for_the_newest_once_that_is_exported(
    exported: Path,
) -> None:
    version, folder = max(families.builtin_versions().items())
    found: Any = encoders.load(str(exported), device="cpu")
    origins = found.export.folder / "origins"
    before = set(origins.iterdir())
    newest = cache.Origin.of("newest", f"builtin/{version}", [folder / families.CONFIG])
    cache.keep_origin(found.export, newest)  # stands in for the export of a large one
    try:
        assert encoders.load("builtin", device="cpu").name == "newest"
        for name in ("builtin/0", "builtin/x", "builtin/²"):
            with pytest.raises(NoEncoderError, match="missing from this installation"):
                encoders.load(name, device="cpu")
    finally:
        for file in set(origins.iterdir()) - before:
            file.unlink()


def test_what_is_no_encoder_of_torch_is_not_exported(colour_encoder: ColourEncoder) -> None:
    with pytest.raises(UsageError, match="toy/colour is a ColourEncoder"):
        encoders.export(colour_encoder)


@pytest.mark.slow
def test_a_tower_that_computes_something_else_is_not_believed(exported: Path) -> None:
    encoder: Any = encoders.load(str(exported), device="cpu", runtime="torch")
    shutil.rmtree(cache.folder() / encoder.identity)
    encoder.embed_texts = lambda texts: -type(encoder).embed_texts(encoder, texts)
    with pytest.raises(UsageError, match=r"text.onnx differs from torch by .* in unit rows"):
        making.make(encoder)
    assert making.is_known(encoder.identity)  # it would differ again
    assert not list(cache.folder().glob("*.tmp"))


@pytest.mark.slow
def test_of_two_processes_that_export_at_once_both_find_one_export(
    encoder: Path, tmp_path: Path
) -> None:
    code = (
        "from imgsearch import encoders;"
        f"torch = encoders.load({str(encoder)!r}, device='cpu', runtime='torch');"
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
