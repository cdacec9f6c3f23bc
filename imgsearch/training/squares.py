"""Pictures as the small squares that training crops from, decoded when they are first asked for.

Pictures go in as they are stored, (b, 3, side, side) uint8 comes out. A set that fits into memory
is decoded once; a larger one at every epoch, while the step before it is computed. A picture that
cannot be decoded is reported, left out of its batches, and never ends a run.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, TypeAlias

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from imgsearch import images
from imgsearch.encoders import cropping
from imgsearch.errors import PictureError
from imgsearch.pairs import Picture, content

Fit: TypeAlias = Literal["squash", "shortest", "longest"]
HELD_BYTES = 2 * 2**30
MAX_THREADS = 16


class Squares:
    """n pictures of `side` pixels, made square as `fit` says: as the encoder itself does it."""

    def __init__(
        self,
        pictures: Sequence[Picture],
        side: int,
        fit: Fit = "squash",
        held_bytes: int = HELD_BYTES,
    ) -> None:
        self.pictures = pictures
        self.side = side
        self.fit = fit
        self.bad: dict[int, str] = {}  # picture -> why it cannot be decoded
        self._is_known = np.zeros(len(pictures), bool)
        shape = (len(pictures), 3, side, side)
        self._held = torch.empty(shape, dtype=torch.uint8) if np.prod(shape) <= held_bytes else None
        self._pool = ThreadPoolExecutor(min(MAX_THREADS, os.cpu_count() or 1), "imgsearch-squares")

    def __len__(self) -> int:
        return len(self.pictures)

    def take(self, indices: Sequence[int]) -> tuple[Tensor, list[bool]]:
        """Pictures by number: (b, 3, side, side) uint8, and whether each could be decoded.

        One that could not is black here, and its reason is in `bad`.
        """
        wanted = torch.zeros((len(indices), 3, self.side, self.side), dtype=torch.uint8)
        unknown = [row for row, index in enumerate(indices) if not self._is_known[index]]
        known = [row for row, index in enumerate(indices) if self._is_known[index]]
        if self._held is not None and known:
            wanted[known] = self._held[[indices[row] for row in known]]
        decoded = self._pool.map(self._decode, [indices[row] for row in unknown])
        for row, square in zip(unknown, decoded, strict=True):
            if square is not None:
                wanted[row] = square
                if self._held is not None:
                    self._held[indices[row]] = square
                    self._is_known[indices[row]] = True
        return wanted, [index not in self.bad for index in indices]

    def _decode(self, index: int) -> Tensor | None:
        if index in self.bad:
            return None
        try:
            picture = images.decode(content(self.pictures[index]), short_side=2 * self.side)
        except PictureError as error:
            self.bad[index] = str(error)
            return None
        square = square_of(picture, self.side, self.fit)
        return torch.from_numpy(np.array(square)).permute(2, 0, 1)  # (3, side, side)


def square_of(picture: Image.Image, side: int, fit: Fit) -> Image.Image:
    """An RGB picture as a square: squashed, its middle (`shortest`), or bordered (`longest`)."""
    size, resample = (side, side), Image.Resampling.BICUBIC
    if fit == "squash":
        return picture.resize(size, resample)
    if fit == "longest":
        return ImageOps.pad(picture, size, resample)
    return ImageOps.fit(cropping.middle(picture, size, resample), size, resample)
