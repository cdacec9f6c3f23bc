"""The perceptual hash of a picture: 256 bits that survive another encoding, size or light.

A picture goes in, 32 bytes come out; two that differ in few bits look alike. It is the DCT hash of
ImageHash and PDQ: which of the 16 x 16 lowest frequencies of 64 x 64 grey pixels lie above their
median. Measured against the others (benchmarks/duplicates.py): with 64 bits strangers come as near
as copies do, and mean and wavelet hashes take every light ground for every other. ImageHash itself
would bring scipy and PyWavelets for these few lines.

Few bits are a suspicion. `unlikeness` looks at two pictures themselves, which tells colours, a
stamped name and the next shot of a burst from another encoding of the same.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image

from imgsearch.vectors import Vectors

HASH_BITS = 256
SHORT_SIDE = 128  # how small a picture may be decoded for either
_GREY_SIDE, _KEPT = 64, 16
_LEAST_DETAIL = 60.0  # what another encoding adds to a frequency; noise in the dark is at 20
_CELLS = 16
_GAINS = (0.7, 1.4)

Cells = npt.NDArray[np.float32]


def perceptual_hash(image: Image.Image) -> bytes:
    """The 32 bytes of an RGB picture; none for one with too little in it to be told from others."""
    grey = image.convert("L").resize(
        (_GREY_SIDE, _GREY_SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0
    )
    waves = _waves()
    frequencies = waves @ np.asarray(grey, np.float32) @ waves.T  # (16, 16)
    above = frequencies - np.median(frequencies)
    if np.median(np.abs(above)) < _LEAST_DETAIL:  # its bits would be those of its noise
        return b""
    return np.packbits(above > 0).tobytes()


def cells(image: Image.Image) -> Cells:
    """The colours of a picture's 16 x 16 cells, (16, 16, 3): what `unlikeness` compares.

    The cells overlap: with hard edges, of a copy at a quarter of the size they would lie elsewhere.
    """
    return np.asarray(image.resize((_CELLS, _CELLS), Image.Resampling.BILINEAR), np.float32)


def unlikeness(one: Cells, other: Cells) -> float:
    """The greatest difference of a colour in any cell, in levels of 255.

    Taken after the light and the contrast of the one were made those of the other, as far as an
    edit may go that leaves a picture the same.
    """
    centred, target = one - one.mean(), other - other.mean()
    gain = np.clip((centred * target).mean() / max(float(centred.var()), 1e-6), *_GAINS)
    return float(np.abs(target - gain * centred).max())


@lru_cache(maxsize=1)
def _waves() -> Vectors:
    """(16, 64): the cosines of the DCT, without the one that is the mean."""
    places = (np.arange(_GREY_SIDE) + 0.5) * np.pi / _GREY_SIDE
    waves: Vectors = np.cos(np.arange(1, _KEPT + 1)[:, None] * places).astype(np.float32)
    return waves
