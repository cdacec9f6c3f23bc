"""How far to trust labels and groups: calibration, coverage, purity, on photos with known classes.

    python benchmarks/labels.py DATA

DATA holds `tiny-imagenet/` and `caltech101/` as tars. Lists of labels are drawn from the classes;
photos of the list and photos of none of it are mixed in three shares, so that `none of these` is
the right answer for 10%, 50% or 80%. The bundled encoder never saw Tiny ImageNet's val photos, but
it was trained on Caltech's. Prints the Markdown tables of benchmarks/README.md, and writes
benchmarks/labels.json, with what other constants would have given.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from imgsearch import encoders
from imgsearch.encoders import Encoder
from imgsearch.evaluating.embedding import embed_pictures, embed_queries
from imgsearch.organising.clustering import choose_k, spherical_k_means
from imgsearch.organising.confidences import Ground, confidences
from imgsearch.pairs import LabelledPhotos, read_pairs
from imgsearch.relevance import ordinary_texts
from imgsearch.vectors import Vectors

RESULTS = Path(__file__).with_suffix(".json")
SETS = {"Tiny ImageNet val": "tiny-imagenet/val.tar", "Caltech-101": "caltech101/train.tar"}
LENGTHS = (2, 5, 20, 60)
NONES = (0.1, 0.5, 0.8)
DRAWS = 5
BINS = 15
SURE = (0.5, 0.8, 0.9)
SURENESSES, NONE_ATS = (2.0, 2.4, 2.8, 3.2, 3.6), (1.0, 1.2, 1.4, 1.6, 1.8, 2.0)

Answers = tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]  # confidence of the best; right


@dataclass(frozen=True)
class Photos:
    """A set as an encoder sees it: photos (n, d), their classes (n,), classes (c, d) a language."""

    name: str
    vectors: Vectors
    truth: npt.NDArray[np.int64]
    classes: dict[str, Vectors]


@dataclass(frozen=True)
class Mixture:
    """A list of labels, and photos of which a share is none of it."""

    labels: npt.NDArray[np.int64]
    photos: npt.NDArray[np.int64]
    none: float


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    encoder = encoders.load("builtin")
    found: dict[str, list[dict[str, Any]]] = {"labels": [], "constants": [], "groups": []}
    for name, file in SETS.items():
        photos = embedded(name, data / file, encoder)
        for language in encoder.languages:
            words = encoder.embed_texts(list(ordinary_texts(language)))
            ground = Ground.of(photos.vectors, words)
            found["labels"] += measured(photos, language, ground)
            found["constants"] += other_constants(photos, language, ground)
        found["groups"] += grouped(photos)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    print("\n".join(tables(found)))


def embedded(name: str, file: Path, encoder: Encoder) -> Photos:
    pairs = read_pairs([file])
    assert isinstance(pairs, LabelledPhotos)
    labels = sorted(set(pairs.labels))
    return Photos(
        name,
        embed_pictures(pairs.pictures, encoder),
        np.array([labels.index(label) for label in pairs.labels]),
        {
            language: embed_queries(
                [pairs.names[label][language][0] for label in labels], encoder, language, "auto"
            )
            for language in encoder.languages
        },
    )


def mixtures(truth: npt.NDArray[np.int64]) -> Iterator[Mixture]:
    """Every length with every share, a few times, the same for every language."""
    classes = int(truth.max()) + 1
    for length in LENGTHS:
        for none in NONES:
            for draw in range(DRAWS):
                generator = np.random.default_rng([length, draw])
                labels = generator.choice(classes, length, replace=False)
                is_listed = np.isin(truth, labels)
                inside, outside = np.flatnonzero(is_listed), np.flatnonzero(~is_listed)
                kept = min(len(inside), int(len(outside) * (1 - none) / none))
                others = min(len(outside), round(kept * none / (1 - none)))
                photos = [
                    generator.choice(inside, kept, replace=False),
                    generator.choice(outside, others, replace=False),
                ]
                yield Mixture(labels, np.concatenate(photos), none)


def answers(
    photos: Photos, language: str, ground: Ground, mixture: Mixture, **constants: float
) -> Answers:
    classes = photos.classes[language][mixture.labels]
    cosines = photos.vectors[mixture.photos] @ classes.T
    sure = confidences(cosines, ground, **constants)
    best = mixture.labels[sure.argmax(axis=1)]
    return sure.max(axis=1), best == photos.truth[mixture.photos]


def measured(photos: Photos, language: str, ground: Ground) -> list[dict[str, Any]]:
    by_kind: dict[tuple[int, float], list[Answers]] = {}
    for mixture in mixtures(photos.truth):
        kind = (len(mixture.labels), mixture.none)
        by_kind.setdefault(kind, []).append(answers(photos, language, ground, mixture))
    rows = []
    for (length, none), found in by_kind.items():
        sure = np.concatenate([each[0] for each in found])
        right = np.concatenate([each[1] for each in found])
        row: dict[str, Any] = {
            "set": photos.name,
            "language": language,
            "labels": length,
            "none": none,
            "answers": len(sure),
            "ece": round(calibration_error(sure, right), 4),
        }
        for least in SURE:
            given = sure >= least
            row[f"labelled at {least}"] = round(float(given.mean()), 4)
            row[f"right at {least}"] = round(float(right[given].mean()), 4) if given.any() else None
        rows.append(row)
    return rows


def other_constants(photos: Photos, language: str, ground: Ground) -> list[dict[str, Any]]:
    """The mean error and log loss over all mixtures, for each pair of constants."""
    rows = []
    for sureness in SURENESSES:
        for none_at in NONE_ATS:
            errors, losses = [], []
            for mixture in mixtures(photos.truth):
                sure, right = answers(
                    photos, language, ground, mixture, sureness=sureness, none_at=none_at
                )
                errors.append(calibration_error(sure, right))
                losses.append(float(-np.log(np.where(right, sure, 1 - sure) + 1e-9).mean()))
            rows.append(
                {
                    "set": photos.name,
                    "language": language,
                    "sureness": sureness,
                    "none_at": none_at,
                    "ece": round(float(np.mean(errors)), 4),
                    "log loss": round(float(np.mean(losses)), 4),
                }
            )
    return rows


def calibration_error(sure: npt.NDArray[np.float64], right: npt.NDArray[np.bool_]) -> float:
    """The expected calibration error: |confidence - accuracy| over bins of equal width."""
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    gaps = [
        abs(sure[bins == place].mean() - right[bins == place].mean()) * np.mean(bins == place)
        for place in np.unique(bins)
    ]
    return float(np.sum(gaps))


def grouped(photos: Photos) -> list[dict[str, Any]]:
    """Groups of as many as there are classes, and of as many as `cluster` chooses."""
    classes = int(photos.truth.max()) + 1
    rows = []
    for how, k in (("as many as classes", classes), ("chosen", choose_k(photos.vectors[::2]))):
        nearest = (photos.vectors @ spherical_k_means(photos.vectors, k).T).argmax(axis=1)
        table = np.zeros((k, classes))
        np.add.at(table, (nearest, photos.truth), 1)
        row = {"set": photos.name, "how": how, "classes": classes, "groups": k}
        purity = float(table.max(axis=1).sum() / table.sum())
        rows.append({**row, "purity": round(purity, 4), "nmi": round(shared(table), 4)})
    return rows


def shared(table: npt.NDArray[np.float64]) -> float:
    """Normalised mutual information of rows and columns of a table of counts."""
    joint = table / table.sum()
    rows, columns = joint.sum(axis=1, keepdims=True), joint.sum(axis=0, keepdims=True)
    there = joint > 0
    information = float((joint[there] * np.log(joint[there] / (rows * columns)[there])).sum())
    entropies = [
        -float((each[each > 0] * np.log(each[each > 0])).sum()) for each in (rows, columns)
    ]
    return 2 * information / sum(entropies)


def tables(found: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    yield "| set | labels | none of them | ECE | at 0.5: labelled, right | at 0.8 | at 0.9 |"
    yield "|---|---|---|---|---|---|---|"
    for row in found["labels"]:
        shares = " | ".join(
            f"{row[f'labelled at {least}']:.0%}, "
            + ("-" if row[f"right at {least}"] is None else f"{row[f'right at {least}']:.0%}")
            for least in SURE
        )
        name = f"{row['set']}, {row['language']}"
        yield f"| {name} | {row['labels']} | {row['none']:.0%} | {row['ece']:.3f} | {shares} |"
    yield ""
    yield "| set | groups | purity | NMI |"
    yield "|---|---|---|---|"
    for row in found["groups"]:
        count = f"{row['groups']} for {row['classes']} classes, {row['how']}"
        yield f"| {row['set']} | {count} | {row['purity']:.3f} | {row['nmi']:.3f} |"


if __name__ == "__main__":
    main()
