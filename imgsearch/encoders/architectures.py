"""What a state dict says about the model it came from: sizes read off tensor shapes, foreign names
mapped.

In: tensors by name. Out: the keyword arguments that build the matching open_clip or cn_clip model,
and the tensors under the names it uses. Two things are in no state dict: the activation (GELU or
QuickGELU) and the number of attention heads. Heads are one per 64 channels in every model published
under these layouts but the 1280-channel towers (80); the activation is the caller's to know.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from imgsearch.errors import UsageError
from imgsearch.weights.files import State

NO_CHINESE_CLIP = "the weights are no complete Chinese-CLIP"
WHOLE_CHINESE_CLIP = "save the state_dict of the whole model"
HEAD_WIDTH = {1280: 80, 1408: 88, 1664: 104}  # ViT-H, ViT-g, ViT-bigG; all others 64


def open_clip_config(state: Mapping[str, torch.Tensor], source: str) -> dict[str, Any]:
    """The `model_cfg` of an OpenAI-layout state dict, without `quick_gelu`.

    Raises UsageError where the image tower is not one of CLIP's own two kinds.
    """
    state = {name.removeprefix("text."): value for name, value in state.items()}
    advice = "name it: --encoder open_clip/ARCHITECTURE/PATH (imgsearch encoders lists some)"
    with _reading(f"the architecture of {source} cannot be read off its tensors", advice):
        width = state["ln_final.weight"].shape[0]
        config: dict[str, Any] = {
            "embed_dim": state["text_projection"].shape[1],
            "vision_cfg": _vision(state),
            "text_cfg": {
                "context_length": state["positional_embedding"].shape[0],
                "vocab_size": state["token_embedding.weight"].shape[0],
                "width": width,
                "heads": width // 64,
                "layers": _count(state, r"transformer\.resblocks\.(\d+)\."),
            },
        }
    return config


@contextmanager
def _reading(what: str, advice: str) -> Iterator[None]:
    """Turns what is missing or of another shape into a UsageError that begins and ends like
    that."""
    try:
        yield
    except KeyError as error:
        raise UsageError(f"{what}: {error} is missing; {advice}") from error
    except (IndexError, ValueError, RuntimeError, ZeroDivisionError) as error:
        raise UsageError(f"{what}: one is of another shape ({error}); {advice}") from error


def _vision(state: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    if "visual.attnpool.positional_embedding" in state:
        grid = _grid(state["visual.attnpool.positional_embedding"])
        return {
            "image_size": 32 * grid,
            "layers": [_count(state, rf"visual\.layer{i}\.(\d+)\.") for i in (1, 2, 3, 4)],
            "width": state["visual.layer1.0.conv1.weight"].shape[0],
            "patch_size": None,
        }
    width, _, _, patch = state["visual.conv1.weight"].shape
    config: dict[str, Any] = {
        "image_size": patch * _grid(state["visual.positional_embedding"]),
        "layers": _count(state, r"visual\.transformer\.resblocks\.(\d+)\."),
        "width": width,
        "patch_size": patch,
    }
    if width in HEAD_WIDTH:
        config["head_width"] = HEAD_WIDTH[width]
    hidden = state["visual.transformer.resblocks.0.mlp.c_fc.weight"].shape[0]
    if hidden != 4 * width:
        config["mlp_ratio"] = (hidden + 0.5) / width  # the half survives int()
    return config


def chinese_clip_config(state: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """The keyword arguments of cn_clip's CLIP for a state dict under cn_clip's own names.

    Raises UsageError where a tensor that tells a size is missing.
    """
    with _reading(NO_CHINESE_CLIP, WHOLE_CHINESE_CLIP):
        return _chinese_clip_sizes(state)


def _chinese_clip_sizes(state: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    vision = _vision(state)
    words, hidden = state["bert.embeddings.word_embeddings.weight"].shape
    config: dict[str, Any] = {
        "embed_dim": state["text_projection"].shape[1],
        "image_resolution": vision["image_size"],
        "vision_layers": vision["layers"],
        "vision_width": vision["width"],
        "vision_patch_size": vision["patch_size"],
        "vocab_size": words,
        "text_attention_probs_dropout_prob": 0.1,
        "text_hidden_act": "gelu",
        "text_hidden_dropout_prob": 0.1,
        "text_hidden_size": hidden,
        "text_initializer_range": 0.02,
        "text_intermediate_size": state["bert.encoder.layer.0.intermediate.dense.weight"].shape[0],
        "text_max_position_embeddings": state["bert.embeddings.position_embeddings.weight"].shape[
            0
        ],
        "text_num_attention_heads": max(1, hidden // 64),
        "text_num_hidden_layers": _count(state, r"bert\.encoder\.layer\.(\d+)\."),
        "text_type_vocab_size": state["bert.embeddings.token_type_embeddings.weight"].shape[0],
    }
    if "head_width" in vision:
        config["vision_head_width"] = vision["head_width"]
    return config


def chinese_clip_state(state: Mapping[str, torch.Tensor]) -> State:
    """The tensors under cn_clip's own names, whichever of its four layouts they came in.

    Undoes: Hugging Face's chinese_clip names, FlashAttention's fused projections, the gamma and
    beta of old TensorFlow BERTs; leaves out the pooler, which no Chinese-CLIP uses. Raises
    UsageError where a projection lacks a part.
    """
    with _reading(NO_CHINESE_CLIP, WHOLE_CHINESE_CLIP):
        return _official_names(state)


def _official_names(state: Mapping[str, torch.Tensor]) -> State:
    if any(name.startswith("vision_model.") for name in state):
        state = _from_hugging_face(state)
    renamed: State = {}
    for name, value in state.items():
        if name.startswith("bert.pooler.") or name.endswith(".position_ids"):
            continue
        name = re.sub(r"LayerNorm\.gamma$", "LayerNorm.weight", name)
        name = re.sub(r"LayerNorm\.beta$", "LayerNorm.bias", name)
        if name.startswith("visual."):
            renamed[name.replace(".attn.Wqkv.", ".attn.in_proj_")] = value
        elif ".self.Wqkv." in name:
            for part, rows in zip(("query", "key", "value"), value.chunk(3), strict=True):
                renamed[name.replace("Wqkv", part)] = rows
        else:
            renamed[name.replace(".attention.self.out_proj.", ".attention.output.dense.")] = value
    return renamed


_HUGGING_FACE_BLOCK = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}
_HUGGING_FACE_REST = {
    "vision_model.embeddings.class_embedding": "visual.class_embedding",
    "vision_model.embeddings.patch_embedding.weight": "visual.conv1.weight",
    "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
    "vision_model.pre_layrnorm.weight": "visual.ln_pre.weight",  # misspelt in every published file
    "vision_model.pre_layrnorm.bias": "visual.ln_pre.bias",
    "vision_model.post_layernorm.weight": "visual.ln_post.weight",
    "vision_model.post_layernorm.bias": "visual.ln_post.bias",
    "logit_scale": "logit_scale",
}


def _from_hugging_face(state: Mapping[str, torch.Tensor]) -> State:
    mapped: State = {}
    for name, value in state.items():
        block = re.match(r"vision_model\.encoder\.layers\.(\d+)\.(.+)\.(weight|bias)$", name)
        if name in _HUGGING_FACE_REST:
            mapped[_HUGGING_FACE_REST[name]] = value
        elif name == "text_projection.weight":
            mapped["text_projection"] = value.T.contiguous()
        elif name == "visual_projection.weight":
            mapped["visual.proj"] = value.T.contiguous()
        elif name.startswith("text_model."):
            mapped["bert." + name.removeprefix("text_model.")] = value
        elif block and block[2] in _HUGGING_FACE_BLOCK:
            target = f"visual.transformer.resblocks.{block[1]}.{_HUGGING_FACE_BLOCK[block[2]]}"
            mapped[f"{target}.{block[3]}"] = value
        elif block and block[2] == "self_attn.q_proj":
            parts = [state[name.replace("q_proj", part)] for part in ("q_proj", "k_proj", "v_proj")]
            mapped[f"visual.transformer.resblocks.{block[1]}.attn.in_proj_{block[3]}"] = torch.cat(
                parts
            )
    return mapped


def _count(state: Mapping[str, torch.Tensor], pattern: str) -> int:
    return len({found[1] for name in state if (found := re.match(pattern, name))})


def _grid(positions: torch.Tensor) -> int:
    return math.isqrt(positions.shape[0] - 1)
