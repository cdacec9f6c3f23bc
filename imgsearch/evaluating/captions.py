"""Measure a captioner on one set: BLEU, ROUGE-L and CIDEr a language.

In: pairs as `imgsearch.pairs` reads them, a captioner, and the encoder whose embeddings it was
trained on. Out: `CaptionScores`. A photo's references are the sentences of the caption's own
language; a set called `zh_translated` is references of another kind, and measured against by name
alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from imgsearch.captioning import Captioner, Decoding
from imgsearch.encoders import Encoder
from imgsearch.errors import NoEncoderError, UsageError
from imgsearch.evaluating.embedding import embed_pictures
from imgsearch.evaluating.predictions import write_captions
from imgsearch.metrics import bleu, cider, rouge_l, words_of
from imgsearch.pairs import CaptionedPhotos


@dataclass(frozen=True)
class CaptionScores:
    """How good the captions of one language are, against the sentences that people wrote.

    `bleu` are BLEU-1 to BLEU-4; they and `rouge_l` are in [0, 1], `cider` in [0, 10], and papers
    print all of them x100. `distinct` is how many different captions there are, `length` their mean
    in words; words of Chinese are characters. `captioner` and `encoder` are names, None where
    nobody said whose captions these are.
    """

    captioner: str | None
    encoder: str | None
    language: str
    photos: int
    bleu: tuple[float, float, float, float]
    rouge_l: float
    cider: float
    distinct: int
    length: float


def score_captions(
    captions: Sequence[str], references: Sequence[Sequence[str]], language: str
) -> CaptionScores:
    """Score one caption a photo; `references[i]` are photo i's sentences, one or more.

    `language` is a set's name: `zh_translated` is Chinese. Raises ValueError where there is no
    photo, or one without a reference.
    """
    spoke = spoken(language)
    candidates = [words_of(caption, spoke) for caption in captions]
    known = [[words_of(sentence, spoke) for sentence in among] for among in references]
    return CaptionScores(
        captioner=None,
        encoder=None,
        language=language,
        photos=len(captions),
        bleu=bleu(candidates, known),
        rouge_l=rouge_l(candidates, known),
        cider=cider(candidates, known),
        distinct=len(set(captions)),
        length=sum(map(len, candidates)) / len(candidates),
    )


def evaluate_captioner(
    pairs: CaptionedPhotos,
    captioner: Captioner,
    encoder: Encoder,
    *,
    languages: Sequence[str] | None = None,
    decoding: Decoding = Decoding(),  # noqa: B008  # it is frozen
    predictions: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[CaptionScores]:
    """Caption every photo that has a sentence, in each language that both have; score them.

    `languages` names them, or sets such as `zh_translated`. `predictions` is a folder to write the
    captions into, `progress` is told how many pictures are embedded and captions written, and how
    many there are of both. Raises, before any picture is embedded, UsageError for a language the
    pairs have no sentence in, NoEncoderError for one the captioner does not write, and what
    `captioner.check` raises for another encoder than its own.
    """
    captioner.check(encoder.name, encoder.identity, encoder.dim)
    described = {
        language: [photo for photo, each in enumerate(pairs.captions) if each.get(language)]
        for language in _languages(pairs, captioner, languages)
    }
    photos = sorted({photo for members in described.values() for photo in members})
    total = len(photos) + sum(map(len, described.values()))

    def tell(done: int) -> None:
        if progress is not None:
            progress(done, total)

    pictures = [pairs.pictures[photo] for photo in photos]
    vectors = embed_pictures(pictures, encoder, lambda embedded, _: tell(embedded))
    done, scores = len(photos), []
    for language, members in described.items():
        rows = vectors[np.searchsorted(photos, members)]  # (n, d)
        captions: list[str] = []
        for start in range(0, len(rows), captioner.batch_size):
            part = rows[start : start + captioner.batch_size]
            captions += (each.text for each in captioner.caption(part, spoken(language), decoding))
            tell(done + len(captions))
        done += len(captions)
        if predictions is not None:
            write_captions(pairs, language, dict(zip(members, captions, strict=True)), predictions)
        references = [pairs.captions[photo][language] for photo in members]
        found = score_captions(captions, references, language)
        scores.append(replace(found, captioner=captioner.name, encoder=encoder.name))
    return scores


def _languages(
    pairs: CaptionedPhotos, captioner: Captioner, languages: Sequence[str] | None
) -> list[str]:
    """The sets of sentences to measure against."""
    asked = languages or [each for each in pairs.languages if each in captioner.languages]
    for language in asked:
        if language not in pairs.languages:
            has = ", ".join(pairs.languages)
            raise UsageError(f"these photos have no sentence in {language!r}, only in {has}")
        if spoken(language) not in captioner.languages:
            raise _foreign(captioner, language)
    if not asked:
        raise _foreign(captioner, ", ".join(pairs.languages))
    return list(dict.fromkeys(asked))


def _foreign(captioner: Captioner, languages: str) -> NoEncoderError:
    return NoEncoderError(
        f"{captioner.name} writes {', '.join(captioner.languages)}; the sentences are in "
        f"{languages}: name another with --captioner"
    )


def spoken(language: str) -> str:
    """The language of a set of sentences: of `zh_translated`, `zh`."""
    return language.split("_")[0]
