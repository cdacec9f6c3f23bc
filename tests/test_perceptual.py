"""The perceptual hash against a DCT written out, and what it and a look at the cells tell apart."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance

from imgsearch.images.perceptual import cells, perceptual_hash, unlikeness


def photo(seed: int = 0, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """A picture with as much in it as a photo: blots of every size, the large ones coloured."""
    random = np.random.default_rng(seed)
    picture = Image.new("RGB", size, "grey")
    for side in (32, 16, 8, 4):
        noise = Image.fromarray(random.integers(0, 256, (side, side, 3), np.uint8))
        noise = noise if side == 4 else noise.convert("L").convert("RGB")
        picture = Image.blend(picture, noise.resize(size, Image.Resampling.BICUBIC), 0.4)
    return picture


def encoded(picture: Image.Image, form: str = "JPEG", quality: int = 75) -> Image.Image:
    stream = io.BytesIO()
    picture.save(stream, form, quality=quality)
    return Image.open(io.BytesIO(stream.getvalue())).convert("RGB")


def differing_bits(one: Image.Image, other: Image.Image) -> int:
    hashes = [perceptual_hash(each) for each in (one, other)]
    assert all(len(each) == 32 for each in hashes)
    pair = [np.unpackbits(np.frombuffer(each, np.uint8)) for each in hashes]
    return int((pair[0] != pair[1]).sum())


def test_the_bits_are_the_lowest_frequencies_above_their_median() -> None:
    grey = photo(size=(64, 64)).convert("L")
    pixels = np.asarray(grey, np.float64)
    table = np.empty((16, 16))
    x = np.arange(64)
    for v in range(1, 17):
        for u in range(1, 17):
            down, across = (np.cos(np.pi * (2 * x + 1) * each / 128) for each in (v, u))
            table[v - 1, u - 1] = (pixels * down[:, None] * across[None, :]).sum()
    expected = np.packbits(table > np.median(table)).tobytes()
    assert perceptual_hash(grey.convert("RGB")) == expected


@pytest.mark.parametrize("seed", range(5))
def test_another_encoding_size_or_light_moves_few_bits(seed: int) -> None:
    picture = photo(seed)
    for quality in (30, 50, 75, 95):
        assert differing_bits(picture, encoded(picture, quality=quality)) <= 20
    assert differing_bits(picture, encoded(picture, "WEBP", 60)) <= 20
    for factor in (0.25, 0.5, 2):
        size = (round(320 * factor), round(240 * factor))
        assert differing_bits(picture, encoded(picture.resize(size))) <= 20
    assert differing_bits(picture, ImageEnhance.Brightness(picture).enhance(0.9)) <= 20


def test_pictures_that_are_strangers_differ_in_half_of_the_bits() -> None:
    counts = [differing_bits(photo(0), photo(seed)) for seed in range(1, 20)]
    assert min(counts) > 80 and 115 < np.mean(counts) < 140


def test_a_picture_with_nothing_in_it_has_no_hash() -> None:
    noise = np.random.default_rng(0).integers(0, 12, (480, 640, 3), np.uint8)  # the lens cap was on
    board = np.kron(np.indices((8, 8)).sum(0) % 2 * 255, np.ones((25, 25))).astype(np.uint8)
    for empty in (
        Image.new("RGB", (300, 200)),
        Image.new("RGB", (300, 200), "white"),
        Image.linear_gradient("L").convert("RGB"),
        Image.fromarray(noise),
        Image.fromarray(board).convert("RGB"),  # two frequencies, and noise in all others
    ):
        assert perceptual_hash(empty) == b""


def test_a_look_tells_another_encoding_from_another_picture() -> None:
    picture = photo()
    same = (
        encoded(picture, quality=30),
        encoded(picture.resize((160, 120))),
        encoded(ImageEnhance.Brightness(picture).enhance(0.85)),
        encoded(ImageEnhance.Contrast(picture).enhance(1.15)),
    )
    stamped = picture.copy()
    ImageDraw.Draw(stamped).rectangle((40, 200, 160, 225), fill="white")
    others = (
        stamped,
        Image.merge("RGB", [picture.convert("L")] * 3),
        photo(1),
    )
    assert max(unlikeness(cells(picture), cells(each)) for each in same) <= 25
    assert min(unlikeness(cells(picture), cells(each)) for each in others) > 25


def test_pictures_without_any_contrast_can_be_compared() -> None:
    white, black = (cells(Image.new("RGB", (9, 9), colour)) for colour in ("white", "black"))
    assert unlikeness(white, black) == 0  # light alone tells them apart, and light is let be
