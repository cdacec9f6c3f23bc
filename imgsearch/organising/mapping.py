"""draw_map(): where each photo of a library lies on a plane, photos that are alike side by side.

A library goes in, places in a square come out, with what is known of each photo. t-SNE through
openTSNE, begun from the first two principal components with a fixed seed: the same library gives
the same map. Above a few thousand photos an even sample of them is laid out.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from imgsearch.catalog import Ids
from imgsearch.errors import UsageError
from imgsearch.library import Library
from imgsearch.organising.texts import any_encoder, live_embedded, spread_out
from imgsearch.vectors import Vectors

SEED = 0
MOST = 5_000  # photos; the time rises in proportion
COMPONENTS = 50  # that t-SNE sees of an embedding
PERPLEXITY = 30
FEWEST = 5  # photos that t-SNE can place; fewer are laid out by their components

Places = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Point:
    """A photo on the map; `x` and `y` are in [0, 1], `y` downwards."""

    photo_id: int
    path: Path
    x: float
    y: float
    caption: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class PhotoMap:
    """Points by ascending photo id; `total` is how many photos they were sampled from."""

    points: tuple[Point, ...]
    total: int


def draw_map(library: Library, *, most: int = MOST, only: Ids | None = None) -> PhotoMap:
    """Lay out the photos with a live file, at most so many; `only` bounds them.

    Raises UsageError for a library without photos, and where openTSNE is not installed.
    """
    encoder = any_encoder(library)
    live = live_embedded(library, encoder, only)
    if not len(live):
        raise UsageError(f"no photo of {library.path} is left to map; take in more, or ask wider")
    ids, vectors = library.catalog.embeddings(encoder.id, photo_ids=spread_out(live, most))
    places = layout(vectors)
    paths = library.catalog.live_paths(ids)
    captions = library.catalog.captions(ids)
    labels = library.catalog.labels(ids)
    points = []
    for photo_id, (x, y) in zip(ids.tolist(), places.tolist(), strict=True):
        said = next((row.text for row in captions.get(photo_id, ()) if row.text), "")
        names = tuple(dict.fromkeys(row.name for row in labels.get(photo_id, ())))
        if photo_id in paths:
            points.append(Point(photo_id, paths[photo_id], x, y, said, names))
    return PhotoMap(tuple(points), len(live))


def layout(vectors: Vectors) -> Places:
    """(n, d) unit rows -> (n, 2) places in the unit square, near where rows are alike.

    Raises UsageError where openTSNE is not installed.
    """
    components = _components(vectors, min(COMPONENTS, *vectors.shape))
    if len(vectors) < FEWEST:
        return _into_square(components)
    try:
        from openTSNE import TSNE
    except ImportError as error:
        raise UsageError(
            'a map is laid out by openTSNE, which is not here: pip install "imgsearch[map]"'
        ) from error
    begun = components[:, :2] / max(float(components[:, 0].std()), 1e-12) * 1e-4
    return _into_square(
        np.asarray(
            TSNE(
                perplexity=min(PERPLEXITY, (len(vectors) - 1) / 3),
                initialization=begun,
                random_state=SEED,
                n_jobs=1,  # several threads sum in an order of their own
            ).fit(components),
            np.float64,
        )
    )


def _components(vectors: Vectors, count: int) -> Places:
    """(n, d) -> (n, count) principal components, each with the sign that makes its largest positive
    weight, so that no library is mirrored from one run to the next; at least two columns."""
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    _, directions = np.linalg.eigh(centred.T @ centred)
    axes = directions[:, ::-1][:, :count]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    projected: Places = centred @ axes
    return np.pad(projected, ((0, 0), (0, max(0, 2 - count))))


def _into_square(places: Places) -> Places:
    flat = places[:, :2]
    low, extent = flat.min(axis=0), np.ptp(flat, axis=0)
    square: Places = (flat - low) / np.where(extent > 0, extent, 1)
    return square
