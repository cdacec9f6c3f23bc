"""Compare the losses: the same start, photos, order and budget for each, on Flickr8K.

    python benchmarks/losses.py --data DATA --out benchmarks/losses.jsonl

DATA holds flickr8k/ (train-*.tar, val.tar). Every run begins with the bundled encoder's weights and
sees each training photo once; a line is written when it ends, and a run whose line is there is not
done again. Prints the table: mean and range over seeds of text-to-image recall@10.
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
from imgsearch.pairs import read_pairs
from imgsearch.training.measuring import Measuring

LANGUAGES = ("en", "zh")
MENDED = {"normalize_embeddings": True, "detach_targets": True, "temperature": 0.05}
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
    held_out = read_pairs([arguments.data / "flickr8k" / "val.tar"])
    squares = training.Squares(pairs.pictures, 72)
    learnt = training.captioned_set("flickr8k", pairs, squares, LANGUAGES)
    for seed in arguments.seeds:
        for batch_size in arguments.batch_sizes:
            for name in arguments.losses:
                if (name, batch_size, seed) in known:
                    continue
                run = _run(arguments, learnt, held_out, name, batch_size, seed)
                with arguments.out.open("a") as lines:
                    lines.write(json.dumps(run) + "\n")
                done.append(run)
                print(json.dumps(run), flush=True)
    print("\n".join(_table(done)))


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
        "health": vars(measured.health),
        "recall": {
            each.language: {key: round(value, 4) for key, value in each.metrics.items()}
            for each in measured.validation
        },
    }


def _table(runs: list[dict[str, Any]]) -> Iterator[str]:
    found = defaultdict(list)
    for run in runs:
        found[run["batch_size"], run["loss"]].append(run)
    yield "| loss | batch | seeds | English R@10 | Chinese R@10 | effective rank |"
    yield "|---|---|---|---|---|---|"
    for (batch_size, loss), same in sorted(found.items(), key=lambda item: item[0][0]):
        cells = [
            _spread([100 * run["recall"][language]["text_to_image_recall@10"] for run in same])
            for language in LANGUAGES
        ]
        rank = _spread([run["health"]["effective_rank"] for run in same])
        yield f"| {loss} | {batch_size} | {len(same)} | {cells[0]} | {cells[1]} | {rank} |"


def _spread(values: list[float]) -> str:
    return f"{sum(values) / len(values):.1f} ({min(values):.1f}-{max(values):.1f})"


def _lines(path: Path) -> list[str]:
    return path.read_text("utf-8").splitlines() if path.exists() else []


if __name__ == "__main__":
    main()
