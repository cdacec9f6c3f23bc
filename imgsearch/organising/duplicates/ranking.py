"""All photos of a library that have a file, the best to keep first; groups of ids become groups.

One order for every tier, so that of the photos given up in any tier none is the one that another
was given up for, unless a better one is kept in its place.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from imgsearch.catalog import Ids, hashes
from imgsearch.catalog.paths import spellings
from imgsearch.library import Library
from imgsearch.organising.duplicates.groups import Group, Tier, copy, reason, worth
from imgsearch.organising.duplicates.stars import Star


class Ranking:
    """The photos with a live file, at or under a folder and `only` those where these are given;
    `photos` in order.
    """

    def __init__(self, library: Library, folder: Path | None, only: Ids | None) -> None:
        self.catalog = library.catalog
        self._folder = folder
        rows = hashes.candidates(library.catalog, folder)
        if only is not None:
            wanted = set(only.tolist())
            rows = [photo for photo in rows if photo.photo_id in wanted]
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
        folders = spellings(self._folder)
        return {
            i: [each for each in some if any(map(each.is_relative_to, folders))]
            for i, some in paths.items()
        }
