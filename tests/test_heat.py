"""Heat maps: values against a tower worked out by hand, and grids of every kind of image tower."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from conftest import ColourEncoder
from imgsearch.display.heat import warmed
from imgsearch.encoders import cn_clip as chinese
from imgsearch.encoders import load
from imgsearch.encoders import open_clip as adapter
from imgsearch.encoders.heat import Heat, heat_of
from imgsearch.errors import NoEncoderError
from small_encoders import CHINESE_MODEL, MODEL, pictures
from small_towers import SHORT_TEXT, TIMM


class Averaging(ColourEncoder):
    """An encoder whose tower can be worked out by hand: patches of 8 pixels through one ReLU layer,
    averaged.
    """

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.device = torch.device("cpu")
        self.preprocess: dict[str, Any] = {"resize_mode": "squash"}
        self.model = nn.Module()
        self.model.visual = nn.Sequential(nn.Conv2d(3, 16, 8, 8), nn.ReLU())

    def pixels(self, images: list[Image.Image]) -> torch.Tensor:
        return torch.stack(
            [torch.tensor(np.asarray(i) / 255).permute(2, 0, 1) for i in images]
        ).float()

    def image_vectors(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.model.visual(pixels).mean((2, 3))  # type: ignore[no-any-return, operator]


def direction(dim: int, seed: int = 0) -> Any:
    row = np.random.default_rng(seed).normal(size=dim).astype(np.float32)
    return row / np.linalg.norm(row)


def test_the_map_of_an_averaging_tower_is_what_each_patch_gives_to_the_cosine() -> None:
    encoder, (picture,) = Averaging(), pictures(1, (32, 24))
    query = direction(16)
    patches = encoder.model.visual(encoder.pixels([picture]))[0].detach().numpy()  # type: ignore[operator]
    mean = patches.mean((1, 2))  # (16,)
    length = np.linalg.norm(mean)
    slope = query / length - mean * (query @ mean) / length**3  # of the cosine by the mean
    expected = np.maximum(np.einsum("chw,c->hw", patches, slope), 0)
    heat = heat_of(encoder, picture, query)
    assert heat.values.shape == (3, 4)
    np.testing.assert_allclose(heat.values, expected / expected.max(), atol=1e-5)
    assert heat.box == (0.0, 0.0, 1.0, 1.0)


def open_clip_like(**vision: Any) -> Any:
    model = {**MODEL, "text_cfg": SHORT_TEXT, "vision_cfg": vision, "custom_text": True}
    settings = adapter.Settings(model, {}, ("en",))
    torch.manual_seed(0)
    return adapter.OpenClip(None, settings, name="toy", source="toy", device="cpu")


@pytest.mark.parametrize(
    ("vision", "grid"),
    [
        (MODEL["vision_cfg"], (4, 4)),
        ({"image_size": 64, "layers": [1, 1, 1, 1], "width": 16}, (2, 2)),
        ({**TIMM, "image_size": 64}, (2, 2)),
        ({**MODEL["vision_cfg"], "attentional_pool": True, "attn_pooler_queries": 25}, (4, 4)),
    ],
    ids=["transformer", "residual network", "timm", "attentional pool"],
)
def test_the_grid_of_an_open_clip_tower_is_found(
    vision: dict[str, Any], grid: tuple[int, int]
) -> None:
    encoder = open_clip_like(**vision)
    (picture,) = pictures(1, (120, 60))
    heat = heat_of(encoder, picture, direction(encoder.dim))
    assert heat.values.shape == grid
    assert heat.values.max() == 1 or not heat.values.any()
    assert heat.box == pytest.approx((0.25, 0.0, 0.75, 1.0))  # the middle square is what it sees


def test_the_grid_of_a_chinese_clip_tower_is_found_and_nothing_is_left_behind() -> None:
    torch.manual_seed(0)
    encoder = chinese.ChineseClip(None, CHINESE_MODEL, name="toy", source="toy", device="cpu")
    (picture,) = pictures(1)
    before = encoder.embed_images([picture])
    heat = heat_of(encoder, picture, direction(encoder.dim))
    assert heat.values.shape == (4, 4)
    assert heat.box == (0.0, 0.0, 1.0, 1.0)  # squashed, not cropped
    np.testing.assert_array_equal(encoder.embed_images([picture]), before)
    assert not any(module._forward_hooks for module in encoder.model.modules())


def test_the_bundled_encoder_looks_where_the_red_is(tmp_path: Path) -> None:
    encoder = load("builtin", runtime="torch")
    picture = Image.new("RGB", (120, 120), "white")
    picture.paste("red", (80, 0, 120, 120))
    red, white = encoder.embed_images([Image.new("RGB", (9, 9), c) for c in ("red", "white")])
    towards = (red - white) / np.linalg.norm(red - white)
    heat = heat_of(encoder, picture, towards).values
    assert heat[:, -1].sum() > heat[:, :-1].sum()


def test_an_encoder_without_a_tower_is_named() -> None:
    with pytest.raises(NoEncoderError, match="toy/colour has no image tower"):
        heat_of(ColourEncoder(), Image.new("RGB", (8, 8)), direction(3))


def test_a_photo_keeps_its_colours_where_it_is_warm_and_loses_them_where_it_is_cold() -> None:
    photo = Image.new("RGB", (80, 40), (200, 100, 0))
    values = np.zeros((2, 2), np.float32)
    values[0, 1] = 1
    drawn = np.asarray(warmed(photo, Heat(values, (0.5, 0.0, 1.0, 1.0))), int)
    assert drawn.shape == (40, 80, 3)
    assert (drawn[:, :40] == round(0.35 * 100)).all()  # outside the box: grey, and dark
    warmest = drawn[0, 79]
    assert warmest.tolist() == [round(200 + 0.45 * 55), round(100 - 0.45 * 4), 0]
    assert drawn[:, :, 0].max() == warmest[0]
