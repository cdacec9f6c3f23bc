"""What the tests of runs share: a run as a table of outcomes, and an encoder that counts."""

from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from conftest import ColourEncoder, draw
from imgsearch.indexing import Outcome, index
from imgsearch.library import Library


class CountingEncoder(ColourEncoder):
    """Counts the pictures it is shown."""

    def __init__(self, name: str = "toy/counting", languages: tuple[str, ...] = ("en",)) -> None:
        super().__init__(name, languages)
        self.seen = 0
        self.sizes: list[int] = []

    def embed_images(self, images: list[Image.Image]) -> np.ndarray:
        self.seen += len(images)
        self.sizes.append(len(images))
        return super().embed_images(images)


def run(library: Library, *paths: Path, **options: object) -> dict[str, Outcome]:
    """Outcomes by file name; each file must have exactly one."""
    options.setdefault("encoder", ColourEncoder())
    outcomes = list(index(library, paths, **options))  # type: ignore[arg-type]
    named = {outcome.path.name: outcome for outcome in outcomes}
    assert len(named) == len(outcomes)
    return named


def kinds(outcomes: dict[str, Outcome]) -> dict[str, int]:
    return dict(Counter(type(outcome).__name__ for outcome in outcomes.values()))


def draw_many(folder: Path, count: int, start: int = 0) -> Path:
    for number in range(start, start + count):
        draw(folder / f"{number:04}.png", (number % 256, number // 256, 99), (8, 8))
    return folder
