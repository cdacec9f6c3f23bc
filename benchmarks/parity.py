"""How far our encoders are from the packages they stand for: same random weights, pictures and
texts.

    python benchmarks/parity.py [ARCHITECTURE ...]

In: architecture names, all that fit in 16 GB by default. Out: a table of the largest difference in
any coordinate of the unit rows. The package builds the model, computes with its own transform, its
own tokenizer and its full context, and writes a weights file; we load that file by name. Norms and
biases are moved off their initial values first, because a residual branch that starts at zero hides
every mistake behind it. One model is in memory at a time.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import logging
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cn_clip.clip
import numpy as np
import open_clip
import torch
from cn_clip.clip.utils import create_model, image_transform
from cn_clip.training.data import _preprocess_text
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from safetensors.torch import save_file

import imgsearch.encoders as encoders
from imgsearch.encoders import checkpoints
from imgsearch.encoders import cn_clip as chinese

# As `--encoder` takes them. The weights are random; the tag says which activation and pictures.
OPEN_CLIP = (
    "open_clip/RN50/openai",
    "open_clip/RN101/openai",
    "open_clip/RN50x4/openai",
    "open_clip/RN50x16/openai",
    "open_clip/RN50x64/openai",
    "open_clip/ViT-B-32/openai",
    "open_clip/ViT-B-16/openai",
    "open_clip/ViT-L-14/openai",
    "open_clip/ViT-L-14-336/openai",
    "open_clip/ViT-B-32/laion2b_s34b_b79k",
    "open_clip/ViT-L-14/laion2b_s32b_b82k",
    "open_clip/ViT-H-14/laion2b_s32b_b79k",
    "open_clip/convnext_base_w/laion2b_s13b_b82k",
    "open_clip/coca_ViT-B-32/laion2b_s13b_b90k",
    "open_clip/EVA02-B-16/merged2b_s8b_b131k",
    "open_clip/MobileCLIP-S1/datacompdr",
    "open_clip/PE-Core-B-16/meta",
    "open_clip/ViTamin-S/datacomp1b",
)
CN_CLIP = tuple(f"cn_clip/{name}" for name in chinese.ARCHITECTURES)
CN_CLIP_REFERENCE = tuple(f"{name} (ref_cpu)" for name in CN_CLIP)
NAMES = OPEN_CLIP + CN_CLIP + CN_CLIP_REFERENCE

ENGLISH = ["a dog", "a photo of two dogs that run after a red ball on the beach", "Café, 3.14!"]
CHINESE = ["金鱼", "一杯咖啡放在木头桌子上，旁边有一本书", "“海滩”上的 DOG"]
Rows = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True)
class Parity:
    """The largest difference between our unit rows and the package's, and how long both took.

    `spread` is the control: how far apart the nearest two rows of different inputs are.
    """

    name: str
    image: float
    text: float
    spread: float
    seconds: float


def compare(name: str, folder: Path) -> Parity:
    """Build, compute and write with the package, load and compute with ours. Leaves nothing in the
    folder."""
    started = time.monotonic()
    torch.manual_seed(7)
    short = name.removesuffix(" (ref_cpu)")
    make = _open_clip if short.startswith("open_clip/") else _cn_clip
    with torch.inference_mode():
        path, image_rows, text_rows = make(short, folder, is_rounded=name != short)
    gc.collect()
    texts = ENGLISH if short.startswith("open_clip/") else CHINESE
    try:
        if name != short:
            checkpoint = checkpoints.read(path)
            encoder: Any = chinese.ChineseClip(
                checkpoint, name=name, source=name, device="cpu", precision="ref_cpu"
            )
        else:
            encoder = encoders.load(f"{short}/{path}", device="cpu")
        image = float(np.abs(encoder.embed_images(pictures()) - image_rows).max())
        text = float(np.abs(encoder.embed_texts(texts) - text_rows).max())
    finally:
        path.unlink()
    spread = min(_spread(image_rows), _spread(text_rows))
    return Parity(name, image, text, spread, time.monotonic() - started)


def _spread(rows: Rows) -> float:
    return min(float(np.abs(one - other).max()) for i, one in enumerate(rows) for other in rows[:i])


def pictures() -> list[Image.Image]:
    """Two plain RGB pictures, wide and tall: gradients with noise, so that resizing has work to
    do."""
    random = np.random.default_rng(11)
    found = []
    for height, width, tint in ((300, 500, (1.0, 0.2, 0.1)), (640, 420, (0.1, 0.5, 1.0))):
        ramp = np.linspace(0, 255, height)[:, None, None] * np.ones((height, width, 3))
        pixels = ramp * np.array(tint) + random.normal(0, 40, (height, width, 3))
        found.append(Image.fromarray(pixels.clip(0, 255).astype(np.uint8)))
    return found


def _open_clip(name: str, folder: Path, *, is_rounded: bool) -> tuple[Path, Rows, Rows]:
    _, architecture, tag = name.split("/")
    published = open_clip.get_pretrained_cfg(architecture, tag)
    quick = published.get("quick_gelu", False)
    model = open_clip.create_model(
        architecture, force_quick_gelu=quick, pretrained_text=False, force_preprocess_cfg=published
    )
    _perturb(model.eval())
    transform = image_transform_v2(PreprocessCfg(**model.visual.preprocess_cfg), is_train=False)
    tokens = open_clip.get_tokenizer(architecture)(ENGLISH)
    rows = _unit(model, torch.stack([transform(picture) for picture in pictures()]), tokens)
    path = folder / "open_clip_model.safetensors"
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, path)
    return path, *rows


def _cn_clip(name: str, folder: Path, *, is_rounded: bool) -> tuple[Path, Rows, Rows]:
    architecture = name.split("/")[1]
    config = chinese.published_config(architecture)
    model: Any = cn_clip.clip.model.CLIP(**config).eval()
    _perturb(model)
    path = folder / "clip_cn.pt"
    state = {f"module.{key}": value for key, value in model.state_dict().items()}
    torch.save({"epoch": 15, "step": 0, "name": "x", "state_dict": state}, path)
    if is_rounded:  # what the package's own loader makes of the file on a CPU
        del model, state
        struct = "@".join(chinese.ARCHITECTURES[architecture])
        with contextlib.redirect_stdout(sys.stderr):  # it prints its configuration
            model = create_model(struct, torch.load(path, weights_only=True)).float().eval()
    transform = image_transform(config["image_resolution"])
    pixels = torch.stack([transform(picture) for picture in pictures()])
    tokens = cn_clip.clip.tokenize([_preprocess_text(text) for text in CHINESE])
    return path, *_unit(model, pixels, tokens)


def _perturb(model: torch.nn.Module) -> None:
    for name, value in model.state_dict().items():  # the model's own tensors, changed in place
        if value.is_floating_point() and value.ndim == 1:
            is_closed = name.endswith("weight") and not value.any()  # a branch that adds nothing
            value += 0.5 * is_closed + 0.1 * torch.randn_like(value)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d) and module.running_var is not None:
            module.running_var.uniform_(0.5, 1.5)


def _unit(model: Any, pixels: torch.Tensor, tokens: torch.Tensor) -> tuple[Rows, Rows]:
    image, text = model.encode_image(pixels), model.encode_text(tokens)
    normalise = torch.nn.functional.normalize
    return normalise(image, dim=-1).numpy(), normalise(text, dim=-1).numpy()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("names", nargs="*", default=NAMES, metavar="ARCHITECTURE")
    names = parser.parse_args(arguments).names
    logging.getLogger().setLevel(logging.ERROR)  # open_clip warns that its weights are random
    print("| encoder | largest image difference | text | between inputs | seconds |")
    print("|---|---|---|---|---|")
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            found = compare(name, Path(folder))
        print(
            f"| {found.name} | {found.image:.1e} | {found.text:.1e} "
            f"| {found.spread:.1e} | {found.seconds:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
