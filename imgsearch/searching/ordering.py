"""Hits in another order than the best first: by when they were taken, or by path."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal, TypeAlias

from imgsearch.catalog import Catalog
from imgsearch.errors import UsageError
from imgsearch.searching.hits import Hit

Order: TypeAlias = Literal["score", "date", "path"]
ORDERS: tuple[Order, ...] = ("score", "date", "path")
PRUNED = datetime.min.replace(tzinfo=UTC)  # since it was found: behind all others


def ordered(catalog: Catalog, hits: Sequence[Hit], order: Order) -> list[Hit]:
    """Hits, best first, by `score` as they are, by `date` newest first, or by `path` from A on.

    Equal ones stay in their order; ranks are from 1 in the new one. Raises UsageError for another
    order.
    """
    if order not in ORDERS:
        raise UsageError(f"hits cannot be sorted by {order!r}; there are {', '.join(ORDERS)}")
    found = list(hits)
    if order == "date":
        moments = catalog.moments_taken([hit.photo_id for hit in hits])
        found.sort(key=lambda hit: moments.get(hit.photo_id, PRUNED), reverse=True)
    elif order == "path":
        found.sort(key=lambda hit: hit.path)
    return [replace(hit, rank=rank) for rank, hit in enumerate(found, 1)]
