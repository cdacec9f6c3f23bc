"""Find what holds indexing back: photos a second of the image tower alone, and with ever more
around it.

    python benchmarks/gpu.py --device cuda --photos 20000
    python benchmarks/gpu.py --device cpu --photos 128

An encoder with random weights (`--architecture`, one of open_clip's) sees the same photos four
times: as pixels that are on the device already, as decoded pictures, as JPEG bytes, and as the
files of a whole `imgsearch index` command. Where a line falls well below the one before, what came
in between is what to make faster. Photos are drawn by chance, `--side` pixels square: 256 is what
clip-retrieval's published figures for ViT-B/32 were measured at, 1,500 photos a second on an RTX
3080 and 2,500 on an A100 (its README, `clip-retrieval inference` over a webdataset); those are what
to compare the last line with. Prints a Markdown table and writes the same to benchmarks/gpu.json,
or where `--json` says.
"""

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from imgsearch.evaluating import embed_pictures
from imgsearch.training import Towers, fresh_towers
from imgsearch.weights import device as devices

DRAWN = 512  # different photos; more are these again, each with its own last bytes
RUNS = 3


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1, mps")
    parser.add_argument("--architecture", default="ViT-B-32")
    parser.add_argument("--photos", type=int, default=128)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--json", type=Path, default=Path(__file__).with_suffix(".json"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        towers = fresh_towers(
            arguments.architecture, texts=["a photo"], folder=work, device=arguments.device
        )
        photos = drawn(arguments.photos, arguments.side)
        rows = {
            "pixels on the device": of_pixels(towers, len(photos)),
            "decoded pictures": of_pictures(towers, photos),
            "JPEG bytes": of_bytes(towers, photos),
            **of_commands(towers, photos, work, arguments.device),
        }
    name = torch.cuda.get_device_name(towers.device) if towers.device.type == "cuda" else "cpu"
    settings = {
        "device": name,
        "cores": os.cpu_count(),
        "architecture": arguments.architecture,
        "photos": arguments.photos,
        "side": arguments.side,
        "batch_size": towers.encoder.batch_size,
    }
    arguments.json.write_text(json.dumps({**settings, "rows": rows}, indent=1) + "\n", "utf-8")
    print(", ".join(f"{key} {value}" for key, value in settings.items()))
    print("\n| what the tower is given | photos a second | of the line before |\n|---|---|---|")
    before = None
    for row, rate in rows.items():
        share = f"{rate / before:.2f}" if before else ""
        print(f"| {row} | {rate:,.1f} | {share} |")
        before = rate


def drawn(count: int, side: int) -> list[bytes]:
    """JPEGs of smooth noise, about as large as photos of that size are."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(min(count, DRAWN)):
        coarse = rng.integers(0, 255, (side // 4, side // 4, 3), np.uint8)
        written = io.BytesIO()
        picture = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
        picture.save(written, "JPEG", quality=90)
        found.append(written.getvalue())
    # What stands behind the end of a JPEG is no part of the picture, and makes it another file.
    return [found[place % len(found)] + place.to_bytes(4, "big") for place in range(count)]


def rate_of(call: Callable[[], object], photos: int, device: torch.device) -> float:
    """The median of a few runs, after one that nobody counts."""
    rates = []
    for run in range(RUNS + 1):
        started = time.perf_counter()
        call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        if run:
            rates.append(photos / (time.perf_counter() - started))
    return statistics.median(rates)


def of_pixels(towers: Towers, photos: int) -> float:
    """The tower alone: the same batch again and again."""
    encoder, size = towers.encoder, towers.image_size
    batch = min(photos, encoder.batch_size)
    pixels = torch.rand(batch, 3, size, size, device=towers.device)
    if towers.device.type == "cuda":
        pixels = pixels.contiguous(memory_format=torch.channels_last)
    passes = max(1, photos // batch)

    def embed() -> None:
        with torch.inference_mode(), devices.autocast(towers.device):
            for _ in range(passes):
                encoder.image_vectors(pixels)

    return rate_of(embed, passes * batch, towers.device)


def of_pictures(towers: Towers, photos: list[bytes]) -> float:
    """Fitting, scaling and the way to the device as well."""
    pictures = [Image.open(io.BytesIO(photo)).convert("RGB") for photo in photos[:DRAWN]]
    rounds = max(1, len(photos) // len(pictures))

    def embed() -> None:
        for _ in range(rounds):
            towers.encoder.embed_images(pictures)

    return rate_of(embed, rounds * len(pictures), towers.device)


def of_bytes(towers: Towers, photos: list[bytes]) -> float:
    """Decoding as well, by threads, a batch ahead."""
    return rate_of(lambda: embed_pictures(photos, towers.encoder), len(photos), towers.device)


def of_commands(towers: Towers, photos: list[bytes], work: Path, device: str) -> dict[str, float]:
    """`imgsearch index`: files, hashes, facts, the catalog and the index as well.

    The first of three commands makes the library and all that is made once; the second, of one
    photo, tells what it takes to start.
    """
    encoder = work / "encoder"
    towers.save(encoder, "random")
    seconds = []
    for name, part in (("first", photos[:1]), ("second", photos[1:2]), ("rest", photos[2:])):
        folder = work / name
        folder.mkdir()
        for number, photo in enumerate(part):
            (folder / f"{number:07}.jpg").write_bytes(photo)
        words: list[Any] = ["--library", work / "library", "index", folder, "--device", device]
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "imgsearch.cli", *map(str, words), "--encoder", str(encoder)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        seconds.append(time.perf_counter() - started)
    _, starting, whole = seconds
    if whole <= starting:
        sys.exit("too few photos to tell their time from that of starting up: raise --photos")
    return {
        "imgsearch index, without starting up": (len(photos) - 2) / (whole - starting),
        "imgsearch index, the whole command": (len(photos) - 2) / whole,
    }


if __name__ == "__main__":
    main()
