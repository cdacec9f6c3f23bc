"""Sets of photos that training draws from, and what may be said of each.

In: pairs. Out: a `TrainingSet`, from which a step draws photos in shuffled epochs and one text for
each of them. Which text fits which photo is kept by text, not by row: a sentence written for two
photos, or a class name, is right for all photos that it fits and never pushes them apart.
"""

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from imgsearch import prompts
from imgsearch.errors import UsageError
from imgsearch.pairs import CaptionedPhotos, LabelledPhotos
from imgsearch.training.squares import Squares


@dataclass(frozen=True)
class Drawn:
    """Texts for the photos of a batch: each of u texts once.

    rows (r,) are the photos of the batch that have a text in this language, `own` (r,) the text
    that was drawn for each, positives (r, u) which texts are right for it.
    """

    texts: tuple[str, ...]
    rows: Tensor
    own: Tensor
    positives: Tensor


@dataclass(frozen=True)
class TrainingSet:
    """n photos and what may be said of them.

    `texts[language][i]` lists the ids of the texts that fit photo i; one listed twice is drawn
    twice as often. `wordings[language][id]` is a text, as one or more equivalent wordings of which
    each step draws one. `labels`, where there are any, make every text of a photo right for all
    photos of its label.
    """

    name: str
    squares: Squares
    texts: Mapping[str, Sequence[Sequence[int]]]
    wordings: Mapping[str, Sequence[Sequence[str]]]
    labels: Sequence[str | None] = ()

    def __len__(self) -> int:
        return len(self.squares)

    def photos(self, start: int, count: int, seed: int) -> list[int]:
        """The photos from place `start` on in an endless row of shuffled epochs, each once."""
        drawn = []
        for place in range(start, start + min(count, len(self))):
            epoch, offset = divmod(place, len(self))
            drawn.append(_order(len(self), f"{seed}/{self.name}/{epoch}")[offset])
        return list(dict.fromkeys(drawn))  # a batch across two epochs may meet a photo twice

    def draw(self, photos: Sequence[int], language: str, rng: random.Random) -> Drawn:
        """One text for each of these photos that has one in the language."""
        texts = self.texts[language]
        rows = [row for row, photo in enumerate(photos) if texts[photo]]
        chosen = [rng.choice(texts[photos[row]]) for row in rows]
        column = {text: u for u, text in enumerate(sorted(set(chosen)))}
        positives = torch.zeros(len(rows), len(column), dtype=torch.bool)
        speaks_of: defaultdict[str | None, set[int]] = defaultdict(set)  # label -> columns
        if self.labels:
            for row, text in zip(rows, chosen, strict=True):
                speaks_of[self.labels[photos[row]]].add(column[text])
        for r, row in enumerate(rows):
            right = {column[text] for text in texts[photos[row]] if text in column}
            if self.labels and self.labels[photos[row]] is not None:
                right |= speaks_of[self.labels[photos[row]]]
            positives[r, sorted(right)] = True
        wordings = tuple(rng.choice(self.wordings[language][text]) for text in column)
        own = torch.tensor([column[text] for text in chosen], dtype=torch.long)
        return Drawn(wordings, torch.tensor(rows, dtype=torch.long), own, positives)


@lru_cache(4)
def _order(n: int, seed: str) -> list[int]:
    return random.Random(seed).sample(range(n), n)


def captioned_set(
    name: str,
    photos: CaptionedPhotos,
    squares: Squares,
    languages: Sequence[str],
    by_label: bool = False,
) -> TrainingSet:
    """Captioned photos as a training set; equal sentences are one text, whoever they were written
    for.

    Sentences under `zh_translated` count as `zh`: what stands before the underscore is the
    language. They are drawn half as often as those under `zh` itself. `by_label`: photos of one
    label share their texts.
    """
    texts: dict[str, list[list[int]]] = {language: [] for language in languages}
    ids: dict[str, dict[str, int]] = {language: {} for language in languages}
    for captions in photos.captions:
        for language in languages:
            known = ids[language]
            sentences = [
                sentence
                for key, values in captions.items()
                if key.split("_")[0] == language
                for sentence in tuple(values) * (2 if key == language else 1)
            ]
            texts[language].append(
                sorted(known.setdefault(sentence, len(known)) for sentence in sentences)
            )
    wordings = {language: [(each,) for each in ids[language]] for language in languages}
    return TrainingSet(name, squares, texts, wordings, photos.labels if by_label else ())


def labelled_set(
    name: str, photos: LabelledPhotos, squares: Squares, languages: Sequence[str]
) -> TrainingSet:
    """Labelled photos as a training set; the text of a label is any of its names in any template.

    Labels with the same first name are one label: two sources may both have a "pizza". The bare
    name is drawn as often as all templates together: labels are searched bare as well.
    """
    ids: dict[str, int] = {}
    label_id = {
        label: ids.setdefault(_first_name(photos, label, languages), len(ids))
        for label in sorted(set(photos.labels))
    }
    wordings: dict[str, list[list[str]]] = {}
    for language in languages:
        found: defaultdict[int, list[str]] = defaultdict(list)
        for label, label_index in label_id.items():
            for class_name in photos.names[label].get(language, ()):
                bare = prompts.templates("raw", class_name, language)
                filled = prompts.templates("ensemble", class_name, language)
                found[label_index] += prompts.expand(class_name, [*filled, *bare * len(filled)])
        wordings[language] = [found[index] for index in range(len(ids))]
    texts = {
        language: [
            [label_id[label]] if photos.names[label].get(language) else []
            for label in photos.labels
        ]
        for language in languages
    }
    return TrainingSet(name, squares, texts, wordings)


def _first_name(photos: LabelledPhotos, label: str, languages: Sequence[str]) -> str:
    for language in languages:
        for name in photos.names[label].get(language, ()):
            return name.lower()
    raise UsageError(f"the class {label!r} has no name in {' or '.join(languages)}")


def texts_of(photos: CaptionedPhotos | LabelledPhotos, languages: Sequence[str]) -> Iterator[str]:
    """Every text a set can draw: all sentences, or all class names in all templates."""
    if isinstance(photos, CaptionedPhotos):
        for captions in photos.captions:
            for texts in captions.values():
                yield from texts
        return
    for names in photos.names.values():
        for language in languages:
            for name in names.get(language, ()):
                yield from prompts.expand(name, prompts.templates("ensemble", name, language))
