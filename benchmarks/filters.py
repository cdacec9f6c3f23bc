"""Search a library of synthetic photos under filters that let fewer and fewer of them through.

    python benchmarks/filters.py --photos 100000 --library /tmp/filters --kind flat

Makes the library once: photos spread over days and cameras, vectors of 512 dimensions in 1,000
clusters, no pictures. Then asks for photos like others, with a filter and without in turn, and
prints how many photos each filter keeps, how long a search takes, what that is beside a search
without a filter, how often the ten hits are those of numpy over all vectors, and how long the
filter alone takes. Filters by date have an index to begin at, the others look at every photo.
"""

import argparse
import statistics
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np

import imgsearch
from imgsearch.catalog import EncoderRow, FilePlace, PhotoFacts
from imgsearch.library import Library, generations
from imgsearch.queries import conditions
from imgsearch.searching.filters import Allowed, Filters
from imgsearch.vectors import normalise

DIM = 512
CLUSTERS = 1000
FIRST_DAY = date(1996, 1, 2)
PHOTOS_AT_ONCE = 10_000
DAYS = 10_000  # over which the photos are spread
K = 10


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--photos", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=30)
    parser.add_argument(
        "--kind", default="flat", help="of the index: flat, sq8, hnsw, ivf, ivf-sq8"
    )
    parser.add_argument("--library", type=Path, required=True, help="made here if it is not there")
    arguments = parser.parse_args()
    is_new = not (arguments.library / "library.db").exists()
    with imgsearch.open_library(arguments.library) as library:
        if is_new:
            _fill(library, arguments.photos)
        row = library.catalog.encoders()[0]
        generation = library.catalog.current_generation(row.id)
        if generation is None or generation.kind != arguments.kind:
            generations.build(library, row, arguments.kind)
        print(f"{arguments.photos:,} photos, {DIM} dimensions, a {arguments.kind} index")
        print(f"{'filter':38} {'kept':>8} {'ms':>8} {'ratio':>6} {'as numpy':>9} {'filter ms':>10}")
        ids, vectors = library.catalog.embeddings(row.id)
        for name, filters in _filters():
            print(_line(library, name, filters, ids, vectors, arguments.queries), flush=True)


def _filters() -> list[tuple[str, Filters]]:
    """Filters that keep all, a tenth and so on: by date, and by what the camera was set to."""
    asked: list[dict[str, str | float]] = [{"after": "1990"}, {"type": "jpeg"}]
    for days in (1000, 100, 10, 1):
        first = FIRST_DAY + timedelta(days=3000)
        last = first + timedelta(days=days)
        asked.append({"after": first.isoformat(), "before": last.isoformat()})
    asked += [
        {"camera": "Camera 3"},
        {"camera": "Camera 3", "iso": "700"},
        {"camera": "Camera 3", "iso": "700", "mm": "35"},
        {"camera": "Camera 3", "iso": "700", "mm": "35", "width": "4003"},
    ]
    return [
        (" ".join(f"{key}:{value}" for key, value in each.items()), Filters(conditions=made))
        for each in asked
        for made in [conditions(**each)]
    ]


def _fill(library: Library, photos: int) -> None:
    rng = np.random.default_rng(1)
    centres = rng.standard_normal((CLUSTERS, DIM), np.float32)
    with library.catalog.write() as writer:
        encoder = writer.add_encoder(EncoderRow(0, "synthetic", "synthetic", DIM, ("en",), None))
        root = writer.add_root(Path("/photos"))
    for start in range(0, photos, PHOTOS_AT_ONCE):
        numbers = range(start, min(start + PHOTOS_AT_ONCE, photos))
        members = centres[rng.integers(CLUSTERS, size=len(numbers))]
        vectors = normalise(members + rng.standard_normal(members.shape, np.float32))
        with library.catalog.write() as writer:
            photo_ids = [writer.add_photo(_facts(number)) for number in numbers]
            for number, photo_id in zip(numbers, photo_ids, strict=True):
                path = Path(f"/photos/{number % 100}/{number}.jpg")
                writer.put_file(FilePlace(path, root, 1, 1), photo_id)
            writer.add_embeddings(encoder, photo_ids, vectors)


def _facts(number: int) -> PhotoFacts:
    shuffled = number * 48_271 % 1_000_003  # so that dates and cameras do not go together
    days = timedelta(days=number % DAYS, hours=12)
    return PhotoFacts(
        content_hash=f"{number:064x}",
        width=4000 + shuffled // 1000 % 10,
        height=3000,
        size_bytes=1,
        format="JPEG",
        taken_at=datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day, tzinfo=UTC) + days,
        camera=f"Camera {shuffled % 10}",
        latitude=None,
        longitude=None,
        iso=100 * (1 + shuffled // 10 % 10),
        focal_length_mm=5.0 * (1 + shuffled // 100 % 10),
    )


def _line(
    library: Library,
    name: str,
    filters: Filters,
    ids: np.ndarray,
    vectors: np.ndarray,
    queries: int,
) -> str:
    allowed = Allowed(library, filters).every()
    rows = np.flatnonzero(np.isin(ids, allowed))
    plain, filtered, alone = [], [], []
    same = 0
    for query in range(queries):
        photo = int(ids[query * len(ids) // queries])
        started = time.perf_counter()
        imgsearch.search(library, photo, K)
        between = time.perf_counter()
        hits = imgsearch.search(library, photo, K, filters=filters)
        done = time.perf_counter()
        Allowed(library, filters)
        alone.append(time.perf_counter() - done)
        plain.append(between - started)
        filtered.append(done - between)
        scores = vectors[rows] @ vectors[ids == photo][0]
        best = ids[rows][np.lexsort((ids[rows], -scores))[:K]]
        same += [hit.photo_id for hit in hits] == best.tolist()
    seconds = statistics.median(filtered)
    ratio = seconds / statistics.median(plain)
    return (
        f"{name:38} {len(rows):8,} {1000 * seconds:8.1f} {ratio:6.2f} "
        f"{f'{same}/{queries}':>9} {1000 * statistics.median(alone):10.1f}"
    )


if __name__ == "__main__":
    main()
