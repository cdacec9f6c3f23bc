"""What a state dict says of the model it came from: every layout gives the same tensors, every size
is read off."""

import json
from pathlib import Path
from typing import Any

import cn_clip.clip.model as reference
import pytest
import torch
from safetensors.torch import save_file

import imgsearch.encoders as encoders
from imgsearch.encoders import architectures, checkpoints
from imgsearch.encoders import cn_clip as chinese
from imgsearch.errors import UsageError
from small_encoders import GOLDEN, golden


@pytest.fixture
def vit() -> dict[str, torch.Tensor]:
    return golden("cn_clip_tiny_vit")[0]


@pytest.fixture(scope="module")
def openai() -> dict[str, torch.Tensor]:
    return golden("openai_clip_tiny")[0]


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def flash_attention(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The package's own conversion, which its FlashAttention training writes to disk."""
    converted: dict[str, torch.Tensor] = reference.convert_state_dict(dict(state))
    return converted


def old_bert_names(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {
        key.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): value
        for key, value in state.items()
    }


def with_pooler(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {
        **state,
        "bert.pooler.dense.weight": torch.zeros(2, 2),
        "bert.pooler.dense.bias": torch.zeros(2),
    }


def hugging_face(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The layout of transformers' ChineseCLIPModel, written out from its documentation."""
    block = {"ln_1": "layer_norm1", "ln_2": "layer_norm2", "mlp.c_fc": "mlp.fc1"}
    block |= {"mlp.c_proj": "mlp.fc2", "attn.out_proj": "self_attn.out_proj"}
    found = {"text_model.embeddings.position_ids": torch.arange(64)[None]}
    for key, value in state.items():
        if key.startswith("bert."):
            found["text_model." + key[5:]] = value
        elif key.startswith("visual.transformer.resblocks."):
            index, rest = key.removeprefix("visual.transformer.resblocks.").split(".", 1)
            start = f"vision_model.encoder.layers.{index}."
            if "in_proj" in rest:
                kind = rest.rpartition("_")[2]
                for part, rows in zip("qkv", value.chunk(3), strict=True):
                    found[f"{start}self_attn.{part}_proj.{kind}"] = rows.clone()
            else:
                name, kind = rest.rsplit(".", 1)
                found[f"{start}{block[name]}.{kind}"] = value
    found["vision_model.embeddings.class_embedding"] = state["visual.class_embedding"]
    found["vision_model.embeddings.patch_embedding.weight"] = state["visual.conv1.weight"]
    found["vision_model.embeddings.position_embedding.weight"] = state[
        "visual.positional_embedding"
    ]
    for kind in ("weight", "bias"):
        found[f"vision_model.pre_layrnorm.{kind}"] = state[f"visual.ln_pre.{kind}"]
        found[f"vision_model.post_layernorm.{kind}"] = state[f"visual.ln_post.{kind}"]
    found["visual_projection.weight"] = state["visual.proj"].T.contiguous()
    found["text_projection.weight"] = state["text_projection"].T.contiguous()
    found["logit_scale"] = state["logit_scale"]
    return found


@pytest.mark.parametrize("layout", [flash_attention, old_bert_names, with_pooler, hugging_face])
def test_every_chinese_clip_layout_maps_to_the_same_tensors(
    layout: Any, vit: dict[str, torch.Tensor]
) -> None:
    foreign = layout(vit)
    assert foreign.keys() != vit.keys()
    assert checkpoints.recognise(foreign) == "cn_clip"
    assert same(architectures.chinese_clip_state(foreign), vit)


@pytest.mark.parametrize("name", ["cn_clip_tiny_vit", "cn_clip_tiny_rn"])
def test_chinese_clip_sizes_are_read_off_the_tensors(name: str) -> None:
    state, _ = golden(name)
    truth = json.loads((GOLDEN / f"{name}.json").read_text("utf-8"))
    found = architectures.chinese_clip_config(state)
    unknowable = {"text_num_attention_heads", "vision_head_width"}
    assert {key: truth[key] for key in truth if key not in unknowable} == {
        key: found[key] for key in found if key not in unknowable
    }


@pytest.mark.parametrize("name", chinese.ARCHITECTURES)
def test_all_five_published_sizes_are_inferred_exactly(name: str) -> None:
    published = chinese.published_config(name)
    with torch.device("meta"):
        state = chinese.build(published).state_dict()
    state = {key: value for key, value in state.items() if "pooler" not in key}
    found = architectures.chinese_clip_config(state)
    assert found == {**published, "vision_layers": found["vision_layers"]}
    assert found["vision_layers"] == published["vision_layers"]
    assert chinese.architecture_of(found) == name


def test_an_incomplete_chinese_clip_names_what_is_missing(vit: dict[str, torch.Tensor]) -> None:
    del vit["text_projection"]
    with pytest.raises(UsageError, match="'text_projection' is missing"):
        architectures.chinese_clip_config(vit)


@pytest.mark.parametrize("name", ["text_projection", "visual.conv1.weight"])
def test_tensors_of_another_shape_are_a_usage_error(
    name: str, vit: dict[str, torch.Tensor], openai: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    for state in (vit, openai):
        path = tmp_path / "weights.safetensors"
        save_file({**state, name: torch.zeros(3)}, path)
        with pytest.raises(UsageError, match=r"of another shape|does not fit"):
            encoders.load(str(path), device="cpu")


def test_a_hugging_face_file_that_lacks_a_projection_names_it(
    vit: dict[str, torch.Tensor],
) -> None:
    state = hugging_face(vit)
    del state["vision_model.encoder.layers.0.self_attn.k_proj.bias"]
    with pytest.raises(UsageError, match=r"k_proj\.bias' is missing; save the state_dict"):
        architectures.chinese_clip_state(state)
