"""Whether relevance tells what is there from what is not, and where to cut a list of hits.

    python benchmarks/relevance.py DATA --encoder builtin --encoder OTHER

DATA holds tiny-imagenet/val.tar, caltech101/train.tar and flickr8k/val.tar. A class is asked for by
name in galleries that have photos of half of the classes; so are ordinary words in photos whose
captions say which are there, and sentences in galleries with and without their photo. The weights
are fitted, and the cut is chosen, with the first encoder on half of the Tiny ImageNet classes and
half of the words; the figures are of the other classes, words and photos, and of other encoders
with the same weights. Prints the Markdown tables of benchmarks/README.md and the constants of
imgsearch/relevance/background.py, and writes benchmarks/relevance.json.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from imgsearch import encoders, prompts, relevance
from imgsearch.evaluating.embedding import embed_pictures, embed_queries
from imgsearch.pairs import CaptionedPhotos, LabelledPhotos, read_pairs
from imgsearch.relevance.background import BIAS, LEAST_RELEVANT, WEIGHTS, Background
from imgsearch.relevance.ordinary import SAMPLE
from imgsearch.vectors import Vectors

RESULTS = Path(__file__).with_suffix(".json")
LANGUAGES = ("en", "zh")
HITS = 10
LOSS = 0.05  # of the answers to what is there
SEEDS = {50: 6, 200: 3, 500: 3, 1000: 2, 4000: 2}  # galleries drawn of each size
CALTECH_A_CLASS = 20  # photos: some classes have hundreds
SENTENCES = 200

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Set:
    """Photos (n, d), queries per language (q, d), and which photo is right for which (q, n)."""

    photos: Vectors
    queries: dict[str, Vectors]
    right: dict[str, Flags]

    def part(self, queries: Sequence[int] | npt.NDArray[np.int64], photos: Any) -> "Set":
        """The set of some queries and some photos."""
        return Set(
            self.photos[photos],
            {name: each[queries] for name, each in self.queries.items()},
            {name: each[np.ix_(queries, photos)] for name, each in self.right.items()},
        )


@dataclass(frozen=True)
class Answer:
    """The first hits of one query: its group, whether anything right is in the gallery, which hits
    are right (k,), how many right ones there are, and what is known of them.
    """

    group: tuple[str, int, str]
    is_there: bool
    right: Flags
    total: int
    cosine: float
    deviate: float
    features: Floats  # (k, f)
    handicap: float

    def relevance(self, weights: Floats) -> Floats:
        """(k,) by the weights and, last, the bias."""
        odds = self.features @ weights[:-1] + weights[-1] - self.handicap
        result: Floats = 1 / (1 + np.exp(-odds))
        return result


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--encoder", action="append", required=True)
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    weights: Floats | None = None
    for name in arguments.encoder:
        sets = Sets(arguments.data, name)
        if weights is None:
            fitted = [list(answers) for answers in sets.to_fit()]
            weights = _fitted(fitted)
            names = dict(zip((*WEIGHTS, "bias"), weights.round(2).tolist(), strict=True))
            print(f"fitted: {names}; in use: {WEIGHTS}, {BIAS}, cut at {LEAST_RELEVANT}")
            for size in (50, 500, 1000):
                cut = _cut([each for each in fitted[0] if each.group[1] == size], weights)
                print(f"a loss of {LOSS:.0%} among {size} photos: {cut:.3f}", flush=True)
            cosine, deviate = _quantiles(fitted[0])
        mine = list(_rows(sets.name, list(sets.to_report()), weights, (cosine, deviate)))
        print("\n".join(_table(mine)), flush=True)
        rows += mine
        RESULTS.write_text("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n", "utf-8")


class Sets:
    """The sets of DATA as one encoder sees them."""

    def __init__(self, data: Path, name: str) -> None:
        self._encoder = encoders.load(name)
        self.name = self._encoder.name
        self._texts = {
            language: self._encoder.embed_texts(list(relevance.ordinary_texts(language)))
            for language in LANGUAGES
        }
        self._tiny = self._classes(data / "tiny-imagenet" / "val.tar", None)
        self._caltech = self._classes(data / "caltech101" / "train.tar", CALTECH_A_CLASS)
        flickr = read_pairs([data / "flickr8k" / "val.tar"])
        assert isinstance(flickr, CaptionedPhotos)
        photos = self._pictures(flickr.pictures)
        self._words = self._worded(flickr, photos)
        sentences = {
            language: self._queries([each[language][0] for each in flickr.captions], language)
            for language in LANGUAGES
        }
        own = np.eye(len(flickr), dtype=bool)
        everything = Set(photos, sentences, dict.fromkeys(LANGUAGES, own))
        some = np.arange(0, len(photos), len(photos) // SENTENCES)
        self._sentences = everything.part(some, np.arange(len(photos)))
        shuffled = np.random.default_rng(0).permutation(200)
        self._first, self._second = np.sort(shuffled[:100]), np.sort(shuffled[100:])

    def to_fit(self) -> tuple[Iterator[Answer], Iterator[Answer]]:
        """Classes and words, of which the weights may know."""
        tiny, words = self._tiny_part(self._first), self._half_of_words(0)
        return (
            self._asked("Tiny ImageNet", tiny, (50, 500, 1000)),
            self._asked("words", words, (50, 200, 500)),
        )

    def to_report(self) -> Iterator[Answer]:
        """All others."""
        tiny = self._tiny_part(self._second)
        yield from self._asked("Tiny ImageNet", tiny, (50, 500, 1000))
        yield from self._asked("Caltech-101", self._caltech, (50, 500))
        yield from self._asked("both", _joined(tiny, self._caltech), (4000,), self._others())
        yield from self._asked("words", self._half_of_words(1), (50, 200, 500))
        yield from self._asked("sentences", self._sentences, (50, 500))

    def _tiny_part(self, classes: npt.NDArray[np.int64]) -> Set:
        return self._tiny.part(classes, self._tiny.right["en"][classes].any(axis=0).nonzero()[0])

    def _others(self) -> Vectors:
        """Photos of classes that nobody asks for: the library of 4,000 has them as well."""
        return self._tiny_part(self._first).photos

    def _half_of_words(self, half: int) -> Set:
        photos = np.arange(half, len(self._words.photos), 2)
        return self._words.part(np.arange(half, len(self._words.queries["en"]), 2), photos)

    def _classes(self, file: Path, most: int | None) -> Set:
        pairs = read_pairs([file])
        assert isinstance(pairs, LabelledPhotos)
        labels = np.array(pairs.labels)
        names = sorted(pairs.names)
        places = [np.flatnonzero(labels == name)[:most] for name in names]
        kept = np.concatenate(places)
        photos = self._pictures([pairs.pictures[place] for place in kept])
        right = labels[kept] == np.array(names)[:, None]
        asked = {
            language: self._queries([pairs.names[name][language][0] for name in names], language)
            for language in LANGUAGES
        }
        return Set(photos, asked, dict.fromkeys(LANGUAGES, right))

    def _worded(self, pairs: CaptionedPhotos, photos: Vectors) -> Set:
        """Ordinary labels as queries; right is a photo of which any caption has the word."""
        asked, right = {}, {}
        for language in LANGUAGES:
            labels = relevance.ordinary_labels(language)
            captions = [
                " ".join(" ".join(each[key]).lower() for key in each if key.startswith(language))
                for each in pairs.captions
            ]
            asked[language] = self._queries(labels, language, "photo")
            right[language] = np.array([[_has(text, word) for text in captions] for word in labels])
        return Set(photos, asked, right)

    def _pictures(self, pictures: Sequence[Any]) -> Vectors:
        print(f"{self._encoder.name}: {len(pictures):,} photos", file=sys.stderr)
        return embed_pictures(pictures, self._encoder)

    def _queries(
        self, texts: Sequence[str], language: str, policy: prompts.Policy = "auto"
    ) -> Vectors:
        return embed_queries(texts, self._encoder, language, policy)

    def _asked(
        self, name: str, photos: Set, sizes: Sequence[int], others: Vectors | None = None
    ) -> Iterator[Answer]:
        """Every query in galleries of these sizes that have what half of the queries ask for."""
        for size in sizes:
            for seed in range(SEEDS[size]):
                for language in LANGUAGES:
                    chance = np.random.default_rng(seed)
                    right = photos.right[language]
                    gallery = _drawn(
                        right, size, chance, is_labelled=name not in ("words", "sentences")
                    )
                    vectors, right = photos.photos[gallery], right[:, gallery]
                    if others is not None:
                        vectors = np.concatenate([vectors, others])[:size]
                        right = np.pad(right, ((0, 0), (0, len(others))))[:, :size]
                    sample = chance.permutation(len(vectors))[:SAMPLE]
                    background = Background(self._texts[language], vectors[sample], len(vectors))
                    for vector, is_right in zip(photos.queries[language], right, strict=True):
                        yield _answer((name, size, language), background, vector, vectors, is_right)


def _answer(
    group: tuple[str, int, str],
    background: Background,
    vector: Vectors,
    photos: Vectors,
    right: Flags,
) -> Answer:
    cosines = photos @ vector
    top = np.argsort(-cosines, kind="stable")[:HITS]
    features = background.features(vector, photos[top])
    best = float(cosines[top[0]])
    return Answer(
        group,
        bool(right.any()),
        right[top],
        int(right.sum()),
        best,
        float((best - cosines.mean()) / cosines.std()),
        np.stack([features[name] for name in WEIGHTS], axis=1),
        background.handicap,
    )


def _drawn(
    right: Flags, size: int, chance: np.random.Generator, *, is_labelled: bool
) -> npt.NDArray[np.int64]:
    """Places of photos: only of half of the queries where every photo is right for one of them."""
    pool = np.arange(right.shape[1])
    if is_labelled:
        half = chance.permutation(len(right))[: len(right) // 2]
        pool = np.flatnonzero(right[half].any(axis=0))
    return chance.permutation(pool)[:size]


def _joined(one: Set, other: Set) -> Set:
    photos = np.concatenate([one.photos, other.photos])
    rows, columns = one.right["en"].shape
    right = np.zeros((rows + len(other.right["en"]), len(photos)), bool)
    right[:rows, :columns], right[rows:, columns:] = one.right["en"], other.right["en"]
    queries = {
        language: np.concatenate([one.queries[language], other.queries[language]])
        for language in LANGUAGES
    }
    return Set(photos, queries, dict.fromkeys(LANGUAGES, right))


def _has(text: str, word: str) -> bool:
    if not word.isascii():
        return word in text
    return re.search(rf"\b{re.escape(word)}(s|es)?\b", text) is not None


def _fitted(parts: Sequence[Sequence[Answer]]) -> Floats:
    """Logistic regression: the first hits of classes and of words, and the best hit of each class
    query against whether the class is there at all; each of the three counts the same.
    """
    features, right, share = [], [], []
    for part in parts:
        features.append(np.concatenate([each.features for each in part]))
        right.append(np.concatenate([each.right for each in part]))
    features.append(np.stack([each.features[0] for each in parts[0]]))
    right.append(np.array([each.is_there for each in parts[0]]))
    for each in right:
        share.append(np.full(len(each), 1 / len(each)))
    x = np.pad(np.concatenate(features), ((0, 0), (0, 1)), constant_values=1)
    y, w = np.concatenate(right).astype(np.float64), np.concatenate(share)
    weights = np.zeros(x.shape[1])
    for _ in range(30):  # Newton's method
        p = 1 / (1 + np.exp(-x @ weights))
        curvature = (x * (w * p * (1 - p))[:, None]).T @ x
        weights += np.linalg.solve(curvature, x.T @ (w * (y - p)))
    return weights


def _cut(answers: Sequence[Answer], weights: Floats) -> float:
    """The relevance that LOSS of the answers to what is there fall short of."""
    best = [each.relevance(weights).max() for each in answers if each.is_there]
    return float(np.quantile(best, LOSS))


def _quantiles(answers: Sequence[Answer]) -> tuple[float, float]:
    there = [(each.cosine, each.deviate) for each in answers if each.is_there]
    cosine, deviate = np.quantile(np.array(there), LOSS, axis=0)
    return float(cosine), float(deviate)


def _rows(
    encoder: str,
    answers: Sequence[Answer],
    weights: Floats,
    cuts: tuple[float, float],
) -> Iterator[dict[str, Any]]:
    sets = dict.fromkeys(each.group[0] for each in answers)
    for group in (*dict.fromkeys(each.group for each in answers), *((name,) for name in sets)):
        chosen = [each for each in answers if each.group[: len(group)] == group]
        found = np.array([each.relevance(weights).max() for each in chosen])
        there = np.array([each.is_there for each in chosen])
        kept = [each.relevance(weights) >= LEAST_RELEVANT for each in chosen]
        of_kept = [each.right[keep] for each, keep in zip(chosen, kept, strict=True)]
        in_reach = sum(min(each.total, HITS) for each in chosen)
        yield {
            "encoder": encoder,
            "queries": group[0],
            "photos": group[1] if len(group) > 1 else None,
            "language": group[2] if len(group) > 2 else None,
            "there": int(there.sum()),
            "absent": int((~there).sum()),
            "relevance": _figures(found, there, LEAST_RELEVANT),
            "cosine": _figures(np.array([each.cosine for each in chosen]), there, cuts[0]),
            "z-score": _figures(np.array([each.deviate for each in chosen]), there, cuts[1]),
            "precision": round(float(np.concatenate(of_kept).mean()), 4),
            "recall": round(float(sum(map(np.sum, of_kept)) / in_reach), 4),
            "precision without a cut": round(
                float(np.concatenate([each.right for each in chosen]).mean()), 4
            ),
        }


def _figures(values: Floats, there: Flags, cut: float) -> dict[str, float]:
    """AUROC; loss and false answers at the cut; false answers where the loss is LOSS right here."""
    yes, no = np.sort(values[there]), values[~there]
    below = np.searchsorted(yes, no, "left") + np.searchsorted(yes, no, "right")
    return {
        "auroc": round(1 - float(below.mean()) / (2 * len(yes)), 4),
        "loss": round(float((yes < cut).mean()), 4),
        "false": round(float((no >= cut).mean()), 4),
        "false at that loss": round(float((no >= np.quantile(yes, LOSS)).mean()), 4),
    }


def _table(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    names = ("cosine", "z-score", "relevance")
    heads = [f"{name}: AUROC, false" for name in names]
    yield f"| encoder, queries | photos | {' | '.join(heads)} | loss, false | precision, recall |"
    yield "|---|---|" + "---|" * (len(heads) + 2)
    for row in rows:
        what = " ".join(str(row[key]) for key in ("encoder", "queries", "language") if row[key])
        cells = [f"{row[n]['auroc']:.1%}, {row[n]['false at that loss']:.0%}" for n in names]
        cells.append(f"{row['relevance']['loss']:.0%}, {row['relevance']['false']:.0%}")
        cells.append(f"{row['precision']:.0%}, {row['recall']:.0%}")
        yield f"| {what} | {row['photos'] or 'all'} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
