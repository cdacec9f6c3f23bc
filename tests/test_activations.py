"""Gradient checkpointing: the same gradients from less memory, in the towers that can."""

import pytest
import torch

from imgsearch.errors import UsageError
from imgsearch.training.towers import Towers
from small_encoders import TEXTS
from small_towers import loss_of, towers_of


def gradients(towers: Towers) -> dict[str, torch.Tensor]:
    towers.model.zero_grad(set_to_none=True)
    torch.manual_seed(11)  # dropout
    loss_of(towers).backward()
    return {
        name: each.grad.clone()
        for name, each in towers.model.named_parameters()
        if each.grad is not None
    }


@pytest.mark.parametrize("kind", ["vit", "timm", "chinese"])
def test_towers_that_forget_their_activations_have_the_same_gradients(kind: str) -> None:
    towers = towers_of(kind)
    towers.train()
    expected = gradients(towers)
    saved = saved_bytes(towers)
    towers.checkpoint_activations(True)
    found = gradients(towers)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-5, atol=1e-6)
    assert saved_bytes(towers) < 0.8 * saved
    assert towers.encoder.embed_texts(TEXTS).shape == (3, 64)
    towers.checkpoint_activations(False)
    assert saved_bytes(towers) == saved


def saved_bytes(towers: Towers) -> int:
    """What the forward pass keeps for the way back."""
    kept = 0

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        nonlocal kept
        kept += tensor.numel() * tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss_of(towers)
    return kept


@pytest.mark.parametrize("kind", ["resnet", "chinese_resnet"])
def test_a_tower_that_cannot_forget_is_named(kind: str) -> None:
    towers = towers_of(kind)
    with pytest.raises(UsageError, match=r"image tower \(ModifiedResNet\) cannot"):
        towers.checkpoint_activations(True)
    towers.checkpoint_activations(False)
