"""What `--encoder` may say: names, folders, files, models of a library; and what makes an
identity."""

import hashlib
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import imgsearch.encoders as encoders
from imgsearch.encoders import checkpoints, towers
from imgsearch.encoders import cn_clip as chinese
from imgsearch.encoders import open_clip as adapter
from imgsearch.encoders.pixels import Preprocessing
from imgsearch.errors import NoEncoderError, UsageError
from imgsearch.weights import device
from imgsearch.weights.filling import file_hash
from small_encoders import MODEL, TEXTS, furthest, write_chinese_file, write_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("encoders") / "small")


@pytest.fixture(scope="module")
def encoder(folder: Path) -> adapter.OpenClip:
    found = encoders.load(str(folder), device="cpu")
    assert isinstance(found, adapter.OpenClip)
    return found


@pytest.fixture(scope="module")
def chinese_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_chinese_file(tmp_path_factory.mktemp("encoders") / "finetuned.pt")


@pytest.fixture(scope="module")
def chinese_encoder(chinese_file: Path) -> chinese.ChineseClip:
    found = encoders.load(str(chinese_file), device="cpu")
    assert isinstance(found, chinese.ChineseClip)
    return found


@pytest.fixture(params=["encoder", "chinese_encoder"])
def either(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


def test_half_precision_on_disk_becomes_float32_in_memory(folder: Path, tmp_path: Path) -> None:
    path = write_folder(tmp_path / "half")
    state = load_file(path / "open_clip_model.safetensors")
    save_file(
        {key: value.half() for key, value in state.items()}, path / "open_clip_model.safetensors"
    )
    half: Any = encoders.load(str(path), device="cpu")
    assert {parameter.dtype for parameter in half.model.parameters()} == {torch.float32}
    full = encoders.load(str(folder), device="cpu")
    assert 0 < furthest(half.embed_texts(TEXTS), full.embed_texts(TEXTS)) < 0.01


def test_equal_weights_and_preprocessing_are_one_identity_and_a_change_is_another(
    encoder: adapter.OpenClip, tmp_path: Path
) -> None:
    again = encoders.load(str(write_folder(tmp_path / "again")), device="cpu")
    assert again.identity == encoder.identity
    assert (len(encoder.identity), again.name) == (64, "open_clip/again")
    explicit = {**MODEL, "text_cfg": {**MODEL["text_cfg"], "mlp_ratio": 4.0}, "quick_gelu": False}
    spelt_out = encoders.load(str(write_folder(tmp_path / "a", model_cfg=explicit)), device="cpu")
    assert spelt_out.identity == encoder.identity
    changes: list[dict[str, Any]] = [
        {"preprocess_cfg": {"size": 64, "resize_mode": "squash"}},
        {"preprocess_cfg": {"size": 64, "mean": [0.5, 0.5, 0.5]}},
        {"model_cfg": {**MODEL, "quick_gelu": True}},
        {"imgsearch": {"space_han": True}},
        {"model_cfg": {**MODEL, "embed_dim": 32}},
    ]
    found = [
        encoders.load(str(write_folder(tmp_path / f"b{i}", **change)), device="cpu").identity
        for i, change in enumerate(changes)
    ]
    assert len({encoder.identity, *found}) == 6


def test_identity_is_the_file_hash_even_where_a_hub_cache_already_names_it(tmp_path: Path) -> None:
    content = b"weights"
    digest = hashlib.sha256(content).hexdigest()
    plain = tmp_path / "plain.bin"
    plain.write_bytes(content)
    blob = tmp_path / "blobs" / digest
    blob.parent.mkdir()
    blob.write_bytes(content)
    assert file_hash(plain) == file_hash(blob) == digest


def test_precision_and_checkpoint_change_the_identity_of_a_chinese_encoder(
    chinese_encoder: chinese.ChineseClip, chinese_file: Path, tmp_path: Path
) -> None:
    rounded = chinese.ChineseClip(
        checkpoints.read(chinese_file), name="x", source="x", device="cpu", precision="ref_cpu"
    )
    assert rounded.identity != chinese_encoder.identity
    assert chinese_encoder.name == "cn_clip/custom/finetuned"
    copy = tmp_path / "renamed.bin"
    copy.write_bytes(chinese_file.read_bytes())
    assert encoders.load(str(copy), device="cpu").identity == chinese_encoder.identity


def test_what_an_encoder_says_of_itself_loads_it_again(
    either: Any, folder: Path, chinese_file: Path
) -> None:
    assert either.source in (str(folder.resolve()), str(chinese_file.resolve()))
    assert encoders.load(either.source, device="cpu").identity == either.identity


def test_a_name_in_the_models_folder_comes_before_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = tmp_path / "library" / "models"
    write_folder(models / "mine")
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path / "mine", preprocess_cfg={"size": 64, "resize_mode": "squash"})
    found: Any = encoders.load("mine", device="cpu", models=models)
    beside: Any = encoders.load("mine", device="cpu")
    assert (found.name, found.source) == ("mine", "mine")
    assert found.identity != beside.identity
    path = str(tmp_path / "mine")
    for spelt in (path, "./mine", "../" + tmp_path.name + "/mine"):  # a path is no name in models
        same: Any = encoders.load(spelt, device="cpu", models=models)
        assert (same.name, same.source) == ("open_clip/mine", path)
        assert same.identity == beside.identity
    for outside in ("..", ".", "../models/mine"):
        with pytest.raises((NoEncoderError, UsageError)):
            encoders.load(outside, device="cpu", models=models)


@pytest.mark.parametrize(
    "name", ["~nobody-of-that-name/w.pt", "x" * 5000, "a\0b", "open_clip/ViT-B-32/" + "x" * 5000]
)
def test_a_name_that_can_be_no_path_is_no_encoder(name: str, tmp_path: Path) -> None:
    with pytest.raises(NoEncoderError):
        encoders.load(name, device="cpu", models=tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' names are text")
def test_a_path_that_is_no_text_is_refused_since_no_library_could_keep_it(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / os.fsdecode(b"caf\xe9"))
    with pytest.raises(UsageError, match="not valid text: rename it"):
        encoders.load(str(folder), device="cpu")


def test_a_bare_openai_state_dict_finds_its_own_architecture(folder: Path, tmp_path: Path) -> None:
    state = load_file(folder / "open_clip_model.safetensors")
    scalars = {"input_resolution": 64, "context_length": 77, "vocab_size": 49408}
    path = tmp_path / "clip.pt"
    torch.save({**state, **{key: torch.tensor(value) for key, value in scalars.items()}}, path)
    openai: Any = encoders.load(str(path), device="cpu")
    assert openai.settings.model["quick_gelu"] is True
    assert openai.name == "open_clip/custom/clip"
    assert openai.dim == 64
    torch.save(state, path)
    with pytest.warns(UserWarning, match="GELU is assumed"):
        plain: Any = encoders.load(str(path), device="cpu")
    assert furthest(plain.embed_texts(TEXTS), openai.embed_texts(TEXTS)) > 1e-4
    same: Any = encoders.load(str(folder), device="cpu")
    assert furthest(plain.embed_texts(TEXTS), same.embed_texts(TEXTS)) < 1e-6


def test_openai_weights_get_quick_gelu_under_either_name(tmp_path: Path) -> None:
    path = tmp_path / "open_clip_model.safetensors"
    config = open_clip.get_model_config("ViT-S-32-alt")
    torch.manual_seed(4)
    save_file(adapter.build(config).state_dict(), path)
    found: Any = encoders.load(f"open_clip/ViT-S-32-alt/{path}", device="cpu")
    assert found.name == "open_clip/ViT-S-32-alt/open_clip_model"
    assert found.source == f"open_clip/ViT-S-32-alt/{path.resolve()}"
    with pytest.raises(UsageError, match="does not fit its architecture"):
        encoders.load(f"open_clip/ViT-B-32/openai/{path}", device="cpu")
    for name in open_clip.list_openai_models():
        assert open_clip.get_pretrained_cfg(name, "openai")["quick_gelu"] is True


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("cn_clip/VIT-B-16", NoEncoderError, "ViT-B-16, ViT-L-14, ViT-L-14-336, ViT-H-14, RN50"),
        ("open_clip/ViT-B-33/openai", NoEncoderError, "did you mean ViT-B-32"),
        ("open_clip/ViT-B-32/laion2b", NoEncoderError, "did you mean laion2b_e16"),
        ("open_clip/ViT-B-32", NoEncoderError, "names no weights"),
        ("cn_clip/ViT-B16", NoEncoderError, "has no architecture"),
        ("cn_clip/RN50/FILE", UsageError, "holds a custom model, not RN50"),
        ("cn_clip/RN50/nowhere.pt", UsageError, "does not exist"),
        ("cn-clip/ViT-B-16", NoEncoderError, "did you mean cn_clip/ViT-B-16"),
        ("", NoEncoderError, "no encoder and no file is called ''"),
        ("builtin/0", NoEncoderError, "missing from this installation"),
        ("builtin/x", NoEncoderError, "missing from this installation"),
        ("builtin/²", NoEncoderError, "missing from this installation"),
    ],
)
def test_a_wrong_name_says_what_there_is(
    name: str, error: type[Exception], message: str, chinese_file: Path
) -> None:
    with pytest.raises(error, match=message):
        encoders.load(name.replace("FILE", str(chinese_file)), device="cpu")


# Devices and memory


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gpu", "no device is called 'gpu'"),
        ("cuda:x", "no device"),
        ("cuda:99", "torch sees"),
        ("cuda:200", "torch sees"),
        ("cuda:" + "9" * 20, "no device"),
    ],
)
def test_a_device_that_is_not_there_is_a_usage_error(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        device.choose(name)
    assert device.choose("auto").type in ("cpu", "cuda", "mps")
    assert device.choose("cpu") == torch.device("cpu")


@pytest.mark.parametrize("mode", ["shortest", "longest", "squash"])
def test_a_tower_sees_pictures_sent_as_bytes_as_it_sees_pixels_to_the_bit(mode: str) -> None:
    rng = np.random.default_rng(0)
    sizes = [(40, 30), (30, 40), (64, 64), (7, 90), (32, 32)]
    images = [Image.fromarray(rng.integers(0, 256, (h, w, 3), np.uint8)) for w, h in sizes]
    preprocessing = Preprocessing((32, 32), resize_mode=mode)
    seen: list[torch.Tensor] = []

    def tower(pixels: torch.Tensor) -> torch.Tensor:
        seen.append(pixels)
        return pixels.flatten(1)

    rows = towers.embed_images(images, preprocessing, tower, torch.device("cpu"), 2)
    assert [len(each) for each in seen] == [2, 2, 1]
    expected = preprocessing.pixels(images)
    assert np.array_equal(torch.cat(seen).numpy(), expected)
    flat = expected.reshape(5, -1)
    assert np.allclose(rows, flat / np.linalg.norm(flat, axis=1, keepdims=True), atol=1e-6)


def test_a_batch_too_large_for_the_device_is_halved_until_it_fits() -> None:
    sizes: list[int] = []

    def tower(batch: torch.Tensor) -> torch.Tensor:
        sizes.append(len(batch))
        if len(batch) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return batch

    inputs = [float(i + 1) for i in range(10)]
    rows = towers.embed(
        inputs, lambda part: torch.tensor([[x, 1.0] for x in part]), tower, torch.device("cpu"), 8
    )
    assert sizes == [8, 4, 2, 2, 2, 2, 2]
    assert np.allclose(rows[:, 0] / rows[:, 1], inputs)

    def full(batch: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(UsageError, match="has not the memory"):
        towers.embed(inputs, lambda part: torch.zeros(len(part), 2), full, torch.device("cpu"), 8)
