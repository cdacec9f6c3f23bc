"""Measure encoders: recall on photos with sentences, zero-shot accuracy on photos with classes.

In: pairs as `imgsearch.pairs` reads them and an encoder. Out: one `Measurement` a language and
prompt policy. Pictures are embedded once, whatever the number of languages and policies. Recall is
counted as the papers count it: every sentence is a query, every photo of the set is the gallery;
the other way round a photo is right when any of its sentences is among the first k.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from imgsearch import prompts
from imgsearch.encoders import Encoder
from imgsearch.errors import NoEncoderError, UsageError
from imgsearch.evaluating.embedding import embed_pictures, embed_queries
from imgsearch.metrics import (
    mean_average_precision,
    mean_recall,
    rank_of_first_relevant,
    recall_at_k,
)
from imgsearch.pairs import CaptionedPhotos, LabelledPhotos
from imgsearch.vectors import Vectors

ROWS = 512  # queries ranked at once: bounds the memory of the score matrix


@dataclass(frozen=True)
class Measurement:
    """One row of the table.

    metrics are shares in [0, 1]: `text_to_image_recall@k`, `image_to_text_recall@k` (k 1, 5, 10)
    and their `..._mean_recall` for sentences; for classes `top_1`, `top_5`,
    `mean_per_class_top_1`, and `search_map`, the mean average precision of searching the photos
    for each class by name.
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
) -> Iterator[Measurement]:
    """Measure an encoder on pairs, in each of their languages that it knows, under each prompt
    policy.

    `languages` narrows the choice; a set called `zh_translated` is in the language before the
    underscore. Raises, before any picture is embedded, UsageError for a language the pairs have no
    text in and for an unknown policy, NoEncoderError when the encoder knows none of the languages.
    """
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
    for language in chosen:
        for policy in policies:
            prompts.templates(policy, "", language.split("_")[0])
    vectors = embed_pictures(pairs.pictures, encoder)
    for language in chosen:
        for policy in policies:
            if isinstance(pairs, CaptionedPhotos):
                yield recall_of_vectors(pairs.captions, vectors, encoder, language, policy)
            else:
                yield _zero_shot(pairs, vectors, encoder, language, policy)


def recall_of_vectors(
    captions: Sequence[Mapping[str, Sequence[str]]],
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
    owner = np.array([photo for photo, each in enumerate(captions) for _ in each.get(language, ())])
    texts = [text for each in captions for text in each.get(language, ())]
    if not texts:
        raise UsageError(f"none of these {len(captions)} photos has a sentence in {language!r}")
    queries = embed_queries(texts, encoder, language, policy)
    to_image = _ranks(queries, vectors, owner[:, None] == np.arange(len(vectors)))
    described = np.unique(owner)
    to_text = _ranks(vectors[described], queries, described[:, None] == owner)
    metrics: dict[str, float] = {}
    for direction, ranks in (("text_to_image", to_image), ("image_to_text", to_text)):
        recalls = recall_at_k(ranks)
        metrics |= {f"{direction}_recall@{k}": recall for k, recall in recalls.items()}
        metrics[f"{direction}_mean_recall"] = mean_recall(recalls)
    return Measurement(
        encoder.name, "retrieval", language, policy, len(vectors), len(texts), metrics
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
    ranks = _ranks(vectors, classes, truth[:, None] == np.arange(len(labels)))
    recalls = recall_at_k(ranks, (1, 5))
    per_class = [float(np.mean(ranks[truth == index] < 1)) for index in range(len(labels))]
    metrics = {
        "top_1": recalls[1],
        "top_5": recalls[5],
        "mean_per_class_top_1": float(np.mean(per_class)),
        "search_map": mean_average_precision(
            classes @ vectors.T, np.arange(len(labels))[:, None] == truth
        ),
    }
    return Measurement(
        encoder.name, "zero-shot", language, policy, len(vectors), len(labels), metrics
    )


def _ranks(
    queries: Vectors, gallery: Vectors, relevant: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """`rank_of_first_relevant` of cosines, a block of queries at a time; relevant is (q, g)."""
    return np.concatenate(
        [
            rank_of_first_relevant(
                queries[start : start + ROWS] @ gallery.T, relevant[start : start + ROWS]
            )
            for start in range(0, len(queries), ROWS)
        ]
    )
