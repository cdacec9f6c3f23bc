"""Measure an encoder on one set: a `Measurement` a language and prompt policy.

In: pairs as `imgsearch.pairs` reads them and an encoder. Out: recall for photos with sentences,
zero-shot accuracy for photos with classes. Pictures are embedded once, whatever the number of
languages and policies. Recall is counted as the papers count it: every sentence is a query, every
photo of the set is the gallery; the other way round a photo is right when any of its sentences is
among the first k.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from imgsearch import prompts
from imgsearch.encoders import Encoder
from imgsearch.errors import NoEncoderError, UsageError
from imgsearch.evaluating.embedding import embed_pictures, embed_queries
from imgsearch.evaluating.predictions import check_predictable, write_predictions, write_truth
from imgsearch.evaluating.ranking import Ranking, rank
from imgsearch.evaluating.scoring import PREDICTED
from imgsearch.evaluating.truth import Captions, Truth, truth_of
from imgsearch.metrics import mean_recall, median_rank, recall_at_k
from imgsearch.pairs import CaptionedPhotos, LabelledPhotos
from imgsearch.vectors import Vectors


@dataclass(frozen=True)
class Measurement:
    """One row of the table.

    metrics are shares in [0, 1], but for a median rank, which is a place counted from 1. For
    sentences, under `text_to_image_` and `image_to_text_`: `recall@1`, `recall@5`, `recall@10`,
    `mean_recall` (of these three), `median_rank` (of the first right hit), and `map` (mean average
    precision over all right hits). For classes `top_1`, `top_5`, `mean_per_class_top_1`, and
    `search_map`, the mean average precision of searching the photos for each class by name.
    """

    encoder: str
    task: str
    language: str
    prompt: prompts.Policy
    photos: int
    texts: int
    metrics: dict[str, float]


def evaluate(
    pairs: CaptionedPhotos | LabelledPhotos,
    encoder: Encoder,
    *,
    languages: Sequence[str] | None = None,
    policies: Sequence[prompts.Policy] = ("auto",),
    predictions: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Measurement]:
    """Measure an encoder on pairs, in each of their languages that it knows, under each prompt
    policy.

    `languages` narrows the choice; a set called `zh_translated` is in the language before the
    underscore. `predictions` is a folder to write Chinese-CLIP's prediction files into, `progress`
    is told how many pictures are embedded, and how many there are.

    Raises, before any picture is embedded, UsageError for a language the pairs have no text in, for
    an unknown policy, for predictions that cannot be and for photos of a single class,
    NoEncoderError when the encoder knows none of the languages.
    """
    chosen = _languages(pairs, encoder, languages)
    _check_policies(policies, chosen)
    if isinstance(pairs, CaptionedPhotos):
        captions = [*pairs.captions, *({} for _ in pairs.others)]
        truths = [truth_of(captions, language, pairs.ids) for language in chosen]
        if predictions is not None:
            for truth in truths:
                check_predictable(truth)
                write_truth(truth, predictions)
        vectors = embed_pictures([*pairs.pictures, *pairs.others], encoder, progress)
        for truth in truths:
            for policy in policies:
                yield _retrieval(truth, vectors, encoder, policy, predictions)
        return
    if predictions is not None:
        raise UsageError(
            "predictions are of photos with sentences, and these have classes: leave --predictions "
            "out"
        )
    _check_classes(pairs)
    vectors = embed_pictures(pairs.pictures, encoder, progress)
    for language in chosen:
        for policy in policies:
            yield _zero_shot(pairs, vectors, encoder, language, policy)


def recall_of_vectors(
    captions: Captions,
    vectors: Vectors,
    encoder: Encoder,
    language: str,
    policy: prompts.Policy,
) -> Measurement:
    """Recall both ways of photos whose embeddings are at hand; `vectors` is (n, d), unit rows.

    `captions[i]` maps a language to photo i's sentences. Every sentence of the language is a query;
    every photo is in the gallery, those without a sentence as well. Raises UsageError when there is
    no sentence in the language.
    """
    return _retrieval(truth_of(captions, language), vectors, encoder, policy, None)


def _languages(
    pairs: CaptionedPhotos | LabelledPhotos, encoder: Encoder, languages: Sequence[str] | None
) -> list[str]:
    """The languages to measure in."""
    known = [each for each in pairs.languages if each.split("_")[0] in encoder.languages]
    for language in languages or ():
        if language not in pairs.languages:
            has = ", ".join(pairs.languages)
            raise UsageError(f"these photos have no text in {language!r}, only in {has}")
    chosen = [each for each in known if languages is None or each in languages]
    if not chosen:
        raise NoEncoderError(
            f"{encoder.name} knows {', '.join(encoder.languages)}; the text is in "
            f"{', '.join(languages or pairs.languages)}: name another with --encoder"
        )
    return chosen


def _check_policies(policies: Sequence[prompts.Policy], languages: Sequence[str]) -> None:
    for language in languages:
        for policy in policies:
            prompts.templates(policy, "", language.split("_")[0])


def _retrieval(
    truth: Truth,
    vectors: Vectors,
    encoder: Encoder,
    policy: prompts.Policy,
    predictions: Path | None,
) -> Measurement:
    queries = embed_queries(truth.texts, encoder, truth.language, policy)
    described = truth.described
    k = 0 if predictions is None else PREDICTED
    to_image = rank(queries, vectors, truth.photos, k)
    to_text = rank(vectors[list(described)], queries, list(described.values()), k)
    if predictions is not None:
        write_predictions(truth, to_image, to_text, policy, predictions)
    metrics = _of_direction("text_to_image", to_image) | _of_direction("image_to_text", to_text)
    return Measurement(
        *(encoder.name, "retrieval", truth.language, policy, len(vectors), len(truth.texts)),
        metrics,
    )


def _of_direction(direction: str, ranking: Ranking) -> dict[str, float]:
    recalls = recall_at_k(ranking.ranks)
    return {
        **{f"{direction}_recall@{k}": recall for k, recall in recalls.items()},
        f"{direction}_mean_recall": mean_recall(recalls),
        f"{direction}_median_rank": median_rank(ranking.ranks),
        f"{direction}_map": float(np.mean(ranking.precisions)),
    }


def _check_classes(pairs: LabelledPhotos) -> None:
    labels = set(pairs.labels)
    if len(labels) < 2:
        raise UsageError(
            f"these {len(pairs)} photos are all of the class {', '.join(map(repr, labels))}, and "
            "any encoder is right about all of them: give photos of at least two classes"
        )


def _zero_shot(
    pairs: LabelledPhotos,
    vectors: Vectors,
    encoder: Encoder,
    language: str,
    policy: prompts.Policy,
) -> Measurement:
    labels = sorted(set(pairs.labels))
    truth = np.array([labels.index(label) for label in pairs.labels])
    classes = embed_queries(
        [pairs.names[label][language][0] for label in labels], encoder, language, policy
    )
    ranks = rank(vectors, classes, truth[:, None].tolist()).ranks
    recalls = recall_at_k(ranks, (1, 5))
    members = [np.flatnonzero(truth == index).tolist() for index in range(len(labels))]
    per_class = [float(np.mean(ranks[photos] < 1)) for photos in members]
    metrics = {
        "top_1": recalls[1],
        "top_5": recalls[5],
        "mean_per_class_top_1": float(np.mean(per_class)),
        "search_map": float(np.mean(rank(classes, vectors, members).precisions)),
    }
    return Measurement(
        encoder.name, "zero-shot", language, policy, len(vectors), len(labels), metrics
    )
