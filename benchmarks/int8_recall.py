"""What int8 costs in recall: a small trained ViT, evaluated in float32 and in int8.

    python benchmarks/int8_recall.py DATA [--work FOLDER] [--photos 0.1]

DATA holds flickr8k/, tiny-imagenet/ and caltech101/ as tars of photos with text. A transformer's
image tower (3 M parameters, 96 px, patches of 16) is trained beside the bundled text tower for so
many millions of photos; the run goes on where it was when the command is given again. Then
`imgsearch eval` measures it on Flickr8K val and Tiny ImageNet val as it is and with
`--precision int8`. Prints Markdown and writes int8_recall.json beside this file.
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

import imgsearch
from imgsearch import training
from imgsearch.images import decode
from imgsearch.pairs import CaptionedPhotos, read_pairs
from imgsearch.pairs.pictures import content
from imgsearch.training import logs

LANGUAGES = ("en", "zh")
SETS = {"flickr8k": (112, 128), "tiny-imagenet": (64, 96), "caltech101": (96, 32)}  # px, a step
BUNDLED = Path(imgsearch.__file__).parent / "encoders" / "builtin" / "2"
VIT = {"image_size": 96, "patch_size": 16, "width": 192, "layers": 6, "head_width": 64}
PRECISIONS = ("float32", "int8")
VAL = ("flickr8k", "tiny-imagenet")
SHOWN = {"text_to_image_recall@10", "image_to_text_recall@10", "top_1"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--work", type=Path, default=Path("runs/int8_recall"))
    parser.add_argument("--photos", type=float, default=0.1, help="millions of them to learn from")
    given = parser.parse_args()
    encoder = given.work / "encoder"
    if not (given.work / "trained").exists():
        train(given.data, given.work, round(given.photos * 1e6))
        (given.work / "trained").touch()
    measured = {
        precision: {name: evaluated(encoder, precision, given.data / name) for name in VAL}
        for precision in PRECISIONS
    }
    results = {"photos": given.photos, "cosine": cosines(encoder, given.data), **measured}
    Path(__file__).with_suffix(".json").write_text(json.dumps(results, indent=2) + "\n", "utf-8")
    show(results)


def train(data: Path, work: Path, photos: int) -> None:
    """Train the image tower, and the bundled text tower further with it."""
    work.mkdir(parents=True, exist_ok=True)
    pairs = {name: read_pairs(sorted((data / name).glob("train*.tar"))) for name in SETS}
    sets = []
    for name, (size, _) in SETS.items():
        squares = training.Squares(pairs[name].pictures, size)
        is_captioned = isinstance(pairs[name], CaptionedPhotos)
        make: Any = training.captioned_set if is_captioned else training.labelled_set
        sets.append(make(name, pairs[name], squares, LANGUAGES))
    recipe = training.Recipe(
        stages=(training.Stage(VIT["image_size"], photos),),
        batches={name: batch for name, (_, batch) in SETS.items()},
        objective=training.Objective("same-caption"),
        rates=training.Rates(every=1e-3),
        weight_decay=0.1,
        warmup=0.05,
        variation=training.Variation(smallest_crop=0.5, cut_mix=0.25),
        precision="bf16",
        evaluations=0,
        keep="last",
    )
    torch.manual_seed(recipe.seed)
    texts = [text for each in pairs.values() for text in training.texts_of(each, LANGUAGES)]
    towers = training.fresh_towers(described(work), texts=texts, folder=work)
    bundled: Any = imgsearch.load_encoder("builtin", device="cpu", runtime="torch")
    towers.model.get_submodule("text").load_state_dict(bundled.model.text.state_dict())
    logs.truncate(work / "metrics.jsonl", work / "checkpoint.pt")
    for event in training.train(towers, sets, recipe, work):
        print(event, file=sys.stderr, flush=True)
        logs.append(work / "metrics.jsonl", event)
    towers.save(work / "encoder", "small-vit", half=False)


def described(work: Path) -> Path:
    """The description of the architecture, with the vocabulary that it shares."""
    description = json.loads((BUNDLED / "open_clip_config.json").read_text("utf-8"))
    description["model_cfg"]["vision_cfg"] = VIT
    shutil.copyfile(BUNDLED / "bpe.txt.gz", work / "bpe.txt.gz")
    file = work / "architecture.json"
    file.write_text(json.dumps(description), "utf-8")
    return file


def evaluated(encoder: Path, precision: str, folder: Path) -> Any:
    """What `imgsearch eval --json` says."""
    words = ["eval", str(folder / "val.tar"), "--encoder", str(encoder), "--precision", precision]
    ran = subprocess.run(
        [sys.executable, "-m", "imgsearch.cli", *words, "--json"],
        stdout=subprocess.PIPE,
        check=True,
    )
    return [json.loads(line) for line in ran.stdout.splitlines()]


def cosines(encoder: Path, data: Path) -> dict[str, float]:
    """Of photos in float32 with themselves in int8."""
    pictures = read_pairs([data / "flickr8k" / "val.tar"]).pictures
    images = [decode(content(picture)) for picture in pictures]
    float32, int8 = (
        imgsearch.load_encoder(str(encoder) + part, device="cpu").embed_images(images)
        for part in ("", "@int8")
    )
    cosine = np.einsum("nd,nd->n", float32, int8)
    return {"median": float(np.median(cosine)), "least": float(cosine.min())}


def show(results: dict[str, Any]) -> None:
    cosine = results["cosine"]
    print(
        f"cosine of a photo's vectors: median {cosine['median']:.4f}, least {cosine['least']:.4f}"
    )
    print("\n| | language | float32 | int8 |\n|---|---|---|---|")
    for name in VAL:
        for float32, int8 in zip(*(results[each][name] for each in PRECISIONS), strict=True):
            for metric in SHOWN & float32["metrics"].keys():
                values = [f"{100 * each['metrics'][metric]:.1f}%" for each in (float32, int8)]
                row = " | ".join((f"{name}, {metric}", float32["language"], *values))
                print(f"| {row} |")


if __name__ == "__main__":
    main()
