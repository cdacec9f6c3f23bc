"""The tier of pictures: hashes that are near each other propose, the pictures themselves decide.

Near are hashes that differ in at most 20 of 256 bits: another encoding, size or a little more light
makes 16 of the worst photo in 500. As near come recoloured logos, stamped names and shots of a
steady burst, so what is near is looked at, cell by cell, and two shots that a camera took at
different moments are never one picture.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta

import numpy as np

from imgsearch.catalog.hashes import Candidate
from imgsearch.images import perceptual
from imgsearch.organising.duplicates.groups import Group
from imgsearch.organising.duplicates.looking import Looking
from imgsearch.organising.duplicates.progress import Looked, Unread
from imgsearch.organising.duplicates.ranking import Ranking
from imgsearch.organising.duplicates.stars import stars

PICTURE_SCORE = 1 - 20 / perceptual.HASH_BITS
MOST_UNLIKE = 25.0  # levels of 255 in a cell, see benchmarks/duplicates.py
MOST_STRETCHED = 1.03  # of the sides' ratio: a small copy is rounded to whole pixels
ZONE_STEP = timedelta(minutes=15)  # a copy whose EXIF lost its zone is off by some of them


def pictures(
    ranking: Ranking,
    least_score: float,
    notify: Callable[[Looked | Unread], None],
) -> list[Group]:
    """The groups of photos that are one picture."""
    from imgsearch.vector_index import HashIndex

    photos = [photo for photo in ranking.photos if photo.perceptual_hash]
    if not photos:
        return []
    bits = np.frombuffer(b"".join(photo.perceptual_hash or b"" for photo in photos), np.uint8)
    bits = bits.reshape(len(photos), -1)
    row_of = {photo.photo_id: row for row, photo in enumerate(photos)}
    ids = [photo.photo_id for photo in photos]
    index = HashIndex(bits, round((1 - least_score) * perceptual.HASH_BITS))
    same = _Same(ranking)

    def near(some: Sequence[int]) -> Iterator[tuple[int, Mapping[int, float]]]:
        offsets, rows, differing = index.within(bits[[row_of[i] for i in some]])
        found = {
            photo_id: {
                ids[row]: 1 - int(count) / perceptual.HASH_BITS
                for row, count in zip(rows[low:high], differing[low:high], strict=True)
                if ids[row] != photo_id
            }
            for photo_id, low, high in zip(some, offsets[:-1], offsets[1:], strict=True)
        }
        same.look_at(found)
        yield from found.items()

    def tell(done: int) -> None:
        notify(Looked("comparing pictures", done, len(photos)))

    groups = ranking.groups("picture", stars(ids, near, same.are_same, tell))
    if same.looking.unread:
        unread = same.looking.unread
        notify(Unread(len(unread), next(iter(unread.values()))))
    return groups


class _Same:
    """Whether two photos are one picture, by their cells; holds those of one block of photos."""

    def __init__(self, ranking: Ranking) -> None:
        self.looking = Looking(ranking, perceptual.cells)
        self._ranking = ranking
        self._cells: dict[int, perceptual.Cells] = {}

    def look_at(self, near: Mapping[int, Mapping[int, float]]) -> None:
        """Open the photos that are in question."""
        in_question = {i for keeper, scores in near.items() if scores for i in (keeper, *scores)}
        self._cells = dict(self.looking.at(sorted(in_question)))

    def are_same(self, one: int, other: int) -> bool:
        if one not in self._cells or other not in self._cells:
            return False
        if not _may_be_same(self._ranking.of[one], self._ranking.of[other]):
            return False
        return perceptual.unlikeness(self._cells[one], self._cells[other]) <= MOST_UNLIKE


def _may_be_same(one: Candidate, other: Candidate) -> bool:
    """Whether nothing that is known of two photos says that they are two."""
    ratio = one.width * other.height / (one.height * other.width)
    if not 1 / MOST_STRETCHED <= ratio <= MOST_STRETCHED:
        return False
    if one.camera is None or other.camera is None:  # no EXIF: the time is only that of a file
        return True
    return one.camera == other.camera and (one.taken_at - other.taken_at) % ZONE_STEP == timedelta()
