"""What a run holds in memory at once: a few batches of photos, each as large as its tower."""

import threading
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import ColourEncoder, draw
from imgsearch.encoders.pixels import Preprocessing
from imgsearch.images import decode
from imgsearch.indexing.running import BATCHES_AHEAD
from imgsearch.library import Library, open_library
from imgsearch.vectors import Vectors, normalise
from runs import draw_many, kinds, run


class Counted:
    """A preprocessing that counts the pictures it made and that are still held."""

    def __init__(self, preprocessing: Preprocessing) -> None:
        self._preprocessing = preprocessing
        self._lock = threading.Lock()
        self.size = preprocessing.size
        self.pixels = preprocessing.pixels
        self.alive = self.most = 0

    def fitted(self, image: Image.Image) -> Image.Image:
        made = self._preprocessing.fitted(image).copy()
        self._count(1)
        weakref.finalize(made, self._count, -1)
        return made

    def _count(self, more: int) -> None:
        with self._lock:
            self.alive += more
            self.most = max(self.most, self.alive)


class PixelEncoder(ColourEncoder):
    """Embeds a picture as the very pixels its tower sees; they may be made where it is decoded."""

    def __init__(self, preprocessing: Preprocessing | Counted, name: str) -> None:
        super().__init__(name)
        self.preprocessing = preprocessing
        self.image_size = max(preprocessing.size)
        self.dim = 3 * preprocessing.size[0] * preprocessing.size[1]
        self.shown: list[tuple[int, int]] = []

    def embed_images(self, images: list[Image.Image]) -> Vectors:
        self.shown += [image.size for image in images]
        return normalise(self.preprocessing.pixels(images).reshape(len(images), self.dim))

    def embed_texts(self, texts: list[str]) -> Vectors:
        return normalise(np.ones((len(texts), self.dim), np.float32))


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with open_library(tmp_path / "library") as opened:
        yield opened


def noisy(path: Path, width: int, height: int) -> Path:
    path.parent.mkdir(exist_ok=True)
    pixels = np.random.default_rng(width).integers(0, 255, (height, width, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def vectors_of(library: Library, encoder: PixelEncoder) -> Mapping[str, Vectors]:
    row = library.catalog.encoder_with_identity(encoder.identity)
    assert row is not None
    files = library.catalog.files_of_photos(sorted(library.catalog.embedded_photo_ids(row.id)))
    ids, vectors = library.catalog.embeddings(row.id, photo_ids=sorted(files))
    return {
        Path(next(iter(files[photo_id]))).name: vector
        for photo_id, vector in zip(ids.tolist(), vectors, strict=True)
    }


@pytest.mark.parametrize("resize_mode", ["shortest", "longest", "squash"])
def test_a_photo_waits_at_the_size_of_its_tower_and_its_vector_is_the_same_to_the_bit(
    library: Library, tmp_path: Path, resize_mode: str
) -> None:
    sizes = {"wide.jpg": (90, 40), "long.png": (20, 400), "small.png": (9, 7), "same.png": (16, 16)}
    for name, size in sizes.items():
        noisy(tmp_path / "photos" / name, *size)
    encoder = PixelEncoder(Preprocessing((16, 16), resize_mode=resize_mode), "toy/pixels")
    assert kinds(run(library, tmp_path / "photos", encoder=encoder)) == {"Added": 4}
    assert set(encoder.shown) == {(16, 16)}
    found = vectors_of(library, encoder)
    for name in sizes:
        whole = decode(tmp_path / "photos" / name, short_side=32)
        np.testing.assert_array_equal(found[name], encoder.embed_images([whole])[0])


def test_encoders_of_one_size_see_a_photo_each_in_its_own_way(
    library: Library, tmp_path: Path
) -> None:
    noisy(tmp_path / "photos" / "wide.png", 90, 40)
    crops = PixelEncoder(Preprocessing((16, 16)), "toy/crops")
    squashes = PixelEncoder(Preprocessing((16, 16), resize_mode="squash"), "toy/squashes")
    run(library, tmp_path / "photos", encoder=[crops, squashes])
    whole = decode(tmp_path / "photos" / "wide.png", short_side=32)
    for encoder in (crops, squashes):
        (vector,) = vectors_of(library, encoder).values()
        np.testing.assert_array_equal(vector, encoder.embed_images([whole])[0])


def test_no_more_photos_are_held_than_a_few_batches_have(library: Library, tmp_path: Path) -> None:
    draw_many(tmp_path / "photos", 120)
    counted = Counted(Preprocessing((8, 8)))
    encoder = PixelEncoder(counted, "toy/counted")  # batches of 4
    assert kinds(run(library, tmp_path / "photos", encoder=encoder)) == {"Added": 120}
    assert counted.alive == 0
    # One batch is gathered or embedded while the others wait.
    assert 0 < counted.most <= (BATCHES_AHEAD + 1) * encoder.batch_size


def test_a_photo_that_cannot_be_fitted_is_skipped_alone(library: Library, tmp_path: Path) -> None:
    class Refusing(Preprocessing):
        def fitted(self, image: Image.Image) -> Image.Image:
            if image.width == 9:
                raise ZeroDivisionError("no pixel is left of it")
            return super().fitted(image)

    for name, width in (("good.png", 30), ("bad.png", 9)):
        draw(tmp_path / "photos" / name, "red", (width, 12))
    encoder = PixelEncoder(Refusing((8, 8)), "toy/refusing")
    outcomes = run(library, tmp_path / "photos", encoder=encoder)
    assert kinds(outcomes) == {"Added": 1, "Skipped": 1}
    assert "no pixel is left of it" in outcomes["bad.png"].reason  # type: ignore[union-attr]
