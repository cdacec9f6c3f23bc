"""What relevance is measured on: queries, and galleries that have what half of them ask for.

Photos of Tiny ImageNet (64 pixels wide) and Caltech-101 share their galleries. A gallery asks for
half of its classes by name, and has photos of half of those: 1 to 20 of each, few more often than
many, as in a library. What it lacks to its size are photos that nobody asks for: of other classes,
and of Flickr8k. Sentences are the first captions of Flickr8k's photos, half of them in the gallery;
a sentence whose photo is absent may have others as good, so that only their loss says something.
Words are ordinary labels in photos of Flickr8k: there where most captions say so, absent where none
does; in Chinese of more than one character, since one is part of other words. A class, a photo, a
sentence and a word belong to the half that is fitted, or to the one that is reported.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from imgsearch import encoders, relevance
from imgsearch.evaluating.embedding import embed_pictures, embed_queries
from imgsearch.pairs import CaptionedPhotos, LabelledPhotos, read_pairs
from imgsearch.relevance.background import Background
from imgsearch.relevance.ordinary import SAMPLE
from imgsearch.vectors import Vectors

LANGUAGES = ("en", "zh")
SIZES = {10: 40, 30: 16, 50: 12, 200: 8, 500: 8, 1000: 8, 4000: 8}  # and how many are drawn
WORD_SIZES = (50, 500)
HITS = 10
A_CLASS = 20  # photos
SENTENCES = 150  # asked for in one gallery

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]
Kind = Literal["label", "sentence"]


@dataclass(frozen=True)
class Answer:
    """The first hits of one query: what was asked, among how many photos (`size` was wanted),
    whether anything right is there, which hits are right (k,), the best cosine, and what the
    features of the hits add up to (k,).
    """

    asked: str
    kind: Kind
    size: int
    count: int
    language: str
    is_there: bool
    right: Flags
    cosine: float
    weighed: Floats


class Sets:
    """The sets of DATA as one encoder sees them: every photo and text is embedded once."""

    def __init__(self, data: Path, name: str) -> None:
        self._encoder = encoders.load(name)
        self.name = self._encoder.name
        self._ordinary = {
            language: self._encoder.embed_texts(list(relevance.ordinary_texts(language)))
            for language in LANGUAGES
        }
        tiny = self._classes(data / "tiny-imagenet" / "val.tar")
        caltech = self._classes(data / "caltech101" / "train.tar")
        self._photos = np.concatenate([tiny[0], caltech[0]])
        self._class = np.concatenate([tiny[1], caltech[1] + tiny[1].max() + 1])  # of each photo
        self._names = {
            language: np.concatenate([tiny[2][language], caltech[2][language]])
            for language in LANGUAGES
        }
        halves = []
        for first, count in ((0, tiny[1].max() + 1), (tiny[1].max() + 1, caltech[1].max() + 1)):
            halves.append(first + np.random.default_rng(0).permutation(count))
        self._halves = [
            np.concatenate([each[: len(each) // 2] for each in halves]),
            np.concatenate([each[len(each) // 2 :] for each in halves]),
        ]
        self._read_captions(data / "flickr8k" / "val.tar")

    def to_fit(self) -> Iterator[Answer]:
        """The half that the lines may know."""
        return self._answers(0)

    def to_report(self) -> Iterator[Answer]:
        """The other one."""
        return self._answers(1)

    def _answers(self, half: int) -> Iterator[Answer]:
        for size, galleries in SIZES.items():
            for seed in range(galleries):
                for language in LANGUAGES:
                    yield from self._ask_names(half, size, seed, language)
                    yield from self._ask_sentences(half, size, seed, language)
                    if half and size in WORD_SIZES:
                        yield from self._ask_words(half, size, seed, language)

    def _ask_names(self, half: int, size: int, seed: int, language: str) -> Iterator[Answer]:
        chance = np.random.default_rng((seed, size, half))
        classes = chance.permutation(self._halves[half])
        asked, others = np.split(classes, [len(classes) // 2])
        if half:  # to fill the largest, classes that were fitted may be there too
            others = np.concatenate([others, self._halves[0]])
        there = [self._some_of(each, chance) for each in asked[: len(asked) // 2]]
        own = chance.permutation(np.concatenate(there))[:size]
        unasked = np.concatenate(
            [self._photos[np.isin(self._class, others)], self._captioned[half::2]]
        )
        photos = np.concatenate([self._photos[own], _some(unasked, size - len(own), chance)])
        right = self._class[own] == asked[:, None]
        names = self._names[language][asked]
        yield from self._asked(("names", "label", size, language), names, photos, right, chance)

    def _ask_sentences(self, half: int, size: int, seed: int, language: str) -> Iterator[Answer]:
        chance = np.random.default_rng((seed, size, half))
        places = np.arange(half, len(self._captioned), 2)
        mixed = chance.permutation(places)
        asked, others = np.split(mixed, [SENTENCES])
        own = np.concatenate([asked[: SENTENCES // 2], others])[:size]
        unasked = (
            self._photos[np.isin(self._class, self._halves[half])] if not half else self._photos
        )
        photos = np.concatenate([self._captioned[own], _some(unasked, size - len(own), chance)])
        right = own == asked[:, None]
        texts = self._sentences[language][asked]
        group: tuple[str, Kind, int, str] = ("sentences", "sentence", size, language)
        yield from self._asked(group, texts, photos, right, chance)

    def _ask_words(self, half: int, size: int, seed: int, language: str) -> Iterator[Answer]:
        chance = np.random.default_rng((seed, size, half))
        own = chance.permutation(np.arange(half, len(self._captioned), 2))[:size]
        said = self._said[language][half::2][:, own]
        right = said > 0.5
        is_told = right.any(axis=1) | ~said.any(axis=1)  # a few captions say it: nobody knows
        words = self._words[language][half::2][is_told]
        group: tuple[str, Kind, int, str] = ("words", "label", size, language)
        yield from self._asked(group, words, self._captioned[own], right[is_told], chance)

    def _asked(
        self,
        group: tuple[str, Kind, int, str],
        queries: Vectors,
        photos: Vectors,
        right: Flags,
        chance: np.random.Generator,
    ) -> Iterator[Answer]:
        """Every query of photos of which the first may be right (q, n)."""
        asked, kind, size, language = group
        right = np.pad(right, ((0, 0), (0, len(photos) - right.shape[1])))
        sample = chance.permutation(len(photos))[:SAMPLE]
        background = Background(self._ordinary[language], photos[sample], len(photos))
        for vector, is_right in zip(queries, right, strict=True):
            cosines = photos @ vector
            top = np.argsort(-cosines, kind="stable")[:HITS]
            yield Answer(
                asked,
                kind,
                size,
                len(photos),
                language,
                bool(is_right.any()),
                is_right[top],
                float(cosines[top[0]]),
                background.weighed(vector, photos[top]),
            )

    def _some_of(self, of_class: int, chance: np.random.Generator) -> Places:
        count = round(float(np.exp(chance.uniform(0, np.log(A_CLASS)))))
        return chance.permutation(np.flatnonzero(self._class == of_class))[:count]

    def _classes(self, file: Path) -> tuple[Vectors, Places, dict[str, Vectors]]:
        """Photos (n, d), the class of each (n,), and per language the names (c, d)."""
        pairs = read_pairs([file])
        assert isinstance(pairs, LabelledPhotos)
        labels, names = np.array(pairs.labels), sorted(pairs.names)
        kept = [np.flatnonzero(labels == name)[:A_CLASS] for name in names]
        asked = {
            language: self._texts([pairs.names[name][language][0] for name in names], language)
            for language in LANGUAGES
        }
        photos = self._pictures([pairs.pictures[place] for place in np.concatenate(kept)])
        return photos, np.repeat(np.arange(len(names)), [len(each) for each in kept]), asked

    def _read_captions(self, file: Path) -> None:
        pairs = read_pairs([file])
        assert isinstance(pairs, CaptionedPhotos)
        self._captioned = self._pictures(pairs.pictures)
        self._sentences, self._words, self._said = {}, {}, {}
        for language in LANGUAGES:
            labels = [each for each in relevance.ordinary_labels(language) if len(each) > 1]
            self._sentences[language] = self._texts(
                [each[language][0] for each in pairs.captions], language
            )
            self._words[language] = self._texts(labels, language)
            captions = [
                [text for key in each if key.startswith(language) for text in each[key]]
                for each in pairs.captions
            ]
            self._said[language] = np.array(
                [[np.mean([_has(text, word) for text in of]) for of in captions] for word in labels]
            )

    def _pictures(self, pictures: Sequence[Any]) -> Vectors:
        print(f"{self._encoder.name}: {len(pictures):,} photos", file=sys.stderr)
        return embed_pictures(pictures, self._encoder)

    def _texts(self, texts: Sequence[str], language: str) -> Vectors:
        return embed_queries(texts, self._encoder, language, "auto")


def _some(photos: Vectors, count: int, chance: np.random.Generator) -> Vectors:
    return photos[chance.permutation(len(photos))[: max(count, 0)]]


def _has(text: str, word: str) -> bool:
    if not word.isascii():
        return word in text
    return re.search(rf"\b{re.escape(word)}(s|es)?\b", text.lower()) is not None


if __name__ == "__main__":
    raise SystemExit("this is what relevance.py measures: python benchmarks/relevance.py --help")
