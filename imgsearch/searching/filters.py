"""What hits must satisfy besides being near: when and where they were taken, where their files are.

Filters go in; out come the ids that may be hits, so that every ranking is of them alone, and the
file by which each is shown. Where filters let many photos through, none are listed: what a ranking
proposes is looked at instead, a photo at a time, and more is asked for.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from imgsearch.catalog import Ids, frequent
from imgsearch.library import Library, choose_photos
from imgsearch.queries import Condition, Flag, Like

NAMES_SHOWN = 10  # of those that photos have most often

# Of a library of so many photos, those that a filter lets through are listed only where fewer than
# this share pass: to list a million takes as long as looking at a fifth of them one by one
# (benchmarks/million.py).
_LARGE, _MOST = 10_000, 0.02


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
    """The photos that filters let through, whatever was asked: `share` of all, as far as is known.

    `ids` lists them, and maybe photos without a file; None where many of a large library pass, and
    where nothing was asked.

    Raises QueryError for a path under which no photo is, and for conditions that cannot be.
    """

    def __init__(self, library: Library, filters: Filters) -> None:
        self._library, self._catalog = library, library.catalog
        self._folder = filters.path
        self._conditions = filters.conditions
        if filters.captioned is not None:
            self._conditions += (Condition("captioned", (Flag(filters.captioned),)),)
        self.share, self.ids = 1.0, None
        if self._folder is None and not self._conditions:
            return
        share = self._catalog.share(self._conditions, folder=self._folder, least=_LARGE)
        if share is not None and share >= _MOST:
            self.share = share
        elif self._folder is None:
            self.ids = self._catalog.candidate_ids(self._conditions)
        else:
            self.ids = choose_photos(library, self._folder, self._conditions)

    def every(self) -> Ids:
        """All of them, ascending, none without a file."""
        return self._catalog.photo_ids(self._conditions, folder=self._folder)

    def paths(self, ids: Ids) -> dict[int, Path]:
        """The first live file of each photo that filters let through; without one, it is absent."""
        return self._catalog.live_paths(ids, asked=self._conditions, folder=self._folder)

    def newest(self, k: int) -> Ids:
        """The k photos that were taken last, the newest first."""
        return self._catalog.newest_photo_ids(self._conditions, folder=self._folder, limit=k)


def why_none(
    library: Library, conditions: Sequence[Condition], path: Path | None = None
) -> str | None:
    """Why no photo at or under a path satisfies all conditions, in words; None where some do."""
    if len(library.catalog.photo_ids(conditions, folder=path)):
        return None
    for each in conditions:
        if not len(library.catalog.photo_ids((each,))):
            return f"no photo satisfies {_asked(each)}{_instead(library, each)}"
    return "there are photos for each condition, and none for all together" if conditions else None


def _asked(condition: Condition) -> str:
    return f"{condition.key}:{'|'.join(_patterns(condition))}"


def _patterns(condition: Condition) -> list[str]:
    return [test.pattern for test in condition.tests if isinstance(test, Like)]


def _instead(library: Library, condition: Condition) -> str:
    """What could be asked for in place of a name that no photo has."""
    key = condition.key
    if key in frequent.KEYS:
        there = frequent.most_frequent(library.catalog, key, NAMES_SHOWN)
        return f"; most have {', '.join(there)}" if there else f", and of none the {key} is known"
    if key == "path" and not all(map(_is_whole, _patterns(condition))):
        roots = ", ".join(map(str, library.catalog.roots()[:NAMES_SHOWN]))
        return f"; path: begins below what was indexed ({roots}), and --path PATH begins here"
    return ""


def _is_whole(pattern: str) -> bool:
    return pattern.startswith(("*", "~")) or os.path.isabs(pattern)
