"""Measure indexing: whole commands against rclip's, what each stage of a photo costs, a second run.

    python benchmarks/indexing.py [--photos 24] [--rclip PATH] [--only commands,stages,...]

Whole commands, over 12-megapixel JPEGs made of scikit-image's samples, are processes of their own,
taken in turn with `rclip` (the program of that name in an environment of its own: PATH; its models
get random weights, as ours do). rclip's command ends with a search; what that takes alone is
measured and stands beside it, and ratios are told with and without. Seconds on the clock are also
those of other programs, so processor seconds and peak memory stand beside them. Stages are run one
by one on one thread. A part that is left out keeps the figures it had: the measuring may be done
in parts. Prints Markdown; writes indexing.json and draws indexing.png beside this file.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

# Before torch loads, as the command line does: threads that wait by spinning would be counted.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import matplotlib.pyplot as plt
import numpy as np
from indexing_stages import ONCE, feeding, stages
from PIL import Image
from rclip_models import ARCHITECTURE, forget_photos, rclip_environment
from synthetic import full_size_photos, random_vit

RESULTS = Path(__file__).with_name("indexing.json")
PARTS = ("commands", "unchanged", "imports", "stages", "feeding")
CONSUMERS = {"an RTX 3080, as clip-retrieval tells": 1500, "an A100, as it tells": 2500}
IMPORTS = {
    "python": "pass",
    "imgsearch.indexing": "import imgsearch.indexing",
    "onnxruntime": "import onnxruntime",
    "torch, open_clip": "import torch, open_clip",
}
Figures: TypeAlias = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--photos", type=int, default=24, help="of 12 megapixels")
    parser.add_argument("--unchanged", type=int, default=10_000, help="tiny files, indexed twice")
    parser.add_argument("--runs", type=int, default=1, help="of each command; the median is told")
    parser.add_argument("--rclip", type=Path, help="the program rclip, to measure against")
    parser.add_argument("--encoders", default=f"builtin,{ARCHITECTURE}", help="random but builtin")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas between")
    parser.add_argument("--work", type=Path, help="a folder that is kept; else one for this run")
    asked = parser.parse_args()
    found: Figures = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    with contextlib.ExitStack() as stack:
        work = asked.work or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        work = work.absolute()
        work.mkdir(parents=True, exist_ok=True)
        encoders = named_encoders(work, asked.encoders.split(","))
        parts: dict[str, Callable[[], Figures]] = {
            "commands": lambda: whole_commands(work, asked, encoders),
            "unchanged": lambda: second_run(work, asked.unchanged, asked.runs),
            "imports": lambda: {name: imported(code) for name, code in IMPORTS.items()},
            "stages": lambda: stages(work, photos_of(work, asked.photos), encoders),
            "feeding": lambda: feeding(work, next(photos_of(work, 1).iterdir())),
        }
        for part in asked.only.split(","):
            found[part] = parts[part]()
            RESULTS.write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    show(found)
    draw(found, RESULTS.with_suffix(".png"))


def named_encoders(work: Path, names: Sequence[str]) -> dict[str, str]:
    """Name -> what `--encoder` takes: `builtin`, or a folder of random weights; `@int8` stays."""
    encoders = {}
    for name in names:
        architecture, *precision = name.split("@")
        folder = work / architecture
        if architecture != "builtin" and not folder.exists():
            random_vit(architecture, folder, ["en"])  # what rclip's knows
        taken = "builtin" if architecture == "builtin" else str(folder)
        encoders[name] = "@".join((taken, *precision))
    return encoders


def photos_of(work: Path, count: int) -> Path:
    folder = work / f"photos-{count}"
    return folder if folder.exists() else full_size_photos(folder, count)


# Whole commands


def measured(command: Sequence[str], **where: Any) -> Figures:
    """Seconds on the clock, seconds of processors, and peak memory of a command that succeeds."""
    started = time.perf_counter()
    with tempfile.TemporaryFile() as told:
        process = subprocess.Popen(command, stdout=told, stderr=told, **where)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            told.seek(0)
            sys.exit(f"{command} failed:\n{told.read().decode(errors='replace')}")
    scale = 1 if sys.platform == "darwin" else 1024
    processor = used.ru_utime + used.ru_stime
    return {"seconds": seconds, "cpu": processor, "memory": used.ru_maxrss * scale / 1e6}


def imgsearch_command(library: Path, *words: str) -> Figures:
    command = [sys.executable, "-m", "imgsearch.cli", "--library", str(library), *words]
    return measured(command)


def median(runs: Sequence[Figures]) -> Figures:
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def whole_commands(work: Path, asked: argparse.Namespace, encoders: dict[str, str]) -> Figures:
    """Each command in turn, so many times; once before that, over one photo, for what is made but
    once: an encoder's export, and what the system keeps in memory of files.
    """
    photos, one = photos_of(work, asked.photos), photos_of(work, 1)
    commands: dict[str, Callable[[Path], Figures]] = {}
    for name, encoder in encoders.items():
        commands[name] = lambda where, encoder=encoder: _index(work, where, encoder)  # type: ignore[misc]
    if asked.rclip is not None:
        models = work / "rclip"
        settings = {"env": rclip_environment(models)}
        program = str(asked.rclip.absolute())

        def rclip(where: Path) -> Figures:
            forget_photos(models)
            return measured([program, "a dog"], cwd=where, **settings)

        commands["rclip"] = rclip
        commands["rclip, its search alone"] = lambda where: measured(
            [program, "--no-indexing", "a dog"], cwd=where, **settings
        )
    for command in commands.values():
        command(one)
    runs: dict[str, list[Figures]] = {name: [] for name in commands}
    for _ in range(asked.runs):
        for name, command in commands.items():
            runs[name].append(command(photos))
    return {"photos": asked.photos, **{name: median(each) for name, each in runs.items()}}


def _index(work: Path, photos: Path, encoder: str) -> Figures:
    with tempfile.TemporaryDirectory(dir=work) as library:
        return imgsearch_command(Path(library), "index", str(photos), "--encoder", encoder)


def second_run(work: Path, count: int, runs: int) -> Figures:
    """`index` over many small files that are known: a stat and a look-up each."""
    photos, library = work / f"tiny-{count}", work / f"tiny-{count}-library"
    if not photos.exists():
        for number in range(count):
            folder = photos / f"{number // 1000:04}"
            folder.mkdir(parents=True, exist_ok=True)
            colour = (number % 256, number // 256 % 256, number // 65536)
            Image.new("RGB", (8, 8), colour).save(folder / f"IMG_{number:06}.bmp")
    imgsearch_command(library, "index", str(photos), "--encoder", "builtin")
    again = [imgsearch_command(library, "index", str(photos)) for _ in range(max(3, runs))]
    return {"files": count, **median(again)}


def imported(code: str) -> float:
    """Processor seconds of a process that runs this."""
    runs = [measured([sys.executable, "-c", code])["cpu"] for _ in range(3)]
    return statistics.median(runs)


# Showing


def show(found: Figures) -> None:
    """The figures as Markdown."""
    if "commands" in found:
        show_commands(dict(found["commands"]))
    if "unchanged" in found:
        again = found["unchanged"]
        print(
            f"\n{again['files']:,} unchanged files: {again['seconds']:.2f} s, "
            f"{again['cpu']:.2f} s of processors, {again['memory']:.0f} MB"
        )
    if "imports" in found:
        told = ", ".join(f"{name} {seconds:.2f}" for name, seconds in found["imports"].items())
        print(f"\nImports, seconds of processors: {told}")
    if "stages" in found:
        show_stages(dict(found["stages"]))
    if "feeding" in found:
        heads = " | ".join(f"cores for {name}" for name in CONSUMERS)
        print(
            f"\n| photos | read by a core, photos/s | {heads} |\n|---|---|{'---|' * len(CONSUMERS)}"
        )
        for size, rate in found["feeding"].items():
            cores = " | ".join(f"{needed / rate:.1f}" for needed in CONSUMERS.values())
            print(f"| {size} | {rate:.0f} | {cores} |")


def show_commands(commands: Figures) -> None:
    count = commands.pop("photos")
    rival, search = commands.get("rclip"), commands.get("rclip, its search alone")
    print(f"\n{count} photos of 12 megapixels\n")
    print("| command | seconds | of processors | memory, MB | times rclip | without its search |")
    print("|---|---|---|---|---|---|")
    for name, each in commands.items():
        ratios = ["", ""]
        if rival is not None and search is not None:
            indexing = rival["seconds"] - search["seconds"]
            ratios = [
                f"{seconds / each['seconds']:.2f}" for seconds in (rival["seconds"], indexing)
            ]
        row = (f"{each['seconds']:.1f}", f"{each['cpu']:.1f}", f"{each['memory']:.0f}", *ratios)
        print(f"| {name} | {' | '.join(row)} |")


def show_stages(stages: Figures) -> None:
    print()
    names = list(next(iter(stages.values())))
    print(f"| stage | {' | '.join(stages)} |\n|---|{'---|' * len(stages)}")
    for name in names:
        unit = "s once" if name in ONCE else "ms a photo"
        print(f"| {name}, {unit} | {' | '.join(f'{each[name]:.2f}' for each in stages.values())} |")


def draw(found: Figures, path: Path) -> None:
    """What a photo costs, stage upon stage, for each encoder."""
    encoders = found.get("stages", {})
    if not encoders:
        return
    figure, axes = plt.subplots(figsize=(9, 1.2 + 0.7 * len(encoders)), layout="constrained")
    left = np.zeros(len(encoders))
    for stage in next(iter(encoders.values())):
        if stage not in ONCE:
            widths = [each[stage] for each in encoders.values()]
            axes.barh(list(encoders), widths, left=left, label=stage)
            left += widths
    axes.set_xlabel("processor milliseconds a photo of 12 megapixels")
    axes.legend(ncols=4, fontsize="small")
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
