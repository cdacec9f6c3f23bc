"""The Chinese-CLIP family: the five published models, from the hub or from a checkpoint file.

In: an architecture and a weights file. Out: an Encoder that understands Chinese. The package's own
model class computes; filling and driving it is ours, because its loader leaves the model in
training mode with weights rounded through half precision, and its public tokenizer leaves out what
training did to a text (`tokenizers` does it). Pictures are squashed to a square, not
cropped: so these towers were trained.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import cn_clip.clip
import numpy as np
import torch
from cn_clip.clip import model as reference
from PIL import Image

from imgsearch.encoders import architectures, towers
from imgsearch.encoders.checkpoints import Checkpoint
from imgsearch.encoders.pixels import Preprocessing
from imgsearch.encoders.tokenizers import Tokenizer, longest_beginning, padded
from imgsearch.encoders.tokenizers.word_pieces import WordPieces
from imgsearch.errors import UsageError
from imgsearch.vectors import Vectors
from imgsearch.weights import device as devices
from imgsearch.weights import filling

ARCHITECTURES = {  # name -> the package's configurations of its image and text tower
    "ViT-B-16": ("ViT-B-16", "RoBERTa-wwm-ext-base-chinese"),
    "ViT-L-14": ("ViT-L-14", "RoBERTa-wwm-ext-base-chinese"),
    "ViT-L-14-336": ("ViT-L-14-336", "RoBERTa-wwm-ext-base-chinese"),
    "ViT-H-14": ("ViT-H-14", "RoBERTa-wwm-ext-large-chinese"),
    "RN50": ("RN50", "RBT3-chinese"),
}
Precision = Literal["fp32", "ref_cpu"]


class ChineseClip:
    """An Encoder over a cn_clip model. `source` is what `encoders.load` takes to get it again,
    `files` what it was read from.

    `config` is for a model whose head counts are not the usual ones (see `architectures`). Without
    a checkpoint, of which it is then all there is, the weights are random ones to train.
    `precision="ref_cpu"` rounds the weights as the package's own loader does; for parity tests
    only.
    """

    languages: tuple[str, ...] = ("zh",)
    packed_text_tower = None  # each of its tokens sees all others
    ignores_padding = True

    def __init__(
        self,
        checkpoint: Checkpoint | None,
        config: Mapping[str, Any] | None = None,
        *,
        name: str,
        source: str,
        device: str = "auto",
        precision: Precision = "fp32",
    ) -> None:
        self.device = devices.choose(device)
        if checkpoint is None:
            self.config = dict(config or {})
            model = build(self.config)
        else:
            state = architectures.chinese_clip_state(checkpoint.state)
            self.config = dict(config or architectures.chinese_clip_config(state))
            with filling.Unfilled():
                model = build(self.config)
            filling.fill(model, state, str(checkpoint.path))
        if precision == "ref_cpu":
            model = half_rounded(model)
        self.model: Any = towers.place(model, self.device)
        self.architecture = architecture_of(self.config)
        self.files: tuple[Path, ...] = (checkpoint.path,) if checkpoint else ()
        self.name = name
        self.source = source
        self.batch_size = devices.batch_size(self.device)
        self.image_size: int = self.config["image_resolution"]
        self.dim: int = self.config["embed_dim"]
        self.preprocessing = Preprocessing((self.image_size,) * 2, resize_mode="squash")
        self.preprocess = self.preprocessing.as_mapping()
        self.identity = filling.identity(
            filling.file_hash(checkpoint.path) if checkpoint else "random",
            family="cn_clip",
            model=self.config,
            precision=precision,
        )

    def embed_images(self, images: list[Image.Image]) -> Vectors:
        """Upright RGB pictures -> (n, dim) float32 unit rows."""
        if not images:
            return np.empty((0, self.dim), np.float32)
        return towers.embed_images(
            images, self.preprocessing, self.image_vectors, self.device, self.batch_size
        )

    def embed_texts(self, texts: list[str]) -> Vectors:
        """Texts -> (n, dim) float32 unit rows. Raises QueryError for one of more than 52 tokens."""
        if not texts:
            return np.empty((0, self.dim), np.float32)
        rows = self.tokenizer.rows(texts)
        return towers.embed(
            rows, self.padded, self.text_vectors, self.device, self.batch_size, length=len
        )

    def shorten(self, text: str) -> str:
        """The longest beginning of a text that the tower reads."""
        return longest_beginning(text, self.tokenizer.length, self.context)

    def pixels(self, images: Sequence[Image.Image]) -> torch.Tensor:
        """What the image tower sees: (n, 3, s, s) float32, squashed to its square and scaled."""
        return torch.from_numpy(self.preprocessing.pixels(images))

    def image_vectors(self, pixels: torch.Tensor) -> torch.Tensor:
        """(n, 3, s, s) as `pixels` makes them -> (n, dim), of any length."""
        vectors: torch.Tensor = self.model.encode_image(pixels)
        return vectors

    def text_vectors(self, tokens: torch.Tensor) -> torch.Tensor:
        """(n, l) token ids -> (n, dim), of any length."""
        vectors: torch.Tensor = self.model.encode_text(tokens)
        return vectors

    def token_ids(self, text: str) -> tuple[int, ...]:
        """The tokens of a text of any length, [CLS] and [SEP] included."""
        return self.tokenizer.ids(text)

    def padded(self, rows: Sequence[Sequence[int]]) -> torch.Tensor:
        """Rows of ids -> (n, longest) int64: the tower masks zeros, so no more are needed."""
        return torch.from_numpy(padded(rows, max(map(len, rows)), self.tokenizer.padding))

    @property
    def context(self) -> int:
        """How many tokens the text tower reads at most."""
        return self.tokenizer.context

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """Made when the first text comes: indexing never needs it."""
        return WordPieces()


def build(config: Mapping[str, Any]) -> torch.nn.Module:
    """The untrained model for the keyword arguments of cn_clip's CLIP class.

    Raises UsageError where the package cannot build it.
    """
    try:
        model: torch.nn.Module = reference.CLIP(**config)
    except (TypeError, ValueError, RuntimeError, ZeroDivisionError) as error:
        raise UsageError(
            f"cn_clip cannot build this model configuration: {error}; give the weights of one of "
            f"{', '.join(ARCHITECTURES)}"
        ) from error
    return model


def published_config(architecture: str) -> dict[str, Any]:
    """The package's own configuration of one of ARCHITECTURES, as `build` takes it."""
    folder = Path(cn_clip.clip.__file__).parent / "model_configs"
    config: dict[str, Any] = {}
    for part in ARCHITECTURES[architecture]:
        config.update(json.loads((folder / f"{part}.json").read_text("utf-8")))
    if isinstance(config["vision_layers"], str):
        config["vision_layers"] = json.loads(config["vision_layers"])
    return config


def architecture_of(config: Mapping[str, Any]) -> str:
    """The published architecture with these sizes, or `custom`."""
    for name in ARCHITECTURES:
        published = published_config(name)
        if all(config[key] == value for key, value in published.items()):
            return name
    return "custom"


def half_rounded(model: torch.nn.Module) -> torch.nn.Module:
    """The model with its weights rounded through float16, as `load_from_name(..., "cpu")` leaves
    them."""
    reference.convert_weights(model)
    return model.float()
