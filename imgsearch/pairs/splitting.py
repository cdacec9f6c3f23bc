"""A set in two: what is trained on and what is held back, by picture.

Photos and a share go in, two sets of the same kind come out. Which side a picture falls on depends
on the seed and on the picture alone, not on its place in the set: the same picture twice, under two
names or with captions in two rows, is never on both sides, and adding photos moves few others. A
file whose size no other picture has is not read for that: it can be no copy, and its size names it.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from imgsearch.errors import UsageError
from imgsearch.pairs.photos import CaptionedPhotos, LabelledPhotos, Unpaired
from imgsearch.pairs.pictures import Picture, content

Photos = TypeVar("Photos", CaptionedPhotos, LabelledPhotos)


def split(photos: Photos, share_or_count: float | int, seed: int = 0) -> tuple[Photos, Photos]:
    """The photos to train on and those held back, each in the order of the set.

    A float in (0, 1) is the share of pictures held back, a whole number how many. Entries whose
    pictures have the same bytes are one picture. Labelled photos are
    divided within each class, in proportion; a class keeps at least one picture to train on.

    Raises UsageError for a share outside (0, 1) and where one side would be empty.
    """
    if isinstance(share_or_count, float) and not 0 < share_or_count < 1:
        raise UsageError(f"a share of {share_or_count} cannot be held back: give one in (0, 1)")
    keys = _keys(photos.pictures)
    classes = _classes(keys, photos.labels if isinstance(photos, LabelledPhotos) else ())
    count = len(set(keys))
    is_share = isinstance(share_or_count, float)
    wanted = max(0, round(share_or_count * count) if is_share else int(share_or_count))
    kept_of_each = isinstance(photos, LabelledPhotos)
    quotas = _quotas({name: len(each) for name, each in classes.items()}, wanted, kept_of_each)
    held: set[str] = set()
    for name, members in classes.items():
        held.update(sorted(members, key=lambda key: _rank(seed, key))[: quotas[name]])
    if not held or not 0 < wanted < count:
        what = f"a share of {share_or_count}" if is_share else f"{share_or_count}"
        raise UsageError(
            f"{what} of {count} different pictures leaves one side of the split empty: hold back "
            "more, or fewer"
        )
    return (
        subset(photos, [row for row, key in enumerate(keys) if key not in held]),
        subset(photos, [row for row, key in enumerate(keys) if key in held]),
    )


def _keys(pictures: Sequence[Picture]) -> list[str]:
    """What tells pictures apart: a hash of the content, or a size that no other picture has."""
    distinct = list(dict.fromkeys(pictures))
    with ThreadPoolExecutor() as pool:
        found = dict(zip(distinct, pool.map(_by_size, distinct), strict=True))
        counts = Counter(size for size, _ in found.values())
        alike = [
            picture
            for picture, (size, _) in found.items()
            if isinstance(picture, Path) and size is not None and counts[size] > 1
        ]
        hashes: dict[Picture, str] = dict(zip(alike, pool.map(_by_content, alike), strict=True))
    return [hashes.get(each) or found[each][1] for each in pictures]


def _by_size(picture: Picture) -> tuple[int | None, str]:
    """A picture's size, None for a file that is not there, and its key where no other has the size.

    What is no file of its own is keyed by its content at once.
    """
    if not isinstance(picture, Path):
        found = content(picture)
        assert isinstance(found, bytes)  # paths are dealt with below
        return len(found), hashlib.sha256(found).hexdigest()
    try:
        size = picture.stat().st_size
    except OSError:  # who decodes it tells of it; here it is only told apart
        return None, f"file {picture.resolve()}"
    return size, f"{size} bytes"


def _by_content(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:  # as above
        return f"file {path.resolve()}"


def _classes(keys: Sequence[str], labels: Sequence[str]) -> Mapping[str, set[str]]:
    """Label -> pictures. A picture under two labels belongs to the first by name."""
    if not labels:
        return {"": set(keys)}
    label_of: dict[str, str] = {}
    for key, label in zip(keys, labels, strict=True):
        label_of[key] = min(label, label_of.get(key, label))
    classes: defaultdict[str, set[str]] = defaultdict(set)
    for key, label in label_of.items():
        classes[label].add(key)
    return {label: classes[label] for label in sorted(classes)}


def _quotas(sizes: Mapping[str, int], wanted: int, keeps_one: bool) -> dict[str, int]:
    """How many of each class are held back: in proportion, the largest remainders rounded up."""
    total = sum(sizes.values())
    exact = {name: wanted * size / max(total, 1) for name, size in sizes.items()}
    most = {name: max(size - keeps_one, 0) for name, size in sizes.items()}
    quotas = {name: min(int(exact[name]), most[name]) for name in sizes}
    left = wanted - sum(int(each) for each in exact.values())
    for name in sorted(sizes, key=lambda name: int(exact[name]) - exact[name]):
        if left > 0 and quotas[name] < most[name]:
            quotas[name] += 1
            left -= 1
    return quotas


def _rank(seed: int, key: str) -> bytes:
    return hashlib.sha256(f"{seed} {key}".encode("utf-8", "surrogateescape")).digest()


def subset(photos: Photos, rows: Sequence[int]) -> Photos:
    """The photos of these rows, in this order; what was unpaired belongs to the whole alone."""
    part = replace(
        photos,
        pictures=tuple(photos.pictures[row] for row in rows),
        labels=tuple(photos.labels[row] for row in rows) if photos.labels else (),
        unpaired=Unpaired(),
    )
    if isinstance(part, LabelledPhotos):
        return part
    captions = tuple(part.captions[row] for row in rows)
    return replace(part, captions=captions, others=(), ids=None)  # a part is no benchmark
