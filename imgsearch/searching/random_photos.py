"""random_photos(): photos drawn by chance, each as likely as any other."""

import numpy as np

from imgsearch.errors import UsageError
from imgsearch.library import Library
from imgsearch.searching.filters import NO_FILTERS, Allowed, Filters
from imgsearch.searching.hits import Hit, captioned


def random_photos(
    library: Library,
    k: int = 10,
    *,
    seed: int | None = None,
    filters: Filters = NO_FILTERS,
) -> list[Hit]:
    """k different photos with a live file, without a score; fewer where there are no more.

    The same seed draws the same photos of the same library. Raises UsageError for k below 1, and
    for a least score or relevance, which nothing has here.
    """
    if k < 1:
        raise UsageError(f"k must be at least 1, got {k}")
    if filters.min_score is not None:
        raise UsageError("photos drawn at random have no score; leave the least one out")
    if filters.min_relevance is not None:
        raise UsageError("photos drawn at random have no relevance; leave the least one out")
    allowed = Allowed(library, filters)
    drawn = np.random.default_rng(seed).permutation(allowed.every())[:k]
    paths = allowed.paths(drawn)
    hits = [Hit(rank, None, int(i), paths[int(i)]) for rank, i in enumerate(drawn, 1)]
    return captioned(library.catalog, hits, {}, None)
