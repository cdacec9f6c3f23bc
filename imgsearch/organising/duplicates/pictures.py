"""The tier of pictures: hashes that are near each other propose, the pictures themselves decide.

Near are hashes that differ in at most 20 of 256 bits: another encoding, size or a little more light
makes 16 of the worst photo in 500. As near come recoloured logos, stamped names and shots of a
steady burst, so what is near is looked at, cell by cell, and two shots that a camera took at
different moments are never one picture.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta

import numpy as np

from imgsearch.catalog import Ids
from imgsearch.catalog.hashes import Candidate
from imgsearch.images import perceptual
from imgsearch.organising.duplicates.groups import Group
from imgsearch.organising.duplicates.looking import Looking
from imgsearch.organising.duplicates.progress import Looked, Unread
from imgsearch.organising.duplicates.ranking import Ranking
from imgsearch.organising.duplicates.stars import stars

PICTURE_SCORE = 1 - 20 / perceptual.HASH_BITS
MOST_UNLIKE = 25.0  # levels of 255 in a cell, see benchmarks/duplicates.py
MOST_HELD = 20_000  # photos' cells, of 3 kB each
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
    ids = np.array([photo.photo_id for photo in photos], np.int64)
    index = HashIndex(bits, round((1 - least_score) * perceptual.HASH_BITS))
    same = _Same(ranking)

    def near(some: Sequence[int]) -> Iterator[tuple[int, Mapping[int, float]]]:
        offsets, rows, differing = index.within(bits[[row_of[i] for i in some]])
        has_others = np.repeat(np.diff(offsets) > 1, np.diff(offsets))  # each is near itself
        same.look_at(ids[np.unique(rows[has_others])])
        for photo_id, low, high in zip(some, offsets[:-1], offsets[1:], strict=True):
            scores = 1 - differing[low:high] / perceptual.HASH_BITS
            yield photo_id, dict(zip(ids[rows[low:high]].tolist(), scores.tolist(), strict=True))

    def tell(done: int) -> None:
        notify(Looked("comparing pictures", done, len(photos)))

    groups = ranking.groups("picture", stars(ids.tolist(), near, same.are_same, tell))
    if same.looking.unread:
        unread = same.looking.unread
        notify(Unread(len(unread), next(iter(unread.values()))))
    return groups


class _Same:
    """Whether two photos are one picture, by their cells; holds those of the last few thousand."""

    def __init__(self, ranking: Ranking) -> None:
        self.looking = Looking(ranking, perceptual.cells)
        self._ranking = ranking
        self._cells: dict[int, perceptual.Cells] = {}

    def look_at(self, in_question: Ids) -> None:
        """Open those of the photos that are not held."""
        wanted = in_question.tolist()
        if len(self._cells) > MOST_HELD:
            self._cells = {i: self._cells[i] for i in wanted if i in self._cells}
        known = self._cells.keys() | self.looking.unread.keys()
        self._cells.update(self.looking.at([i for i in wanted if i not in known]))

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
