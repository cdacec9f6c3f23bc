"""What a large library costs: building it, searching it, filtering it, changing it, looking at it.

    python benchmarks/million.py --work /tmp/million --photos 10000 1000000 --kind ivf-sq8

Of each size a library of synthetic photos is made once in the work folder (3 GB for a million) and
kept. Every stage is a process of its own, measured by the system, and writes what it found into the
work folder, so that a run may be stopped and `--stages` says what to measure again. Milliseconds
are medians of the wall clock; `cpu` is what the processor spent on one. Prints a Markdown table and
writes benchmarks/million.json.

    make      the library         search   one process, many queries
    build     its index           filters  the same under filters that keep less and less
    shell     a command a query   changes  1,000 photos come, move and go
    upkeep    open, status, prune, doctor
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from million_stages import STAGES

import imgsearch

RESULTS = Path(__file__).with_suffix(".json")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True, help="a folder for the libraries")
    parser.add_argument("--photos", type=int, nargs="+", default=[2_000, 20_000])
    parser.add_argument("--kind", default="ivf-sq8", help="of the index")
    parser.add_argument("--stages", nargs="+", default=list(STAGES), choices=list(STAGES))
    parser.add_argument("--stage", choices=list(STAGES), help="this one alone, in this process")
    arguments = parser.parse_args()
    if arguments.stage:
        with imgsearch.open_library(arguments.work / "library") as library:
            print(json.dumps(STAGES[arguments.stage](library, arguments)))
        return
    for photos in arguments.photos:
        for stage in arguments.stages:
            _run(stage, photos, arguments)
    results = [_found(arguments.work / str(photos)) for photos in arguments.photos]
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    _print_table(results)


def _run(stage: str, photos: int, arguments: argparse.Namespace) -> None:
    """One stage in its own process; its figures, time and peak memory go into the work folder."""
    work = arguments.work / str(photos)
    work.mkdir(parents=True, exist_ok=True)
    if stage == "make" and (work / "make.json").exists():
        return
    command = [sys.executable, __file__, "--stage", stage, "--work", str(work)]
    started = time.perf_counter()
    child = subprocess.Popen(
        [*command, "--photos", str(photos), "--kind", arguments.kind], stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    output = child.stdout.read()
    _, code, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(code)
    if child.returncode:
        raise SystemExit(f"{stage} of {photos:,} photos ended with {child.returncode}")
    figures = {
        **json.loads(output.splitlines()[-1]),
        "process seconds": time.perf_counter() - started,
        "process cpu seconds": used.ru_utime + used.ru_stime,
        "peak MB": used.ru_maxrss / 1024,
    }
    (work / f"{stage}.json").write_text(json.dumps(figures, indent=2))
    print(f"{stage} of {photos:,}: {figures}", file=sys.stderr)


def _found(work: Path) -> dict[str, Any]:
    files = [work / f"{stage}.json" for stage in STAGES]
    figures = {file.stem: json.loads(file.read_text()) for file in files if file.exists()}
    return {"photos": int(work.name), **figures}


def _print_table(results: list[dict[str, Any]]) -> None:
    """A row a figure, a column a size, and how much more the largest is than the smallest."""
    columns = [dict(_flat(each)) for each in results]
    sizes = [f"{each['photos']:,}" for each in results]
    print("| " + " | ".join(("", *sizes, "ratio")) + " |")
    print("|---" * (len(sizes) + 2) + "|")
    for name in columns[-1]:
        values = [column.get(name) for column in columns]
        first, last = values[0], values[-1]
        ratio = f"{last / first:.2f}" if first and last else ""
        shown = ["" if value is None else f"{value:,.3g}" for value in values]
        print("| " + " | ".join((name, *shown, ratio)) + " |")


def _flat(figures: dict[str, Any], before: str = "") -> Iterator[tuple[str, float]]:
    for name, value in figures.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name} ")
        elif name != "photos":
            yield before + name, value


if __name__ == "__main__":
    main()
