"""A map of photos as one picture: a thumbnail each, in the free cell that is nearest to its place.

Points go in, an RGB picture comes out. Thumbnails at their very places would cover one another
where photos are most alike, which is where one looks; on a grid each is seen, and neighbours stay
neighbours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps

from imgsearch.errors import PictureError
from imgsearch.images import read

if TYPE_CHECKING:
    from pathlib import Path

    from imgsearch.organising import PhotoMap

SIDE = 2400  # pixels of a whole map, at most
SMALLEST, LARGEST = 24, 160  # pixels of a cell
ROOM = 1.6  # cells for each photo: what is left empty parts the groups
GAP = 1
PAPER, MISSING = (250, 250, 250), (215, 215, 215)

Progress = Callable[[int, int], None]


def map_picture(photos: PhotoMap, progress: Progress | None = None) -> Image.Image:
    """RGB picture of a map; a photo that can no longer be decoded is a grey cell."""
    points = photos.points
    cells = on_grid([(point.x, point.y) for point in points])
    count = max((max(cell) for cell in cells), default=0) + 1
    side = max(SMALLEST, min(LARGEST, SIDE // count))
    drawn = Image.new("RGB", (count * side, count * side), PAPER)
    with ThreadPoolExecutor() as pool:
        pictures = pool.map(lambda point: thumbnail(point.path, side - GAP), points)
        for done, ((column, row), picture) in enumerate(zip(cells, pictures, strict=True), 1):
            drawn.paste(picture, (column * side, row * side))
            if progress is not None:
                progress(done, len(points))
    return drawn


def on_grid(places: Sequence[tuple[float, float]]) -> list[tuple[int, int]]:
    """Places in the unit square -> a column and a row each, no cell twice.

    Those nearest to the middle choose first, so that what is crowded out moves outwards.
    """
    count = max(1, math.ceil(math.sqrt(ROOM * len(places))))
    wanted = np.array(places, np.float64).reshape(-1, 2) * (count - 1)  # (n, 2)
    order = np.argsort(((wanted - (count - 1) / 2) ** 2).sum(axis=1), kind="stable")
    rows, columns = np.divmod(np.arange(count * count), count)
    is_taken = np.zeros(count * count, bool)
    cells = [(0, 0)] * len(places)
    for place in order.tolist():
        column, row = wanted[place]
        distances = (columns - column) ** 2 + (rows - row) ** 2
        distances[is_taken] = np.inf
        cell = int(distances.argmin())
        is_taken[cell] = True
        cells[place] = (int(columns[cell]), int(rows[cell]))
    return cells


def thumbnail(path: Path, side: int) -> Image.Image:
    """The middle square of a photo, `side` pixels wide; grey where it cannot be decoded."""
    try:
        photo, _ = read(path, short_side=side)
    except PictureError:
        return Image.new("RGB", (side, side), MISSING)
    return ImageOps.fit(photo, (side, side), Image.Resampling.LANCZOS)
