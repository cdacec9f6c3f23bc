"""What hits must satisfy besides being near: when and where they were taken, where their files are.

Filters go in; out come the ids that may be hits, so that every ranking is of them alone, and the
file by which each is shown.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from imgsearch.catalog import Catalog
from imgsearch.queries import Condition, Flag

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Filters:
    """A file at or under `path`; a caption in any language (`captioned`) or none (False); whatever
    `conditions` say; a score of at least `min_score`, a relevance of at least `min_relevance`.
    """

    path: Path | None = None
    min_score: float | None = None
    captioned: bool | None = None
    conditions: tuple[Condition, ...] = ()
    min_relevance: float | None = None


NO_FILTERS = Filters()


class Allowed:
    """The photos that filters let through, whatever was asked; `ids` is None where all are."""

    def __init__(self, catalog: Catalog, filters: Filters) -> None:
        self._catalog = catalog
        self._folder: Path | None = None
        self._conditions = filters.conditions
        if filters.captioned is not None:
            self._conditions += (Condition("captioned", (Flag(filters.captioned),)),)
        self.ids: Ids | None = None
        if filters.path is not None:
            self._filter_by_path(filters.path)
        elif self._conditions:
            self.ids = catalog.photo_ids(self._conditions)

    def paths(self, ids: Ids) -> dict[int, Path]:
        """The first live file of each photo that filters let through; without one, it is absent."""
        return self._catalog.live_paths(ids, asked=self._conditions, folder=self._folder)

    def newest(self, k: int) -> Ids:
        """The k photos that were taken last, the newest first."""
        return self._catalog.newest_photo_ids(self._conditions, folder=self._folder, limit=k)

    def _filter_by_path(self, path: Path) -> None:
        # Roots are free of links, but a link to a folder inside one keeps its own name.
        for folder in (Path(os.path.realpath(path)), Path(os.path.abspath(path))):
            self._folder = folder
            self.ids = self._catalog.photo_ids(self._conditions, folder=folder)
            if len(self.ids):
                break
