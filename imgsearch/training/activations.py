"""Gradient checkpointing: towers that forget their activations and compute them again.

In: a model of either family. Out: the same model, its blocks switched. open_clip's transformers and
timm's trunks have a switch of their own. Chinese-CLIP's asks torch for the older kind, which warns
and learns nothing where a block's input needs no gradient, so its blocks are switched here.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint

from imgsearch.errors import UsageError


def checkpoint_towers(model: nn.Module, on: bool) -> None:
    """Switch both towers. Raises UsageError, naming the tower, before either where one cannot."""
    towers: Any = model
    if on:
        _check_image_tower(towers.visual)
    if hasattr(towers, "bert"):
        _switch_blocks(towers.visual.transformer.resblocks, on)
        _switch_blocks(towers.bert.encoder.layer, on)
        return
    if hasattr(towers.visual, "trunk"):
        towers.visual.trunk.set_grad_checkpointing(on)
    else:
        towers.visual.set_grad_checkpointing(on)
    text = getattr(towers, "text", towers)
    if hasattr(text, "config"):
        _switch_hugging_face(text.transformer, on)
    else:
        text.transformer.grad_checkpointing = on


def _check_image_tower(visual: Any) -> None:
    what = type(visual).__name__
    if hasattr(visual, "trunk"):
        what = type(visual.trunk).__name__
        try:
            visual.trunk.set_grad_checkpointing(True)
            return
        except (AssertionError, AttributeError, NotImplementedError) as error:
            raise _cannot(what) from error
    if not hasattr(visual, "transformer"):
        raise _cannot(what)


def _cannot(what: str) -> UsageError:
    return UsageError(
        f"the image tower ({what}) cannot forget its activations; leave out "
        "--checkpoint-activations, or take smaller pieces of the batch with --micro-batch"
    )


def _switch_blocks(blocks: Iterable[nn.Module], on: bool) -> None:
    for block in blocks:
        vars(block).pop("forward", None)
        if on:
            vars(block)["forward"] = partial(checkpoint, block.forward, use_reentrant=False)


def _switch_hugging_face(transformer: Any, on: bool) -> None:
    if on:
        transformer.gradient_checkpointing_enable({"use_reentrant": False})
    else:
        transformer.gradient_checkpointing_disable()
