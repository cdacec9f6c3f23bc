"""Panoramas and slits: the middle of a very long picture, resized without resizing the rest.

In: a picture and the size a tower wants. Out: the picture as it was, or, where one side is more
than `LONG` times the other, just what resizing and then cropping would have left of it. The
packages resize first: of a picture of 1 x 1,500 pixels they make one of 224 x 336,000 and keep a
square of it, so a file of 200 bytes would take a gigabyte.
"""

from __future__ import annotations

from PIL import Image

LONG = 8


def middle(image: Image.Image, size: tuple[int, int], resample: Image.Resampling) -> Image.Image:
    """The part of a long picture that fills (height, width) pixels once its shorter side fits.

    The box is in source pixels and pixels beside it still count where the filter reaches them, so
    nothing but rounding and clipping between Pillow's two passes tells it from resizing all and
    cropping.
    """
    if max(image.size) <= LONG * min(image.size):
        return image
    ratio = max(size[1] / image.width, size[0] / image.height)
    box: list[float] = []
    for full, kept in zip(image.size, (size[1], size[0]), strict=True):  # width, then height
        resized = int(full * ratio + 1e-9)
        start = round((resized - kept) / 2)
        box += [start * full / resized, (start + kept) * full / resized]
    left, right, top, bottom = box
    return image.resize(
        (size[1], size[0]),
        resample,
        box=(left, top, min(right, image.width), min(bottom, image.height)),
    )
