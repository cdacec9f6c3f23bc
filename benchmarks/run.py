"""Measure what a person waits for: indexing, the first answer, the next answer.

    python benchmarks/run.py [--photos 60] [--synthetic 100000]

Whole commands are timed from outside, as whole processes; figures that only mean something against
another are measured in turn in the same run and printed as a ratio. Prints a Markdown table and
writes the same to benchmarks/results.json. Models that are not bundled get random weights: speed
does not depend on what weights say. Needs scikit-image for its sample photos.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import util
from pathlib import Path

import numpy as np
from PIL import Image
from synthetic import random_vit, synthetic_library

import imgsearch

FULL_SIZE = (4000, 3000)  # a 12-megapixel photo
RUNS = 3
Rows = list[tuple[str, str]]


def median_seconds(call: Callable[[], object], runs: int = RUNS) -> float:
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def command(library: Path, *words: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "imgsearch.cli", "--library", str(library), *words],
        check=True,
        capture_output=True,
    )


def full_size_photos(folder: Path, count: int) -> Path:
    """JPEGs of 12 megapixels, each another crop of scikit-image's sample photos."""
    spec = util.find_spec("skimage")
    if spec is None or spec.origin is None:
        sys.exit("this benchmark needs scikit-image: pip install 'imgsearch[demo]'")
    data = Path(spec.origin).parent / "data"
    names = ["astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png"]
    sources = [Image.open(data / name).convert("RGB") for name in names]
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(count):
        source = sources[number % len(sources)]
        width, height = source.size
        left, top = rng.integers(0, width // 4), rng.integers(0, height // 4)
        box = (left, top, left + 3 * width // 4, top + 3 * height // 4)
        source.resize(FULL_SIZE, Image.Resampling.BICUBIC, box).save(
            folder / f"{number:05}.jpg", quality=90
        )
    return folder


def measure_encoders(vit: str) -> Rows:
    """Photos a second through the image towers alone, and the time to load the bundled weights."""
    pictures = [
        Image.fromarray(pixels)
        for pixels in np.random.default_rng(0).integers(0, 255, (32, 224, 224, 3), np.uint8)
    ]
    big = imgsearch.load_encoder(vit)
    started = time.perf_counter()
    small = imgsearch.load_encoder("builtin")
    load_seconds = time.perf_counter() - started
    for encoder in (small, big):
        encoder.embed_images(pictures)  # warm up
    ratios, rates = [], []
    for _ in range(RUNS):
        ours = median_seconds(lambda: small.embed_images(pictures * 4), 1) / 4
        theirs = median_seconds(lambda: big.embed_images(pictures), 1)
        rates.append((len(pictures) / ours, len(pictures) / theirs))
        ratios.append(theirs / ours)
    builtin, vit_rate = (statistics.median(each) for each in zip(*rates, strict=True))
    return [
        ("builtin, embed decoded 224 px photos", f"{builtin:.0f} photos/s"),
        ("ViT-B/32, the same", f"{vit_rate:.1f} photos/s"),
        ("builtin against ViT-B/32, same run", f"{statistics.median(ratios):.0f} times"),
        ("builtin, load after imports", f"{load_seconds:.2f} s"),
    ]


def measure_indexing(work: Path, photos: Path, vit: str) -> Rows:
    """Whole `index` commands over full-size photos, and over the same photos unchanged."""
    count = len(list(photos.iterdir()))
    rows = []
    for name, encoder in (("builtin", "builtin"), ("ViT-B-32-256, float32", vit)):
        library = work / f"indexed-{name[:7]}"
        seconds = median_seconds(
            lambda: command(library, "index", str(photos), "--encoder", encoder),  # noqa: B023
            1,
        )
        rows.append((f"index {count} 12 MP photos, {name}", f"{count / seconds:.1f} photos/s"))
    again = median_seconds(lambda: command(library, "index", str(photos)))
    rows.append((f"index the same {count} again", f"{again:.2f} s"))
    return rows


def measure_unchanged(work: Path, count: int = 10_000) -> Rows:
    """A second run over many small files: a stat and a look-up each."""
    photos = work / "many"
    photos.mkdir()
    for number in range(count):
        colour = (number % 256, number // 256 % 256, 7)
        Image.new("RGB", (8, 8), colour).save(photos / f"{number:06}.bmp")
    library = work / "many-library"
    command(library, "index", str(photos), "--encoder", "builtin")
    seconds = median_seconds(lambda: command(library, "index", str(photos)))
    return [(f"index {count:,} unchanged photos", f"{seconds:.2f} s")]


def measure_searching(work: Path, photos: Path, vit: str, synthetic: int) -> Rows:
    """`search` from a cold shell: first and repeated, small and large library."""
    small = work / "indexed-builtin"
    encoder = imgsearch.load_encoder(vit)
    large = synthetic_library(work / "synthetic", encoder, vit, synthetic, ["a dog"])
    rows = []
    queries = iter(f"a dog number {number}" for number in range(1000))
    for name, library in (
        (f"{len(list(photos.iterdir()))} photos, builtin", small),
        (f"{synthetic:,} vectors, ViT-B/32", large),
    ):
        first = median_seconds(lambda: command(library, "search", next(queries)))  # noqa: B023
        command(library, "search", "a dog")
        again = median_seconds(lambda: command(library, "search", "a dog"))  # noqa: B023
        rows.append((f"cold shell, search, {name}", f"{first:.2f} s"))
        rows.append((f"cold shell, the same query again, {name}", f"{again:.2f} s"))
    with imgsearch.open_library(large) as library:
        imgsearch.search(library, "a dog")
        warm = median_seconds(lambda: imgsearch.search(library, "a dog"), 21)
    rows.append((f"long-lived process, known query, {synthetic:,} vectors", f"{warm * 1e3:.1f} ms"))
    help_seconds = median_seconds(lambda: command(small, "--help"))
    rows.append(("imgsearch --help", f"{help_seconds:.2f} s"))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--photos", type=int, default=60, help="12-megapixel photos to index")
    parser.add_argument("--synthetic", type=int, default=100_000, help="vectors to search")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        photos = full_size_photos(work / "photos", arguments.photos)
        rows = measure_encoders(random_vit("ViT-B-32", work / "vit"))
        rows += measure_indexing(work, photos, random_vit("ViT-B-32-256", work / "vit-256"))
        rows += measure_unchanged(work)
        rows += measure_searching(work, photos, str(work / "vit"), arguments.synthetic)
    print("| what | measured |\n|---|---|")
    for what, measured in rows:
        print(f"| {what} | {measured} |")
    results = Path(__file__).parent / "results.json"
    results.write_text(json.dumps(dict(rows), indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
