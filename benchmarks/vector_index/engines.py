"""What is measured: an engine is built of stored vectors into a folder, opened, and asked.

The protocol, and our own kinds; `rivals` has the others. Threads are what the environment says
(OMP_NUM_THREADS, OPENBLAS_NUM_THREADS), so a process has the same ones whatever it opens.
"""

import os
import time
from pathlib import Path
from typing import Protocol

import numpy as np
from stored import Ids, Stored

from imgsearch.vector_index import VectorIndex
from imgsearch.vector_index.making import Asked, Step
from imgsearch.vectors import Vectors

RECALL = 0.99  # that everything with a parameter is tuned to, after exact scoring


class Engine(Protocol):
    """A way to find vectors. `reach` is what widens a search, 0 where nothing does."""

    name: str
    can_filter: bool
    reach: int

    def build(self, stored: Stored, folder: Path) -> dict[str, float]:
        """Write it into an empty folder; seconds by what they went into."""

    def open(self, stored: Stored, folder: Path) -> None:
        """Make it ready to be asked."""

    def search(self, queries: Vectors, k: int, only: Ids | None = None) -> Ids:
        """(n, d) -> (n, k) ids, best first, -1 where there are fewer."""

    def candidates(self, k: int) -> int:
        """How many to ask for, when those are scored exactly and k of them kept."""

    def parameters(self) -> dict[str, str | int | float]:
        """What it was built and is asked with, for the table."""


def threads() -> int:
    """How many this process may use."""
    return int(os.environ["OMP_NUM_THREADS"])


class Ours:
    """A kind of imgsearch.vector_index, tuned by itself, mapped from its folder."""

    can_filter = True

    def __init__(self, kind: str) -> None:
        self.name = f"imgsearch {kind}"
        self._kind = kind

    @property
    def reach(self) -> int:
        return self._index._structure.reach

    @reach.setter
    def reach(self, reach: int) -> None:
        self._index._structure.reach = reach  # nobody but a benchmark wants another than the tuned

    def build(self, stored: Stored, folder: Path) -> dict[str, float]:
        began: dict[str, float] = {}

        def note(step: Step) -> None:
            began.setdefault(step.doing, time.perf_counter())

        index = VectorIndex.build_from(
            stored, Asked(self._kind, RECALL), texts=stored.texts(), notify=note
        )
        began["saving"] = time.perf_counter()
        index.save(folder)
        ends = [*list(began.values())[1:], time.perf_counter()]
        return {
            doing: round(end - start, 2)
            for (doing, start), end in zip(began.items(), ends, strict=True)
        }

    def open(self, stored: Stored, folder: Path) -> None:
        self._index = VectorIndex.load(folder)

    def search(self, queries: Vectors, k: int, only: Ids | None = None) -> Ids:
        return self._index.search(queries, k, only)[1]

    def candidates(self, k: int) -> int:
        return self._index.candidates(k)

    def parameters(self) -> dict[str, str | int | float]:
        making = self._index.making
        measured = {} if making.recall is None else {"recall by itself": making.recall.least}
        return {"kind": self._index.kind, **making.parameters, **measured}


def recall(found: Ids, answers: Ids) -> float:
    """The share of (n, K) answers among (n, k) ids."""
    return float((answers[:, :, None] == found[:, None, :]).any(axis=2).mean())


def least_reach(engine: Engine, stored: Stored, reaches: tuple[int, ...]) -> int:
    """The least that finds RECALL of the answers to the trial among its candidates."""
    queries, answers = stored.trial(), stored.trial_answers()
    for reach in reaches:
        engine.reach = reach
        found = engine.search(queries, engine.candidates(answers.shape[1]))
        if min(recall(found[half::2], answers[half::2]) for half in (0, 1)) >= RECALL:
            return reach
    return reaches[-1]


def unit_scale(stored: Stored) -> np.float32:
    """What maps the values of unit rows to all of int8, not to a twentieth of it."""
    return np.float32(127 / np.abs(stored.sample(10_000)[1]).max())
