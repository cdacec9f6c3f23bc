"""Losses: against stored reference numbers, a few lines of numpy, open_clip, and differences.

`tests/golden/README.md` says where the stored numbers come from.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from open_clip.loss import ClipLoss, SigLipLoss
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from imgsearch.training.losses import (
    clip_loss,
    multi_positive_loss,
    siglip_loss,
    soft_loss,
    soft_per_axis_loss,
)

Array = npt.NDArray[np.floating]
Loss = Callable[[Tensor, Tensor], Tensor]

GOLDEN = load_file(Path(__file__).parent / "golden" / "losses.safetensors")
MIXED = torch.tensor(  # photo 0 is two thirds of one with text 0, one third of one with text 2
    [[2 / 3, 0, 1 / 3], [1, 0, 0], [0, 1, 1], [0, 0, 1], [0, 1, 0]], dtype=torch.float64
)
STORED: dict[str, Loss] = {
    "clip_scale10": lambda images, texts: clip_loss(images, texts, 10.0),
    "soft_avg_T1": soft_loss,
    "soft_avg_T0.1": lambda images, texts: soft_loss(images, texts, 0.1),
    "soft_avg_T1_targets_detached": lambda images, texts: soft_loss(
        images, texts, detach_targets=True
    ),
    "soft_axis": soft_per_axis_loss,
    "soft_axis_targets_detached": lambda images, texts: soft_per_axis_loss(
        images, texts, detach_targets=True
    ),
}


def log_softmax(logits: Array, axis: int = 1) -> Array:
    shifted = logits - logits.max(axis=axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))


def softmax(logits: Array) -> Array:
    return np.exp(log_softmax(logits))


def unit(rows: Array) -> Array:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def drawn(rows: int, texts: int | None = None, seed: int = 0) -> tuple[Array, Array]:
    generator = np.random.default_rng(seed)
    return generator.normal(size=(rows, 16)), generator.normal(size=(texts or rows, 16))


def tensors(*arrays: Array) -> list[Tensor]:
    return [torch.tensor(each) for each in arrays]


@pytest.mark.parametrize("name", STORED)
def test_loss_and_gradients_are_those_of_the_reference(name: str) -> None:
    images, texts = (GOLDEN[f"golden.{each}"].clone().requires_grad_() for each in "IX")
    loss = STORED[name](images, texts)
    gradients = torch.autograd.grad(loss, [images, texts])
    assert loss.item() == pytest.approx(GOLDEN[f"golden.{name}.loss"].item(), abs=1e-5)
    for letter, gradient in zip("IX", gradients, strict=True):
        stored = GOLDEN[f"golden.{name}.grad_{letter}"]
        torch.testing.assert_close(gradient, stored, rtol=1e-5, atol=1e-5)


def test_detached_targets_change_the_gradient_and_not_the_loss() -> None:
    free, fixed = (GOLDEN[f"golden.soft_avg_T1{each}.grad_I"] for each in ("", "_targets_detached"))
    assert (free - fixed).abs().max() > 1e-4, "or the test above could not tell them apart"
    images, texts = GOLDEN["golden.I"], GOLDEN["golden.X"]
    assert torch.equal(soft_loss(images, texts), soft_loss(images, texts, detach_targets=True))


@pytest.mark.parametrize("rows", [8, 32, 128])
@pytest.mark.parametrize(
    "loss", [soft_loss, soft_per_axis_loss, lambda i, x: clip_loss(i, x, 10.0)]
)
def test_embeddings_that_are_all_the_same_cost_the_logarithm_of_the_batch(
    loss: Loss, rows: int
) -> None:
    collapsed = GOLDEN["golden.collapsed.I"][:1].expand(rows, -1)
    assert loss(collapsed, collapsed).item() == pytest.approx(math.log(rows), abs=1e-5)


def test_the_stored_collapsed_losses_are_met() -> None:
    collapsed = GOLDEN["golden.collapsed.I"]
    for name in ("soft_avg_T1", "soft_axis", "clip_scale10"):
        stored = GOLDEN[f"golden.collapsed.{name}.loss"].item()
        assert STORED[name](collapsed, collapsed).item() == pytest.approx(stored, abs=1e-6)


def test_aligned_embeddings_that_lie_far_apart_cost_nothing() -> None:
    apart = 10 * torch.eye(16)
    for loss in (soft_loss, soft_per_axis_loss, lambda i, x: clip_loss(i, x, 100.0)):
        assert loss(apart, apart).item() < 1e-5


def test_clip_is_two_cross_entropies_of_cosines() -> None:
    images, texts = drawn(7)
    logits = 10 * unit(images) @ unit(texts).T
    expected = -(np.diag(log_softmax(logits)).mean() + np.diag(log_softmax(logits, 0)).mean()) / 2
    ours = clip_loss(*tensors(images, texts), 10.0)
    assert ours.item() == pytest.approx(expected, abs=1e-12)


def test_clip_is_open_clips() -> None:
    images, texts = (torch.tensor(each, dtype=torch.float32) for each in drawn(32))
    theirs = ClipLoss()(F.normalize(images, dim=1), F.normalize(texts, dim=1), torch.tensor(14.3))
    assert clip_loss(images, texts, 14.3).item() == pytest.approx(theirs.item(), abs=1e-6)


def test_clip_is_cn_clips() -> None:
    """cn_clip puts the logits of both directions through torch's cross entropy and halves."""
    images, texts = (torch.tensor(each, dtype=torch.float32) for each in drawn(32, seed=1))
    scale, answers = torch.tensor(math.log(100)).exp(), torch.arange(32)
    image, text = images / images.norm(dim=1, keepdim=True), texts / texts.norm(dim=1, keepdim=True)
    per_image, per_text = scale * image @ text.t(), scale * text @ image.t()
    theirs = (F.cross_entropy(per_image, answers) + F.cross_entropy(per_text, answers)) / 2
    assert clip_loss(images, texts, scale).item() == pytest.approx(theirs.item(), rel=1e-6)


@pytest.mark.parametrize("temperature", [0.1, 1.0, 2.0])
@pytest.mark.parametrize("normalize", [False, True])
def test_the_soft_losses_are_the_formulas(temperature: float, normalize: bool) -> None:
    images, texts = drawn(6)
    given = tensors(images, texts)
    if normalize:
        images, texts = unit(images), unit(texts)
    logits = texts @ images.T / temperature

    def cost(rows: Array, targets: Array) -> float:
        return float(-(targets * log_softmax(rows)).sum(axis=1).mean())

    shared = softmax((images @ images.T + texts @ texts.T) / 2 * temperature)
    expected = (cost(logits, shared) + cost(logits.T, shared.T)) / 2
    ours = soft_loss(*given, temperature, normalize=normalize)
    assert ours.item() == pytest.approx(expected, rel=1e-12)
    per_axis = cost(logits, softmax(images @ images.T)) + cost(logits.T, softmax(texts @ texts.T))
    ours = soft_per_axis_loss(*given, temperature, normalize=normalize)
    assert ours.item() == pytest.approx(per_axis / 2, rel=1e-12)


def test_a_lower_temperature_makes_the_soft_targets_flatter() -> None:
    """The loss must agree with targets computed here, whose entropies are then compared."""
    images, texts = drawn(8)
    alike = (images @ images.T + texts @ texts.T) / 2

    def entropy(targets: Array) -> float:
        return float(-(targets * np.log(targets + 1e-300)).sum(axis=1).mean())

    flat, sharp = softmax(alike * 0.1), softmax(alike)
    assert entropy(sharp) + 0.1 < entropy(flat) < math.log(8)
    for temperature, targets in ((0.1, flat), (1.0, sharp)):
        logits = texts @ images.T / temperature
        costs = -(targets * log_softmax(logits)).sum(1) - (targets.T * log_softmax(logits.T)).sum(1)
        ours = soft_loss(*tensors(images, texts), temperature)
        assert ours.item() == pytest.approx(costs.mean() / 2, rel=1e-9)


def test_several_right_answers_share_the_target_by_weight() -> None:
    images, texts = drawn(5, 3)
    logits, weights = 7 * unit(images) @ unit(texts).T, MIXED.numpy()
    to_text = (weights / weights.sum(1, keepdims=True) * log_softmax(logits)).sum() / 5
    to_image = (weights / weights.sum(0) * log_softmax(logits, 0)).sum() / 3
    ours = multi_positive_loss(*tensors(images, texts), MIXED, 7.0)
    assert ours.item() == pytest.approx(-(to_text + to_image) / 2, abs=1e-12)


def test_with_all_ids_different_several_positives_are_clip() -> None:
    images, texts = tensors(*drawn(9))
    ours = multi_positive_loss(images, texts, torch.eye(9, dtype=torch.bool), 10.0)
    assert ours.item() == pytest.approx(clip_loss(images, texts, 10.0).item(), abs=1e-12)


def test_siglip_asks_of_every_pair_whether_it_belongs_together() -> None:
    images, texts = drawn(5, 3)
    logits = 10 * unit(images) @ unit(texts).T - 10
    positives = MIXED > 0.5
    signs = np.where(positives.numpy(), 1, -1)
    expected = np.log1p(np.exp(-signs * logits)).sum() / 5
    ours = siglip_loss(*tensors(images, texts), positives, 10.0, -10.0)
    assert ours.item() == pytest.approx(expected, abs=1e-12)


def test_half_a_yes_costs_half_a_yes_and_half_a_no() -> None:
    images, texts = tensors(*drawn(4))
    yes, no = torch.ones(4, 4), torch.zeros(4, 4)
    costs = [siglip_loss(images, texts, each, 5.0, -1.0).item() for each in (yes, no, yes / 2)]
    assert costs[2] == pytest.approx((costs[0] + costs[1]) / 2, rel=1e-12)


def test_siglip_is_open_clips_where_each_photo_has_one_text() -> None:
    images, texts = (torch.tensor(each, dtype=torch.float32) for each in drawn(32))
    ours = siglip_loss(images, texts, torch.eye(32, dtype=torch.bool), 10.0, -10.0)
    theirs = SigLipLoss()(F.normalize(images, dim=1), F.normalize(texts, dim=1), 10.0, -10.0)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-6)


def test_gradients_are_those_of_differences() -> None:
    images, texts = (each.requires_grad_() for each in tensors(*drawn(5, 3)))
    pair = [each.requires_grad_() for each in tensors(*drawn(4, seed=3))]
    scale = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
    bias = torch.tensor(-2.0, dtype=torch.float64, requires_grad=True)
    check = torch.autograd.gradcheck
    assert check(clip_loss, (*pair, scale))
    assert check(multi_positive_loss, (images, texts, MIXED, scale))
    assert check(siglip_loss, (images, texts, MIXED, scale, bias))
    for loss in (soft_loss, soft_per_axis_loss):
        assert check(loss, (*pair, 0.7))
        assert check(lambda i, x, loss=loss: loss(i, x, normalize=True), tuple(pair))


@pytest.mark.parametrize("loss", [soft_loss, soft_per_axis_loss])
def test_a_temperature_of_their_own_sharpens_the_targets(loss: Any) -> None:
    images, texts = tensors(*drawn(6))
    unit_images, unit_texts = (F.normalize(each, dim=-1) for each in (images, texts))
    of_images, of_texts = unit_images @ unit_images.T, unit_texts @ unit_texts.T
    if loss is soft_loss:
        shared = ((of_images + of_texts) / 2 / 0.1).softmax(1)
        first, second = shared, shared.T
    else:
        first, second = (of_images / 0.1).softmax(1), (of_texts / 0.1).softmax(1)
    logits = unit_texts @ unit_images.T / 0.5
    expected = -(first * logits.log_softmax(1)).sum(1) - (second * logits.T.log_softmax(1)).sum(1)
    ours = loss(images, texts, 0.5, normalize=True, target_temperature=0.1)
    assert ours.item() == pytest.approx(expected.mean().item() / 2, abs=1e-9)
