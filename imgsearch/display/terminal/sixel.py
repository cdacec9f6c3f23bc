"""Sixels: a picture in at most 255 colours, six rows of pixels at a time.

Of such a band, each colour is drawn on its own: one letter a column, whose six bits say which of
the six pixels have it; runs of a letter are written once, with their length.
"""

import re

import numpy as np
import numpy.typing as npt
from PIL import Image

COLOURS = 255
BAND = 6
_RUN = re.compile(rb"(.)\1{3,}", re.DOTALL)  # shorter ones are no longer than their length


def at_cursor(picture: Image.Image) -> bytes:
    """An RGB picture, its left upper corner at the cursor."""
    width, height = picture.size
    reduced = picture.quantize(COLOURS, dither=Image.Dither.FLOYDSTEINBERG)
    palette = np.array(reduced.getpalette(), np.uint16).reshape(-1, 3)
    numbers = np.asarray(reduced)  # (height, width)
    colours = [
        "#{};2;{};{};{}".format(number, *((100 * palette[number] + 127) // 255))
        for number in np.unique(numbers)
    ]
    bands = [_band(numbers[top : top + BAND]) for top in range(0, height, BAND)]
    # 0;1: what no colour covers, the rest of the last band, stays as it is.
    head = f'\x1bP0;1;0q"1;1;{width};{height}' + "".join(colours)
    return head.encode() + b"-".join(bands) + b"\x1b\\"


def _band(numbers: npt.NDArray[np.uint8]) -> bytes:
    """(up to 6, width) numbers of colours -> each colour's letters, drawn over one another."""
    weights = (1 << np.arange(len(numbers), dtype=np.uint8))[:, None]
    drawn = []
    for number in np.unique(numbers):
        letters = ((numbers == number) * weights).sum(0, dtype=np.uint8) + ord("?")
        drawn.append(b"#%d" % number + _RUN.sub(_shortened, letters.tobytes().rstrip(b"?")))
    return b"$".join(drawn)


def _shortened(run: re.Match[bytes]) -> bytes:
    return b"!%d%s" % (len(run[0]), run[1])
