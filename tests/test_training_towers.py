"""Towers: what learns and what is locked, groups for the optimiser, and the very embeddings of
search.

Small true models of both families, of every kind of image tower: random weights, 32 or 64 pixels.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from imgsearch.errors import UsageError
from imgsearch.training.towers import Towers, open_towers
from small_encoders import CHINESE, MODEL, TEXTS, furthest, unit, write_chinese_file, write_folder
from small_towers import KINDS, RATES, SHORT_TEXT, loss_of, towers_of


@pytest.fixture(params=KINDS)
def towers(request: pytest.FixtureRequest) -> Towers:
    return towers_of(request.param)


def tower_of(name: str) -> str:
    if name in ("logit_scale", "logit_bias"):
        return "scale"
    return "image" if name.startswith("visual.") else "text"


# What learns


@pytest.mark.parametrize("locked", ["none", "image", "text"])
def test_a_step_changes_what_is_unlocked_and_nothing_of_a_locked_tower(
    towers: Towers, locked: Any
) -> None:
    towers.lock(locked)
    towers.train()
    before = {key: value.clone() for key, value in towers.model.state_dict().items()}
    optimiser = torch.optim.AdamW(towers.groups(RATES, 0.1))
    loss_of(towers).backward()
    for name, parameter in towers.model.named_parameters():
        assert (parameter.grad is None) == (tower_of(name) == locked), name
    optimiser.step()
    moved = {
        tower_of(key): key
        for key, value in towers.model.state_dict().items()
        if not torch.equal(before[key], value)
    }
    assert set(moved) == {"image", "text", "scale"} - {locked}


@pytest.mark.parametrize("kind", ["resnet", "timm", "chinese_resnet"])
def test_batch_statistics_move_in_an_unlocked_tower_alone(kind: str) -> None:
    towers = towers_of(kind)
    for locked, is_moved in (("image", False), ("text", True), ("image", False)):
        towers.lock(locked)  # type: ignore[arg-type]
        towers.train()
        before = {name: each.clone() for name, each in towers.model.named_buffers()}
        loss_of(towers)
        same = [torch.equal(before[name], each) for name, each in towers.model.named_buffers()]
        assert any(not each for each in same) is is_moved


def test_dropout_rests_in_a_locked_text_tower() -> None:
    towers = towers_of("chinese")
    tokens = [towers.tokens(text) for text in CHINESE]
    towers.train()
    assert furthest_apart(towers, tokens) > 1e-4
    towers.lock("text")  # in training mode already
    assert furthest_apart(towers, tokens) == 0
    towers.eval()
    assert not any(each.training for each in towers.model.modules())


def furthest_apart(towers: Towers, tokens: list[tuple[int, ...]]) -> float:
    one, other = towers.text_vectors(tokens), towers.text_vectors(tokens)
    return furthest(one.detach(), other.detach())


def test_a_second_stage_unlocks_what_the_first_had_locked(towers: Towers) -> None:
    optimiser = torch.optim.AdamW(towers.groups(RATES, 0.1))
    towers.lock("image")
    towers.train()
    first = {name: each.detach().clone() for name, each in towers.model.named_parameters()}
    loss_of(towers).backward()
    optimiser.step()
    for name, parameter in towers.model.named_parameters():
        if tower_of(name) == "image":  # no gradient: not even decayed
            assert torch.equal(parameter, first[name]), name
    towers.lock("none")
    optimiser.zero_grad(set_to_none=True)
    loss_of(towers).backward()
    assert all(each.grad is not None for each in towers.model.parameters())


# Groups


def test_every_parameter_that_learns_is_in_one_group_and_only_matrices_decay(
    towers: Towers,
) -> None:
    names = {id(each): name for name, each in towers.model.named_parameters()}
    for locked in ("none", "image", "text"):
        towers.lock(locked)  # type: ignore[arg-type]
        groups = towers.groups(RATES, 0.2, head_decay=0.3)
        listed = [names[id(each)] for group in groups for each in group["params"]]
        expected = [name for name, each in towers.model.named_parameters() if each.requires_grad]
        assert sorted(listed) == sorted(expected)
        for group in groups:
            own = 0.3 if group["part"] == "heads" else 0.2
            for each in group["params"]:
                assert group["weight_decay"] == (own if each.ndim >= 2 else 0), names[id(each)]
                assert towers.part_of(names[id(each)]) == group["part"]
            assert group["rate"] == group["lr"] == RATES[group["part"]]
    towers.lock("none")
    without = towers.groups(RATES, 0.2)
    assert {group["weight_decay"] for group in without} == {0.0, 0.2}


@pytest.mark.parametrize(
    ("kind", "heads"),
    [
        ("vit", {"visual.proj", "text_projection", "logit_scale"}),
        (
            "resnet",
            {
                "visual.attnpool.c_proj.weight",
                "visual.attnpool.c_proj.bias",
                "text_projection",
                "logit_scale",
            },
        ),
        ("timm", {"visual.head.proj.weight", "text.text_projection", "logit_scale"}),
        ("chinese", {"visual.proj", "text_projection", "logit_scale"}),
    ],
)
def test_heads_are_what_leads_into_the_common_space(kind: str, heads: set[str]) -> None:
    towers = towers_of(kind)
    named = {name: towers.part_of(name) for name, _ in towers.model.named_parameters()}
    assert {name for name, part in named.items() if part == "heads"} == heads
    assert all(part == tower_of(name) for name, part in named.items() if part != "heads")


def test_the_scale_stays_between_1_and_100(towers: Towers) -> None:
    for value, expected in ((9.0, math.log(100)), (-1.0, 0.0), (2.0, 2.0)):
        torch.nn.init.constant_(towers.logit_scale, value)
        towers.clamp_scale()
        assert towers.logit_scale.item() == pytest.approx(expected)


def test_a_bias_is_made_once_and_learns(towers: Towers) -> None:
    assert towers.logit_bias is None
    scale = towers.logit_scale.item()
    towers.use_bias()
    bias = towers.logit_bias
    assert bias is not None and bias.item() == -10 and towers.logit_scale.item() == scale
    towers.use_bias()
    assert towers.logit_bias is bias
    (group,) = (
        group
        for group in towers.groups(RATES, 0.1)
        if any(each is bias for each in group["params"])
    )
    assert (group["part"], group["weight_decay"]) == ("heads", 0)


# The embeddings of search


def test_squares_become_the_embeddings_the_encoder_gives(towers: Towers) -> None:
    side = towers.image_size
    drawn = np.random.default_rng(0).integers(0, 256, (3, side, side, 3), np.uint8)
    expected = towers.encoder.embed_images([Image.fromarray(each) for each in drawn])
    pixels = towers.pixels(torch.from_numpy(drawn).permute(0, 3, 1, 2).float() / 255)
    assert pixels.is_contiguous(memory_format=torch.channels_last)
    assert furthest(unit(towers.image_vectors(pixels).detach()), expected) < 1e-6


def test_texts_of_any_length_become_the_embeddings_the_encoder_gives(towers: Towers) -> None:
    texts = [*TEXTS, *CHINESE, *("word " * n for n in range(1, 9)), TEXTS[0]]
    vectors = towers.text_vectors([towers.tokens(text) for text in texts]).detach()
    assert furthest(unit(vectors), towers.encoder.embed_texts(texts)) < 1e-6
    assert vectors.norm(dim=-1).sub(1).abs().max() > 0.01, "lengths are the towers' own"
    assert towers.text_vectors([]).shape == (0, towers.encoder.dim)


def test_a_text_tower_that_sees_its_padding_is_given_all_of_it(tmp_path: Path) -> None:
    model = {**MODEL, "text_cfg": {**SHORT_TEXT, "no_causal_mask": True}}
    towers = open_towers(str(write_folder(tmp_path / "both", model_cfg=model)), device="cpu")
    vectors = towers.text_vectors([towers.tokens(text) for text in TEXTS]).detach()
    assert furthest(unit(vectors), towers.encoder.embed_texts(TEXTS)) < 1e-6


def test_a_text_that_is_cut_keeps_its_beginning_and_its_end(towers: Towers) -> None:
    context = towers.encoder.context
    whole, cut = towers.encoder.token_ids("猫 cat " * 60), towers.tokens("猫 cat " * 60)
    assert len(whole) > context == len(cut)
    assert cut == (*whole[: context - 1], whole[-1])
    assert towers.tokens("a cat") == towers.encoder.token_ids("a cat")
    assert towers.text_vectors([cut]).shape == (1, towers.encoder.dim)


def test_evaluation_between_steps_measures_the_weights_as_they_stand(towers: Towers) -> None:
    photo = [Image.new("RGB", (40, 30), "red")]
    before = towers.encoder.embed_images(photo)
    towers.train()
    optimiser = torch.optim.AdamW(towers.groups(dict.fromkeys(RATES, 1e-2), 0.0))
    loss_of(towers).backward()
    optimiser.step()
    towers.eval()
    after = towers.encoder.embed_images(photo)
    assert furthest(before, after) > 1e-4
    assert np.array_equal(after, towers.encoder.embed_images(photo))


# Opening


def test_any_encoder_can_be_opened_to_learn(tmp_path: Path) -> None:
    english = open_towers(str(write_folder(tmp_path / "small")), device="cpu")
    assert (english.family, english.fit, english.image_size) == ("open_clip", "shortest", 64)
    file = write_chinese_file(tmp_path / "chinese.pt")
    translated = open_towers(str(file), device="cpu")
    assert (translated.family, translated.fit, translated.image_size) == ("cn_clip", "squash", 32)
    assert translated.languages == ("zh",)
    bundled = open_towers("builtin/2", device="cpu")
    assert (bundled.base, bundled.languages, bundled.fit) == ("builtin/2", ("en", "zh"), "squash")
    assert bundled.parameters == sum(each.numel() for each in bundled.model.parameters())
    for towers in (english, translated, bundled):
        assert not towers.is_fresh and not towers.model.training
        assert all(each.requires_grad for each in towers.model.parameters())


def test_towers_that_see_no_squares_cannot_be_opened(tmp_path: Path) -> None:
    vision = {**MODEL["vision_cfg"], "image_size": [64, 32]}
    folder = write_folder(tmp_path / "wide", model_cfg={**MODEL, "vision_cfg": vision})
    with pytest.raises(UsageError, match="sees pictures of 32 x 64 pixels"):
        open_towers(str(folder), device="cpu")


def test_a_caption_decoder_is_left_as_it_is(tmp_path: Path) -> None:
    sizes = {"width": 64, "heads": 1, "layers": 1, "context_length": 12}
    text = {**sizes, "vocab_size": 49408, "embed_cls": True, "output_tokens": True}
    vision = {**MODEL["vision_cfg"], "attentional_pool": True, "output_tokens": True}
    model = {"embed_dim": 64, "vision_cfg": vision, "text_cfg": text, "multimodal_cfg": sizes}
    folder = write_folder(tmp_path / "coca", model_cfg={**model, "custom_text": True})
    towers = open_towers(str(folder), device="cpu")
    towers.train()
    loss_of(towers).backward()
    for name, parameter in towers.model.named_parameters():
        assert (parameter.grad is None) == name.startswith("text_decoder."), name
    towers.eval()
    vectors = towers.text_vectors([towers.tokens(text) for text in TEXTS]).detach()
    assert vectors.norm(dim=-1).sub(1).abs().max() > 0.01
    shortened = [towers.encoder.shorten(text) for text in TEXTS]
    assert furthest(unit(vectors)[[0, 2]], towers.encoder.embed_texts(shortened)[[0, 2]]) < 1e-6
    towers.save(tmp_path / "made", "made")
    again = open_towers(str(tmp_path / "made"), device="cpu")
    assert (
        furthest(again.encoder.embed_texts(shortened), towers.encoder.embed_texts(shortened)) == 0
    )


def test_a_scale_the_file_lacks_starts_where_clips_does(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = write_folder(tmp_path / "x")
    file = folder / "open_clip_model.safetensors"
    state = load_file(file)
    del state["logit_scale"]
    save_file(state, file)
    towers = open_towers(str(folder), device="cpu")
    assert towers.logit_scale.item() == pytest.approx(math.log(1 / 0.07))
