"""A heat map over its photo: what is cold is dimmed to grey, what is warm keeps its colours and
glows.

A photo and a map in, a picture out. The map is coarse, a few cells a side, and is spread smoothly;
what the encoder did not see counts as cold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from imgsearch.encoders.heat import Heat

GLOW = np.array((255, 96, 0), np.float32)
MOST_GLOW = 0.45  # of the photo's colours at the warmest place
COLD = 0.35  # how bright the coldest place is left


def warmed(photo: Image.Image, heat: Heat) -> Image.Image:
    """An RGB photo with a heat map over it, of the same size."""
    width, height = photo.size
    left, top, right, bottom = (
        round(part * side) for part, side in zip(heat.box, (width, height) * 2, strict=True)
    )
    spread = Image.new("F", photo.size)
    inside = (max(1, right - left), max(1, bottom - top))
    cells = Image.fromarray(heat.values)
    spread.paste(cells.resize(inside, Image.Resampling.BICUBIC), (left, top))
    warmth = np.clip(np.asarray(spread), 0, 1)[..., None]  # (h, w, 1)
    colours = np.asarray(photo, np.float32)  # (h, w, 3)
    grey = colours.mean(-1, keepdims=True)
    cold = COLD * grey
    lit = colours + MOST_GLOW * warmth * (GLOW - colours)
    return Image.fromarray(np.rint(cold + warmth**0.5 * (lit - cold)).astype(np.uint8))
