"""Groups around photos to keep: ranked photos and a likeness go in, stars come out.

The best photo not yet given up takes all that are like it and rank below; then the next best. So
every photo that is given up was compared with the one kept for it, which complete linkage would
promise of all pairs at a quadratic price, and single linkage of none: over a burst it joins shots
that have nothing in common.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

Star: TypeAlias = tuple[
    int, dict[int, float]
]  # the photo to keep; those like it, with their scores
Near: TypeAlias = Callable[[Sequence[int]], Iterator[tuple[int, Mapping[int, float]]]]

ASKED_AT_ONCE = 64  # of thousands that are alike, most are given up before they are asked about


def stars(
    ranked: Sequence[int],
    near: Near,
    are_same: Callable[[int, int], bool],
    notify: Callable[[int], None],
) -> Iterator[Star]:
    """The stars of photo ids, best to keep first.

    `near` gives of each of some ids, in order, those like it, itself included or not; `are_same`
    has the last word on a pair (the one to keep first). `notify` hears how many ids are through.
    """
    rank = {photo_id: place for place, photo_id in enumerate(ranked)}
    given_up: set[int] = set()
    for start in range(0, len(ranked), ASKED_AT_ONCE):
        notify(start)
        some = [i for i in ranked[start : start + ASKED_AT_ONCE] if i not in given_up]
        for keeper, scores in near(some):
            if keeper in given_up:
                continue
            alike = {
                i: score
                for i, score in scores.items()
                if rank.get(i, -1) > rank[keeper] and i not in given_up and are_same(keeper, i)
            }
            if alike:
                given_up |= alike.keys()
                yield keeper, alike
    notify(len(ranked))
