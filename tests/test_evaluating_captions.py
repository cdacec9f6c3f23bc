"""Measuring a captioner whose every sentence is known: it names the colour it is shown."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from conftest import ColourEncoder, draw
from imgsearch.captioning import Caption, Decoding
from imgsearch.errors import NoEncoderError, UsageError
from imgsearch.evaluating import CaptionScores, evaluate_captioner, score_captions
from imgsearch.metrics import bleu, cider, rouge_l, words_of
from imgsearch.pairs import CaptionedPhotos, Ids
from imgsearch.vectors import Vectors

NAMES = {"en": ("red", "green", "blue"), "zh": ("红", "绿", "蓝")}
SENTENCES = {"en": "a {} wall stands in the sun", "zh": "阳光下的一面{}墙"}
GREEDY = Decoding("greedy")


class ColourCaptioner:
    """A true Captioner, whose embeddings are colours: it says which is the strongest."""

    name = "toy/says-colour"
    batch_size = 2

    def __init__(self, languages: tuple[str, ...] = ("en", "zh")) -> None:
        self.languages = languages
        self.asked: list[tuple[int, str, Decoding]] = []

    def check(self, encoder: str, identity: str, dim: int) -> None:
        if identity != "sha256-of-toy/colour":
            raise NoEncoderError(f"{self.name} was trained on toy/colour, not on {encoder}")

    def caption(
        self, vectors: Vectors, language: str, decoding: Decoding = GREEDY
    ) -> list[Caption]:
        self.asked.append((len(vectors), language, decoding))
        strongest = vectors.argmax(axis=1).tolist()
        return [Caption(SENTENCES[language].format(NAMES[language][each]), 0) for each in strongest]


def said(language: str, *colours: int) -> list[str]:
    return [SENTENCES[language].format(NAMES[language][colour]) for colour in colours]


def pairs(folder: Path) -> CaptionedPhotos:
    """A red, a green and a blue photo; the red one has no Chinese sentence."""
    pictures = tuple(draw(folder / f"{colour}.png", colour) for colour in ("red", "lime", "blue"))
    return CaptionedPhotos(
        pictures,
        (
            {"en": ("A red wall in the sun.", "a red house")},
            {"en": ("A green wall stands in the sun.",), "zh": ("阳光下的一面绿墙。", "绿色")},
            {"en": ("the sea is blue",), "zh": ("一面蓝色的墙",), "zh_translated": ("蓝墙",)},
        ),
    )


def test_captions_are_scored_against_the_sentences_of_their_own_language(
    tmp_path: Path, colour_encoder: ColourEncoder
) -> None:
    set_of_photos = pairs(tmp_path)
    english, chinese = evaluate_captioner(set_of_photos, ColourCaptioner(), colour_encoder)
    assert (english.language, english.photos) == ("en", 3)
    assert (chinese.language, chinese.photos) == ("zh", 2)
    assert english == scored("en", said("en", 0, 1, 2), set_of_photos, [0, 1, 2])
    assert chinese == scored("zh", said("zh", 1, 2), set_of_photos, [1, 2])
    assert english.bleu[0] == pytest.approx((6 + 7 + 2) / 21), "words of 3 x 7 that are right"
    assert (english.distinct, english.length) == (3, 7.0)
    assert (english.captioner, english.encoder) == ("toy/says-colour", "toy/colour")


def scored(
    language: str, captions: Sequence[str], photos: CaptionedPhotos, members: Sequence[int]
) -> CaptionScores:
    candidates = [words_of(caption, language) for caption in captions]
    references = [
        [words_of(each, language) for each in photos.captions[place][language]] for place in members
    ]
    return CaptionScores(
        *("toy/says-colour", "toy/colour", language, len(members)),
        *(metric(candidates, references) for metric in (bleu, rouge_l, cider)),
        len(set(captions)),
        float(np.mean([len(words) for words in candidates])),
    )


def test_a_perfect_captioner_scores_what_can_be_scored() -> None:
    captions = said("en", 0, 1, 2)
    scores = score_captions(captions, [[caption] for caption in captions], "en")
    assert (*scores.bleu, scores.rouge_l) == pytest.approx((1,) * 5)
    assert (scores.captioner, scores.encoder) == (None, None)
    assert score_captions(["红墙", ""], [["红墙。"], ["绿"]], "zh_translated").length == 1.0


def test_another_set_of_sentences_is_measured_against_by_name_alone(
    tmp_path: Path, colour_encoder: ColourEncoder
) -> None:
    captioner = ColourCaptioner()
    (row,) = evaluate_captioner(
        pairs(tmp_path), captioner, colour_encoder, languages=["zh_translated"], decoding=GREEDY
    )
    assert (row.language, row.photos) == ("zh_translated", 1)
    assert captioner.asked == [(1, "zh", GREEDY)]


def test_the_captions_are_written_beside_what_people_said(
    tmp_path: Path, colour_encoder: ColourEncoder
) -> None:
    numbered = pairs(tmp_path)
    numbered = CaptionedPhotos(
        (numbered.pictures[0], numbered.pictures[1].read_bytes(), numbered.pictures[2]),
        numbered.captions,
        ids=Ids((70, 80, 90), ({}, {}, {})),
    )
    out = tmp_path / "out"
    evaluate_captioner(numbered, ColourCaptioner(), colour_encoder, predictions=out)
    assert {each.name for each in out.iterdir()} == {"en_captions.jsonl", "zh_captions.jsonl"}
    first, second, _ = map(json.loads, (out / "en_captions.jsonl").read_text("utf-8").splitlines())
    assert first == {
        "image_id": 70,
        "path": str(tmp_path / "red.png"),
        "language": "en",
        "caption": "a red wall stands in the sun",
        "references": ["A red wall in the sun.", "a red house"],
    }
    assert (second["image_id"], second["path"]) == (80, None)


def test_progress_counts_pictures_and_captions(
    tmp_path: Path, colour_encoder: ColourEncoder
) -> None:
    told: list[tuple[int, int]] = []
    evaluate_captioner(
        pairs(tmp_path),
        ColourCaptioner(),
        colour_encoder,
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(3, 8), (5, 8), (6, 8), (8, 8)], "pictures four at a time, captions two"


def test_what_cannot_be_measured_is_refused_before_any_picture_is_read(
    tmp_path: Path, colour_encoder: ColourEncoder
) -> None:
    nowhere = tmp_path / "none.png"
    photos = CaptionedPhotos((nowhere,), ({"en": ("a wall",), "zh_translated": ("墙",)},))
    captioner = ColourCaptioner()
    with pytest.raises(NoEncoderError, match="trained on toy/colour, not on toy/other"):
        evaluate_captioner(photos, captioner, ColourEncoder("toy/other"))
    with pytest.raises(UsageError, match="no sentence in 'zh', only in en, zh_translated"):
        evaluate_captioner(photos, captioner, colour_encoder, languages=["zh"])
    with pytest.raises(NoEncoderError, match="writes zh; the sentences are in en: name another"):
        evaluate_captioner(photos, ColourCaptioner(("zh",)), colour_encoder, languages=["en"])
    with pytest.raises(NoEncoderError, match="writes zh; the sentences are in en, zh_translated"):
        evaluate_captioner(photos, ColourCaptioner(("zh",)), colour_encoder)
