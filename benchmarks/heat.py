"""Where heat maps point: four pictures of different classes in one, and a query for one of them.

    python benchmarks/heat.py DATA [--encoder NAME] [--count 400]

DATA holds Tiny ImageNet's `tiny-imagenet/val.tar` and `classes.json`. The pointing game (Zhang and
others, 2016): how often the warmest place lies in the picture that was asked for, 25% by chance;
and what part of all warmth lies there.
"""

import argparse
import io
import json
import random
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

from imgsearch import encoders, prompts
from imgsearch.encoders.heat import heat_of
from imgsearch.vectors import Vectors, ensemble

SIDE = 96  # of one of the four


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, metavar="DATA")
    parser.add_argument("--encoder", default="builtin")
    parser.add_argument("--count", type=int, default=400)
    given = parser.parse_args()
    folder = given.folder / "tiny-imagenet"
    names = json.loads((folder / "classes.json").read_text("utf-8"))
    pictures = read(folder / "val.tar")
    encoder = encoders.load(given.encoder)
    print(f"{given.encoder}, {given.count} squares of four   language   pointing   warmth")
    for language in encoder.languages:
        vectors = {key: embed(encoder, names[key][language][0], language) for key in pictures}
        chance, hits, warmth = random.Random(0), [], []
        for _ in range(given.count):
            four = chance.sample(sorted(pictures), 4)
            canvas = Image.new("RGB", (2 * SIDE, 2 * SIDE))
            for place, key in enumerate(four):
                canvas.paste(
                    chance.choice(pictures[key]), (SIDE * (place % 2), SIDE * (place // 2))
                )
            asked = chance.randrange(4)
            heat = heat_of(encoder, canvas, vectors[four[asked]]).values
            spread = np.asarray(
                Image.fromarray(heat).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
            )
            row, column = np.unravel_index(spread.argmax(), spread.shape)
            hits.append((row * 2 // SIDE) * 2 + column * 2 // SIDE == asked)
            quarters = spread.reshape(2, SIDE // 2, 2, SIDE // 2).sum((1, 3)).ravel()
            warmth.append(quarters[asked] / max(quarters.sum(), 1e-9))
        print(f"{language:>52}   {np.mean(hits):>7.1%}   {np.mean(warmth):>6.1%}")


def read(path: Path) -> dict[str, list[Image.Image]]:
    """Class -> its pictures, each `SIDE` pixels wide and high."""
    pictures: dict[str, list[Image.Image]] = {}
    with tarfile.open(path) as tar:
        for member in tar:
            file = tar.extractfile(member)
            if file is not None:
                picture = Image.open(io.BytesIO(file.read())).convert("RGB").resize((SIDE, SIDE))
                pictures.setdefault(member.name.split("/")[0], []).append(picture)
    return pictures


def embed(encoder: encoders.Encoder, name: str, language: str) -> Vectors:
    templates = prompts.templates("auto", name, language)
    return ensemble(encoder.embed_texts(prompts.expand(name, templates)))


if __name__ == "__main__":
    main()
