"""The gradient of a step: against plain autograd for every loss, in pieces, over processes."""

import math
import random
import subprocess
import sys
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from imgsearch.training import Towers
from imgsearch.training.batches import Batch, Batches
from imgsearch.training.losses import multi_positive_loss
from imgsearch.training.ranks import Ranks
from imgsearch.training.recipe import Objective, Rates, Recipe, Stage, Variation
from imgsearch.training.sets import captioned_set
from imgsearch.training.squares import Squares
from imgsearch.training.steps import Stepper
from learning import RESNET, shapes, towers, weights

RECIPE = Recipe(
    stages=(Stage(32, 96),),
    batch_size=12,
    rates=Rates(every=1e-3),
    objective=Objective("same-caption"),
)


def first_batch(tmp_path: Path, recipe: Recipe) -> Batch:
    pairs = shapes(tmp_path / "photos")
    found = captioned_set("shapes", pairs, Squares(pairs.pictures, 36), ("en", "zh"))
    return dict(Batches([found], recipe, Ranks()).steps(0, 1))[0]


def gradients(of: Towers, recipe: Recipe, batch: Batch) -> tuple[float, dict[str, torch.Tensor]]:
    of.lock(recipe.freeze)
    of.train()
    of.model.zero_grad(set_to_none=True)
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    computed = Stepper(of, recipe, Ranks(), torch.device("cpu"), scaler).gradients(0, batch)
    found = {
        name: parameter.grad.clone()
        for name, parameter in of.model.named_parameters()
        if parameter.grad is not None
    }
    return computed.loss, found


def near(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Equal to a ten-thousandth of the largest value: what adding up in another order leaves."""
    return bool((one - other).abs().max() <= 1e-4 * other.abs().max() + 1e-8)


def soft_targets(images: torch.Tensor, texts: torch.Tensor, loss: str) -> list[torch.Tensor]:
    if loss == "soft":
        shared = ((images @ images.T + texts @ texts.T) / 2).softmax(-1)
        return [shared, shared.T]
    return [(images @ images.T).softmax(-1), (texts @ texts.T).softmax(-1)]


def plainly(of: Towers, loss: str, batch: Batch) -> torch.Tensor:
    """The whole batch at once, in a few lines of its own for each loss."""
    images = of.image_vectors(of.pixels(batch.views))
    total = torch.zeros(())
    for contrast in batch.contrasts:
        drawn = contrast.drawn
        texts = of.text_vectors([of.tokens(text) for text in drawn.texts])
        pairs, scale = texts[drawn.own], of.logit_scale.exp()
        cosines = F.normalize(images, dim=-1) @ F.normalize(texts, dim=-1).T
        answers = torch.arange(len(images))
        if loss == "clip":
            logits = scale * F.normalize(images, dim=-1) @ F.normalize(pairs, dim=-1).T
            part = (F.cross_entropy(logits, answers) + F.cross_entropy(logits.T, answers)) / 2
        elif loss in ("soft", "soft-per-axis"):
            first, second = soft_targets(images, pairs, loss)
            logits = pairs @ images.T
            part = (
                -(first * logits.log_softmax(-1)).sum(-1)
                - (second * logits.T.log_softmax(-1)).sum(-1)
            ).mean() / 2
        elif loss == "siglip":
            assert of.logit_bias is not None
            signs = 2 * drawn.positives.float() - 1
            part = -F.logsigmoid(signs * (scale * cosines + of.logit_bias)).sum() / len(images)
        else:
            right = drawn.positives.float()
            rows = -(right / right.sum(1, keepdim=True) * (scale * cosines).log_softmax(1)).sum(1)
            columns = -(right / right.sum(0) * (scale * cosines).log_softmax(0)).sum(0)
            part = (rows.mean() + columns.mean()) / 2
        total = total + part / len(batch.contrasts)
    return total


@pytest.mark.parametrize("loss", ["clip", "same-caption", "siglip", "soft", "soft-per-axis"])
def test_a_step_has_the_loss_and_the_gradients_of_a_plain_computation(
    tmp_path: Path, loss: str
) -> None:
    of = towers(tmp_path)
    if loss == "siglip":
        of.use_bias()
    recipe = replace(RECIPE, objective=Objective(loss))  # type: ignore[arg-type]
    batch = first_batch(tmp_path, recipe)
    found, ours = gradients(of, recipe, batch)
    of.model.zero_grad(set_to_none=True)
    expected = plainly(of, loss, batch)
    expected.backward()  # type: ignore[no-untyped-call]
    assert found == pytest.approx(expected.item(), rel=1e-5)
    assert len(ours) > 20 or loss.startswith("soft")
    for name, parameter in of.model.named_parameters():
        if parameter.grad is not None:
            assert near(ours[name], parameter.grad), name


@pytest.mark.parametrize("loss", ["same-caption", "soft"])
def test_in_pieces_the_gradient_is_that_of_the_whole_batch(tmp_path: Path, loss: str) -> None:
    of = towers(tmp_path)
    recipe = replace(RECIPE, objective=Objective(loss))  # type: ignore[arg-type]
    batch = first_batch(tmp_path, recipe)
    whole, expected = gradients(of, recipe, batch)
    for pieces in (1, 5, 100):
        found, ours = gradients(of, replace(recipe, micro_batch=pieces), batch)
        assert found == pytest.approx(whole, rel=1e-5)
        for name, gradient in expected.items():
            assert near(ours[name], gradient), name


def test_the_sum_of_the_losses_of_pieces_would_be_another_gradient(tmp_path: Path) -> None:
    of = towers(tmp_path)
    batch = first_batch(tmp_path, RECIPE)
    _, whole = gradients(of, RECIPE, batch)
    small = replace(RECIPE, batch_size=4)
    _, piece = gradients(of, small, first_batch(tmp_path, small))
    name = "visual.conv1.weight"
    assert not torch.allclose(piece[name], whole[name], rtol=0.1, atol=1e-5)


def test_batch_statistics_are_taken_up_once_a_step_in_however_many_passes(tmp_path: Path) -> None:
    whole, pieces = towers(tmp_path, RESNET), towers(tmp_path, RESNET)
    batch = first_batch(tmp_path, RECIPE)
    before = weights(whole)
    gradients(whole, RECIPE, batch)
    gradients(pieces, replace(RECIPE, micro_batch=12), batch)
    name = "visual.trunk.bn1.running_mean"
    assert not torch.equal(weights(whole)[name], before[name])
    assert torch.allclose(weights(whole)[name], weights(pieces)[name], atol=1e-6)


def test_chance_inside_a_tower_is_the_same_in_both_passes_of_a_piece(tmp_path: Path) -> None:
    config = deepcopy(RESNET)
    config["model_cfg"]["vision_cfg"]["timm_drop"] = 0.5
    of = towers(tmp_path, config)
    batch = first_batch(tmp_path, RECIPE)
    recipe = replace(RECIPE, micro_batch=12)  # pieces, but each tower's photos are in one
    of.train()
    stepper = Stepper(
        of, recipe, Ranks(), torch.device("cpu"), torch.amp.GradScaler("cpu", enabled=False)
    )
    (piece,) = stepper._image_pieces(batch.views, random.Random(0))
    first, second = stepper._run(piece), stepper._run(piece)
    assert torch.equal(first, second)
    other = stepper._run(replace(piece, seed=piece.seed + 1))
    assert not torch.equal(first, other)


def test_scaled_gradients_are_the_gradients_times_the_scale(tmp_path: Path) -> None:
    of = towers(tmp_path)
    batch = first_batch(tmp_path, RECIPE)
    _, plain = gradients(of, RECIPE, batch)
    of.model.zero_grad(set_to_none=True)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    Stepper(of, RECIPE, Ranks(), torch.device("cpu"), scaler).gradients(0, batch)
    for name, parameter in of.model.named_parameters():
        if parameter.grad is not None:
            assert near(parameter.grad / 1024, plain[name]), name


def test_several_sets_and_a_missing_language_are_weighted_by_photos(tmp_path: Path) -> None:
    of = towers(tmp_path)
    pairs = shapes(tmp_path / "photos")
    captions = tuple({"en": each["en"]} for each in pairs.captions)
    english = captioned_set(
        "english", replace(pairs, captions=captions), Squares(pairs.pictures, 36), ("en", "zh")
    )
    both = captioned_set("both", pairs, Squares(pairs.pictures, 36), ("en", "zh"))
    recipe = replace(RECIPE, batches={"english": 4, "both": 8})
    batch = dict(Batches([english, both], recipe, Ranks()).steps(0, 1))[0]
    assert [each.weight for each in batch.contrasts] == pytest.approx([1 / 3, 1 / 3, 1 / 3])
    assert [each.rows.tolist() for each in batch.contrasts] == [
        [0, 1, 2, 3],
        [4, 5, 6, 7, 8, 9, 10, 11],
        [4, 5, 6, 7, 8, 9, 10, 11],
    ]
    loss, _ = gradients(of, recipe, batch)
    of.eval()
    parts = []
    for each in batch.contrasts:
        images = of.image_vectors(of.pixels(batch.views[each.rows]))
        texts = of.text_vectors([of.tokens(text) for text in each.drawn.texts])
        parts.append(
            multi_positive_loss(images, texts, each.drawn.positives, of.logit_scale.exp()).item()
        )
    assert loss == pytest.approx(sum(parts) / 3, rel=1e-5)


def test_a_locked_tower_gets_no_gradient(tmp_path: Path) -> None:
    of = towers(tmp_path)
    batch = first_batch(tmp_path, RECIPE)
    _, found = gradients(of, replace(RECIPE, freeze="image"), batch)
    assert not [name for name in found if name.startswith("visual.")]
    assert "logit_scale" in found
    _, found = gradients(of, replace(RECIPE, freeze="text", micro_batch=4), batch)
    assert [name for name in found if name.startswith("visual.")]
    assert "token_embedding.weight" not in found


def test_mixed_photos_are_right_for_the_texts_of_both(tmp_path: Path) -> None:
    of = towers(tmp_path)
    recipe = replace(RECIPE, variation=Variation(cut_mix=1.0))
    batch = first_batch(tmp_path, recipe)
    contrast = batch.contrasts[0]
    assert 0 < contrast.own < 1
    loss, _ = gradients(of, recipe, replace(batch, contrasts=(replace(contrast, weight=1.0),)))
    images = F.normalize(of.image_vectors(of.pixels(batch.views)), dim=-1)
    texts = of.text_vectors([of.tokens(text) for text in contrast.drawn.texts])
    logits = of.logit_scale.exp() * images @ F.normalize(texts, dim=-1).T
    right = contrast.drawn.positives.float()
    right = contrast.own * right + (1 - contrast.own) * right.roll(1, 0)
    rows = -(right / right.sum(1, keepdim=True) * logits.log_softmax(1)).sum(1).mean()
    columns = -(right / right.sum(0) * logits.log_softmax(0)).sum(0).mean()
    assert loss == pytest.approx(((rows + columns) / 2).item(), rel=1e-5)


def test_half_precision_towers_give_nearly_the_same_loss(tmp_path: Path) -> None:
    of = towers(tmp_path)
    batch = first_batch(tmp_path, RECIPE)
    exact, _ = gradients(of, RECIPE, batch)
    half, found = gradients(of, replace(RECIPE, precision="bf16"), batch)
    assert half == pytest.approx(exact, rel=0.05)
    assert half != exact
    assert all(gradient.dtype == torch.float32 for gradient in found.values())
    assert math.isfinite(half)


@pytest.mark.slow
def test_two_processes_compute_what_one_does(tmp_path: Path) -> None:
    of = towers(tmp_path / "one")
    loss, expected = gradients(of, RECIPE, first_batch(tmp_path, RECIPE))
    script = Path(__file__).parent / "two_processes.py"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    subprocess.run([*command, str(script), str(tmp_path)], check=True, timeout=110)
    found = torch.load(tmp_path / "gradients.pt", weights_only=True)
    assert found["loss"] == pytest.approx(loss, rel=1e-5)
    for name, gradient in expected.items():
        assert near(found["gradients"][name], gradient), name
