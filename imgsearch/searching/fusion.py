"""Two rankings as one: reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009).

Hits by vector and hits by words go in, one list comes out. A photo earns weight / (OFFSET + rank)
from either; only ranks are looked at, since a cosine and BM25 have no scale in common. Only the
first DEPTH of a ranking earn anything: what follows stands in the order of the cosines, so that the
first hits are the same however many are asked for.

The constants were chosen on Flickr8K val, with the bundled encoder, by `benchmarks/hybrid.py`, and
no other set has seen them; the figures are the mean of recall at 1, 5 and 10, English and Chinese.
By vector it is 20.7 and 15.2, by the words of a photo's other captions, four that people wrote,
75.5 and 54.5, by both 75.7 and 54.6; an offset of 60 and equal weights, as published, give 51.5 and
37.6, since they let the weaker ranking spoil the better. Generated captions come from the very
vectors and tell nothing new: from half the weight of the vector on they harm, at a tenth it is the
vector's ranking within a fifth of a point. A stronger encoder, whose vectors would deserve more,
was not measured, nor photos of which some have people's captions and others generated ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from imgsearch.searching.hits import Hit

OFFSET = 5
WRITTEN_WEIGHT = 3.0  # words in a caption that a person wrote
NAMED_WEIGHT = 1.0  # in the name of its file or folder: not measured, a person asks for few names
GENERATED_WEIGHT = 0.1  # in a generated caption alone
DEPTH = 100


def fuse(
    near: Sequence[Hit],
    worded: Sequence[Hit],
    cosines: Mapping[int, float],
    weights: Mapping[int, float],
) -> list[Hit]:
    """Hits of both, best first; equal ones by cosine, then by lower photo id.

    A photo that `cosines` lacks is no hit. `weights` says of each photo that words found what its
    place among them is worth. A rank by vector that earns nothing is not told: how many there are
    hangs on how many hits were asked for.
    """
    hits = {hit.photo_id: hit for hit in (*worded, *near) if hit.photo_id in cosines}
    vector_ranks = {hit.photo_id: _counted(hit.vector_rank) for hit in near}
    bm25 = {hit.photo_id: hit.text_score for hit in worded if hit.photo_id in hits}
    text_ranks = {photo_id: rank for rank, photo_id in enumerate(bm25, 1)}
    points = {
        photo_id: _points(vector_ranks.get(photo_id), 1.0)
        + _points(text_ranks.get(photo_id), weights.get(photo_id, 0.0))
        for photo_id in hits
    }
    order = sorted(hits, key=lambda photo_id: (-points[photo_id], -cosines[photo_id], photo_id))
    return [
        replace(
            hits[photo_id],
            rank=rank,
            score=cosines[photo_id],
            vector_rank=vector_ranks.get(photo_id),
            text_rank=text_ranks.get(photo_id),
            text_score=bm25.get(photo_id),
        )
        for rank, photo_id in enumerate(order, 1)
    ]


def _counted(rank: int | None) -> int | None:
    return rank if rank is not None and rank <= DEPTH else None


def _points(rank: int | None, weight: float) -> float:
    return 0.0 if rank is None else weight / (OFFSET + rank)
