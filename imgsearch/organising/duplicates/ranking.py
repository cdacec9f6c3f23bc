"""All photos of a library that have a file, the best to keep first; groups of ids become groups.

One order for every tier, so that of the photos given up in any tier none is the one that another
was given up for, unless a better one is kept in its place.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from imgsearch.catalog import FileRow, Ids, hashes
from imgsearch.catalog.paths import spellings
from imgsearch.library import Library
from imgsearch.organising.duplicates.files import apart, is_inside, live
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
        """A group a photo with several files on the disk; links to one file are one."""
        several = [photo for photo in self.photos if photo.files > 1]
        known = self._files([photo.photo_id for photo in several])
        groups = []
        for photo in several:
            files = known.get(photo.photo_id, {})
            paths = apart(files)
            if len(paths) > 1:
                first, *others = (copy(photo, path) for path in paths)
                groups.append(Group("bytes", first, tuple(others), _reason(first.path, files)))
        return groups

    def groups(self, tier: Tier, stars: Iterable[Star]) -> list[Group]:
        """The stars with all that is shown of their photos; each photo by its first file.

        Photos that lost their files meanwhile are in none.
        """
        stars = list(stars)
        known = self._files([i for keeper, others in stars for i in (keeper, *others)])
        paths = {i: found[0] for i, files in known.items() if (found := live(files))}
        groups = []
        for keeper, scores in stars:
            there = [i for i in scores if i in paths]
            if keeper not in paths or not there:
                continue
            order = sorted(there, key=lambda i: (-scores[i], i))
            others = tuple(copy(self.of[i], paths[i], scores[i]) for i in order)
            why = reason(self.of[keeper], [self.of[i] for i in order])
            groups.append(Group(tier, copy(self.of[keeper], paths[keeper]), others, why))
        return groups

    def _files(self, photo_ids: Sequence[int]) -> dict[int, dict[str, FileRow]]:
        """Photo id -> its files, at or under the folder."""
        files = self.catalog.files_of_photos(photo_ids)
        if self._folder is None:
            return files
        folders = spellings(self._folder)
        return {
            photo_id: {
                name: file
                for name, file in known.items()
                if any(map(Path(name).is_relative_to, folders))
            }
            for photo_id, known in files.items()
        }


def _reason(kept: Path, files: Mapping[str, FileRow]) -> str:
    """Why this file of a photo is kept, whose first one may lie in an archive or be a link."""
    if is_inside(kept) or not any(is_inside(Path(name)) for name in files):
        return "known longest"
    return "a file of its own"
