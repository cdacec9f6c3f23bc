"""What a run learns from and what it is measured on, and that the two are kept apart.

Paths or pairs go in, three sets come out: learnt from, validation, guard. What is said of them on
the model card is counted here as well.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias, TypeVar

from imgsearch import images
from imgsearch.errors import PictureError, UsageError
from imgsearch.library import Library
from imgsearch.library.captions import captions_of
from imgsearch.pairs import (
    CaptionedPhotos,
    LabelledPhotos,
    Picture,
    content,
    read_pairs,
    split,
    subset,
)
from imgsearch.training.model_card import PairsOnCard, Role

Pairs: TypeAlias = CaptionedPhotos | LabelledPhotos
PairsOrNone = TypeVar("PairsOrNone", CaptionedPhotos, Pairs | None)
OWN = ("the library's own captions",)
MOST_GUARDS = 5000  # photos of the library: each is embedded at every evaluation
SMALL = 64  # pixels, the least a picture is decoded to: whether it can be is all that is asked


@dataclass(frozen=True)
class Material:
    """What is learnt from, and what is measured on: pairs, or the paths of pairs.

    Without `pairs`, the library's own photos with captions beside them. `validation` is other
    pairs, or how many or what share of the photos of `pairs` to set apart; 0 for none. `guard`
    stands for all that must not be forgotten; without it, at most 5,000 of the library's own photos
    with captions beside them that are not used otherwise.
    """

    pairs: Pairs | Sequence[Path] | None = None
    validation: Pairs | Sequence[Path] | float | int = 0.1
    guard: Pairs | Sequence[Path] | None = None


@dataclass(frozen=True)
class Sets:
    """The three sets of a run; `names` are those of the files they came from, by role.

    Photos to measure on that cannot be decoded are left out, and why is in `unreadable`; those
    learnt from are met as the run goes on.
    """

    learnt: Pairs
    validation: Pairs | None
    guard: Pairs | None
    names: dict[Role, tuple[str, ...]]
    unreadable: tuple[str, ...] = ()

    @property
    def fingerprints(self) -> dict[str, str]:
        """SHA-256 of each set, by role: which photos, which texts."""
        return {role: _fingerprint(pairs) for role, pairs in self.by_role if pairs is not None}

    @property
    def by_role(self) -> tuple[tuple[Role, Pairs | None], ...]:
        """The three sets with what they are for."""
        return (
            ("learnt from", self.learnt),
            ("validation", self.validation),
            ("guard", self.guard),
        )

    @property
    def on_card(self) -> tuple[PairsOnCard, ...]:
        """Each set as the model card counts it."""
        return tuple(
            PairsOnCard(
                role,
                len(pairs),
                texts_by_language(pairs),
                self.names[role],
                pairs.unpaired.pictures + pairs.unpaired.texts,
            )
            for role, pairs in self.by_role
            if pairs is not None
        )


def read_material(library: Library, material: Material) -> Sets:
    """Read, divide by picture, and find the guard. Raises UsageError for pairs that cannot be."""
    sets = read_divided(library, material)
    learnt, validation = sets.learnt, sets.validation
    guard: Pairs | None
    if material.guard is None:
        names: tuple[str, ...] = OWN
        guard = _own_captions(library, [learnt] if validation is None else [learnt, validation])
    else:
        guard, names = _read(material.guard), _names(material.guard)
    unreadable: list[str] = []
    return Sets(
        learnt,
        readable(validation, unreadable),
        readable(guard, unreadable),
        {**sets.names, "guard": names},
        tuple(unreadable),
    )


def read_divided(library: Library, material: Material) -> Sets:
    """What is learnt from and what is measured on, as it was read, without a guard.

    Divided by picture. Raises UsageError for pairs that cannot be.
    """
    learnt = _read(_whole_library(library) if material.pairs is None else material.pairs)
    validation: Pairs | None
    if isinstance(material.validation, float | int):
        validation, whole = None, learnt.unpaired
        if material.validation:  # twice the same: each call keeps its own kind of pairs
            if isinstance(learnt, CaptionedPhotos):
                learnt, validation = split(learnt, material.validation)
            else:
                learnt, validation = split(learnt, material.validation)
        learnt, names = replace(learnt, unpaired=whole), _names(material.pairs)
    else:
        validation, names = _read(material.validation), _names(material.validation)
    found: dict[Role, tuple[str, ...]] = {
        "learnt from": _names(material.pairs),
        "validation": names,
    }
    return Sets(learnt, validation, None, found)


def readable(pairs: PairsOrNone, unreadable: list[str]) -> PairsOrNone:
    """The pairs whose pictures can be decoded; why the others cannot goes to the list."""
    if pairs is None:
        return pairs
    with ThreadPoolExecutor() as pool:
        reasons = list(pool.map(_why_unreadable, pairs.pictures))
    rows = [row for row, reason in enumerate(reasons) if reason is None]
    unreadable += [reason for reason in reasons if reason is not None]
    if not rows:
        raise UsageError(f"none of these photos can be decoded: {unreadable[-1]}")
    if isinstance(pairs, CaptionedPhotos):  # each call keeps its own kind of pairs
        return replace(subset(pairs, rows), unpaired=pairs.unpaired)
    return replace(subset(pairs, rows), unpaired=pairs.unpaired)


def _why_unreadable(picture: Picture) -> str | None:
    try:
        images.decode(content(picture), short_side=SMALL)
    except PictureError as error:
        return str(error)
    return None


def _read(pairs: Pairs | Sequence[Path]) -> Pairs:
    if isinstance(pairs, CaptionedPhotos | LabelledPhotos):
        return pairs
    return read_pairs(pairs)


def _whole_library(library: Library) -> CaptionedPhotos:
    _, own = captions_of(library)
    if not own.pictures:
        raise UsageError(
            f"no photo of {library.path} has a .txt or .json beside it: name pairs to learn from"
        )
    return own


def _names(pairs: Pairs | Sequence[Path] | None) -> tuple[str, ...]:
    if pairs is None:
        return OWN
    if isinstance(pairs, CaptionedPhotos | LabelledPhotos):
        return ()
    return tuple(path.name for path in pairs)


def _own_captions(library: Library, used: Sequence[Pairs]) -> CaptionedPhotos | None:
    """The library's captioned photos that are not used otherwise; of many, some, always the
    same."""
    _, own = captions_of(library)
    known = {_place(picture) for pairs in used for picture in pairs.pictures}
    others = [row for row, picture in enumerate(own.pictures) if _place(picture) not in known]
    others.sort(key=lambda row: hashlib.sha256(repr(_place(own.pictures[row])).encode()).digest())
    return subset(own, sorted(others[:MOST_GUARDS])) if others else None


def _place(picture: Picture) -> Picture:
    """A picture as it is the same from whatever folder it is named."""
    return picture.resolve() if isinstance(picture, Path) else picture


def _fingerprint(pairs: Pairs) -> str:
    digest = hashlib.sha256()
    texts: Sequence[object] = pairs.captions if isinstance(pairs, CaptionedPhotos) else pairs.labels
    for picture, text in zip(pairs.pictures, texts, strict=True):
        which = picture if isinstance(picture, bytes) else repr(_place(picture)).encode()
        digest.update(hashlib.sha256(which).digest())
        digest.update(repr(text).encode())
    return digest.hexdigest()


def texts_by_language(pairs: Pairs) -> dict[str, int]:
    """How many sentences there are in each language; of labelled photos, how many classes."""
    if isinstance(pairs, LabelledPhotos):
        return {language: len(set(pairs.labels)) for language in pairs.languages}
    counts: Counter[str] = Counter()
    for captions in pairs.captions:
        counts.update({language: len(texts) for language, texts in captions.items()})
    return dict(counts)
