"""The tier of scenes: photos whose embeddings are near, by the encoder that answers.

How near two photos of one scene are depends on the encoder: strangers score 0.2 with one and 0.6
with another. So the bound is a place on the way from strangers to the same photo, which is 1 with
all of them; where that is was measured (benchmarks/duplicates.py), what strangers score is looked
up in the library.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import numpy as np

from imgsearch.catalog import EncoderRow
from imgsearch.errors import NoEncoderError
from imgsearch.library import Library
from imgsearch.organising.duplicates.groups import Group
from imgsearch.organising.duplicates.progress import Looked
from imgsearch.organising.duplicates.ranking import Ranking
from imgsearch.organising.duplicates.stars import stars
from imgsearch.vectors import Vectors, normalise

SCENE_SHARE = 0.95  # of the way from strangers to the same photo
EXACT_TO = 20_000  # photos; among more, comparing all pairs takes minutes
NEIGHBOURS = 32
_SAMPLE = 1000


def scenes(
    library: Library,
    ranking: Ranking,
    spared: Collection[int],
    least_score: float | None,
    notify: Callable[[Looked], None],
) -> list[Group]:
    """The groups of photos of one scene, without those that are `spared`.

    Raises NoEncoderError where no encoder answers.
    """
    from imgsearch.vector_index import VectorIndex

    ranked = [photo.photo_id for photo in ranking.photos if photo.photo_id not in spared]
    found, vectors = library.catalog.embeddings(_answering(library).id, photo_ids=ranked)
    if len(found) < 2:
        return []
    vectors = normalise(vectors)  # one stored as float16 is not quite unit
    ids = found.tolist()
    row_of = {photo_id: row for row, photo_id in enumerate(ids)}
    least = least_score if least_score is not None else bound(vectors)
    index = VectorIndex.build(found, vectors, "flat" if len(ids) <= EXACT_TO else "ivf")

    def near(some: Sequence[int]) -> Iterator[tuple[int, Mapping[int, float]]]:
        rows = np.array([row_of[i] for i in some], np.int64)
        alike: dict[int, dict[int, float]] = {}
        k = min(NEIGHBOURS, index.count)
        while len(rows):
            scores, neighbours = index.search(vectors[rows], k)
            is_cut = (scores[:, -1] >= least) & (k < index.count)  # there may be more
            for row in np.flatnonzero(~is_cut):
                good = scores[row] >= least
                pairs = zip(neighbours[row][good].tolist(), scores[row][good].tolist(), strict=True)
                alike[ids[rows[row]]] = dict(pairs)
            rows, k = rows[is_cut], min(8 * k, index.count)
        yield from ((photo_id, alike[photo_id]) for photo_id in some)

    def tell(done: int) -> None:
        notify(Looked("comparing scenes", done, len(ids)))

    return ranking.groups("scene", stars(ids, near, lambda *_: True, tell))


def bound(vectors: Vectors) -> float:
    """The least cosine of photos of one scene, among these (n, d) unit rows, n of at least 2."""
    rows = np.linspace(0, len(vectors) - 1, min(_SAMPLE, len(vectors))).astype(np.int64)
    scores = vectors[rows] @ vectors[rows].T
    strangers = float(np.median(scores[np.triu_indices(len(rows), 1)]))
    return strangers + SCENE_SHARE * (1 - strangers)


def _answering(library: Library) -> EncoderRow:
    active = list(library.catalog.active_encoders().values())
    if not active:
        raise NoEncoderError(
            f"no encoder answers in {library.path}, so scenes cannot be compared; "
            f"this adds one: {library.command('index', '--encoder', 'builtin')}"
        )
    return active[0]
