"""reindex(): the index of every encoder that answers, built anew from what is stored.

A library goes in, an encoder and its new generation at a time come out. No photo and no weights are
read: an index is derived from the catalog alone, so it may be lost, or become another kind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imgsearch.catalog import GenerationRow
from imgsearch.indexing.answering import unknown_encoder
from imgsearch.indexing.outcomes import BuildingGeneration, Notice, ignore
from imgsearch.library import Library, generations, recorded

if TYPE_CHECKING:  # it brings faiss
    from imgsearch.vector_index import Step


@dataclass(frozen=True)
class Reindexed:
    """An encoder and the index that its searches use from now on."""

    encoder: str
    generation: GenerationRow


def reindex(
    library: Library,
    *,
    kind: str | None = None,
    recall: float | None = None,
    notify: Callable[[Notice], None] | None = None,
) -> list[Reindexed]:
    """Build the index of every encoder that answers a language from its stored embeddings.

    `kind` is auto (what suits its size) or one of flat, sq8, hnsw, ivf, ivf-sq8 and ivf-pq;
    `recall` is the share of the ten nearest that it is tuned to find. Each keeps what was asked of
    it unless given, and from now on what is. Searches go on meanwhile. Stopped, those that are
    built stay.

    Raises UsageError for an unknown kind or a recall that is no share, NoEncoderError where nobody
    answers, and LibraryLockedError when another process is writing.
    """
    check_asked(kind, recall)
    notify = notify or ignore
    with library.lock():
        generations.sweep(library)
        rows = {row.id: row for row in library.catalog.active_encoders().values()}
        if not rows:
            raise unknown_encoder(library, None)
        built = []
        with recorded(library, "rebuild") as counts:
            for row in rows.values():
                tell = told_steps(library.catalog.photo_count(row.id), notify)
                made = generations.build(library, row, kind, recall, tell)
                built.append(Reindexed(row.name, made))
                counts["indexes"] += 1
        return built


def told_steps(count: int, notify: Callable[[Notice], None]) -> Callable[[Step], None]:
    """Say that an index of so many is being built; what says its steps."""
    notify(BuildingGeneration(count))
    return lambda step: notify(BuildingGeneration(step.total, step.doing, step.done))


def check_asked(kind: str | None, recall: float | None) -> None:
    """Raises UsageError for what no index can be: now, and not after hours of embedding."""
    from imgsearch.vector_index import USUAL

    USUAL.changed(kind, recall)
