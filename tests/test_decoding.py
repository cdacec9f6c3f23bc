"""Decoding, by pixel values: Pillow draws every picture, the right RGB is worked out by hand."""

import io
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt
import pillow_heif
import pytest
from PIL import Image, ImageCms
from PIL.ExifTags import Base

from archives import zipped
from conftest import draw
from imgsearch import images
from imgsearch.errors import PictureError
from imgsearch.images import content_hash, decode, decoding, files, read
from imgsearch.images.room import Room

Pixels = npt.NDArray[np.uint8]


def pixels(path: Path) -> Pixels:
    image = decode(path)
    assert image.mode == "RGB"
    return np.asarray(image)


def noise(height: int, width: int, *channels: int) -> Pixels:
    random = np.random.default_rng(7)
    return random.integers(0, 256, (height, width, *channels), dtype=np.uint8)


CORNERS = np.zeros((16, 24, 3), np.uint8)  # four coloured quarters: every turn shows
CORNERS[:8, :12] = 255, 0, 0
CORNERS[:8, 12:] = 0, 255, 0
CORNERS[8:, :12] = 0, 0, 255


@pytest.mark.parametrize("ending", ["png", "bmp", "tiff", "ppm", "webp", "jp2"])
def test_plain_rgb_is_bit_identical_to_what_was_saved(tmp_path: Path, ending: str) -> None:
    array = noise(31, 47, 3)
    lossless = {"lossless": True} if ending == "webp" else {}
    Image.fromarray(array).save(tmp_path / f"a.{ending}", **lossless)
    assert np.array_equal(pixels(tmp_path / f"a.{ending}"), array)


@pytest.mark.parametrize("ending", ["jpg", "avif", "gif", "heic"])
def test_lossy_rgb_is_bit_identical_to_pillows_own_decode(tmp_path: Path, ending: str) -> None:
    pillow_heif.register_heif_opener()
    smooth = Image.fromarray(noise(4, 5, 3)).resize((50, 40), Image.Resampling.BICUBIC)
    smooth.save(tmp_path / f"a.{ending}")
    with Image.open(tmp_path / f"a.{ending}") as image:
        assert np.array_equal(pixels(tmp_path / f"a.{ending}"), np.asarray(image.convert("RGB")))


# what the eye should see is CORNERS; what is stored is CORNERS moved the other way
STORED = {
    1: CORNERS,
    2: CORNERS[:, ::-1],
    3: CORNERS[::-1, ::-1],
    4: CORNERS[::-1],
    5: CORNERS.transpose(1, 0, 2),
    6: np.rot90(CORNERS, 1),
    7: CORNERS[::-1, ::-1].transpose(1, 0, 2),
    8: np.rot90(CORNERS, -1),
}


@pytest.mark.parametrize("ending", ["png", "tiff", "webp", "jpg", "avif"])
@pytest.mark.parametrize("orientation", STORED)
def test_each_exif_orientation_comes_out_upright(
    tmp_path: Path, orientation: int, ending: str
) -> None:
    path = tmp_path / f"a.{ending}"
    exif = Image.Exif()
    exif[Base.Orientation] = orientation
    options = {
        "webp": {"lossless": True},
        "jpg": {"quality": 100, "subsampling": 0},
        "avif": {"quality": 100, "subsampling": "4:4:4"},
    }
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation]))
    stored.save(path, exif=exif, **options.get(ending, {}))
    image, facts = read(path)
    assert (facts.width, facts.height) == (24, 16)
    difference = np.abs(np.asarray(image).astype(int) - CORNERS)
    assert difference.max() <= (0 if ending in ("png", "tiff", "webp") else 6)


@pytest.mark.parametrize("orientation", STORED)
def test_each_orientation_of_a_heic_comes_out_upright(tmp_path: Path, orientation: int) -> None:
    pillow_heif.register_heif_opener()
    exif = Image.Exif()
    exif[Base.Orientation] = orientation
    big = np.repeat(np.repeat(STORED[orientation], 8, 0), 8, 1)
    Image.fromarray(big).save(tmp_path / "a.heic", exif=exif.tobytes(), quality=100)
    assert (b"irot" in (tmp_path / "a.heic").read_bytes()) == (orientation in (3, 5, 6, 7, 8))
    image, facts = read(tmp_path / "a.heic")
    assert (facts.width, facts.height, facts.format) == (192, 128, "HEIF")
    centres = np.asarray(image)[32::64, 48::96].astype(int)
    assert np.abs(centres - CORNERS[4::8, 6::12]).max() <= 8


@pytest.mark.parametrize("value", [0, 9, 99, 65535])
def test_a_nonsense_orientation_leaves_the_picture_as_it_is(tmp_path: Path, value: int) -> None:
    exif = Image.Exif()
    exif[Base.Orientation] = value
    Image.fromarray(CORNERS).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(pixels(tmp_path / "a.png"), CORNERS)


@pytest.mark.parametrize("ending", ["png", "tiff", "pgm", "jp2"])
def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path: Path, ending: str) -> None:
    deep = np.linspace(0, 65535, 64).reshape(8, 8).round().astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / f"a.{ending}")
    expected = np.floor(deep / 257 + 0.5)
    got = pixels(tmp_path / f"a.{ending}")
    assert np.abs(got[..., 0] - expected).max() == 0
    assert (got[..., 0] == got[..., 1]).all()
    assert (got[..., 0] == got[..., 2]).all()


def test_big_endian_sixteen_bit_grey_is_scaled_too(tmp_path: Path) -> None:
    deep = (np.arange(64, dtype=np.uint16) * 1040).reshape(8, 8)
    image = Image.frombytes("I;16B", (8, 8), deep.astype(">u2").tobytes())
    image.save(tmp_path / "a.tif")
    assert np.array_equal(pixels(tmp_path / "a.tif")[..., 0], np.floor(deep / 257 + 0.5))


def test_a_dark_sixteen_bit_photo_stays_dark(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4), 2570, np.uint16)).save(tmp_path / "a.png")
    assert (pixels(tmp_path / "a.png") == 10).all()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 0.5, 1.0], [0, 128, 255]),  # floats of one
        ([0.0, 100.0, 255.0], [0, 100, 255]),  # floats of 8 bits
        ([0.0, 2570.0, 65535.0], [0, 10, 255]),  # floats of 16 bits
        ([-1.0, 0.0, 1.0], [0, 128, 255]),  # measurements: their own range
        ([0.0, 1e6, 2e6], [0, 128, 255]),
        ([0.0, float("nan"), 1.0], [0, 0, 255]),
    ],
)
def test_float_pictures_find_their_white(
    tmp_path: Path, values: list[float], expected: list[int]
) -> None:
    Image.fromarray(np.array([values], np.float32)).save(tmp_path / "a.tif")
    assert pixels(tmp_path / "a.tif")[0, :, 0].tolist() == expected


def test_thirty_two_bit_integers_find_their_white(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 2570, 65535]], np.int32)).save(tmp_path / "a.tif")
    assert pixels(tmp_path / "a.tif")[0, :, 0].tolist() == [0, 10, 255]


def test_transparency_lies_on_mid_grey(tmp_path: Path) -> None:
    image = Image.new("RGBA", (3, 1), (0, 0, 0, 0))
    image.putpixel((1, 0), (255, 255, 255, 255))
    image.putpixel((2, 0), (255, 0, 0, 128))
    image.save(tmp_path / "a.png")
    assert pixels(tmp_path / "a.png")[0].tolist() == [[128] * 3, [255] * 3, [192, 64, 64]]


def test_a_black_logo_on_no_ground_is_not_all_black(tmp_path: Path) -> None:
    image = Image.new("LA", (4, 1), (0, 0))
    image.putpixel((0, 0), (0, 255))
    image.save(tmp_path / "a.png")
    assert pixels(tmp_path / "a.png")[0, :, 0].tolist() == [0, 128, 128, 128]


def test_an_opaque_alpha_channel_changes_no_pixel(tmp_path: Path) -> None:
    array = noise(9, 9, 4)
    array[..., 3] = 255
    Image.fromarray(array).save(tmp_path / "a.png")
    assert np.array_equal(pixels(tmp_path / "a.png"), array[..., :3])


def test_one_transparent_colour_is_ground_in_rgb_grey_and_palette_pictures(tmp_path: Path) -> None:
    rgb = Image.new("RGB", (2, 1), (10, 20, 30))
    rgb.putpixel((1, 0), (200, 0, 0))
    rgb.save(tmp_path / "rgb.png", transparency=(10, 20, 30))
    grey = Image.new("L", (2, 1), 10)
    grey.putpixel((1, 0), 200)
    grey.save(tmp_path / "grey.png", transparency=10)
    palette = Image.new("P", (2, 1), 0)
    palette.putpalette([10, 20, 30, 200, 0, 0])
    palette.putpixel((1, 0), 1)
    palette.save(tmp_path / "palette.png", transparency=0)
    palette.save(tmp_path / "palette.gif", transparency=0)
    palette.save(tmp_path / "soft.png", transparency=bytes([128, 255]))
    assert pixels(tmp_path / "rgb.png")[0].tolist() == [[128] * 3, [200, 0, 0]]
    assert pixels(tmp_path / "grey.png")[0].tolist() == [[128] * 3, [200] * 3]
    assert pixels(tmp_path / "palette.png")[0].tolist() == [[128] * 3, [200, 0, 0]]
    assert pixels(tmp_path / "palette.gif")[0].tolist() == [[128] * 3, [200, 0, 0]]
    assert pixels(tmp_path / "soft.png")[0].tolist() == [[69, 74, 79], [200, 0, 0]]


def test_palette_one_bit_and_grey_pictures_keep_their_colours(tmp_path: Path) -> None:
    palette = Image.new("P", (2, 1), 0)
    palette.putpalette([1, 2, 3, 250, 100, 50])
    palette.putpixel((1, 0), 1)
    palette.save(tmp_path / "p.bmp")
    bits = Image.new("1", (2, 1), 0)
    bits.putpixel((1, 0), 1)
    bits.save(tmp_path / "bits.pbm")
    bits.save(tmp_path / "bits.png")
    Image.fromarray(noise(5, 5)).save(tmp_path / "grey.pgm")
    assert pixels(tmp_path / "p.bmp")[0].tolist() == [[1, 2, 3], [250, 100, 50]]
    assert pixels(tmp_path / "bits.pbm")[0].tolist() == [[0] * 3, [255] * 3]
    assert pixels(tmp_path / "bits.png")[0].tolist() == [[0] * 3, [255] * 3]
    assert np.array_equal(pixels(tmp_path / "grey.pgm")[..., 1], noise(5, 5))


def test_cmyk_is_seen_in_its_colours_in_tiff_and_in_adobes_inverted_jpeg(tmp_path: Path) -> None:
    red = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    red.save(tmp_path / "a.tif")
    red.save(tmp_path / "a.jpg", quality=100)  # Pillow writes it inverted, with Adobe's marker
    assert b"Adobe" in (tmp_path / "a.jpg").read_bytes()
    for ending in ("tif", "jpg"):
        assert np.abs(pixels(tmp_path / f"a.{ending}") - np.array([255.0, 0, 0])).max() <= 2


def test_lab_and_ycbcr_are_seen_in_their_colours(tmp_path: Path) -> None:
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    turn = ImageCms.buildTransform(srgb, lab, "RGB", "LAB")
    picture = ImageCms.applyTransform(Image.new("RGB", (8, 8), (200, 60, 40)), turn)
    assert picture is not None
    picture.save(tmp_path / "lab.tif")
    Image.new("RGB", (8, 8), (200, 60, 40)).convert("YCbCr").save(tmp_path / "ycc.tif")
    for name in ("lab.tif", "ycc.tif"):
        assert np.abs(pixels(tmp_path / name) - np.array([200.0, 60, 40])).max() <= 3


@pytest.mark.parametrize("ending", ["gif", "webp", "png", "tiff", "avif"])
def test_of_an_animation_the_first_frame_is_seen(tmp_path: Path, ending: str) -> None:
    first, second = Image.new("RGB", (32, 32), "red"), Image.new("RGB", (32, 32), "blue")
    first.save(tmp_path / f"a.{ending}", save_all=True, append_images=[second])
    assert np.abs(pixels(tmp_path / f"a.{ending}") - np.array([255.0, 0, 0])).max() <= 3


def test_a_phone_jpeg_with_a_second_picture_behind_it_is_a_jpeg(tmp_path: Path) -> None:
    first, second = Image.new("RGB", (64, 48), "red"), Image.new("RGB", (32, 24), "blue")
    first.save(tmp_path / "a.mpo", save_all=True, append_images=[second])
    image, facts = read((tmp_path / "a.mpo").rename(tmp_path / "a.jpg"), short_side=16)
    assert (facts.format, facts.width, facts.height) == ("JPEG", 64, 48)
    assert np.abs(np.asarray(image)[8, 8] - np.array([255.0, 0, 0])).max() <= 3


def test_a_picture_is_known_by_its_content_not_its_ending(tmp_path: Path) -> None:
    draw(tmp_path / "a.png", "red").rename(tmp_path / "a.jpg")
    assert read(tmp_path / "a.jpg")[1].format == "PNG"


def test_bytes_decode_to_the_same_pixels_as_the_file(tmp_path: Path) -> None:
    path = draw(tmp_path / "a.jpg", (20, 90, 160), (64, 64))
    assert np.array_equal(np.asarray(decode(path.read_bytes())), pixels(path))
    with pytest.raises(PictureError, match="the picture cannot be used"):
        decode(b"no")


def test_a_decoded_picture_has_let_go_of_its_file(tmp_path: Path) -> None:
    image = decode(draw(tmp_path / "a.png", "red"))
    (tmp_path / "a.png").unlink()  # on Windows this fails while the file is open
    assert image.getpixel((0, 0)) == (255, 0, 0)
    image.save(io.BytesIO(), "PNG")


def test_the_hash_covers_every_byte(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert content_hash(tmp_path / "a") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
    draw(tmp_path / "big.bmp", "red", (1000, 400))  # beyond the first megabyte: the last pixel
    before = content_hash(tmp_path / "big.bmp")
    with open(tmp_path / "big.bmp", "r+b") as stream:
        stream.seek(-1, io.SEEK_END)
        stream.write(b"\x01")
    assert content_hash(tmp_path / "big.bmp") != before
    with pytest.raises(PictureError, match="cannot be read"):
        content_hash(tmp_path / "nowhere")


def test_large_pictures_wait_for_room_and_small_ones_share_it() -> None:
    room, running, most = Room(100), Counter[int](), 0
    guard = threading.Lock()

    def decoded(number: int) -> None:
        nonlocal most
        size_bytes = (30, 60, 250)[number % 3]
        for _ in range(50):
            with room.taken(size_bytes):
                with guard:
                    running[number] = min(size_bytes, 100)
                    most = max(most, running.total())
                with guard:
                    del running[number]

    with ThreadPoolExecutor(9) as pool:
        list(pool.map(decoded, range(9)))
    assert 0 < most <= 100


@pytest.mark.parametrize(
    ("module", "of", "name"), [(decoding, "_pixels", "a.png"), (files, "_contents", "a.zip/a.png")]
)
def test_a_picture_is_decoded_once_there_is_room_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: ModuleType, of: str, name: str
) -> None:
    room = Room(4 * 64 * 64)
    monkeypatch.setattr(module, of, room)
    draw(tmp_path / "a.png", "red", (64, 64))
    zipped(tmp_path / "a.zip", {"a.png": (tmp_path / "a.png").read_bytes()})
    with ThreadPoolExecutor(1) as pool:
        with room.taken(4 * 64 * 64):
            picture = pool.submit(decode, tmp_path / name, short_side=8)
            assert not wait([picture], 0.1).done
        assert picture.result().size == (8, 8)
    images.let_go()
