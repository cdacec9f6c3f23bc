"""What is right: the texts of one language and the photos each of them tells of, with their ids.

In: the captions of a set. Out: a `Truth`. A sentence that two photos share is two texts, one a
photo, as the papers count; a text is right for several photos where the set says so by its ids.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from imgsearch.errors import UsageError
from imgsearch.pairs import Ids

Captions: TypeAlias = Sequence[Mapping[str, Sequence[str]]]


@dataclass(frozen=True)
class Truth:
    """Texts of one language: `photos[t]` are the places in the set of text t's photos, ascending.

    `text_ids` are the texts' ids, `photo_ids` those of all photos of the set; where the set has no
    ids they are places, from 0.
    """

    language: str
    texts: tuple[str, ...]
    photos: tuple[tuple[int, ...], ...]
    text_ids: tuple[int, ...]
    photo_ids: tuple[int, ...]

    @property
    def described(self) -> dict[int, list[int]]:
        """The photos that have a text, ascending, each with the places of its texts."""
        texts: dict[int, list[int]] = {}
        for text, photos in enumerate(self.photos):
            for photo in photos:
                texts.setdefault(photo, []).append(text)
        return dict(sorted(texts.items()))


def truth_of(captions: Captions, language: str, ids: Ids | None = None) -> Truth:
    """The truth of one language. `captions[i]` maps a language to photo i's sentences.

    Raises UsageError when there is no sentence in the language.
    """
    photos: dict[int, list[int]] = {}
    texts: dict[int, str] = {}
    sentences = (
        (photo, place, text)
        for photo, each in enumerate(captions)
        for place, text in enumerate(each.get(language, ()))
    )
    for number, (photo, place, text) in enumerate(sentences):
        text_id = ids.texts[photo][language][place] if ids else number
        texts.setdefault(text_id, text)
        if photo not in photos.setdefault(text_id, []):
            photos[text_id].append(photo)
    if not texts:
        raise UsageError(f"none of these {len(captions)} photos has a sentence in {language!r}")
    return Truth(
        language,
        tuple(texts.values()),
        tuple(map(tuple, photos.values())),
        tuple(texts),
        ids.photos if ids else tuple(range(len(captions))),
    )
