"""One engine over one gallery, measured in a process of its own with the threads it was given.

Plain values come out: what it takes in memory and on disk, how long queries take, what is found.
Milliseconds are of the wall clock; `cpu_ms` is what the processor spent on one query.
"""

import math
import time
from pathlib import Path
from typing import Any

import numpy as np
from engines import Engine, recall, threads
from stored import SHARES, K, Stored

from imgsearch.vectors import Vectors

_LEAST_QUERIES, _WARM_UP = 20, 10
_STEPS = (0.125, 0.25, 0.5, 2.0, 4.0)  # of the tuned reach, for the curve
_FILTERED = 40  # queries under each filter

Found = dict[str, Any]


def measure(engine: Engine, stored: Stored, folder: Path, seconds: float) -> Found:
    """All of it; what takes longer than `seconds` is asked fewer queries, 20 at least."""
    queries = stored.queries()
    stored.answers()  # before memory is looked at
    before = _memory()
    started = time.perf_counter()
    engine.open(stored, folder)
    engine.search(queries[:1], K)
    opened = time.perf_counter() - started
    _asked(engine, stored, queries[:_WARM_UP], math.inf)
    found = {"threads": threads(), "open_s": round(opened, 3), "parameters": engine.parameters()}
    found |= {"disk_mb": sum(each.stat().st_size for each in folder.iterdir()) / 1e6}
    found |= _asked(engine, stored, queries, seconds)
    found |= {name: now - before[name] for name, now in _memory().items()}
    found |= {"queries_per_s": _rate(engine, queries, seconds)}
    if threads() == 1:
        found |= {"rescored": _rescored(engine, stored, queries, seconds)}
        found |= {"curve": _curve(engine, stored, queries, seconds)}
        if engine.can_filter:
            found |= {"filters": [_filtered(engine, stored, share, seconds) for share in SHARES]}
    return found


def _asked(engine: Engine, stored: Stored, queries: Vectors, seconds: float) -> Found:
    """One query after the other, the ten first hits as the engine gives them."""
    return _timed(queries, seconds, stored, 1.0, lambda query: engine.search(query[None], K)[0])


def _rescored(engine: Engine, stored: Stored, queries: Vectors, seconds: float) -> Found:
    """The same, of more candidates, scored exactly from the stored vectors."""
    wanted = min(engine.candidates(K), stored.count)

    def ask(query: Vectors) -> np.ndarray:
        return stored.rescored(query, engine.search(query[None], wanted)[0])

    began = time.perf_counter()
    for few in np.array_split(queries, len(queries) // _LEAST_QUERIES):
        # into the page cache, as in a process that lives long
        stored.rows(np.unique(engine.search(few, wanted)).clip(0))
        if time.perf_counter() - began > seconds:
            break
    return {"candidates": wanted, **_timed(queries, seconds, stored, 1.0, ask)}


def _filtered(engine: Engine, stored: Stored, share: float, seconds: float) -> Found:
    only = stored.allowed(share)
    wanted = min(engine.candidates(K), stored.count if only is None else len(only))

    def ask(query: Vectors) -> np.ndarray:
        return stored.rescored(query, engine.search(query[None], wanted, only)[0])

    return {"share": share, **_timed(stored.queries()[:_FILTERED], seconds, stored, share, ask)}


def _curve(engine: Engine, stored: Stored, queries: Vectors, seconds: float) -> list[Found]:
    """Recall and time at other values of what widens a search than the one it was tuned to."""
    tuned, points = engine.reach, []
    for step in _STEPS if tuned else ():
        engine.reach = max(1, round(step * tuned))
        points.append({"reach": engine.reach, **_rescored(engine, stored, queries, seconds / 2)})
    engine.reach = tuned
    return points


def _timed(
    queries: Vectors, seconds: float, stored: Stored, share: float, ask: Any
) -> dict[str, float]:
    times, ids = [], []
    began, began_cpu = time.perf_counter(), time.process_time()
    for query in queries:
        started = time.perf_counter()
        found = ask(query)
        times.append(time.perf_counter() - started)
        ids.append(np.pad(found, (0, K - len(found)), constant_values=-1))
        if time.perf_counter() - began > seconds and len(times) >= _LEAST_QUERIES:
            break
    cpu = time.process_time() - began_cpu
    found_ids, answers = np.array(ids), stored.answers(share)[: len(ids)]
    return {
        "queries": len(times),
        "median_ms": round(1000 * float(np.median(times)), 4),
        "p99_ms": round(1000 * float(np.percentile(times, 99)), 4),
        "cpu_ms": round(1000 * cpu / len(times), 4),
        "recall_photos": round(recall(found_ids[::2], answers[::2]), 4),
        "recall_texts": round(recall(found_ids[1::2], answers[1::2]), 4),
    }


def _rate(engine: Engine, queries: Vectors, seconds: float) -> float:
    """Queries a second when all are asked at once, or as many as there is time for."""
    started = time.perf_counter()
    engine.search(queries[:_LEAST_QUERIES], K)
    each = (time.perf_counter() - started) / _LEAST_QUERIES
    batch = queries[: max(_LEAST_QUERIES, math.ceil(min(len(queries), seconds / each)))]
    rates = []
    for _ in range(3):
        started = time.perf_counter()
        engine.search(batch, K)
        rates.append(len(batch) / (time.perf_counter() - started))
    return round(float(np.median(rates)), 1)


def peak_mb() -> float:
    """The most megabytes that this process had, mapped pages too.

    Not what getrusage says, which begins with those of the process that started this one.
    """
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return round(int(next(each for each in lines if each.startswith("VmHWM")).split()[1]) / 1024, 1)


def _memory() -> dict[str, float]:
    """Megabytes: what nobody else can have (`private_mb`), and that with mapped pages
    (`resident_mb`), which the system may take back."""
    kinds = {"Anonymous": "private_mb", "Pss": "resident_mb"}
    lines = Path("/proc/self/smaps_rollup").read_text("ascii").splitlines()[1:]
    sizes = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    return {ours: round(sizes[theirs] / 1024, 1) for theirs, ours in kinds.items()}
