"""What a tower sees of a picture, to the bit what the packages' transforms make of it."""

import json
import random
from typing import Any

import numpy as np
import pytest
from cn_clip.clip.utils import image_transform
from open_clip.transform import PreprocessCfg, image_transform_v2

from imgsearch.encoders import cropping
from imgsearch.encoders.pixels import Preprocessing
from imgsearch.errors import UsageError
from small_encoders import pictures

SIZES: list[Any] = [32, 7, [48], (64, 64), (48, 96), [97, 31]]
LEVELS: list[dict[str, Any]] = [
    {},
    {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "fill_color": 127},
    {"mean": (0, 0, 0), "std": 0.3, "fill_color": [3, 4, 200]},
    {"mean": 0.0, "fill_color": [9]},  # open_clip takes 0 for "not given"
]


def odd_sizes(count: int) -> list[tuple[int, int]]:
    """Sizes of pictures from a pixel up, few of them square."""
    draw = random.Random(5)

    def side() -> int:
        return draw.choice([1, 2, draw.randint(3, 40), draw.randint(40, 320)])

    return [(side(), side()) for _ in range(count)]


@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear", "random"])
@pytest.mark.parametrize("resize_mode", ["shortest", "longest", "squash"])
def test_pixels_are_open_clips_to_the_bit(
    resize_mode: str, interpolation: str, levels: dict[str, Any]
) -> None:
    for size in SIZES:
        given = {"resize_mode": resize_mode, "interpolation": interpolation, **levels}
        side = size[0] if isinstance(size, list) and len(size) == 1 else size
        theirs = image_transform_v2(PreprocessCfg(**given, size=side), is_train=False)
        mine = Preprocessing.of({**given, "size": size})
        for width, height in [(32, 32), (96, 48), (320, 41), *odd_sizes(12)]:
            if max(width, height) > cropping.LONG * min(width, height) and resize_mode != "squash":
                continue  # test_cropping.py has those
            (image,) = pictures(1, (width, height))
            assert np.array_equal(mine.pixels([image])[0], theirs(image)), (size, width, height)


def test_squashed_pixels_are_chinese_clips_to_the_bit() -> None:
    for side in (32, 224):
        mine, theirs = Preprocessing((side, side), resize_mode="squash"), image_transform(side)
        images = [picture for size in odd_sizes(12) for picture in pictures(1, size)]
        batch = mine.pixels(images)
        assert batch.dtype == np.float32
        assert batch.shape == (12, 3, side, side)
        for pixels, image in zip(batch, images, strict=True):
            assert np.array_equal(pixels, theirs(image))


def test_every_level_of_every_channel_is_scaled_as_torch_scales_it() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    (image,) = pictures(1, (16, 16))
    image.putdata([(level, level, level) for level in levels.ravel().tolist()])
    theirs = image_transform_v2(PreprocessCfg(size=16), is_train=False)
    assert np.array_equal(Preprocessing((16, 16)).pixels([image])[0], theirs(image))


def test_a_slit_keeps_a_pixel_where_it_is_not_to_be_cropped() -> None:
    filled = Preprocessing((32, 32), resize_mode="longest")
    for size in ((1, 1500), (1500, 1)):
        assert filled.fitted(pictures(1, size)[0]).size == (32, 32)


def test_no_pictures_make_an_empty_batch() -> None:
    assert Preprocessing((5, 6)).pixels([]).shape == (0, 3, 5, 6)


def test_a_preprocessing_is_read_back_from_json() -> None:
    for levels in LEVELS:
        made = Preprocessing.of({"size": 32, "interpolation": "bilinear", "other": 1, **levels})
        again = Preprocessing.of(json.loads(json.dumps(made.as_mapping())))
        (image,) = pictures(1, (50, 40))
        assert np.array_equal(made.pixels([image]), again.pixels([image]))
        assert again.as_mapping() == {**made.as_mapping(), **_listed(made)}


def _listed(made: Preprocessing) -> dict[str, Any]:
    """The lists that JSON makes of tuples."""
    found = made.as_mapping()
    return {key: list(found[key]) for key in ("mean", "std") if isinstance(found[key], tuple)}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"interpolation": "lanczos"}, "interpolation is none of bicubic"),
        ({"resize_mode": "stretch"}, "resize_mode is none of"),
        ({"mode": "L"}, "mode is none of RGB"),
        ({"std": [0.5, 0, 0.5]}, "a std is 0"),
        ({"mean": [0.5, 0.5]}, "broadcast"),
        ({"size": 0}, "at least 1"),
        ({"size": "large"}, "size"),
        ({"size": [1, 2, 3]}, "unpack"),
    ],
)
def test_a_configuration_that_cannot_be_used_says_why(given: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError, match=f"preprocess_cfg .*{reason}"):
        Preprocessing.of(given)
