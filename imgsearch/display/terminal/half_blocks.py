"""Pictures of letters: an upper half block is two pixels, its ink above and its ground below."""

import numpy as np
import numpy.typing as npt
from PIL import Image

UPPER_HALF = "▀"
STEPS = np.array([0, 95, 135, 175, 215, 255])  # of red, green and blue in the cube of 6 x 6 x 6
GREYS = 8 + 10 * np.arange(24)
CUBE, GREY = 16, 232  # where they begin among the 256 colours


def rows(picture: Image.Image, cells: tuple[int, int], has_all_colours: bool) -> list[str]:
    """An RGB picture as (columns, rows) of letters, each in its colours, which end with a row."""
    small = np.asarray(picture.resize((cells[0], 2 * cells[1]), Image.Resampling.BOX))
    coded = _all_colours(small) if has_all_colours else _of_256(small)  # (2 rows, columns)
    return [
        "".join(
            f"\x1b[38;{ink};48;{ground}m{UPPER_HALF}"
            for ink, ground in zip(upper, lower, strict=True)
        )
        + "\x1b[0m"
        for upper, lower in zip(coded[::2], coded[1::2], strict=True)
    ]


def _all_colours(pixels: npt.NDArray[np.uint8]) -> list[list[str]]:
    return [["2;{};{};{}".format(*pixel) for pixel in row] for row in pixels.tolist()]


def _of_256(pixels: npt.NDArray[np.uint8]) -> list[list[str]]:
    """The nearest of the colours that a terminal's theme does not change: a cube, and greys."""
    wanted = pixels.astype(np.int64)  # (height, width, 3)
    steps = np.abs(wanted[..., None] - STEPS).argmin(-1)  # (height, width, 3)
    grey = np.abs(wanted.mean(-1)[..., None] - GREYS).argmin(-1)  # (height, width)
    off_cube = ((STEPS[steps] - wanted) ** 2).sum(-1)
    off_grey = ((GREYS[grey][..., None] - wanted) ** 2).sum(-1)
    coded = np.where(off_grey < off_cube, GREY + grey, CUBE + steps @ [36, 6, 1])
    return [[f"5;{colour}" for colour in row] for row in coded.tolist()]
