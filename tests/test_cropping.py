"""Very long pictures: what their middle gives, and what it does not take."""

from pathlib import Path
from typing import Any

import pytest
import torch
from open_clip.constants import OPENAI_DATASET_STD
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image

import imgsearch.encoders as encoders
from imgsearch.encoders import cropping
from small_encoders import pictures, write_folder


@pytest.mark.parametrize("mode", ["shortest", "squash"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_a_panorama_gives_the_packages_pixels_but_for_rounding(
    mode: str, interpolation: str, tmp_path: Path
) -> None:
    changes = {"size": 64, "interpolation": interpolation, "resize_mode": mode}
    encoder: Any = encoders.load(
        str(write_folder(tmp_path / "x", preprocess_cfg=changes)), device="cpu"
    )
    theirs = image_transform_v2(PreprocessCfg(**changes), is_train=False)
    for size in ((900, 100), (100, 901), (3, 77), (1, 9), (4000, 130), (61, 700)):
        # Softened: Pillow's order of its two passes shows where the first one clips.
        (image,) = (picture.point(lambda level: 64 + level // 2) for picture in pictures(1, size))
        scale = torch.tensor(OPENAI_DATASET_STD)[:, None, None] * 255
        difference = (encoder.pixels([image])[0] - theirs(image)).abs() * scale
        assert difference.max() < 2.01  # of 255 levels
    (image,) = pictures(1, (512, 64))  # 8:1 is still resized by the package itself
    assert torch.equal(encoder.pixels([image])[0], theirs(image))


def test_a_slit_of_a_picture_takes_no_gigabyte(tmp_path: Path) -> None:
    encoder = encoders.load(str(write_folder(tmp_path / "x")), device="cpu")
    for size in ((1, 1500), (1500, 1)):
        (image,) = pictures(1, size)
        middle = cropping.middle(image, (224, 224), Image.Resampling.BICUBIC)
        assert middle.size == (224, 224)
    for size in ((1, 3_000_000), (3_000_000, 1)):  # 37 GB, were it resized whole
        image = Image.new("RGB", size, "red")
        assert encoder.embed_images([image]).shape == (1, 64)
