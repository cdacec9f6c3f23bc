"""Encoders that have learnt nothing yet: an architecture, random weights, and a vocabulary.

In: the name of an architecture, or a file that describes one in open_clip's words. Out: an adapter
of either family. A file may name a byte-pair file that is not there
(`"imgsearch": {"bpe": "bpe.txt.gz"}`): it is then learnt from the texts, so that a small text tower
spends nothing on words it never reads. Our own `small` is such a description, no special case.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import open_clip
from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD

from imgsearch.encoders import cn_clip, sources
from imgsearch.encoders.cn_clip import ChineseClip
from imgsearch.encoders.families import CONFIG
from imgsearch.encoders.open_clip import OpenClip, Settings, languages_of
from imgsearch.errors import NoEncoderError, UsageError
from imgsearch.prompts import language_of
from imgsearch.training.vocabulary import MERGELESS, learn_vocabulary

BPE = "bpe.txt.gz"
CONTEXT = 48
SMALL_SIZE = 64
SMALL_VOCABULARY = 6514
FEW = 0.01  # a language of fewer texts is not one the encoder is for


def fresh_encoder(
    architecture: str | Path, *, texts: Iterable[str], folder: Path, device: str = "auto"
) -> OpenClip | ChineseClip:
    """An encoder of an architecture with random weights; see `towers.fresh_towers`."""
    name = str(architecture)
    if name.startswith("cn_clip/"):
        return _chinese(name, device)
    small = re.fullmatch(r"small(?:-([0-9]{2,4}))?", name)
    if small:
        description = small_clip(int(small[1] or SMALL_SIZE))
        settings = _described(description, list(texts), folder)
    elif name.endswith(".json") or os.path.exists(architecture):
        description = _read(Path(architecture))
        settings = _described(description, list(texts), folder, beside=Path(architecture).parent)
    else:
        short = name.removeprefix("open_clip/")
        if short not in open_clip.list_models():
            raise NoEncoderError(_unknown(name))
        model = sources.architecture_config(short)
        settings = Settings(model, sources.usual_preprocess(short), _languages(texts, model))
    return OpenClip(None, settings, name=name, source=name, device=device)


def small_clip(image_size: int, vocabulary_size: int = SMALL_VOCABULARY) -> dict[str, Any]:
    """The description of the bundled encoder's architecture, as open_clip writes it.

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
        "imgsearch": {"space_han": True, "bpe": BPE},
    }


def _described(
    description: Mapping[str, Any],
    texts: Sequence[str],
    folder: Path,
    *,
    beside: Path | None = None,
) -> Settings:
    """The settings a description stands for, its vocabulary learnt where its file is not there."""
    try:
        model = {**description["model_cfg"]}
        model["text_cfg"] = {**model["text_cfg"]}
        ours = dict(description.get("imgsearch", {}))
        settings = Settings(
            model,
            dict(description.get("preprocess_cfg", {})),
            tuple(ours.get("languages") or _languages(texts, model)),
            beside,
            space_han=bool(ours.get("space_han", False)),
        )
        most = int(model["text_cfg"].get("vocab_size", 49408)) - MERGELESS
        bpe = Path(ours["bpe"]).name if ours.get("bpe") else None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"this is no open_clip configuration: {error!r} is missing or of another kind; "
            "it needs a model_cfg with a vision_cfg and a text_cfg"
        ) from error
    if bpe is None:
        return settings
    if beside is not None and (beside / bpe).is_file():
        return replace(settings, merges=beside / bpe)
    if most < 0:
        raise UsageError(f"a vocabulary has at least {MERGELESS} tokens; raise vocab_size")
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = learn_vocabulary(texts, folder / bpe, most)
    model["text_cfg"]["vocab_size"] = vocabulary.size
    return replace(settings, merges=vocabulary.path, space_han=True)


def _languages(texts: Iterable[str], model: Mapping[str, Any]) -> tuple[str, ...]:
    """The languages of the texts; without any, those of the tower's tokenizer."""
    counts = Counter(map(language_of, texts))
    found = tuple(sorted(each for each in counts if counts[each] >= FEW * counts.total()))
    return found or languages_of(model)


def _chinese(name: str, device: str) -> ChineseClip:
    architecture = name.removeprefix("cn_clip/")
    if architecture not in cn_clip.ARCHITECTURES:
        raise NoEncoderError(
            f"cn_clip has no architecture {architecture!r}; it has "
            + ", ".join(cn_clip.ARCHITECTURES)
        )
    config = cn_clip.published_config(architecture)
    return ChineseClip(None, config, name=name, source=name, device=device)


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(
            f"{path} cannot be read as the description of an architecture ({error}); expected "
            f"JSON as in an {CONFIG}"
        ) from error


def _unknown(name: str) -> str:
    names = ["small", *(f"cn_clip/{each}" for each in cn_clip.ARCHITECTURES)]
    names += open_clip.list_models()
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.4) or ["small", "ViT-B-32", "RN50"]
    return (
        f"no architecture is called {name!r}; did you mean {', '.join(near)}? A path to an "
        f"{CONFIG} is good as well"
    )
