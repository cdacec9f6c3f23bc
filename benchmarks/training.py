"""Measure the steps of training: photos a second, and where a step's time goes.

    python benchmarks/training.py DATA [--start builtin --photos 1024 --batch-size 128]
    python benchmarks/training.py DATA --start ViT-B-32 --photos 64 --batch-size 32

DATA holds `flickr8k/` as tars of photos with text. An encoder learns from its first photos, in an
epoch that decodes them and in epochs that find them decoded; a captioner of the usual size learns
the sentences of the same photos. `--start` is an encoder's name, or an architecture of open_clip's
for random weights. With `--against CHECKOUT`, another state of this project, both are run in turn
and the table ends with the ratio. Each run is a process of its own. Prints a Markdown table and
writes the same to benchmarks/training.json, or where `--json` says.
"""

import argparse
import cProfile
import itertools
import json
import os
import pstats
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Places = dict[str, tuple[tuple[str, str], ...]]

# What a step consists of, by the functions that do it: the end of a file's path, and a name.
OF_ENCODERS: Places = {
    "waiting for decoded photos": (("concurrent/futures/_base.py", "result"),),
    "views, drawing texts": (("training/batches.py", "_batch"),),
    "tokens": (("training/towers.py", "tokens"),),
    "image tower, forward": (("training/towers.py", "image_vectors"),),
    "text tower, forward": (("training/towers.py", "text_vectors"),),
    "loss": (("training/steps.py", "batch_loss"),),
    "backward": (("autograd/__init__.py", "backward"),),
    "optimiser": (("training/state.py", "prepare"), ("training/state.py", "update")),
    "watching for collapse": (("training/collapse.py", "look"),),
}
OF_CAPTIONERS: Places = {
    "captions of a step": (("captioner/batches.py", "at"),),
    "embeddings of a step": (("captioner/loop.py", "_looked_at"),),
    "forward, loss": (("captioning/model.py", "loss"),),
    "backward": (("autograd/__init__.py", "backward"),),
    "cutting the gradient": (("utils/clip_grad.py", "clip_grad_norm_"),),
    "optimiser": (("optim/adamw.py", "step"), ("optim/adam.py", "step")),
}


SETTINGS = ("start", "photos", "batch_size", "epochs")  # of a run


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--start", default="builtin")
    parser.add_argument("--photos", type=int, default=1024)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--runs", type=int, default=3, help="of each state, in turn")
    parser.add_argument("--against", type=Path, help="another checkout of this project")
    parser.add_argument("--json", type=Path, default=Path(__file__).with_suffix(".json"))
    parser.add_argument("--run", choices=RUNS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        print(json.dumps(RUNS[arguments.run](arguments)))
        return
    states = {"now": Path(__file__).resolve().parents[1]}
    if arguments.against:
        states = {"before": arguments.against.resolve(), **states}
    found: dict[str, Any] = {
        what: {state: [] for state in states} for what in RUNS if what in asked(arguments)
    }
    for what, of_states in found.items():
        for _ in range(arguments.runs):
            for state, checkout in states.items():
                of_states[state].append(process(arguments, what, checkout))
    settings = {key: vars(arguments)[key] for key in SETTINGS}
    arguments.json.write_text(json.dumps({**settings, **found}, indent=1) + "\n", "utf-8")
    for what, of_states in found.items():
        print("\n".join(table(what, of_states)), flush=True)


def asked(arguments: argparse.Namespace) -> tuple[str, ...]:
    """Captioners listen to the bundled encoder, whatever else is trained."""
    return tuple(RUNS) if arguments.start == "builtin" else ("encoder",)


def process(arguments: argparse.Namespace, what: str, checkout: Path) -> dict[str, Any]:
    """One run, of the package as it is in a checkout."""
    command = [sys.executable, __file__, str(arguments.data), "--run", what]
    for name in SETTINGS:
        command += [f"--{name.replace('_', '-')}", str(getattr(arguments, name))]
    # As the command line has it: threads that wait by spinning measure who else is there.
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_WAIT_POLICY": "PASSIVE"}
    made = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(made.stdout.splitlines()[-1])
    return found


def encoder(arguments: argparse.Namespace) -> dict[str, Any]:
    """Train the towers, without measuring them."""
    import torch

    from imgsearch import training

    photos = first_photos(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        torch.manual_seed(0)
        if arguments.start == "builtin":
            towers = training.open_towers("builtin", device="cpu")
        else:
            texts = training.texts_of(photos, ["en"])
            towers = training.fresh_towers(
                arguments.start, texts=texts, folder=Path(temporary), device="cpu"
            )
        size = towers.image_size
        recipe = training.Recipe(
            stages=(training.Stage(size, arguments.epochs * len(photos)),),
            batch_size=arguments.batch_size,
            objective=training.Objective("same-caption"),
            rates=training.Rates(every=1e-5),
            evaluations=0,
            keep="last",
        )
        squares = training.Squares(photos.pictures, round(1.125 * size), towers.fit)
        learnt = training.captioned_set("flickr8k", photos, squares, towers.languages)
        steps = training.train(towers, [learnt], recipe, Path(temporary))
        return measured(steps, OF_ENCODERS, arguments.batch_size, len(photos))


def captioner(arguments: argparse.Namespace) -> dict[str, Any]:
    """Train a captioner; its embeddings are made beforehand."""
    from imgsearch import open_library
    from imgsearch.training.captioner import CaptionerRecipe, train_captioner
    from imgsearch.training.captioner.events import Began, Embedded
    from imgsearch.training.material import Material

    photos = first_photos(arguments)
    recipe = CaptionerRecipe(epochs=1, evaluations=0, keep="last", views=1)
    with tempfile.TemporaryDirectory() as temporary, open_library(Path(temporary)) as library:
        events = train_captioner(
            library, Material(photos, 0), name="measured", recipe=recipe, device="cpu"
        )
        steps = (each for each in events if not isinstance(each, Began | Embedded))
        found = sum(len(texts) for each in photos.captions for texts in each.values())
        return measured(steps, OF_CAPTIONERS, 256, found)


def first_photos(arguments: argparse.Namespace) -> Any:
    from imgsearch.pairs import read_pairs
    from imgsearch.pairs.splitting import subset

    tars = sorted((arguments.data / "flickr8k").glob("train-*.tar"))
    return subset(read_pairs(tars), range(arguments.photos))


RUNS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "encoder": encoder,
    "captioner": captioner,
}


def measured(events: Iterator[Any], places: Places, batch: int, epoch: int) -> dict[str, Any]:
    """What an epoch of steps costs, the first and the others; seconds a step by what it is for."""
    times: list[tuple[float, float]] = []
    profile = cProfile.Profile()
    for event in events:
        is_step = type(event).__name__ == "Stepped"
        if times and not is_step:
            break  # what is written at the end is no part of a step
        if is_step:
            times.append((time.perf_counter(), time.process_time()))
        if len(times) == 1:  # nor is what was made ready before, and the first one warms up
            profile.enable()
    profile.disable()
    steps = len(times) - 1
    first = -(-epoch // batch) - 1
    wall = [after[0] - before[0] for before, after in itertools.pairwise(times)]
    processor = (times[-1][1] - times[0][1]) / steps
    parts = {name: cumulative(profile, each) / steps for name, each in places.items()}
    return {
        "first epoch, a second": batch / statistics.median(wall[:first]),
        "later, a second": batch / statistics.median(wall[first:] or wall[1:]),
        "processor seconds a step": processor,
        "seconds a step": sum(wall) / steps,
        "parts": {**parts, "the rest": sum(wall) / steps - sum(parts.values())},
    }


def cumulative(profile: cProfile.Profile, places: tuple[tuple[str, str], ...]) -> float:
    """Seconds inside these functions; none of them calls another."""
    stats: Any = pstats.Stats(profile)
    return sum(
        entry[3]
        for (file, _, function), entry in stats.stats.items()
        for place, name in places
        if function == name and Path(file).as_posix().endswith(place)
    )


def table(what: str, of_states: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Medians over the runs; the last column is the first state's by the last one's."""
    states = list(of_states)
    ratio = [" ratio |"] if len(states) > 1 else []
    lines = [
        "".join([f"\n| {what} |", *(f" {state} |" for state in states), *ratio]),
        "".join(["|---|", *("---|" for _ in [*states, *ratio])]),
    ]
    one = of_states[states[0]][0]
    rows = [(name, (name,)) for name in one if name != "parts"]
    rows += [(f"ms a step: {name}", ("parts", name)) for name in one["parts"]]
    for name, path in rows:
        values = [statistics.median(_at(run, path) for run in of_states[each]) for each in states]
        scale = 1000 if path[0] == "parts" else 1
        cells = [f" {scale * value:,.{1 if value * scale >= 1 else 3}f} |" for value in values]
        if ratio:
            cells.append(f" {values[-1] / values[0]:.2f} |" if values[0] else " |")
        lines.append("".join([f"| {name} |", *cells]))
    return lines


def _at(run: dict[str, Any], path: tuple[str, ...]) -> float:
    found: Any = run
    for name in path:
        found = found[name]
    return float(found)


if __name__ == "__main__":
    main()
