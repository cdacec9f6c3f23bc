"""find_duplicates(): photos of a library that are there more than once, and which one to keep.

A library goes in, groups come out, of three tiers that are never mixed:

    bytes    one photo with several files: equal to the last byte
    picture  the same picture, encoded again or resized: near by perceptual hash, then looked at
    scene    the same scene: near by the embeddings of the encoder that answers

A group is a star: the photo to keep, and those that were each compared with it. Chains (A like B, B
like C) join a whole burst, of which the last shot has nothing of the first; in a star nothing is
given up for a photo that it was not held against. Nothing is ever deleted here.

    files.py     the files a photo is in, each once
    groups.py    Group, Copy; which copy is kept, and why
    ranking.py   all photos, the best to keep first
    stars.py     the groups that a likeness makes
    looking.py   photos opened to be looked at
    hashing.py   the hashes that photos lack
    pictures.py  the tier of pictures
    scenes.py    the tier of scenes
    progress.py  what a search tells while it runs
"""

from collections.abc import Callable, Collection
from pathlib import Path

from imgsearch.catalog import Ids
from imgsearch.errors import UsageError
from imgsearch.library import Library
from imgsearch.organising.duplicates.groups import TIERS, Copy, Group, Tier
from imgsearch.organising.duplicates.hashing import hash_lacking
from imgsearch.organising.duplicates.pictures import PICTURE_SCORE, pictures
from imgsearch.organising.duplicates.progress import Looked, Unread
from imgsearch.organising.duplicates.ranking import Ranking
from imgsearch.organising.duplicates.scenes import SCENE_SHARE, scenes

__all__ = [
    "PICTURE_SCORE",
    "SCENE_SHARE",
    "TIERS",
    "Copy",
    "Group",
    "Looked",
    "Tier",
    "Unread",
    "find_duplicates",
]

SAFE_TIERS: tuple[Tier, ...] = ("bytes", "picture")


def find_duplicates(
    library: Library,
    tiers: Collection[Tier] = SAFE_TIERS,
    *,
    threshold: float | None = None,
    folder: Path | None = None,
    only: Ids | None = None,
    notify: Callable[[Looked | Unread], None] | None = None,
) -> list[Group]:
    """The groups of the tiers, in the order bytes, picture, scene, those of most copies first.

    A photo is in one group of a tier at most, and of the tier of scenes only if no tier of pictures
    that was asked for would do without it. `threshold` is the least score of the one tier of
    pictures or scenes that is asked for: the share of equal bits of two hashes, from 0.75 to 1, or
    a cosine. With `folder`, only files at or under it count; `only` bounds the photos. Photos
    without a hash are hashed and the hashes kept, so the next call is quick. `notify` hears how far
    the call is, and at the end how many photos could not be looked at.

    Raises UsageError for an unknown tier and a threshold that cannot be, NoEncoderError where
    scenes are asked for and no encoder answers, LibraryError where hashes cannot be kept.
    """
    _check(tiers, threshold)
    notify = notify or (lambda _: None)
    if "picture" in tiers:
        hash_lacking(library, Ranking(library, folder, only), notify)
    ranking = Ranking(library, folder, only)
    found: list[Group] = []
    if "bytes" in tiers:
        found += _sorted(ranking.same_bytes())
    spared: set[int] = set()
    if "picture" in tiers:
        same = pictures(ranking, threshold or PICTURE_SCORE, notify)
        spared = {copy.photo_id for group in same for copy in group.others}
        found += _sorted(same)
    if "scene" in tiers:
        found += _sorted(scenes(library, ranking, spared, threshold, notify))
    return found


def _sorted(groups: list[Group]) -> list[Group]:
    return sorted(groups, key=lambda group: -len(group.others))


def _check(tiers: Collection[Tier], threshold: float | None) -> None:
    unknown = [tier for tier in tiers if tier not in TIERS]
    if unknown or not tiers:
        given = repr(unknown[0]) if unknown else "nothing"
        raise UsageError(f"no tier of duplicates is called {given}; there are {', '.join(TIERS)}")
    if threshold is None:
        return
    scored = [tier for tier in tiers if tier != "bytes"]
    if len(scored) != 1:
        raise UsageError(
            f"a threshold of {threshold:g} is one of pictures (equal bits) or of scenes (cosine), "
            f"and the tiers are {', '.join(tiers)}; name one of the two with --tier"
        )
    least = 0.75 if scored[0] == "picture" else 0.0
    if not least < threshold <= 1:
        raise UsageError(
            f"a threshold of {threshold:g} cannot be one of the tier {scored[0]}; "
            f"give one above {least:g}, and at most 1"
        )
