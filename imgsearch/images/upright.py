"""Any decoded picture in, the RGB picture a person sees out: colours, ground, orientation.

Every number here is a choice about pictures that are not plain RGB, and is checked by value in the
tests. Transparency lies on mid grey, on which both a black and a white logo stay visible. Grey
deeper than 8 bits is scaled by its format's own white, not stretched picture by picture, so that a
dark photo stays dark.
"""

import numpy as np
import numpy.typing as npt
from PIL import Image

GROUND = (128, 128, 128)
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SWAPS_SIDES = frozenset({5, 6, 7, 8})
BITS_PER_SAMPLE = 258  # the TIFF tag


def upright_rgb(image: Image.Image, orientation: int) -> tuple[Image.Image, bool]:
    """A picture as upright RGB, detached from its file, and whether its sides were swapped.

    `orientation` is the EXIF value; anything but 2 to 8 means upright already.
    """
    rgb, is_turned = upright_view(image, orientation)
    # A copy lets go of the file's decoder and bytes.
    return image.copy() if rgb is image else rgb, is_turned


def upright_view(image: Image.Image, orientation: int) -> tuple[Image.Image, bool]:
    """The same, but the very picture where it is upright RGB: to be made small, not to be kept."""
    rgb = _rgb(image)
    if orientation in TURNS:
        rgb = rgb.transpose(TURNS[orientation])
    return rgb, orientation in SWAPS_SIDES


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_grey(image)).convert("RGB")
    if image.has_transparency_data:
        return _grounded(image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _grounded(image: Image.Image) -> Image.Image:
    painted = image.convert("RGBA")
    ground = Image.new("RGB", image.size, GROUND)
    ground.paste(painted, mask=painted.getchannel("A"))
    return ground


def _grey(image: Image.Image) -> npt.NDArray[np.uint8]:
    """(h, w) uint8 from deeper integers and floats: 0 is black, the format's white is white."""
    values = np.nan_to_num(np.asarray(image, np.float32), posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    white = _white(image, high)
    if low < 0 or high > white:  # measurements rather than a photo: show what range there is
        values, white = values - low, (high - low) or 1.0
    grey: npt.NDArray[np.uint8] = np.floor(values / white * 255 + 0.5).astype(np.uint8)
    return grey


def _white(image: Image.Image, high: float) -> float:
    """The value that means white: the format's where it has one, else the smallest usual one."""
    if image.mode.startswith("I;16"):
        bits = getattr(image, "tag_v2", {}).get(BITS_PER_SAMPLE, (16,))[0]
        return float(2**bits - 1)
    if image.mode == "I" and image.format in ("PNG", "PPM"):
        return 65535.0  # Pillow has scaled them to 16 bits already
    usual = (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0)
    return next((white for white in usual if high <= white), usual[-1])
