"""A small true pair of towers and drawn photos with sentences, for the tests of training."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw

from imgsearch.pairs import CaptionedPhotos
from imgsearch.training import Towers, fresh_towers

COLOURS = {"red": "红色", "green": "绿色", "blue": "蓝色", "yellow": "黄色"}
SHAPES = {"square": "方块", "disc": "圆盘", "bar": "横条"}
VIT: dict[str, Any] = {
    "model_cfg": {
        "embed_dim": 16,
        "vision_cfg": {
            "layers": 1,
            "width": 32,
            "head_width": 16,
            "patch_size": 8,
            "image_size": 32,
        },
        "text_cfg": {"context_length": 16, "width": 32, "heads": 2, "layers": 1},
    },
    "preprocess_cfg": {"resize_mode": "squash"},
}
RESNET: dict[str, Any] = {
    "model_cfg": {
        "embed_dim": 16,
        "vision_cfg": {
            "timm_model_name": "resnet10t",
            "timm_model_pretrained": False,
            "timm_pool": "avg",
            "timm_proj": "linear",
            "image_size": 32,
        },
        "text_cfg": {"context_length": 16, "width": 32, "heads": 2, "layers": 1},
        "custom_text": True,
    },
    "preprocess_cfg": {"resize_mode": "squash"},
}


def shapes(folder: Path, copies: int = 2) -> CaptionedPhotos:
    """`12 * copies` photos of coloured shapes, each with a sentence in both languages."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures, captions = [], []
    for copy, colour, shape in product(range(copies), COLOURS, SHAPES):
        image = Image.new("RGB", (48, 48), (200 - 20 * copy, 200, 200))
        draw, at = ImageDraw.Draw(image), 4 + 3 * (copy % 5)
        box = (at, at + (12 if shape == "bar" else 0), 44 - copy % 4, 30 if shape == "bar" else 42)
        if shape == "disc":
            draw.ellipse(box, fill=colour)
        else:
            draw.rectangle(box, fill=colour)
        path = folder / f"{copy}-{colour}-{shape}.png"
        image.save(path)
        pictures.append(path)
        captions.append(
            {
                "en": (f"a {colour} {shape} number {copy}",),
                "zh": (f"一个{COLOURS[colour]}{SHAPES[shape]}{copy}",),
            }
        )
    return CaptionedPhotos(tuple(pictures), tuple(captions))


def towers(folder: Path, config: dict[str, Any] = VIT) -> Towers:
    """Fresh towers with a vocabulary of their own; the same weights every time."""
    folder.mkdir(parents=True, exist_ok=True)
    described = folder / "open_clip_config.json"
    described.write_text(json.dumps(config), "utf-8")
    texts = [f"a {colour} {shape} number" for colour in COLOURS for shape in SHAPES]
    texts += [f"一个{colour}{shape}" for colour in COLOURS.values() for shape in SHAPES.values()]
    torch.manual_seed(0)
    return fresh_towers(described, texts=texts * 3, folder=folder)


def weights(of: Towers) -> dict[str, torch.Tensor]:
    """A copy of everything a model holds."""
    return {name: value.detach().clone() for name, value in of.model.state_dict().items()}
