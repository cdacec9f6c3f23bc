"""What training makes: a folder that imgsearch loads, and the package its towers come from.

In: an encoder. Out, for the open_clip family: `open_clip_config.json`,
`open_clip_model.safetensors` and the files of its tokenizer, for `open_clip.create_model(
"local-dir:FOLDER")`. For Chinese-CLIP: `model.safetensors` under the package's own names, for
`create_model("ViT-B-16@RoBERTa-wwm-ext-base-chinese", {"state_dict": load_file(...)})`, and beside
it `imgsearch.json` with the sizes that no tensor tells. `imgsearch --encoder FOLDER` reads both.
Half precision halves the size, and what it loses is below what search can see.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from imgsearch.encoders.cn_clip import ARCHITECTURES, ChineseClip
from imgsearch.encoders.families import CONFIG
from imgsearch.encoders.open_clip import OpenClip
from imgsearch.encoders.sources import OURS
from imgsearch.errors import UsageError
from imgsearch.weights.hub import TEXT_TOWER_FILES

OPEN_CLIP_WEIGHTS = "open_clip_model.safetensors"
CHINESE_CLIP_WEIGHTS = "model.safetensors"


def save_encoder(
    encoder: OpenClip | ChineseClip,
    folder: Path,
    *,
    name: str,
    base: str | None,
    half: bool = False,
) -> None:
    """Write the folder of an encoder as it stands, under a name of its own.

    `base` is what it was trained from, None for nothing. What is there is replaced once all of it
    is written. Raises UsageError where that is no encoder's folder.
    """
    _check_replaceable(folder)
    unfinished = folder.with_name(folder.name + ".tmp")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    state = _tensors(encoder.model, half)
    if isinstance(encoder, OpenClip):
        save_file(state, unfinished / OPEN_CLIP_WEIGHTS)
        _write(unfinished / CONFIG, open_clip_config(encoder, name, base))
        for file in _tokenizer_files(encoder):
            shutil.copyfile(file, unfinished / file.name)
    else:
        state.pop("logit_bias", None)  # the package's class has none
        save_file(state, unfinished / CHINESE_CLIP_WEIGHTS)
        ours = {"name": name, "base": base, "architecture": encoder.architecture}
        _write(unfinished / OURS, {**ours, "config": encoder.config})
    if folder.exists():
        replaced = folder.with_name(folder.name + ".old")
        shutil.rmtree(replaced, ignore_errors=True)
        folder.rename(replaced)
        unfinished.rename(folder)
        shutil.rmtree(replaced)
    else:
        unfinished.rename(folder)


def open_clip_config(encoder: OpenClip, name: str, base: str | None) -> dict[str, Any]:
    """What `open_clip_config.json` says of an encoder: its model, its pictures, and our part."""
    model = dict(encoder.settings.model)
    bias = encoder.model.logit_bias
    if bias is not None:
        model["init_logit_bias"] = bias.item()  # open_clip then makes a place for it
    merges = encoder.settings.merges
    return {
        "model_cfg": model,
        "preprocess_cfg": encoder.preprocess,
        "imgsearch": {
            "name": name,
            "languages": list(encoder.languages),
            "space_han": encoder.settings.space_han,
            "bpe": merges.name if merges else None,
            "base": base,
        },
    }


def architecture_of(encoder: OpenClip | ChineseClip) -> str:
    """What the two towers are, in a line."""
    millions = sum(each.numel() for each in encoder.model.parameters()) / 1e6
    sizes = f"{encoder.image_size} px, {encoder.dim} dimensions, {millions:.1f} M parameters"
    if isinstance(encoder, ChineseClip):
        return f"Chinese-CLIP {encoder.architecture}, {sizes}"
    vision, text = encoder.settings.model["vision_cfg"], encoder.settings.text
    image = vision.get("timm_model_name") or f"{vision.get('layers')} layers, {vision.get('width')}"
    words = text.get("hf_model_name") or f"{text.get('layers')} layers, {text.get('width')} wide"
    return f"open_clip, image tower {image}, text tower {words}, {sizes}"


def how_to_load(encoder: OpenClip | ChineseClip) -> str:
    """Python that loads the saved folder with the package that made the base encoder."""
    if isinstance(encoder, OpenClip):
        return f"""import open_clip

model, _, preprocess = open_clip.create_model_and_transforms("local-dir:FOLDER")
{_how_to_tokenize(encoder)}"""
    return f"""from cn_clip.clip import create_model, tokenize
from safetensors.torch import load_file

weights = load_file("FOLDER/{CHINESE_CLIP_WEIGHTS}")
model = create_model({_package_name(encoder)!r}, {{"state_dict": weights}}).eval()"""


def _how_to_tokenize(encoder: OpenClip) -> str:
    merges = encoder.settings.merges
    if merges is None:
        return 'tokenizer = open_clip.get_tokenizer("local-dir:FOLDER")'
    length = encoder.settings.text.get("context_length", 77)
    spaced = "  # with a space around every Han character" if encoder.settings.space_han else ""
    return (
        "tokenizer = open_clip.SimpleTokenizer(\n"
        f'    bpe_path="FOLDER/{merges.name}", context_length={length}\n){spaced}'
    )


def _package_name(encoder: ChineseClip) -> str:
    """The package's name for both towers."""
    return "@".join(ARCHITECTURES.get(encoder.architecture, ("custom", "custom")))


def _check_replaceable(folder: Path) -> None:
    is_ours = any((folder / name).is_file() for name in (CONFIG, OURS))
    if (
        os.path.lexists(folder)
        and not is_ours
        and not (folder.is_dir() and not any(folder.iterdir()))
    ):
        raise UsageError(
            f"{folder} is there and is no encoder's folder, so it is not replaced; give another "
            "name, or remove it"
        )


def _tensors(model: torch.nn.Module, half: bool) -> dict[str, torch.Tensor]:
    return {
        key: (value.half() if half and value.is_floating_point() else value).cpu().contiguous()
        for key, value in model.state_dict().items()
    }


def _tokenizer_files(encoder: OpenClip) -> list[Path]:
    if encoder.settings.merges:
        return [encoder.settings.merges]
    folder = encoder.tokenizer_folder
    if folder is None:
        return []
    found = {file for pattern in TEXT_TOWER_FILES for file in folder.glob(pattern)}
    return sorted(file for file in found if file.name != CONFIG)


def _write(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")
