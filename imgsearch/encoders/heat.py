"""Where in a picture an encoder sees what a vector says: HiResCAM (Draelos and Carin, 2020).

A picture and a unit vector in, a coarse grid of warmth out. The grid is that of the deepest layer
of the image tower which still has one and which the embedding depends on, found by running the
tower once, so that residual networks, transformers and convolutional ones of any package are looked
into alike. Its activations, each times the gradient of the cosine with the vector, summed over the
channels, say how much of the score comes from each place.

The deepest grid points best, coarse as it is: of four pictures of Tiny ImageNet in one, the warmest
place of the bundled encoder lies in the one asked for 77% of the time, by chance it would be 25%
(`python benchmarks/heat.py DATA`). One layer earlier, with four times the places, it was 65%, and
covering up a part at a time and embedding what is left, at 36 times the cost, 73%.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import nn

from imgsearch.encoders import Encoder
from imgsearch.errors import NoEncoderError
from imgsearch.vectors import Vectors

MOST_EXTRA_TOKENS = 8  # class and register tokens before the patches
LEAST_SIDE = 2


@dataclass(frozen=True)
class Heat:
    """(h, w) float32 in [0, 1], 1 at the warmest place, all 0 where nothing speaks for the vector.

    It covers `box` of the picture: left, top, right and bottom as parts of its sides; an encoder
    that crops sees no more.
    """

    values: npt.NDArray[np.float32]
    box: tuple[float, float, float, float]


@runtime_checkable
class Tower(Protocol):
    """What an encoder of ours has besides the contract: an image tower that can be looked into."""

    model: Any
    device: torch.device
    preprocess: dict[str, Any]

    def pixels(self, images: list[Image.Image]) -> torch.Tensor: ...
    def image_vectors(self, pixels: torch.Tensor) -> torch.Tensor: ...


def heat_of(encoder: Encoder, picture: Image.Image, vector: Vectors) -> Heat:
    """Where in an upright RGB picture the encoder sees what a (d,) unit vector says.

    Raises NoEncoderError for one without a tower of torch, or whose tower has no grid.
    """
    if not isinstance(encoder, Tower):
        raise NoEncoderError(
            f"the encoder {encoder.name} has no image tower that can be looked into, for a heat map"
        )
    pixels = encoder.pixels([picture]).to(encoder.device).requires_grad_(True)  # (1, 3, h, w)
    with torch.enable_grad(), _outputs(encoder.model.visual) as outputs:
        embedded = encoder.image_vectors(pixels)[0].float()  # (d,)
        score = embedded / embedded.norm() @ torch.from_numpy(vector).to(encoder.device).float()
        layers = _layers(outputs)
        slopes = torch.autograd.grad(score, [each.output for each in layers], allow_unused=True)
    for layer, slope in zip(reversed(layers), reversed(slopes), strict=True):
        if slope is None or not layer.cells(slope).any():
            continue
        warmth = (layer.cells(layer.output) * layer.cells(slope)).sum(-1).clamp(min=0)  # (h, w)
        values = (warmth / warmth.max().clamp(min=1e-12)).detach().float().cpu().numpy()
        return Heat(values, _box(encoder.preprocess, picture.size, tuple(pixels.shape[-2:])))
    raise NoEncoderError(
        f"the image tower of {encoder.name} has no layer with a grid of places, for a heat map"
    )


@dataclass(frozen=True, eq=False)
class _Layer:
    """The output for one picture of a layer whose last h x w places are those of a grid."""

    output: torch.Tensor
    grid: tuple[int, int]

    def cells(self, values: torch.Tensor) -> torch.Tensor:
        """What belongs to the output, as (h, w, c): class and register tokens are left out."""
        if values.ndim == 4:  # (1, c, h, w)
            return values[0].permute(1, 2, 0)
        tokens = values.flatten(0, 1)  # (1, t, c) or (t, 1, c) -> (t, c)
        return tokens[-self.grid[0] * self.grid[1] :].reshape(*self.grid, -1)


def _layers(outputs: Sequence[torch.Tensor]) -> list[_Layer]:
    """Those of the outputs that have a grid: of a convolution, or of the patches one has made."""
    layers: list[_Layer] = []
    known: dict[int, tuple[int, int]] = {}  # how many tokens a picture may be -> their grid
    for output in outputs:
        if output.ndim == 4 and len(output) == 1 and min(output.shape[-2:]) >= LEAST_SIDE:
            grid = (output.shape[2], output.shape[3])
            known |= {grid[0] * grid[1] + extra: grid for extra in range(MOST_EXTRA_TOKENS + 1)}
            layers.append(_Layer(output, grid))
        elif output.ndim == 3 and 1 in output.shape[:2]:
            count = output.shape[0] * output.shape[1]
            if count in known:
                layers.append(_Layer(output, known[count]))
    return layers


@contextmanager
def _outputs(tower: torch.nn.Module) -> Iterator[list[torch.Tensor]]:
    """The outputs of the tower's stages, in the order they come: convolutions, blocks of a stack,
    and the normalisations inside, since past the last attention no patch changes the embedding.
    """
    outputs: list[torch.Tensor] = []

    def keep(_module: object, _given: object, output: object) -> None:
        if isinstance(output, torch.Tensor):
            outputs.append(output)

    stages: dict[nn.Module, None] = {}  # each once
    for module in tower.modules():
        if isinstance(module, nn.Conv2d | nn.LayerNorm):
            stages[module] = None
        elif isinstance(module, nn.Sequential | nn.ModuleList):
            stages |= dict.fromkeys(module.children())
    hooks = [stage.register_forward_hook(keep) for stage in stages]
    try:
        yield outputs
    finally:
        for hook in hooks:
            hook.remove()


def _box(
    preprocess: dict[str, Any], size: tuple[int, int], seen: tuple[int, ...]
) -> tuple[float, float, float, float]:
    """The part of a (width, height) picture that a tower sees in its (height, width) pixels."""
    if preprocess["resize_mode"] != "shortest":  # squashed, or with a border around it
        return (0.0, 0.0, 1.0, 1.0)
    (width, height), (down, across) = size, seen
    scale = max(across / width, down / height)
    side, above = (1 - across / (width * scale)) / 2, (1 - down / (height * scale)) / 2
    return (side, above, 1 - side, 1 - above)
