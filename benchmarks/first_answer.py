"""Measure the first answer: whole commands in a cold shell, and what their time goes to.

    python benchmarks/first_answer.py [--photos 100000] [--runs 5] [--work FOLDER] [--only=NAME]

Makes a library of synthetic photos once, with an encoder as large as ViT-B/32 and random weights,
in FOLDER (kept) or in one that is thrown away. Commands are processes of their own, taken in turn;
a first query is one whose vector the library has not kept. Seconds on the clock are also those of
other programs, so processor seconds stand beside them, and what `python -c pass` takes. Below, what
one command imports, and what its steps take under a profiler, which about doubles them. The most
memory of a command is at least that of this program, about 60 MB. Prints Markdown and writes
first_answer.json beside this file.
"""

import argparse
import contextlib
import json
import os
import pstats
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TypeAlias

from synthetic import random_vit, synthetic_library

import imgsearch

PACKAGE = Path(imgsearch.__file__).parent
QUERY = "a dog"
COMMANDS = {
    "--help": ["--help"],
    "--version": ["--version"],
    "first query": ["search", QUERY],
    "the same again": ["search", QUERY],
    "first query, one prompt": ["search", QUERY, "--prompt", "raw"],
    "first query, 80 prompts": ["search", QUERY, "--prompt", "ensemble"],
    "the same again, 80 prompts": ["search", QUERY, "--prompt", "ensemble"],
    "first query in Chinese": ["search", "一只狗", "--all"],
    "picture": ["search", "./one.jpg"],
    "id:5": ["search", "id:5"],
    "conditions only": ["search", "year:2003"],
    "TAB after imgsearch": [],
}
COMPLETING = {"_IMGSEARCH_COMPLETE": "complete_bash", "COMP_WORDS": "imgsearch ", "COMP_CWORD": "1"}
TAKEN_APART = ("--help", "first query", "the same again")
# Where each step of a search is: the file below the package, and the function.
STEPS = {
    "opening the library": ("library/place.py", "open_library"),
    "the query as a vector": ("searching/question.py", "embed_together"),
    "loading the encoder": ("library/place.py", "load_encoder"),
    "loading the index": ("library/place.py", "index_of"),
    "searching the index": ("vector_index/index.py", "search"),
    "scoring again": ("searching/gallery.py", "_score"),
    "paths": ("searching/filters.py", "paths"),
    "ordinary texts and photos": ("relevance/ordinary.py", "background_of"),
    "relevance": ("relevance/background.py", "relevance"),
    "captions": ("searching/hits.py", "captioned"),
    "showing": ("cli/showing.py", "show_answers"),
}
# `imgsearch` itself leaves Python before a profile is written.
PROFILED = (
    "import cProfile, imgsearch.cli as cli; profile = cProfile.Profile();profile.runcall(cli.run);"
)
IMPORTED = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+([^\s.]+)")
Figures: TypeAlias = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--photos", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--work", type=Path, help="a folder that is kept; else one for this run")
    parser.add_argument("--only", action="append", help="a command by its name; repeatable")
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        work = arguments.work or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        library = made_library(work.absolute(), arguments.photos)
        measured = measured_commands(library, arguments.only or [*COMMANDS], arguments.runs)
        apart = [name for name in TAKEN_APART if name in measured]
        imports = {name: imported(library, name) for name in apart}
        steps = {name: stepped(library, name) for name in apart if COMMANDS[name][0] == "search"}
    results = {"photos": arguments.photos, "commands": measured, "imports": imports, "steps": steps}
    Path(__file__).with_suffix(".json").write_text(json.dumps(results, indent=2) + "\n", "utf-8")
    print_commands(measured)
    print_parts("Imports, ms under `-X importtime`", imports)
    print_parts("Steps, ms under cProfile", steps)


def made_library(work: Path, photos: int) -> Path:
    """The library in a folder, with the encoder it is searched by."""
    library = work / f"library-{photos}"
    if not (library / "generations").exists():
        folder = work / "vit"
        source = str(folder) if folder.exists() else random_vit("ViT-B-32", folder)
        texts = [QUERY, f"a photo of {QUERY}."]
        synthetic_library(library, imgsearch.load_encoder(source), source, photos, texts)
    return library


def measured_commands(library: Path, names: list[str], runs: int) -> dict[str, Figures]:
    """Of each command the medians over so many runs; of memory the most."""
    figures: dict[str, list[Figures]] = {"python -c pass": [], **{name: [] for name in names}}
    run(library, "first query")  # whatever is made but once: ordinary texts, an export
    for _ in range(runs):
        figures["python -c pass"].append(timed([sys.executable, "-c", "pass"], library))
        for name in names:
            forget(library, name)
            figures[name].append(run(library, name))
    return {
        name: {
            "wall_s": statistics.median(each["wall_s"] for each in rows),
            "processor_s": statistics.median(each["processor_s"] for each in rows),
            "least_processor_s": min(each["processor_s"] for each in rows),
            "memory_mb": max(each["memory_mb"] for each in rows),
        }
        for name, rows in figures.items()
    }


def forget(library: Path, name: str) -> None:
    """Take from the library the vectors of the texts of queries, where a first one is measured."""
    if not name.startswith("first"):
        return
    with contextlib.closing(sqlite3.connect(library / "library.db")) as catalog, catalog:
        catalog.execute("DELETE FROM text_embeddings WHERE text IN (?, ?)", (QUERY, "一只狗"))


def run(library: Path, name: str, *flags: str) -> Figures:
    """One run of a command; `flags` are Python's."""
    words = COMMANDS[name]
    command = [sys.executable, *flags, "-m", "imgsearch.cli", *words]
    return timed(command, library, {} if words else COMPLETING)


def timed(command: list[str], library: Path, environment: dict[str, str] | None = None) -> Figures:
    """What one process takes; it must do what it was asked for."""
    surroundings = {
        **os.environ,
        **(environment or {}),
        "PYTHONPATH": str(PACKAGE.parent),
        "IMGSEARCH_LIBRARY": str(library),
    }
    started = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=library.parent, env=surroundings, stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}")
    return {
        "wall_s": wall_s,
        "processor_s": used.ru_utime + used.ru_stime,
        "memory_mb": used.ru_maxrss / (1e3 if sys.platform == "linux" else 1e6),
    }


def imported(library: Path, name: str) -> Figures:
    """Package -> milliseconds that importing it took, without what it imports in turn."""
    forget(library, name)
    words = ["-X", "importtime", "-m", "imgsearch.cli", *COMMANDS[name]]
    environment = {
        **os.environ,
        "PYTHONPATH": str(PACKAGE.parent),
        "IMGSEARCH_LIBRARY": str(library),
    }
    said = subprocess.run(
        [sys.executable, *words], cwd=library.parent, env=environment, capture_output=True
    ).stderr.decode()
    taken: Counter[str] = Counter()
    for microseconds, package in IMPORTED.findall(said):
        if package.lstrip("_") in sys.stdlib_module_names or package in sys.stdlib_module_names:
            package = "Python's own"
        taken[package] += int(microseconds)
    return {package: microseconds / 1e3 for package, microseconds in taken.most_common()}


def stepped(library: Path, name: str) -> Figures:
    """Step -> milliseconds that it took, with all that it calls."""
    forget(library, name)
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/profile"
        program = f"{PROFILED} profile.dump_stats({file!r})"
        timed([sys.executable, "-c", program, *COMMANDS[name]], library)
        profile = pstats.Stats(file).stats  # type: ignore[attr-defined]
    taken = {}
    for step, (place, function) in STEPS.items():
        wanted = str(PACKAGE / place), function
        found = [row[3] for (path, _, called), row in profile.items() if (path, called) == wanted]
        taken[step] = 1e3 * sum(found)
    return taken


def print_commands(measured: dict[str, Figures]) -> None:
    print("| command | seconds | of a processor | least | memory, MB |\n|---|---|---|---|---|")
    for name, row in measured.items():
        print(
            f"| {name} | {row['wall_s']:.3f} | {row['processor_s']:.3f} "
            f"| {row['least_processor_s']:.3f} | {row['memory_mb']:.0f} |"
        )


def print_parts(heading: str, apart: dict[str, Figures]) -> None:
    if not apart:
        return
    print(f"\n| {heading} | " + " | ".join(apart) + " |\n|---" + "|---" * len(apart) + "|")
    totals = Counter[str]()
    for parts in apart.values():
        totals.update(parts)
    for part, _ in totals.most_common(16):
        row = " | ".join(f"{parts.get(part, 0):.1f}" for parts in apart.values())
        print(f"| {part} | {row} |")
    print("| all | " + " | ".join(f"{sum(parts.values()):.1f}" for parts in apart.values()) + " |")


if __name__ == "__main__":
    main()
