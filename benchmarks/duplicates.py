"""Precision and recall of the tiers of duplicates, and how long they take.

    python benchmarks/duplicates.py DATA [--sheet OUT.png]
    python benchmarks/duplicates.py --photos 100000

DATA is the folder of photos beside the project. Bounds were chosen on Flickr8K train and a third of
Caltech-101; what is reported are Flickr8K val, another third, and scikit-image's samples. Every
twentieth photo of the first two, and every sample, is changed in each way that the table lists;
recall is how many are found with the photo they were made of. All pairs of photos as they are,
found by the same rules, are drawn into --sheet for a person to judge. Prints the Markdown tables of
benchmarks/README.md and writes benchmarks/duplicates.json. With --photos, times every tier in a
library of so many made-up ones.
"""

import argparse
import hashlib
import itertools
import json
import tarfile
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from changed_photos import CHANGES, burst, encoded

import imgsearch
from imgsearch import encoders, images
from imgsearch.catalog import EncoderRow, FilePlace, PhotoFacts, hashes
from imgsearch.display.contact_sheet import INK, Cell, sheet
from imgsearch.images import perceptual
from imgsearch.organising.duplicates import PICTURE_SCORE, find_duplicates
from imgsearch.organising.duplicates.pictures import MOST_UNLIKE
from imgsearch.organising.duplicates.scenes import bound
from imgsearch.vector_index import HashIndex, VectorIndex
from imgsearch.vectors import Vectors, normalise

RESULTS = Path(__file__).with_suffix(".json")
BITS = round((1 - PICTURE_SCORE) * perceptual.HASH_BITS)
BURST_STEPS = (0.0, 0.01, 0.02, 0.05)  # of the width, from one shot to the next
MAX_SAMPLES = 40


@dataclass
class Photos:
    """Photos as every tier sees them: hashes, cells, unit vectors; in the same order."""

    hashes: list[bytes]
    cells: list[perceptual.Cells]
    vectors: Vectors
    ratios: list[float]

    @staticmethod
    def of(encoder: imgsearch.Encoder, files: Sequence[bytes]) -> "Photos":
        seen = [images.decode(each, short_side=perceptual.SHORT_SIDE) for each in files]
        shown = [images.decode(each, short_side=192) for each in files]
        parts = [
            encoder.embed_images(shown[start : start + 64]) for start in range(0, len(shown), 64)
        ]
        return Photos(
            [perceptual.perceptual_hash(each) for each in seen],
            [perceptual.cells(each) for each in seen],
            np.concatenate(parts),
            [each.width / each.height for each in seen],
        )


def differing(one: bytes, other: bytes) -> int:
    if not one or not other:
        return perceptual.HASH_BITS
    pair = [np.unpackbits(np.frombuffer(each, np.uint8)) for each in (one, other)]
    return int((pair[0] != pair[1]).sum())


def are_same(one: Photos, i: int, other: Photos, j: int) -> bool:
    """The rule of the tier of pictures, but for EXIF, which no photo here has."""
    stretched = one.ratios[i] / other.ratios[j]
    return (
        1 / 1.03 <= stretched <= 1.03
        and differing(one.hashes[i], other.hashes[j]) <= BITS
        and perceptual.unlikeness(one.cells[i], other.cells[j]) <= MOST_UNLIKE
    )


def recalls(
    encoder: imgsearch.Encoder, files: Sequence[bytes], own: Photos, least: float
) -> dict[str, dict[str, float]]:
    """Of each change, the share of photos found: by hash alone, as a picture, as a scene."""
    found = {}
    pictures = [images.decode(each) for each in files]
    for name, change in CHANGES.items():
        made = Photos.of(encoder, [change(each) for each in pictures])
        rows = range(len(files))
        found[name] = {
            "hash": float(
                np.mean([differing(own.hashes[i], made.hashes[i]) <= BITS for i in rows])
            ),
            "picture": float(np.mean([are_same(own, i, made, i) for i in rows])),
            "scene": float(np.mean((own.vectors * made.vectors).sum(1) >= least)),
        }
    return found


def bursts(
    encoder: imgsearch.Encoder, files: Sequence[bytes], least: float
) -> dict[str, dict[str, float]]:
    """Two shots of a burst: the share taken for one picture (wrong) and for one scene (right)."""
    random = np.random.default_rng(0)
    found = {}
    for step in BURST_STEPS:
        pairs = [burst(images.decode(each), step, random) for each in files]
        first, second = (Photos.of(encoder, each) for each in zip(*pairs, strict=True))
        rows = range(len(files))
        found[f"{step:.0%} of the width"] = {
            "hash": float(
                np.mean([differing(first.hashes[i], second.hashes[i]) <= BITS for i in rows])
            ),
            "picture": float(np.mean([are_same(first, i, second, i) for i in rows])),
            "scene": float(np.mean((first.vectors * second.vectors).sum(1) >= least)),
        }
    return found


def strangers(photos: Photos, least: float) -> dict[str, list[tuple[int, int]]]:
    """All pairs that each tier takes for the same, among photos as they are."""
    rows = [row for row, each in enumerate(photos.hashes) if each]
    bits = np.frombuffer(b"".join(photos.hashes), np.uint8).reshape(len(rows), -1)
    offsets, near, _ = HashIndex(bits, BITS).within(bits)
    queries = np.repeat(np.arange(len(rows)), np.diff(offsets))
    hashed = [(rows[i], rows[j]) for i, j in zip(queries, near, strict=True) if i < j]
    ids = np.arange(len(photos.vectors), dtype=np.int64)
    scores, found = VectorIndex.build(ids, photos.vectors).search(photos.vectors, 64)
    scenes = [
        (i, int(j))
        for i, (row, others) in enumerate(zip(scores, found, strict=True))
        for score, j in zip(row, others, strict=True)
        if score >= least and i < j
    ]
    same = [(i, j) for i, j in hashed if are_same(photos, i, photos, j)]
    return {"hash": hashed, "picture": same, "scene": scenes}


def linkages(encoder: imgsearch.Encoder, files: Sequence[bytes], least: float) -> dict[str, float]:
    """Pans over photos, twelve shots each: the share of pairs below the bound that a group joins.

    Of a star those with its keeper count, since nothing else is given up for anything.
    """
    joined = {"single": [0, 0], "star": [0, 0]}
    for file in files:
        image = images.decode(file)
        side = min(image.size) // 2
        steps = np.linspace(0, image.width - side, 12).astype(int)
        shots = [encoded(image.crop((x, side // 2, x + side, side // 2 + side))) for x in steps]
        scores = (v := Photos.of(encoder, shots).vectors) @ v.T
        for name, pairs in (("single", _single(scores, least)), ("star", _star(scores, least))):
            joined[name][0] += sum(scores[pair] < least for pair in pairs)
            joined[name][1] += len(pairs)
    return {name: float(unlike / max(1, pairs)) for name, (unlike, pairs) in joined.items()}


def _single(scores: Vectors, least: float) -> list[tuple[int, int]]:
    group = list(range(len(scores)))
    for i, j in zip(*np.nonzero(np.triu(scores >= least, 1)), strict=True):
        group = [group[i] if each == group[j] else each for each in group]
    return [(i, j) for i, j in itertools.combinations(range(len(group)), 2) if group[i] == group[j]]


def _star(scores: Vectors, least: float) -> list[tuple[int, int]]:
    pairs: list[tuple[int, int]] = []
    for i in range(len(scores)):
        taken = {j for _, j in pairs}
        if i not in taken:
            later = range(i + 1, len(scores))
            pairs += [(i, j) for j in later if j not in taken and scores[i, j] >= least]
    return pairs


def photos_of(tar: Path, start: int = 0, step: int = 1, most: int | None = None) -> list[bytes]:
    with tarfile.open(tar) as members:
        jpegs = [each for each in members if each.name.endswith(".jpg")][start::step][:most]
        return [members.extractfile(each).read() for each in jpegs]  # type: ignore[union-attr]


def samples() -> list[bytes]:
    import skimage

    folder = Path(skimage.__file__).parent / "data"
    paths = sorted([*folder.glob("*.png"), *folder.glob("*.jpg")])
    return [path.read_bytes() for path in paths]


def measure(place: Path, sheet_to: Path | None) -> None:
    encoder = encoders.load("builtin")
    files = photos_of(place / "flickr8k/val.tar")
    files += photos_of(place / "caltech101/train.tar", 1, 3)
    photos = Photos.of(encoder, files)
    least = bound(photos.vectors)
    full = samples()
    own = Photos.of(encoder, full)
    small = Photos(
        photos.hashes[::20], photos.cells[::20], photos.vectors[::20], photos.ratios[::20]
    )
    alike = strangers(photos, least)
    left = next(i for i, name in enumerate(full) if name == _sample("motorcycle_left.png"))
    stereo = {"picture": are_same(own, left, own, left + 1)}
    stereo["scene"] = bool(own.vectors[left] @ own.vectors[left + 1] >= least)
    results = {
        "bits": BITS,
        "most_unlike": MOST_UNLIKE,
        "scene_bound": round(least, 4),
        "photos": len(files),
        "changed": len(small.hashes),
        "recall": recalls(encoder, files[::20], small, least),
        "recall of samples": recalls(encoder, full, own, least),
        "samples without a hash": sum(not each for each in own.hashes),
        "pairs of a burst": bursts(encoder, files[::20], least),
        "pairs": len(files) * (len(files) - 1) // 2,
        "pairs found": {tier: len(pairs) for tier, pairs in alike.items()},
        "stereo pair": stereo,
        "unlike pairs joined": linkages(encoder, files[:400:20], least),
    }
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    print("\n".join(_tables(results)))
    if sheet_to is not None:
        _draw(alike, files, sheet_to)


def _sample(name: str) -> bytes:
    import skimage

    return (Path(skimage.__file__).parent / "data" / name).read_bytes()


def _tables(results: dict) -> list[str]:  # type: ignore[type-arg]
    lines = ["| change | hash alone | picture | scene | full size: picture | scene |"]
    lines.append("|---|---|---|---|---|---|")
    for name, shares in results["recall"].items():
        cells = [shares[tier] for tier in ("hash", "picture", "scene")]
        cells += [results["recall of samples"][name][tier] for tier in ("picture", "scene")]
        lines.append(f"| {name} | " + " | ".join(f"{100 * each:.0f}%" for each in cells) + " |")
    lines += ["", "| two shots, moved by | hash alone | picture | scene |", "|---|---|---|---|"]
    for name, shares in results["pairs of a burst"].items():
        cells = [shares[tier] for tier in ("hash", "picture", "scene")]
        lines.append(f"| {name} | " + " | ".join(f"{100 * each:.0f}%" for each in cells) + " |")
    rest = ("scene_bound", "photos", "changed", "samples without a hash", "pairs", "pairs found")
    lines += ["", *(f"{name}: {results[name]}" for name in rest)]
    lines += [f"{name}: {results[name]}" for name in ("stereo pair", "unlike pairs joined")]
    return lines


def _draw(alike: dict[str, list[tuple[int, int]]], files: Sequence[bytes], target: Path) -> None:
    """The pairs that were found among photos as they are, for a person to judge."""
    with tempfile.TemporaryDirectory() as folder:
        cells = []
        for tier, pairs in alike.items():
            for i, j in pairs[:MAX_SAMPLES]:
                for row in (i, j):
                    path = Path(folder) / f"{row}.jpg"
                    path.write_bytes(files[row])
                    cells.append(Cell(path, [(f"{tier} {i} {j}", INK, 1)]))
        sheet(cells, "found alike", columns=8).save(target)


def time_tiers(count: int, dim: int = 256) -> None:
    """How long each tier takes among made-up photos, a hundredth of them near another."""
    random = np.random.default_rng(0)
    vectors = normalise(random.normal(size=(count, dim)).astype(np.float32))
    half = count // 100
    vectors[-half:] = normalise(vectors[:half] + 0.02 * random.normal(size=(half, dim)))
    bits = random.integers(0, 256, (count, 32), np.uint8)
    with (
        tempfile.TemporaryDirectory() as folder,
        imgsearch.open_library(Path(folder) / "library") as library,
    ):
        with library.catalog.write() as writer:
            row = EncoderRow(0, "made-up", "made-up/1", dim, ("en",), None)
            encoder_id, root = writer.add_encoder(row), writer.add_root(Path(folder))
            ids = []
            for number in range(count):
                content = hashlib.sha256(str(number).encode()).hexdigest()
                moment = datetime(2024, 5, 1, tzinfo=UTC)
                facts = PhotoFacts(content, 4000, 3000, 9, "JPEG", moment, None, None, None)
                ids.append(writer.add_photo(facts))
                writer.put_file(FilePlace(Path(folder) / f"{content}.jpg", root, 9, 1), ids[-1])
            writer.add_embeddings(encoder_id, ids, vectors)
            hashes.put(writer, {i: each.tobytes() for i, each in zip(ids, bits, strict=True)})
        for tier in ("bytes", "picture", "scene"):
            started = time.perf_counter()
            groups = find_duplicates(library, [tier])
            seconds = time.perf_counter() - started
            print(f"{tier}: {seconds:.1f} s among {count:,} photos, {len(groups):,} groups")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("place", metavar="DATA", type=Path, nargs="?")
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--photos", type=int)
    arguments = parser.parse_args()
    if arguments.photos:
        time_tiers(arguments.photos)
    if arguments.place:
        measure(arguments.place, arguments.sheet)


if __name__ == "__main__":
    main()
