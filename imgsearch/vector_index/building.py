"""Building: a source becomes an index that has learned, holds every vector, and is tuned.

A source and what is asked go in; a structure and how it was made come out. Memory holds the index,
a chunk of the source, and, while it learns, what it learns from.
"""

import time
from collections.abc import Callable

import numpy as np

from imgsearch.vector_index.kinds import kind_for
from imgsearch.vector_index.making import Asked, Making, Step
from imgsearch.vector_index.sources import ROWS_AT_ONCE, Ids, VectorSource
from imgsearch.vector_index.structure import Structure
from imgsearch.vector_index.tuning import Trial
from imgsearch.vectors import Vectors, normalise

Notify = Callable[[Step], None]


def ignore(step: Step) -> None:
    """Nobody listens."""


def build(
    source: VectorSource, asked: Asked, texts: Vectors | None, notify: Notify
) -> tuple[Structure, Making]:
    """As `VectorIndex.build_from`."""
    started = time.monotonic()
    count = source.count
    structure = Structure.empty(kind_for(asked.kind, count, source.dim), count, source.dim)
    if structure.training_rows:
        notify(Step("learning", 0, count))
        structure.learn(normalise(source.sample(structure.training_rows)[1]))
    is_to_tune = structure.kind != "flat" and count > 1  # a photo alone has no neighbour to find
    trial = Trial.of(source, texts) if is_to_tune else None
    structure.move_to_gpu()
    added = fill(structure, source, trial, notify)
    structure.move_back()
    structure.settle()
    check_ids(np.concatenate([np.empty(0, np.int64), *added]))
    recall = None
    if trial is not None:
        notify(Step("measuring", 0, count))
        recall = trial.tune(structure, asked.recall)
    seconds = round(time.monotonic() - started, 1)
    return structure, Making(asked, structure.parameters, recall, structure.count, seconds)


def extend(structure: Structure, source: VectorSource, removed: Ids, notify: Notify) -> None:
    """As `VectorIndex.extended`, of a structure in memory."""
    if len(removed):
        structure.remove(np.unique(removed))
    before = structure.ids()
    check_ids(np.concatenate([before, *fill(structure, source, None, notify)]))


def fill(
    structure: Structure, source: VectorSource, trial: Trial | None, notify: Notify
) -> list[Ids]:
    """Add every vector of a source, and show it to a trial; the ids that were added.

    Raises ValueError for a row without a direction.
    """
    added, done = [], 0
    for ids, vectors in source.chunks():
        for start in range(0, len(ids), ROWS_AT_ONCE):
            notify(Step("adding", done + start, source.count))
            some = np.asarray(ids[start : start + ROWS_AT_ONCE], np.int64)
            rows = normalise(vectors[start : start + ROWS_AT_ONCE])
            structure.add(some, rows)
            if trial is not None:
                trial.look(some, rows)
        added.append(np.array(ids, np.int64))
        done += len(ids)
    return added


def check_ids(ids: Ids) -> None:
    """Raises ValueError for ids that repeat or are negative: a search would give one twice."""
    ordered = np.sort(ids)
    if len(ordered) and (ordered[0] < 0 or (np.diff(ordered) == 0).any()):
        raise ValueError("ids must be distinct and not negative")
