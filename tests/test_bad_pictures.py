"""Pictures that are too big, damaged, or none at all: each a PictureError with a plain reason."""

import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image
from PIL.ExifTags import Base

from conftest import draw
from imgsearch.errors import PictureError
from imgsearch.images import content_hash, decode, read


def noise(side: int) -> Image.Image:
    random = np.random.default_rng(7)
    return Image.fromarray(random.integers(0, 256, (side, side, 3), dtype=np.uint8))


def test_the_pixel_cap_is_ours_and_can_be_raised(tmp_path: Path) -> None:
    Image.new("1", (300, 200)).save(tmp_path / "a.png")
    with pytest.raises(PictureError, match=r"300 x 200 pixels.*59,999.*--max-pixels"):
        read(tmp_path / "a.png", max_pixels=59_999)
    assert read(tmp_path / "a.png", max_pixels=60_000)[0].size == (300, 200)


def test_a_bomb_is_refused_before_it_is_unpacked_and_pillows_own_cap_is_left_alone(
    tmp_path: Path,
) -> None:
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png")  # 400 million pixels in 49 kB
    cap = Image.MAX_IMAGE_PIXELS
    with pytest.raises(PictureError, match="20000 x 20000 pixels"):
        read(tmp_path / "bomb.png")
    assert cap == Image.MAX_IMAGE_PIXELS


def test_a_picture_beyond_pillows_cap_but_not_ours_makes_no_warning(tmp_path: Path) -> None:
    draw(tmp_path / "a.png", "red", (200, 200))
    cap, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, 10_000
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with ThreadPoolExecutor(4) as pool:
                sizes = list(pool.map(lambda _: decode(tmp_path / "a.png").size, range(40)))
        assert Image.MAX_IMAGE_PIXELS == 10_000
    finally:
        Image.MAX_IMAGE_PIXELS = cap
    assert sizes == [(200, 200)] * 40


@pytest.mark.parametrize("ending", ["jpg", "png", "gif", "bmp", "tiff", "webp", "avif", "heic"])
def test_a_truncated_file_is_a_picture_error_with_a_reason(tmp_path: Path, ending: str) -> None:
    pillow_heif.register_heif_opener()
    noise(200).save(tmp_path / f"whole.{ending}")
    content = (tmp_path / f"whole.{ending}").read_bytes()
    for part in (len(content) // 2, 20):
        (tmp_path / f"cut.{ending}").write_bytes(content[:part])
        with pytest.raises(PictureError, match=r"damaged or cut short|not a picture"):
            read(tmp_path / f"cut.{ending}")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"Dear diary, today I went to the sea.", "not a picture of a kind"),
        (b"\xff\xd8\xff\xe0", r"not a picture|damaged"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture of a kind"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a picture of a kind"),
    ],
)
def test_what_is_no_picture_is_said_to_be_none(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(PictureError, match=reason):
        read(tmp_path / "a.jpg")


def test_random_damage_never_raises_anything_but_a_picture_error(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    exif = Image.Exif()
    exif[Base.Make] = "Canon"
    for ending in ("jpg", "png", "webp", "gif", "tiff"):
        path = tmp_path / f"a.{ending}"
        noise(24).save(path, exif=exif)
        whole = np.frombuffer(path.read_bytes(), np.uint8)
        for _ in range(40):
            hurt = whole.copy()
            hurt[random.integers(0, len(hurt), 12)] = random.integers(0, 256, 12)
            path.write_bytes(hurt.tobytes())
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Pillow's remarks on the damage
                try:
                    read(path, max_pixels=1_000_000)
                except PictureError as error:
                    assert str(error)


def test_an_error_from_decode_names_the_file_and_one_from_read_does_not(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"")
    with pytest.raises(PictureError, match=r"a\.jpg.*empty"):
        decode(tmp_path / "a.jpg")
    with pytest.raises(PictureError, match=r"^the file is empty$"):
        read(tmp_path / "a.jpg")
    with pytest.raises(PictureError, match=r"(?i)no such file"):
        decode(tmp_path / "nowhere.jpg")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with a name are for POSIX")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    for open_it in (read, decode, content_hash):
        with pytest.raises(PictureError, match="no file"):
            open_it(tmp_path / "pipe.jpg")
