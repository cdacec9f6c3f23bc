"""reindex(): the index of every encoder that answers, built anew from what is stored.

A library goes in, an encoder and its new generation at a time come out. No photo and no weights are
read: an index is derived from the catalog alone, so it may be lost, or become another kind.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from imgsearch.catalog import GenerationRow
from imgsearch.indexing.answering import unknown_encoder
from imgsearch.indexing.outcomes import BuildingGeneration, Notice, ignore
from imgsearch.library import Library, generations, recorded


@dataclass(frozen=True)
class Reindexed:
    """An encoder and the index that its searches use from now on."""

    encoder: str
    generation: GenerationRow


def reindex(
    library: Library,
    *,
    kind: str | None = None,
    notify: Callable[[Notice], None] | None = None,
) -> list[Reindexed]:
    """Build the index of every encoder that answers a language from its stored embeddings.

    `kind` is one of flat, sq8, hnsw, ivf and ivf-sq8; each keeps its own unless given. Searches go
    on meanwhile. Stopped, those that are built stay.

    Raises UsageError for an unknown kind, NoEncoderError where nobody answers, and
    LibraryLockedError when another process is writing.
    """
    check_kind(kind)
    notify = notify or ignore
    with library.lock():
        generations.sweep(library)
        rows = {row.id: row for row in library.catalog.active_encoders().values()}
        if not rows:
            raise unknown_encoder(library, None)
        built = []
        with recorded(library, "rebuild") as counts:
            for row in rows.values():
                notify(BuildingGeneration(library.catalog.photo_count(row.id)))
                built.append(Reindexed(row.name, generations.build(library, row, kind)))
                counts["indexes"] += 1
        return built


def check_kind(kind: str | None) -> None:
    """Raises UsageError for a kind that nobody knows: now, and not after hours of embedding."""
    from imgsearch.vector_index import VectorIndex

    if kind is not None:
        VectorIndex.build(np.empty(0, np.int64), np.empty((0, 1), np.float32), kind)
