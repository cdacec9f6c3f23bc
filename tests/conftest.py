"""What every test may lean on: a toy encoder that is a true one, and pictures drawn on the spot.

`ColourEncoder` embeds a picture as its mean RGB and knows the words red, green and blue in both
languages, so a search for "red" must find the red picture and every score can be worked out by
hand.
"""

import atexit
import gc
import os
import shutil
import signal
import tempfile
from collections.abc import Generator
from pathlib import Path

# Before torch and faiss load: threads that wait by spinning make a busy machine ten times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

CACHE = "XDG_CACHE_HOME"  # where platformdirs looks first on every system


def pytest_configure(config: pytest.Config) -> None:
    """A job in the background of a shell ignores Ctrl-C, and so would every process it starts.

    Exports of encoders go into a cache of this run, which its workers share: the bundled encoder is
    exported once. What others keep in the user's cache stays where it is.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(config, "workerinput"):
        usual = Path(os.environ.get(CACHE, Path.home() / ".cache"))
        os.environ.setdefault("HF_HOME", str(usual / "huggingface"))
        os.environ.setdefault("MPLCONFIGDIR", str(usual / "matplotlib"))
        os.environ[CACHE] = tempfile.mkdtemp(prefix="imgsearch-tests-")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported for the tests stays: who looks through it for rubbish looks for nothing.

    That took 20 of 400 processor seconds, and 1.4 of 6 while it was imported. What tests leave is
    looked through less often than after every 700 objects, which took a twelfth of the rest.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        atexit.register(gc.unfreeze)  # else nanobind tells at the end of all that was not freed
        gc.set_threshold(50_000)
        gc.enable()


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ[CACHE], ignore_errors=True)


COLOURS = {"red": 0, "green": 1, "blue": 2, "红": 0, "绿": 1, "蓝": 2}


class ColourEncoder:
    """A true Encoder whose answers are obvious: pictures are their mean RGB, words are pure
    colours.
    """

    def __init__(self, name: str = "toy/colour", languages: tuple[str, ...] = ("en", "zh")) -> None:
        self.name = name
        self.identity = f"sha256-of-{name}"
        self.dim = 3
        self.languages = languages
        self.image_size = 8
        self.batch_size = 4

    def embed_images(self, images: list[Image.Image]) -> npt.NDArray[np.float32]:
        means = [np.asarray(image, np.float32).reshape(-1, 3).mean(0) for image in images]
        return _unit(np.array(means, np.float32).reshape(-1, 3) + 1e-3)

    def embed_texts(self, texts: list[str]) -> npt.NDArray[np.float32]:
        rows = np.full((len(texts), 3), 1e-3, np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word, channel in COLOURS.items():
                row[channel] += text.lower().count(word)
        return _unit(rows)

    def shorten(self, text: str) -> str:
        return text


def _unit(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    unit: npt.NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def draw(path: Path, colour: str | tuple[int, int, int], size: tuple[int, int] = (32, 24)) -> Path:
    """Save a plain picture; the ending chooses the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


@pytest.fixture
def colour_encoder() -> ColourEncoder:
    return ColourEncoder()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with one red, one green and one blue photo."""
    folder = tmp_path / "photos"
    for colour in ("red", "green", "blue"):
        draw(folder / f"{colour}.png", colour)
    return folder
