"""Pictures decoded smaller than they are: never too small, with the facts of the whole."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.ExifTags import Base

from conftest import draw
from imgsearch.images import decode, read


@pytest.mark.parametrize(
    ("size", "short_side", "expected"),
    [
        ((800, 600), 100, (133, 100)),  # a quarter by the JPEG, no more: 600 / 8 is too small
        ((1600, 1200), 100, (133, 100)),
        ((800, 600), 300, (400, 300)),
        ((800, 600), 301, (800, 600)),
        ((80, 60), 100, (80, 60)),
    ],
)
def test_a_reduced_jpeg_never_falls_below_the_short_side(
    tmp_path: Path, size: tuple[int, int], short_side: int, expected: tuple[int, int]
) -> None:
    draw(tmp_path / "a.jpg", (90, 140, 200), size)
    image, facts = read(tmp_path / "a.jpg", short_side=short_side)
    assert (facts.width, facts.height) == size
    assert min(image.size) >= min(short_side, *size)
    assert max(image.size) <= max(expected) * 1.6
    assert np.abs(np.asarray(image) - np.array([90.0, 140, 200])).max() <= 2


def test_a_reduced_sideways_jpeg_still_tells_its_full_upright_size(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[Base.Orientation] = 6
    Image.new("RGB", (800, 600)).save(tmp_path / "a.jpg", exif=exif)
    image, facts = read(tmp_path / "a.jpg", short_side=75)
    assert image.size == (75, 100)
    assert (facts.width, facts.height) == (600, 800)


def test_other_formats_are_averaged_down_by_a_whole_factor(tmp_path: Path) -> None:
    random = np.random.default_rng(7)
    array = random.integers(0, 256, (120, 160, 3), dtype=np.uint8)
    Image.fromarray(array).save(tmp_path / "a.png")
    got = np.asarray(decode(tmp_path / "a.png", short_side=30))
    blocks = array.reshape(30, 4, 40, 4, 3).astype(float).mean((1, 3))
    assert np.abs(got - blocks).max() <= 0.5001
