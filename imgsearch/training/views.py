"""What differs between two looks at a photo: crops, mirrors, light, colours, and mixing.

(b, 3, side, side) uint8 squares go in, (b, 3, size, size) floats in [0, 1] come out, for the whole
batch at once: that costs less than one decode would. All chance is passed in.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from imgsearch.training.recipe import Variation

CHANCES = 8  # random numbers a picture


def random_views(squares: Tensor, size: int, variation: Variation, chance: Tensor) -> Tensor:
    """A random crop of each picture, maybe mirrored, in other light and colours.

    chance is (CHANCES, b) in [0, 1), and decides everything. The crop keeps at least the share
    `smallest_crop` of the area, with an aspect ratio between 3:4 and 4:3 (Inception's crop),
    resampled bilinearly.
    """
    b = len(squares)
    if b == 0:  # a process may have no part of a small batch
        return torch.zeros((0, 3, size, size))
    area, aspect, x, y, brightness, contrast, saturation, flip = chance
    area = variation.smallest_crop + (1 - variation.smallest_crop) * area
    aspect = torch.exp((aspect * 2 - 1) * math.log(4 / 3) / 2)
    if variation.smallest_crop == 1:
        aspect = torch.ones_like(aspect)
    width = (area.sqrt() * aspect).clamp(max=1)
    height = (area.sqrt() / aspect).clamp(max=1)
    is_mirrored = (flip < 0.5) & variation.mirror
    theta = torch.zeros(b, 2, 3)
    theta[:, 0, 0] = width * torch.where(is_mirrored, -1.0, 1.0)
    theta[:, 1, 1] = height
    theta[:, 0, 2] = (x * 2 - 1) * (1 - width)
    theta[:, 1, 2] = (y * 2 - 1) * (1 - height)
    grid = F.affine_grid(theta, [b, 3, size, size], align_corners=False)
    views: Tensor = F.grid_sample(
        squares.float() / 255, grid, padding_mode="reflection", align_corners=False
    )
    if not variation.light_and_colour:
        return views
    grey = views.mean(dim=1, keepdim=True)  # (b, 1, size, size); every tenth picture is left so
    colour = torch.where(saturation < 0.1, 0.0, 0.5 + saturation).view(b, 1, 1, 1)
    views = grey + (views - grey) * colour
    mean = views.mean(dim=(1, 2, 3), keepdim=True)
    views = (views - mean) * (0.7 + 0.6 * contrast).view(b, 1, 1, 1) + mean
    views = views * (0.7 + 0.6 * brightness).view(b, 1, 1, 1)
    return views.clamp(0, 1)


def still_views(squares: Tensor, size: int) -> Tensor:
    """Each picture whole and as it is: what the validation loss is measured on."""
    views: Tensor = F.interpolate(
        squares.float() / 255, (size, size), mode="bilinear", antialias=True, align_corners=False
    )
    return views.clamp(0, 1)


def cut_mix(views: Tensor, generator: torch.Generator) -> tuple[Tensor, float]:
    """A box of each picture filled from the one before it: the pictures, and the share of them that
    is their own.

    views is (b, 3, size, size); box and share are the same for all (Yun et al. 2019, CutMix). The
    right answers of row i are then its own by that share and those of row i - 1 by the rest.
    """
    size = views.shape[-1]
    own, x, y = torch.rand(3, generator=generator).tolist()
    side = min(round(size * (1 - own) ** 0.5), size - 1)  # some of it stays its own
    left, top = round(x * (size - side)), round(y * (size - side))
    mixed = views.clone()
    box = (..., slice(top, top + side), slice(left, left + side))
    mixed[box] = views.roll(1, dims=0)[box]
    return mixed, 1 - (side / size) ** 2
