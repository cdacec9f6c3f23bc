"""Compare the losses: the same start, photos, order and budget for each, on Flickr8K.

    python benchmarks/losses.py --data DATA --out benchmarks/losses.jsonl

DATA holds flickr8k/ (train-*.tar, val.tar). Every run begins with the weights of `--start` and sees
as many photos as the training set has, times `--epochs`. A line is written when a run ends, and one
whose line is there is not done again. Prints the table: mean and range over seeds, below the start
before any training.
"""

import argparse
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from imgsearch import training
from imgsearch.errors import CollapsedError
from imgsearch.pairs import CaptionedPhotos, read_pairs
from imgsearch.training.events import Evaluated
from imgsearch.training.measuring import Measuring

LANGUAGES = ("en", "zh")
WAYS = {
    "text_to_image_recall@10": "text to image R@10",
    "image_to_text_recall@10": "image to text R@10",
}
MENDED = {
    "normalize_embeddings": True,
    "detach_targets": True,
    "temperature": 0.05,
    "target_temperature": 0.05,
}
OBJECTIVES: dict[str, dict[str, Any]] = {
    "clip": {"loss": "clip"},
    "same-caption": {"loss": "same-caption"},
    "siglip": {"loss": "siglip"},
    "soft": {"loss": "soft"},
    "soft-per-axis": {"loss": "soft-per-axis"},
    "soft, mended": {"loss": "soft", **MENDED},
    "soft-per-axis, mended": {"loss": "soft-per-axis", **MENDED},
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/losses.jsonl"))
    parser.add_argument("--start", default="builtin/1")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[32, 128])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--losses", nargs="+", default=list(OBJECTIVES), choices=list(OBJECTIVES))
    arguments = parser.parse_args()
    done = [json.loads(line) for line in _lines(arguments.out)]
    known = {(each["loss"], each["batch_size"], each["seed"]) for each in done}
    pairs = read_pairs(sorted((arguments.data / "flickr8k").glob("train-*.tar")))
    held_out = _two_languages(read_pairs([arguments.data / "flickr8k" / "val.tar"]))
    squares = training.Squares(pairs.pictures, 72)
    learnt = training.captioned_set("flickr8k", pairs, squares, LANGUAGES)
    if not any(each["loss"] == "before" for each in done):
        done.append(_write(arguments.out, _measured(arguments, held_out)))
    for seed in arguments.seeds:
        for batch_size in arguments.batch_sizes:
            for name in arguments.losses:
                if (name, batch_size, seed) in known:
                    continue
                run = _run(arguments, learnt, held_out, name, batch_size, seed)
                done.append(_write(arguments.out, run))
    print("\n".join(_table(done)))


def _two_languages(pairs: Any) -> CaptionedPhotos:
    """Without the machine-translated sentences."""
    captions = tuple({key: each[key] for key in LANGUAGES} for each in pairs.captions)
    return CaptionedPhotos(pairs.pictures, captions)


def _write(path: Path, run: dict[str, Any]) -> dict[str, Any]:
    with path.open("a") as lines:
        lines.write(json.dumps(run) + "\n")
    print(json.dumps(run), flush=True)
    return run


def _measured(arguments: argparse.Namespace, held_out: Any) -> dict[str, Any]:
    """The start itself, on which nothing depends that is compared."""
    towers = training.open_towers(arguments.start)
    measuring = Measuring(towers, training.Recipe(), held_out, None, None)
    return {"loss": "before", "batch_size": 0, "seed": 0, **_told(measuring(0, 0))}


def _told(measured: Evaluated) -> dict[str, Any]:
    return {
        "health": vars(measured.health),
        "recall": {
            each.language: {key: round(value, 4) for key, value in each.metrics.items()}
            for each in measured.validation
        },
    }


def _run(
    arguments: argparse.Namespace,
    learnt: training.TrainingSet,
    held_out: Any,
    name: str,
    batch_size: int,
    seed: int,
) -> dict[str, Any]:
    torch.manual_seed(seed)
    towers = training.open_towers(arguments.start)
    recipe = training.Recipe(
        stages=(training.Stage(towers.image_size, round(arguments.epochs * len(learnt))),),
        batch_size=batch_size,
        objective=training.Objective(**OBJECTIVES[name]),
        precision="bf16",
        evaluations=0,
        keep="last",
        seed=seed,
    ).resolved(towers.parameters, from_scratch=False)
    if recipe.objective.loss == "siglip":
        towers.use_bias()
    measuring = Measuring(towers, recipe, held_out, None, None)
    started, collapsed = time.perf_counter(), None
    with tempfile.TemporaryDirectory() as folder:
        try:
            for _ in training.train(towers, [learnt], recipe, Path(folder)):
                pass
        except CollapsedError as error:
            collapsed = str(error)
    seconds = time.perf_counter() - started
    towers.eval()
    measured = measuring(1, len(learnt))
    return {
        "loss": name,
        "batch_size": batch_size,
        "seed": seed,
        "learning_rate": recipe.rates.every,
        "seconds": round(seconds, 1),
        "collapsed": collapsed,
        **_told(measured),
    }


def _table(runs: list[dict[str, Any]]) -> Iterator[str]:
    found = defaultdict(list)
    for run in runs:
        found[run["batch_size"], run["loss"]].append(run)
    columns = [(language, way) for language in LANGUAGES for way in WAYS]
    titles = " | ".join(f"{language}, {WAYS[way]}" for language, way in columns)
    yield f"| loss | batch | seeds | {titles} | effective rank |"
    yield "|---" * (4 + len(columns)) + "|"
    for (batch_size, loss), same in sorted(found.items(), key=lambda item: item[0][0]):
        cells = [
            _spread([100 * run["recall"][language][way] for run in same])
            for language, way in columns
        ]
        cells.append(_spread([run["health"]["effective_rank"] for run in same]))
        yield f"| {loss} | {batch_size or ''} | {len(same)} | {' | '.join(cells)} |"


def _spread(values: list[float]) -> str:
    mean = f"{sum(values) / len(values):.1f}"
    return f"{mean} ({min(values):.1f}-{max(values):.1f})" if len(values) > 1 else mean


def _lines(path: Path) -> list[str]:
    return path.read_text("utf-8").splitlines() if path.exists() else []


if __name__ == "__main__":
    main()
