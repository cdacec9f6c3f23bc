"""Our kinds of index against numpy, FAISS, usearch and sqlite-vec, on the same vectors.

    python benchmarks/vector_index --sizes 10000 100000 --work /tmp/vector-index

Makes vectors once (see vectors.py), finds the exact answers, builds every engine into a folder of
its own and measures each in a process of its own, all of them in turn, as many rounds as asked.
What is done is kept in the work folder, so a run that was stopped goes on, and `--only build` may
run on a busy machine and `--only measure` on an idle one. `--only show` puts what is measured so
far in the place of the same engines and sizes in benchmarks/vector_index.json, prints the Markdown
table of all that it holds then, and draws benchmarks/vector_index.png. A million take 20 GB of
disk, ten million of `--engines "imgsearch ivf-pq"` alone 12. The rivals: pip install usearch
sqlite-vec apsw.
"""

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

STAGES = ("build", "measure", "show")
BUILD_THREADS, MEASURE_THREADS = 2, (1, 2)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True, help="a folder for all that is made")
    parser.add_argument("--sizes", type=int, nargs="+", default=[2_000, 10_000])
    parser.add_argument("--engines", nargs="+", help="these alone, like 'imgsearch ivf-sq8'")
    parser.add_argument("--only", choices=STAGES, help="this stage alone")
    parser.add_argument("--rounds", type=int, default=1, help="of measuring everything in turn")
    parser.add_argument("--seconds", type=float, default=5, help="for each thing that is measured")
    parser.add_argument(
        "--most-minutes", type=float, default=math.inf, help="of adding; then an engine is left out"
    )
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(_one(arguments.work, json.loads(arguments.one))))
        return
    from rivals import engines

    chosen = arguments.engines or list(engines())
    if unknown := set(chosen) - set(engines()):
        parser.error(f"no engine is called {unknown.pop()!r}; there are {', '.join(engines())}")
    stages = [arguments.only] if arguments.only else STAGES
    if "build" in stages:
        _build(arguments, chosen)
    if "measure" in stages:
        _measure(arguments, chosen)
    if "show" in stages:
        from showing import show

        show(_records(arguments.work / "built.jsonl"), _records(arguments.work / "measured.jsonl"))


def _build(arguments: argparse.Namespace, chosen: list[str]) -> None:
    from stored import Stored

    work, sizes = arguments.work, arguments.sizes
    Stored.make(work, max(sizes))
    built = {(each["engine"], each["count"]) for each in _records(work / "built.jsonl")}
    for count in sizes:
        Stored(work, count).answers()  # here, so that it counts as nobody's work
        for engine in chosen:
            if (engine, count) in built:
                continue
            shutil.rmtree(_folder(work, engine, count), ignore_errors=True)
            asked = {"do": "build", "engine": engine, "count": count}
            asked |= {"seconds": 60 * arguments.most_minutes}
            _in_process(work, asked, BUILD_THREADS, "built.jsonl")


def _measure(arguments: argparse.Namespace, chosen: list[str]) -> None:
    work = arguments.work
    built = {
        (each["engine"], each["count"])
        for each in _records(work / "built.jsonl")
        if "stopped" not in each
    }
    done = [each["asked"] for each in _records(work / "measured.jsonl")]
    for count in arguments.sizes:
        for turn in range(arguments.rounds):
            for engine in chosen:
                for threads in MEASURE_THREADS:
                    asked = {"do": "measure", "engine": engine, "count": count, "round": turn}
                    asked |= {"threads": threads, "seconds": arguments.seconds}
                    if (engine, count) in built and asked not in done:
                        _in_process(work, asked, threads, "measured.jsonl")


def _in_process(work: Path, asked: dict[str, Any], threads: int, kept_in: str) -> None:
    bounds = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    bounds["OMP_WAIT_POLICY"] = "PASSIVE"  # as imgsearch has it: spinning costs 20 times the work
    command = [sys.executable, str(Path(__file__).parent), "--work", str(work)]
    ran = subprocess.run(
        [*command, "--one", json.dumps(asked)],
        env=os.environ | bounds,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    with open(work / kept_in, "a", encoding="utf-8") as file:
        file.write(ran.stdout)
    print(ran.stdout[:200].strip(), file=sys.stderr, flush=True)


def _one(work: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """In the process of its own: build or measure one engine."""
    from measuring import measure, peak_mb
    from rivals import engines
    from stored import OutOfTime, Stored

    engine, count = engines()[asked["engine"]], asked["count"]
    folder = _folder(work, asked["engine"], count)
    named = {"engine": asked["engine"], "count": count}
    if asked["do"] == "measure":
        found = measure(engine, Stored(work, count), folder, asked["seconds"])
        return {**named, "asked": asked, **found}
    folder.mkdir(parents=True)
    try:
        seconds = engine.build(Stored(work, count, asked["seconds"]), folder)
    except OutOfTime as out:
        rate = round(out.given / out.seconds)
        return {**named, "stopped": {"added": out.given, "per_second": rate}}
    used = {"cpu_s": round(time.process_time(), 2), "peak_mb": peak_mb()}
    return {**named, "seconds": seconds, **used}


def _folder(work: Path, engine: str, count: int) -> Path:
    return work / f"{count}" / engine.replace(" ", "-")


def _records(file: Path) -> list[dict[str, Any]]:
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


if __name__ == "__main__":
    main()
