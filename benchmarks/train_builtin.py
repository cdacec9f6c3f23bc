"""Train the bundled encoder.

    python benchmarks/train_builtin.py --data DATA --run runs/builtin

DATA holds flickr8k/, tiny-imagenet/ and caltech101/ as tars of photos with text. The run goes on
where it was when the command is given again; `runs/builtin/encoder` is replaced at every report and
can be measured meanwhile: `imgsearch eval DATA/flickr8k/val.tar --encoder runs/builtin/encoder`.
With `--start FOLDER` it goes on from an encoder's weights, with a fresh optimiser.
"""

import argparse
import itertools
import json
import shutil
from pathlib import Path

import torch

from imgsearch import training
from imgsearch.pairs import CaptionedPhotos, LabelledPhotos, read_pairs
from imgsearch.training import curves, logs

LANGUAGES = ("en", "zh")
SETS = {"flickr8k": 112, "tiny-imagenet": 64, "caltech101": 96}  # the pixels they are held at
CONFIG = "open_clip_config.json"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--run", type=Path, default=Path("runs/builtin"))
    parser.add_argument("--name", default="builtin/2")
    parser.add_argument("--start", type=Path, help="an encoder's folder to go on from")
    parser.add_argument(
        "--stages", default="64:1.15,96:0.18", help="size:millions of photos, in order"
    )
    parser.add_argument("--batch", default="160,352,64", help="photos a step of each set")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--decay", type=float, default=0.4)
    parser.add_argument("--cut-mix", type=float, default=0.5)
    parser.add_argument("--token-drop", type=float, default=0.2)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.run.mkdir(parents=True, exist_ok=True)

    photos = {name: read_pairs(sorted((arguments.data / name).glob("train*.tar"))) for name in SETS}
    sets = [_training_set(name, pairs) for name, pairs in photos.items()]
    stages = [each.split(":") for each in arguments.stages.split(",")]
    recipe = training.Recipe(
        stages=tuple(
            training.Stage(int(size), round(float(millions) * 1e6)) for size, millions in stages
        ),
        batches=dict(zip(SETS, map(int, arguments.batch.split(",")), strict=True)),
        objective=training.Objective("same-caption"),
        rates=training.Rates(every=arguments.learning_rate),
        weight_decay=0.1,
        schedule="linear",
        warmup=0.02,
        decay=arguments.decay,
        variation=training.Variation(
            smallest_crop=0.35, cut_mix=arguments.cut_mix, token_drop=arguments.token_drop
        ),
        precision="bf16",
        evaluations=0,
        keep="last",
    )
    torch.manual_seed(recipe.seed)
    if arguments.start:
        towers = training.open_towers(str(_resized(arguments, recipe.stages[-1].size)))
    else:
        texts = itertools.chain(*(training.texts_of(each, LANGUAGES) for each in photos.values()))
        towers = training.fresh_towers(
            f"small-{recipe.stages[-1].size}", texts=texts, folder=arguments.run
        )
    print(f"{towers.parameters / 1e6:.2f} M parameters", flush=True)
    metrics = arguments.run / "metrics.jsonl"
    logs.truncate(metrics, arguments.run / "checkpoint.pt")
    for event in training.train(towers, sets, recipe, arguments.run):
        print(event, flush=True)
        logs.append(metrics, event)
        curves.draw(metrics, arguments.run / "curves.png")
        towers.save(arguments.run / "encoder", arguments.name, half=True)


def _training_set(name: str, pairs: CaptionedPhotos | LabelledPhotos) -> training.TrainingSet:
    squares = training.Squares(pairs.pictures, SETS[name])
    print(f"{name}: {len(pairs):,} photos", flush=True)
    if isinstance(pairs, CaptionedPhotos):
        return training.captioned_set(name, pairs, squares, LANGUAGES)
    return training.labelled_set(name, pairs, squares, LANGUAGES)


def _resized(arguments: argparse.Namespace, size: int) -> Path:
    """A copy of the encoder to start from that looks at pictures of another size: its image tower
    is convolutional, so any will do."""
    folder = arguments.run / "start"
    shutil.copytree(arguments.start, folder, dirs_exist_ok=True)
    config = json.loads((folder / CONFIG).read_text("utf-8"))
    config["model_cfg"]["vision_cfg"]["image_size"] = size
    (folder / CONFIG).write_text(json.dumps(config, indent=2), "utf-8")
    return folder


if __name__ == "__main__":
    main()
