"""Pictures to the numbers that an image tower sees, without torch: the same ones, to the bit, for a
tower that torch runs and for one that is exported.

In: upright RGB pictures. Out: (n, 3, h, w) float32. What is done is what open_clip's
`image_transform_v2` does for its `preprocess_cfg`, and cn_clip's `image_transform`: resize by
Pillow, crop or pad, / 255, - mean, / std. It is computed in place in the batch, a picture at a
time, which keeps it in the processor's cache; a table of the 256 levels gives the same bits and
takes half as long again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from imgsearch.encoders import cropping
from imgsearch.errors import UsageError

Pixels: TypeAlias = npt.NDArray[np.float32]
Levels: TypeAlias = float | Sequence[float]  # one for all channels, or one each

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
CHANNELS = 3
CHOICES = {
    "mode": ("RGB",),
    "interpolation": ("bicubic", "bilinear", "random"),  # random is for training: here bicubic
    "resize_mode": ("shortest", "longest", "squash"),
}


@dataclass(frozen=True)
class Preprocessing:
    """What is done to a picture, in the words of open_clip's `preprocess_cfg`.

    `size` is (height, width). "shortest" fits the shorter side and crops the longer, "longest" fits
    the longer and fills beside the shorter with `fill_color`, "squash" keeps no proportions.
    """

    size: tuple[int, int] = (224, 224)
    mode: str = "RGB"
    mean: Levels = CLIP_MEAN
    std: Levels = CLIP_STD
    interpolation: str = "bicubic"
    resize_mode: str = "shortest"
    fill_color: int | Sequence[int] = 0

    @classmethod
    def of(cls, mapping: Mapping[str, Any]) -> Preprocessing:
        """What a `preprocess_cfg` says, and open_clip's defaults for the rest.

        Raises UsageError for one that open_clip cannot use.
        """
        names = {field.name for field in fields(cls)}
        given = {
            name: value for name, value in mapping.items() if name in names and value is not None
        }
        try:
            found = cls(**{**given, "size": _pair(given.get("size", cls.size))})
            found._check()
        except (TypeError, ValueError) as error:
            raise UsageError(
                f"open_clip cannot use the preprocess_cfg {json.dumps(dict(mapping))} ({error}); "
                "mend it in its open_clip_config.json"
            ) from error
        return found

    def as_mapping(self) -> dict[str, Any]:
        """What `of` reads, as JSON can hold it."""
        return asdict(self)

    def pixels(self, images: Sequence[Image.Image]) -> Pixels:
        """Upright RGB pictures -> (n, 3, h, w) float32."""
        batch = np.empty((len(images), CHANNELS, *self.size), np.float32)
        divisor, mean, std = self.scaling
        for pixels, image in zip(batch, images, strict=True):
            levels = np.asarray(self.fitted(image)).transpose(2, 0, 1)  # (3, h, w) uint8
            np.divide(levels, divisor, out=pixels)
            np.subtract(pixels, mean, out=pixels)
            np.divide(pixels, std, out=pixels)
        return batch

    @property
    def scaling(self) -> tuple[Pixels, Pixels, Pixels]:
        """What levels are divided by, what is subtracted then, and what divides the rest; (3, 1, 1)
        each."""
        mean, std = _channels(self.mean or CLIP_MEAN), _channels(self.std or CLIP_STD)
        return _channels(255.0), mean, std

    def fitted(self, image: Image.Image) -> Image.Image:
        """The picture at the size of the tower: resized, then cropped or padded."""
        if self.resize_mode == "shortest":
            image = cropping.middle(image, self.size, self._resample)
        resized = self._resized(image.width, image.height)
        if image.size != resized:
            image = image.resize(resized, self._resample)
        image = self._cropped(self._padded(image))
        return image if image.mode == self.mode else image.convert(self.mode)

    @property
    def _resample(self) -> Image.Resampling:
        # open_clip forgets the interpolation where it fits the shorter side of an oblong.
        is_forgotten = self.resize_mode == "shortest" and self.size[0] != self.size[1]
        if self.interpolation == "bilinear" and not is_forgotten:
            return Image.Resampling.BILINEAR
        return Image.Resampling.BICUBIC

    def _resized(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) before cropping; each rounded as torchvision and open_clip do."""
        target_height, target_width = self.size
        if self.resize_mode == "squash":
            return target_width, target_height
        if self.resize_mode == "shortest" and target_width == target_height:
            if width <= height:
                return target_width, int(target_width * height / width)
            return int(target_height * width / height), target_height
        choose = min if self.resize_mode == "shortest" else max
        ratio = choose(height / target_height, width / target_width)
        # At least a pixel: of a slit, open_clip would make one of no width, and stop.
        return max(1, round(width / ratio)), max(1, round(height / ratio))

    def _padded(self, image: Image.Image) -> Image.Image:
        missing_height = max(0, self.size[0] - image.height)
        missing_width = max(0, self.size[1] - image.width)
        if not missing_height and not missing_width:
            return image
        left, top = missing_width // 2, missing_height // 2
        border = (left, top, missing_width - left, missing_height - top)
        fill = self.fill_color if self.resize_mode == "longest" else 0
        colour = [fill] * CHANNELS if isinstance(fill, int) else list(fill)
        return ImageOps.expand(image, border, tuple(colour * (CHANNELS // len(colour))))

    def _cropped(self, image: Image.Image) -> Image.Image:
        height, width = self.size
        if image.size == (width, height):
            return image
        top, left = round((image.height - height) / 2), round((image.width - width) / 2)
        return image.crop((left, top, left + width, top + height))

    def _check(self) -> None:
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} is none of {', '.join(choices)}")
        if min(self.size) < 1:
            raise ValueError(f"a size is at least 1, not {min(self.size)}")
        _channels(self.mean or CLIP_MEAN)
        if not _channels(self.std or CLIP_STD).all():
            raise ValueError("a std is 0")


def _pair(size: int | Sequence[int]) -> tuple[int, int]:
    if isinstance(size, int):
        return size, size
    height, width = size if len(size) == 2 else (*size, *size)
    return int(height), int(width)


def _channels(levels: Levels) -> Pixels:
    """(3, 1, 1) float32 of one number or of three."""
    found: Pixels = np.broadcast_to(np.asarray(levels, np.float32), CHANNELS)
    return found.reshape(CHANNELS, 1, 1)
