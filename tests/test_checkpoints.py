"""Weights files of every container and layout: told by their bytes, read as data, never run."""

import contextlib
import hashlib
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from imgsearch.encoders import checkpoints
from imgsearch.errors import UsageError
from imgsearch.weights import files, filling
from small_encoders import golden


@pytest.fixture
def vit() -> dict[str, torch.Tensor]:
    return golden("cn_clip_tiny_vit")[0]


@pytest.fixture(scope="module")
def openai() -> dict[str, torch.Tensor]:
    return golden("openai_clip_tiny")[0]


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("container", ["safetensors", "torch", "pickle"])
def test_a_file_is_told_by_its_bytes_whatever_its_ending(
    container: str, vit: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "weights.jpg"
    if container == "safetensors":
        save_file(vit, path)
    else:
        torch.save(vit, path, _use_new_zipfile_serialization=container == "torch")
    assert files.container_of(path) == container
    checkpoint = checkpoints.read(path)
    assert checkpoint.family == "cn_clip"
    assert same(checkpoint.state, vit)


@pytest.mark.parametrize(
    "prefix", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."]
)
def test_what_training_wrapped_around_the_weights_is_taken_off(
    prefix: str, openai: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "epoch_3.pt"
    wrapped = {prefix + key: value for key, value in openai.items()}
    torch.save({"epoch": 3, "name": "run", "state_dict": wrapped, "optimizer": {"lr": 1.0}}, path)
    checkpoint = checkpoints.read(path)
    assert same(checkpoint.state, openai)
    assert checkpoint.family == "open_clip"
    assert not checkpoint.is_openai


def test_the_three_integers_in_openai_files_are_noticed_and_dropped(
    openai: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "openai.pt"
    scalars = {name: torch.tensor(7) for name in checkpoints.OPENAI_SCALARS}
    torch.save({**openai, **scalars}, path)
    checkpoint = checkpoints.read(path)
    assert checkpoint.is_openai
    assert same(checkpoint.state, openai)


class Tiny(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.arange(3.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.weight


@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")
def test_a_torchscript_archive_opens_only_when_its_hash_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ViT-B-32.pt"
    torch.jit.script(Tiny()).save(str(path))
    assert files.container_of(path) == "torchscript"
    with pytest.raises(UsageError, match="TorchScript archive, which is a program"):
        checkpoints.read(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setitem(files.OPENAI_ARCHIVES, digest, "toy")
    checkpoint = checkpoints.read(path)
    assert checkpoint.is_openai
    assert checkpoint.state["weight"].tolist() == [0.0, 1.0, 2.0]
    assert len(files.OPENAI_ARCHIVES) - 1 == 9


class Payload:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("pwned"),))


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_that_would_run_code_is_refused_and_runs_nothing(
    zipped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": Payload()}, "evil.pt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(UsageError, match="could run code"):
        checkpoints.read(Path("evil.pt"))
    assert not Path("pwned").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no weights file"),
        (b"\xff\xd8\xff\xe0 a JPEG, really", "is no weights file"),
        (b"PK\x05\x06" + bytes(18), "zip archive without weights"),
        ((64).to_bytes(8, "little") + b"{" + b" " * 63, "damaged safetensors"),
        (b"\x80\x02 nothing", "damaged weights file|could run code"),
    ],
)
def test_a_file_that_is_no_checkpoint_says_so(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=message):
        checkpoints.read(path)


def test_a_cut_off_download_is_called_damaged(vit: dict[str, torch.Tensor], tmp_path: Path) -> None:
    for name in ("torch.pt", "weights.safetensors"):
        path = tmp_path / name
        save_file(vit, path) if name.endswith("safetensors") else torch.save(vit, path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(UsageError, match=r"damaged|no weights file"):
            checkpoints.read(path)


@pytest.mark.parametrize("container", ["safetensors", "torch", "pickle"])
def test_no_damage_to_a_weights_file_is_more_than_a_usage_error(
    container: str, tmp_path: Path
) -> None:
    path = tmp_path / "weights.pt"
    state = {f"layer{n}.weight": torch.arange(4.0) for n in range(6)}
    if container == "safetensors":
        save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=container == "torch")
    whole, random = path.read_bytes(), Random(1)
    for _ in range(200):
        damaged = bytearray(whole)
        for _ in range(random.randint(1, 6)):
            damaged[random.randrange(len(damaged))] = random.randrange(256)
        path.write_bytes(damaged)
        with contextlib.suppress(UsageError):
            checkpoints.read(path)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["token_embedding.weight", "visual.proj"], "open_clip"),
        (["text.token_embedding.weight", "visual.trunk.stem.weight"], "open_clip"),
        (["text.transformer.embeddings.word_embeddings.weight", "visual.proj"], "open_clip"),
        (["bert.embeddings.word_embeddings.weight", "visual.proj"], "cn_clip"),
        (["vision_model.x", "text_model.encoder.layer.0.x"], "cn_clip"),
    ],
)
def test_families_are_recognised_by_their_keys(keys: list[str], expected: str) -> None:
    assert checkpoints.recognise({key: torch.zeros(1) for key in keys}) == expected


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (["gpt.transformer.wte.weight", "clip_project.model.0.weight"], "is a ClipCap captioner"),
        (["gpt2.transformer.wte.weight", "clip_project.linear.weight"], "ClipCap-Chinese"),
        (["vision_model.x", "text_model.encoder.layers.0.x"], "Hugging Face CLIPModel"),
        (["image_projection.fc.weight", "text_projection.projection.weight"], "Shariatnia"),
        ([f"layer{i}.weight" for i in range(12)], r"layer0\.weight, .*, layer9\.weight$"),
    ],
)
def test_a_file_of_another_kind_is_named_or_its_first_keys_listed(
    keys: list[str], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        checkpoints.recognise({key: torch.zeros(1) for key in keys}, "x.pt")


def test_weights_that_do_not_fit_name_the_file(vit: dict[str, torch.Tensor]) -> None:
    model = torch.nn.Linear(2, 2)
    with pytest.raises(UsageError, match=r"x\.pt does not fit its architecture"):
        filling.fill(model, vit, "x.pt")


def test_a_model_built_unfilled_draws_no_random_weights_but_keeps_its_constants() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    with filling.Unfilled():
        layer = torch.nn.Linear(64, 64)
        norm = torch.nn.LayerNorm(4)
    assert torch.equal(before, torch.get_rng_state())
    assert norm.weight.tolist() == [1.0] * 4
    filling.fill(layer, {"weight": torch.eye(64).half(), "bias": torch.ones(64)}, "x")
    assert layer.weight.dtype == torch.float32
    assert torch.equal(layer.weight, torch.eye(64))
