"""What hits must satisfy besides being near: where their files are, whether they have captions.

Filters go in; out come the ids that may be hits, so that every ranking is of them alone, and the
file by which each is shown.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from imgsearch.catalog import Catalog

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Filters:
    """A file at or under `path`, a score of at least `min_score`, a caption in any language
    (`captioned`) or none (False).
    """

    path: Path | None = None
    min_score: float | None = None
    captioned: bool | None = None


NO_FILTERS = Filters()


class Allowed:
    """The photos that filters let through, whatever was asked; `ids` is None where all are."""

    def __init__(self, catalog: Catalog, filters: Filters) -> None:
        self._catalog = catalog
        self._folder: Path | None = None
        self.ids: Ids | None = None
        if filters.path is not None:
            self._filter_by_path(filters.path)
        if filters.captioned is not None:
            self._filter_by_captions(filters.captioned)

    def paths(self, ids: Ids) -> dict[int, Path]:
        """The first live file of each photo; with a path filter, the first that it lets through.

        A photo without one is absent.
        """
        paths = self._catalog.live_paths(ids)
        if self._folder is None:
            return paths
        outside = [i for i, path in paths.items() if not path.is_relative_to(self._folder)]
        for photo_id in outside:
            del paths[photo_id]
        for photo_id, files in self._catalog.files_of_photos(outside).items():
            for name, file in files.items():
                if file.state == "live" and Path(name).is_relative_to(self._folder):
                    paths.setdefault(photo_id, Path(name))
        return paths

    def _filter_by_path(self, path: Path) -> None:
        # Roots are free of links, but a link to a folder inside one keeps its own name.
        for folder in (Path(os.path.realpath(path)), Path(os.path.abspath(path))):
            self._folder, self.ids = folder, self._catalog.live_photo_ids(folder)
            if len(self.ids):
                break

    def _filter_by_captions(self, are_wanted: bool) -> None:
        captioned = np.array(sorted(self._catalog.captioned_photo_ids()), np.int64)
        if self.ids is None and are_wanted:
            self.ids = captioned
            return
        if self.ids is None:
            live = [self._catalog.live_photo_ids(root) for root in self._catalog.roots()]
            self.ids = np.unique(np.concatenate([np.empty(0, np.int64), *live]))
        self.ids = self.ids[np.isin(self.ids, captioned, invert=not are_wanted)]
