"""What reading gives: photos with sentences, photos with a class, and how much found no half.

Values alone. A photo that has no text and a text that has no photo are counted, not refused: real
sets have both, and whoever shows the counts lets the person judge.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from imgsearch.pairs.pictures import Picture


@dataclass(frozen=True)
class Unpaired:
    """Halves left out of a set: `pictures` without any text, `texts` without a picture.

    An empty caption counts as a text: nothing can be learnt from it.
    """

    pictures: int = 0
    texts: int = 0

    def __add__(self, other: "Unpaired") -> "Unpaired":
        return Unpaired(self.pictures + other.pictures, self.texts + other.texts)


@dataclass(frozen=True)
class Ids:
    """The numbers a set gives its photos and texts: prediction files speak of these.

    `photos` are those of the pictures and, behind them, of the others; `texts[i]` has the shape of
    `captions[i]`. A text about two photos is with both and has one id.
    """

    photos: tuple[int, ...]
    texts: tuple[Mapping[str, tuple[int, ...]], ...]


@dataclass(frozen=True)
class CaptionedPhotos:
    """Photos with sentences: `captions[i]` maps a language (or a named set of sentences) to photo
    i's sentences.

    `labels` is empty, or has one a photo, None where a photo has none. `others` are pictures that
    no text is about and that a search is measured among all the same; `ids` is None where the set
    numbers nothing.
    """

    pictures: tuple[Picture, ...]
    captions: tuple[Mapping[str, tuple[str, ...]], ...]
    labels: tuple[str | None, ...] = ()
    unpaired: Unpaired = Unpaired()
    others: tuple[Picture, ...] = ()
    ids: Ids | None = None

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def languages(self) -> tuple[str, ...]:
        """Every name some photo has sentences under, in order of first appearance."""
        return tuple(dict.fromkeys(name for photo in self.captions for name in photo))


@dataclass(frozen=True)
class LabelledPhotos:
    """Photos with a class: `labels[i]` is photo i's label, `names` gives each label's names per
    language.
    """

    pictures: tuple[Picture, ...]
    labels: tuple[str, ...]
    names: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    unpaired: Unpaired = Unpaired()

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages in which every label has a name."""
        labels = [self.names[label] for label in sorted(set(self.labels))]
        first: Mapping[str, tuple[str, ...]] = labels[0] if labels else {}
        return tuple(language for language in first if all(language in label for label in labels))


@dataclass(frozen=True, slots=True)
class Described:
    """One photo as a reader found it: sentences per language, a label, or both."""

    picture: Picture
    captions: Mapping[str, tuple[str, ...]]
    label: str | None = None


@dataclass(frozen=True)
class Found:
    """What one source holds; `source` is how a message calls it.

    `others` and `ids` are those of `CaptionedPhotos`, of sources made for measuring.
    """

    source: str
    photos: tuple[Described, ...]
    unpaired: Unpaired = Unpaired()
    others: tuple[Picture, ...] = ()
    ids: Ids | None = None

    @property
    def has_captions(self) -> bool:
        """Whether any photo has a sentence."""
        return any(photo.captions for photo in self.photos)
