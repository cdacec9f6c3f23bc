"""All photos of a library that have a file, the best to keep first; groups of ids become groups.

One order for every tier, so that of the photos given up in any tier none is the one that another
was given up for, unless a better one is kept in its place.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from imgsearch.catalog import hashes
from imgsearch.catalog.hashes import Candidate
from imgsearch.library import Library
from imgsearch.organising.duplicates.groups import Group, Tier, copy, reason, worth
from imgsearch.organising.duplicates.stars import Star


class Ranking:
    """The photos with a live file, at or under a folder where one is given; `photos` in order."""

    def __init__(self, library: Library, folder: Path | None) -> None:
        self.catalog = library.catalog
        rows: list[Candidate] = []
        for known_as in _as_known(folder):
            self._folder, rows = known_as, hashes.candidates(library.catalog, known_as)
            if rows:
                break
        self.photos = sorted(rows, key=worth, reverse=True)
        self.of = {photo.photo_id: photo for photo in self.photos}

    def same_bytes(self) -> list[Group]:
        """A group a photo with several files; the one known longest is kept."""
        several = [photo for photo in self.photos if photo.files > 1]
        paths = self._paths([photo.photo_id for photo in several])
        groups = []
        for photo in several:
            first, *others = (copy(photo, path) for path in paths[photo.photo_id])
            groups.append(Group("bytes", first, tuple(others), "known longest"))
        return groups

    def groups(self, tier: Tier, stars: Iterable[Star]) -> list[Group]:
        """The stars with all that is shown of their photos; each photo by its first file."""
        stars = list(stars)
        ids = [i for keeper, others in stars for i in (keeper, *others)]
        paths = {i: files[0] for i, files in self._paths(ids).items()}
        groups = []
        for keeper, scores in stars:
            order = sorted(scores, key=lambda i: (-scores[i], i))
            others = tuple(copy(self.of[i], paths[i], scores[i]) for i in order)
            why = reason(self.of[keeper], [self.of[i] for i in order])
            groups.append(Group(tier, copy(self.of[keeper], paths[keeper]), others, why))
        return groups

    def _paths(self, photo_ids: Sequence[int]) -> dict[int, list[Path]]:
        files = self.catalog.files_of_photos(photo_ids)
        paths = {
            photo_id: [Path(name) for name, file in known.items() if file.state == "live"]
            for photo_id, known in files.items()
        }
        if self._folder is None:
            return paths
        folder = self._folder
        return {
            i: [each for each in some if each.is_relative_to(folder)] for i, some in paths.items()
        }


def _as_known(folder: Path | None) -> list[Path | None]:
    """The folder as files in it may be known: free of links, or by the name of a link."""
    if folder is None:
        return [None]
    return [Path(os.path.realpath(folder)), Path(os.path.abspath(folder))]
