"""The open_clip family: any architecture and weights that package knows, a checkpoint file, or a
folder.

In: a model configuration, a preprocessing configuration and a weights file. Out: an Encoder. The
package's own classes compute; what is ours is how they are filled and driven: weights are read as
data, land in float32, pictures and texts come from `pixels` and `tokenizers`, and a causal text
tower runs only as far as its longest prompt, which changes nothing (no position looks ahead) and
makes 80 prompts cost what 12 used to.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from open_clip.convert import convert_state_dict
from open_clip.model import CLIPTextCfg, CLIPVisionCfg, convert_to_custom_text_state_dict
from PIL import Image

from imgsearch.encoders import tokenizers, towers
from imgsearch.encoders.checkpoints import Checkpoint
from imgsearch.encoders.families import CONFIG
from imgsearch.encoders.pixels import Preprocessing
from imgsearch.encoders.text_tower import PackedTextTower, TextTower
from imgsearch.encoders.tokenizers.byte_pairs import BytePairs
from imgsearch.encoders.tokenizers.hugging_face import FromFolder
from imgsearch.errors import UsageError
from imgsearch.vectors import Vectors
from imgsearch.weights import device as devices
from imgsearch.weights import filling, hub

MULTILINGUAL = ("xlm", "mt5", "i18n", "SigLIP2")  # tokenizers that know Chinese
NOT_COMPUTED = frozenset(
    {"custom_text", "init_logit_scale", "init_logit_bias", "nonscalar_logit_scale"}
)
NOT_COMPUTED_IN_TOWERS = frozenset(
    {"timm_model_pretrained", "hf_model_pretrained", "patch_dropout", "timm_drop", "timm_drop_path"}
)


@dataclass(frozen=True)
class Settings:
    """All that turns a weights file into an encoder: open_clip's configuration, and ours beside it.

    `model` and `preprocess` are the `model_cfg` and `preprocess_cfg` of an open_clip_config.json.
    `folder` is where tokenizer files of a folder lie; `merges` is the byte-pair file in it.
    """

    model: Mapping[str, Any]
    preprocess: Mapping[str, Any]
    languages: tuple[str, ...]
    folder: Path | None = None
    merges: Path | None = None
    space_han: bool = False

    @property
    def files(self) -> tuple[Path, ...]:
        """What they were read from, and what they name."""
        config = (self.folder / CONFIG,) if self.folder else ()
        return config + ((self.merges,) if self.merges else ())

    @property
    def text(self) -> Mapping[str, Any]:
        """The text tower's part of the configuration."""
        found: Mapping[str, Any] = self.model["text_cfg"]
        return found


class OpenClip:
    """An Encoder over an open_clip model. `source` is what `encoders.load` takes to get it again,
    `files` what it was read from.

    Without a checkpoint its weights are random: what training from scratch starts with.
    """

    def __init__(
        self,
        checkpoint: Checkpoint | None,
        settings: Settings,
        *,
        name: str,
        source: str,
        device: str = "auto",
    ) -> None:
        self.device = devices.choose(device)
        self.model: Any
        config = _with_text_tower(settings.model, source)
        if checkpoint is None:
            model = build(config)
        else:
            with filling.Unfilled():
                model = build(config)
            filling.fill(model, _fitted(model, checkpoint.state), str(checkpoint.path))
        self.model = towers.place(model, self.device)
        self._text_tower = TextTower(self.model, settings.text)
        self.ignores_padding = self._text_tower.ignores_padding
        self.settings = settings
        self.files = settings.files + ((checkpoint.path,) if checkpoint else ())
        self.name = name
        self.source = source
        self.languages = settings.languages
        self.batch_size = devices.batch_size(self.device)
        size = self.model.visual.image_size
        self.preprocessing = Preprocessing.of({**settings.preprocess, "size": size})
        self.preprocess = self.preprocessing.as_mapping()
        self.image_size = max(self.preprocessing.size)
        self.dim = int(settings.model["embed_dim"])
        self.identity = filling.identity(
            filling.file_hash(checkpoint.path) if checkpoint else "random",
            family="open_clip",
            model=_essence(settings.model),
            preprocess=self.preprocess,
            merges=filling.file_hash(settings.merges) if settings.merges else None,
            space_han=settings.space_han,
        )

    def embed_images(self, images: list[Image.Image]) -> Vectors:
        """Upright RGB pictures -> (n, dim) float32 unit rows."""
        if not images:
            return np.empty((0, self.dim), np.float32)
        return towers.embed_images(
            images, self.preprocessing, self.image_vectors, self.device, self.batch_size
        )

    def embed_texts(self, texts: list[str]) -> Vectors:
        """Texts -> (n, dim) float32 unit rows. Raises QueryError for one longer than the tower
        reads."""
        if not texts:
            return np.empty((0, self.dim), np.float32)
        rows = self.tokenizer.rows(texts)
        return towers.embed(
            rows, self.padded, self.text_vectors, self.device, self.batch_size, length=len
        )

    def shorten(self, text: str) -> str:
        """The longest beginning of a text that the tower reads."""
        return tokenizers.longest_beginning(text, self.tokenizer.length, self.tokenizer.context)

    def pixels(self, images: Sequence[Image.Image]) -> torch.Tensor:
        """What the image tower sees: (n, 3, h, w) float32, resized, cropped and scaled."""
        return torch.from_numpy(self.preprocessing.pixels(images))

    def image_vectors(self, pixels: torch.Tensor) -> torch.Tensor:
        """(n, 3, h, w) as `pixels` makes them -> (n, dim), of any length."""
        vectors: torch.Tensor = self.model.encode_image(pixels, normalize=False)
        return vectors

    def text_vectors(self, tokens: torch.Tensor) -> torch.Tensor:
        """(n, l) token ids, l at most the context -> (n, dim), of any length."""
        return self._text_tower.vectors(tokens)

    def token_ids(self, text: str) -> tuple[int, ...]:
        """The tokens of a text of any length, those that begin and end it included."""
        return self.tokenizer.ids(text)

    def padded(self, rows: Sequence[Sequence[int]]) -> torch.Tensor:
        """Rows of at most `context` ids -> (n, l) int64, l what `text_vectors` needs of it."""
        length = max(map(len, rows)) if self.ignores_padding else self.context
        return torch.from_numpy(tokenizers.padded(rows, length, self.tokenizer.padding))

    @property
    def packed_text_tower(self) -> PackedTextTower | None:
        """The text tower for packed texts; None for one that is not causal."""
        return self._text_tower.packed

    @property
    def context(self) -> int:
        """How many tokens the text tower reads at most."""
        return self.tokenizer.context

    @cached_property
    def tokenizer(self) -> tokenizers.Tokenizer:
        """Made when the first text comes: indexing never needs it."""
        settings = self.settings
        folder = self.tokenizer_folder
        if folder is None:
            return BytePairs(settings.text, settings.merges, settings.space_han)
        return FromFolder.read(settings.text, folder)

    @property
    def tokenizer_folder(self) -> Path | None:
        """Where the files of a Hugging Face tokenizer lie; None for byte pairs. May download."""
        name, folder = self.settings.text.get("hf_tokenizer_name"), self.settings.folder
        if not name:
            return None
        if folder is not None and (folder / "tokenizer_config.json").is_file():
            return folder
        return hub.fetch_folder(name, "tokenizer_config.json")


def half_rounded(model: torch.nn.Module) -> torch.nn.Module:
    """The model with its large weights rounded through float16, as the reference loaders leave
    them.

    For parity tests only: it shifts embeddings by 1e-4 to 1e-3 and makes none better.
    """
    open_clip.convert_weights_to_fp16(model)
    return model.float()


def build(config: Mapping[str, Any]) -> torch.nn.Module:
    """The untrained model of an open_clip configuration: its `model_cfg`, or the whole file as a
    dict.

    Raises UsageError where open_clip cannot build it.
    """
    config = dict(deepcopy(config.get("model_cfg", config)))
    try:
        is_custom = config.pop("custom_text", False) or "hf_model_name" in config["text_cfg"]
        config["text_cfg"]["hf_model_pretrained"] = False
        config["vision_cfg"]["timm_model_pretrained"] = False
        kind = open_clip.CustomTextCLIP if is_custom else open_clip.CLIP
        if "multimodal_cfg" in config:
            kind = open_clip.CoCa
        model: torch.nn.Module = kind(**config)
    except (TypeError, ValueError, LookupError, RuntimeError, AssertionError) as error:
        raise UsageError(
            f"open_clip cannot build this model configuration: {error!r}; mend the model_cfg of "
            "its open_clip_config.json"
        ) from error
    return model


def languages_of(model_config: Mapping[str, Any]) -> tuple[str, ...]:
    """What the text tower understands, judged by its tokenizer."""
    tokenizer = str(model_config["text_cfg"].get("hf_tokenizer_name") or "")
    return ("en", "zh") if any(word in tokenizer for word in MULTILINGUAL) else ("en",)


def _with_text_tower(model_config: Mapping[str, Any], source: str) -> Mapping[str, Any]:
    """The configuration with the description of a Hugging Face text tower on this disk."""
    check_packages(model_config, source)
    text = model_config["text_cfg"]
    if "hf_model_name" not in text:
        return model_config
    folder = hub.fetch_folder(text["hf_model_name"], "config.json")
    return {**model_config, "text_cfg": {**text, "hf_model_name": str(folder)}}


def check_packages(model_config: Mapping[str, Any], name: str) -> None:
    """Raises UsageError, with the line to type, where the text tower needs a missing package."""
    text = model_config["text_cfg"]
    needs = text.get("hf_model_name") or text.get("hf_tokenizer_name")
    if needs and importlib.util.find_spec("transformers") is None:
        raise UsageError(f'{name} needs the transformers package: pip install "imgsearch[xlm]"')


def _fitted(model: Any, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors under the names and shapes this model has for them."""
    state = convert_state_dict(model, dict(state))  # Apple's own MobileCLIP names
    if hasattr(model, "text"):
        state = convert_to_custom_text_state_dict(state)
    else:
        state = {name.removeprefix("text."): value for name, value in state.items()}
    if "text.transformer.embeddings.position_ids" not in model.state_dict():
        state.pop("text.transformer.embeddings.position_ids", None)  # of an older transformers
    for name in ("logit_scale", "logit_bias"):  # scalar in some files, (1,) in others, or missing
        parameter = getattr(model, name, None)
        if parameter is None:
            state.pop(name, None)
        elif name in state:
            state[name] = state[name].reshape(parameter.shape)
        else:
            state[name] = parameter.detach()
    return state


def _essence(model_config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration without what is default or is not computed with: the same model, the same
    dict."""
    found = {
        name: value for name, value in model_config.items() if name not in NOT_COMPUTED and value
    }
    for tower, kind in (("vision_cfg", CLIPVisionCfg), ("text_cfg", CLIPTextCfg)):
        defaults = {field.name: field.default for field in fields(kind)}
        found[tower] = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in model_config[tower].items()
            if name not in NOT_COMPUTED_IN_TOWERS and value != defaults.get(name)
        }
    return found
