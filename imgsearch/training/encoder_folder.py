"""What training makes: a folder that open_clip itself can load.

In: a model, its configuration, its merges. Out: `open_clip_config.json`,
`open_clip_model.safetensors` (half precision: the loss is below what search can see, the size is
half) and `bpe.txt.gz`, so that `open_clip.create_model("local-dir:FOLDER")` and `imgsearch index
--encoder FOLDER` both read it.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from open_clip.model import CustomTextCLIP
from safetensors.torch import save_file
from torch import nn

BPE = "bpe.txt.gz"
CONTEXT = 48


def small_clip(
    name: str, image_size: int, vocabulary_size: int, languages: Sequence[str]
) -> dict[str, Any]:
    """The configuration of the bundled encoder's architecture, as open_clip writes it.

    A ResNet-10 with a deep stem (timm's resnet10t, 4.9 M parameters) and a causal text tower of
    three layers, 192 wide. Pictures are squashed to a square: nothing at the edge is lost.
    """
    return {
        "model_cfg": {
            "embed_dim": 256,
            "vision_cfg": {
                "timm_model_name": "resnet10t",
                "timm_model_pretrained": False,
                "timm_pool": "avg",
                "timm_proj": "linear",
                "timm_drop_path": 0.05,
                "image_size": image_size,
            },
            "text_cfg": {
                "context_length": CONTEXT,
                "vocab_size": vocabulary_size,
                "width": 192,
                "heads": 3,
                "layers": 3,
            },
            "custom_text": True,
        },
        "preprocess_cfg": {
            "mean": list(OPENAI_DATASET_MEAN),
            "std": list(OPENAI_DATASET_STD),
            "interpolation": "bicubic",
            "resize_mode": "squash",
        },
        "imgsearch": {
            "name": name,
            "languages": list(languages),
            "space_han": True,
            "bpe": BPE,
        },
    }


def build(model_config: Mapping[str, Any]) -> nn.Module:
    """A freshly initialised open_clip model from the `model_cfg` part of an open_clip
    configuration.
    """
    fields = {key: value for key, value in model_config.items() if key != "custom_text"}
    model: nn.Module = CustomTextCLIP(**fields)
    return model


def save_encoder(model: nn.Module, config: Mapping[str, Any], bpe: Path, folder: Path) -> None:
    """Write the folder, replacing what is there only once all of it is written."""
    unfinished = folder.with_name(folder.name + ".tmp")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    half = {
        key: value.to(torch.float16).contiguous() if value.is_floating_point() else value
        for key, value in model.state_dict().items()
    }
    save_file(half, unfinished / "open_clip_model.safetensors")
    (unfinished / "open_clip_config.json").write_text(json.dumps(config, indent=2) + "\n", "utf-8")
    shutil.copyfile(bpe, unfinished / BPE)
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)
