"""The stages of benchmarks/million.py: what is done with a library, and figures of it by name."""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from million_library import Synthetic, filters, make, query
from PIL import Image

import imgsearch
from imgsearch import prompts, relevance
from imgsearch.indexing import reindex
from imgsearch.library import Library
from imgsearch.searching.filters import NO_FILTERS, Filters
from imgsearch.upkeep import doctor, status

CHANGED = 1000  # photos that come, move and go
QUERIES, PER_FILTER = 200, 20
ROWS_AT_ONCE = 50_000


def _make(library: Library, arguments: argparse.Namespace) -> dict[str, Any]:
    make(library, arguments.photos[0])
    encoder, (row,) = Synthetic(), library.catalog.encoders()
    relevance.prepare(library.catalog, row, encoder.embed_texts)
    texts = [query(number) for number in range(QUERIES)]
    vectors = encoder.embed_texts(texts)
    key = prompts.templates_key(prompts.RAW)
    library.catalog.cache_texts(row.id, key, dict(zip(texts, vectors, strict=True)))
    return {"catalog MB": _megabytes(library.path)}


def _build(library: Library, arguments: argparse.Namespace) -> dict[str, Any]:
    seconds, cpu = _timed(lambda: reindex(library, kind=arguments.kind))
    return {
        "seconds": seconds,
        "cpu seconds": cpu,
        "index MB": _megabytes(library.generations_folder) / len(library.catalog.generations()),
    }


def _search(library: Library, arguments: argparse.Namespace) -> dict[str, Any]:
    first, first_cpu = _timed(lambda: _hits(library, 0, 10))
    figures: dict[str, Any] = {"first ms": 1000 * first, "first cpu ms": 1000 * first_cpu}
    for mode in ("vector", "auto"):
        for k in (10, 100):
            for threads in (1, 2):
                figures[f"{mode} k={k} threads={threads}"] = _many(library, mode, k, threads)
    found = [_hits(library, number, 10) for number in range(QUERIES // 2)]
    return {**figures, "recall@10": _recall(found, *_exact_scores(library, len(found)))}


def _shell(library: Library, arguments: argparse.Namespace) -> dict[str, Any]:
    command = [*(sys.executable, "-m", "imgsearch.cli", "search", query(3), "--json")]
    command += ["--prompt", "raw", "--library", str(library.path)]
    walls, cpus = [], []
    for _ in range(5):
        started = time.perf_counter()
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, code, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(code)
        assert child.returncode == 0
        walls.append(time.perf_counter() - started)
        cpus.append(used.ru_utime + used.ru_stime)
    return {"seconds": statistics.median(walls), "cpu seconds": statistics.median(cpus)}


def _filters(library: Library, arguments: argparse.Namespace) -> dict[str, Any]:
    ids, scores = _exact_scores(library, PER_FILTER)
    figures = {}
    for name, asked in filters():
        allowed = library.catalog.photo_ids(asked.conditions, folder=asked.path)
        kept = np.isin(ids, allowed, assume_unique=True)
        plain, filtered, found = [], [], []
        for number in range(PER_FILTER):
            plain.append(_timed(lambda n=number: _hits(library, n, 10))[0])
            started = time.perf_counter()
            found.append(_hits(library, number, 10, asked))
            filtered.append(time.perf_counter() - started)
        figures[name] = {
            "kept": int(kept.sum()),
            "ms": 1000 * statistics.median(filtered),
            "beside no filter": statistics.median(filtered) / statistics.median(plain),
            "recall@10": _recall(found, ids[kept], scores[:, kept]),
        }
    return figures


def _changes(library: Library, arguments: argparse.Namespace) -> dict[str, Any]:
    """What a person does with 1,000 photos, each run of `index` given their folder alone."""
    encoder = Synthetic()
    library.keep_encoder(encoder)
    folder, other = arguments.work / "come", arguments.work / "moved"
    for each in (folder, other):
        shutil.rmtree(each, ignore_errors=True)
    folder.mkdir()
    rng = np.random.default_rng(time.time_ns())
    for number in range(CHANGED):
        pixels = rng.integers(0, 256, (16, 16, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    figures: dict[str, Any] = {}

    def run(name: str, *paths: Path, accept: bool = False) -> None:
        def go() -> None:
            intake = imgsearch.Intake(accept_missing=accept)
            counts[:] = list(imgsearch.index(library, paths, encoder=encoder, intake=intake))

        counts: list[object] = []
        seconds, cpu = _timed(go)
        kinds = [type(each).__name__ for each in counts]
        figures[f"{name} s"], figures[f"{name} cpu s"] = seconds, cpu
        figures[f"{name} outcomes"] = {kind: kinds.count(kind) for kind in sorted(set(kinds))}
        after = [_timed(lambda n=n: _hits(library, n, 10))[0] for n in range(20)]
        figures[f"next after {name} ms"] = 1000 * after[0]
        figures[f"searches after {name} ms"] = 1000 * statistics.median(after[1:])

    _hits(library, 0, 10)
    run("add", folder)
    run("unchanged", folder)
    folder.rename(other)
    run("move", folder, other)
    shutil.rmtree(other)
    run("remove", other, accept=True)
    return figures


def _upkeep(library: Library, arguments: argparse.Namespace) -> dict[str, Any]:
    tasks: dict[str, Callable[[], object]] = {
        "open": lambda: imgsearch.open_library(library.path).close(),
        "status": lambda: status(library),
        "prune": lambda: imgsearch.prune(library, dry_run=True),
        "doctor": lambda: list(doctor(library, repair=False)),
    }
    return {f"{name} s": _timed(task)[0] for name, task in tasks.items()}


STAGES: dict[str, Callable[[Library, argparse.Namespace], dict[str, Any]]] = {
    "make": _make,
    "build": _build,
    "search": _search,
    "shell": _shell,
    "filters": _filters,
    "changes": _changes,
    "upkeep": _upkeep,
}


# What they are made of


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the clock, and of the processor."""
    started, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - started, time.process_time() - cpu


def _hits(
    library: Library, number: int, k: int, asked: Filters = NO_FILTERS, mode: Any = "vector"
) -> list[int]:
    text = query(number)
    hits = imgsearch.search(library, text, k, mode=mode, prompt="raw", filters=asked)
    return [hit.photo_id for hit in hits]


def _many(library: Library, mode: str, k: int, threads: int) -> dict[str, float]:
    def one(number: int) -> float:
        return _timed(lambda: _hits(library, number, k, mode=mode))[0]

    list(map(one, range(10)))
    started, cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(threads) as pool:
        seconds = list(pool.map(one, range(QUERIES)))
    wall, spent = time.perf_counter() - started, time.process_time() - cpu
    return {
        "median ms": 1000 * statistics.median(seconds),
        "p99 ms": 1000 * statistics.quantiles(seconds, n=100)[98],
        "cpu ms": 1000 * spent / QUERIES,
        "queries/s": QUERIES / wall,
    }


def _exact_scores(library: Library, queries: int) -> tuple[np.ndarray, np.ndarray]:
    """Photo ids (n,), ascending, and what numpy says of the first queries, (q, n)."""
    (row,), key = library.catalog.encoders(), prompts.templates_key(prompts.RAW)
    texts = [query(number) for number in range(queries)]
    cached = library.catalog.cached_texts(row.id, key, texts)
    asked = np.stack([cached[text] for text in texts])
    all_ids, all_scores, last = [], [], 0
    while True:
        ids, vectors, last = library.catalog.embeddings_and_last(
            row.id, after=last, limit=ROWS_AT_ONCE
        )
        if not len(ids):
            break
        all_ids.append(ids)
        all_scores.append(asked @ vectors.T)
    ids = np.concatenate(all_ids)
    assert (np.diff(ids) > 0).all()
    return ids, np.concatenate(all_scores, axis=1)


def _recall(found: list[list[int]], ids: np.ndarray, scores: np.ndarray) -> float:
    """The mean share of the best 10 (all, where there are fewer) that was found."""
    k = min(10, len(ids))
    if not k:
        return 1.0
    best = [set(ids[np.argpartition(-each, k - 1)[:k]].tolist()) for each in scores]
    return statistics.mean(
        len(right & set(hits)) / k for right, hits in zip(best, found, strict=True)
    )


def _megabytes(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
