"""Measuring an encoder whose every answer is known: colours."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from conftest import ColourEncoder, draw
from imgsearch import prompts
from imgsearch.errors import NoEncoderError, PictureError, UsageError
from imgsearch.evaluating import embed_queries, evaluate, recall_of_vectors
from imgsearch.pairs import CaptionedPhotos, Ids, LabelledPhotos
from imgsearch.vectors import Vectors, ensemble


def captioned(folder: Path) -> CaptionedPhotos:
    pictures = tuple(draw(folder / f"{colour}.png", colour) for colour in ("red", "green", "blue"))
    captions = (
        {"en": ("red", "a red wall"), "zh": ("红",)},
        {"en": ("green",), "zh": ("绿",)},
        {"en": ("red",), "zh": ("蓝",)},  # the English sentence is wrong
    )
    return CaptionedPhotos(pictures, captions)


def test_recall_counts_every_sentence_as_a_query_and_every_photo_as_the_gallery(
    tmp_path: Path, colour_encoder: ColourEncoder
) -> None:
    (row,) = evaluate(captioned(tmp_path), colour_encoder, languages=["en"], policies=["raw"])
    assert (row.photos, row.texts, row.task) == (3, 4, "retrieval")
    assert row.metrics["text_to_image_recall@1"] == 3 / 4  # the wrong sentence finds the red photo
    assert row.metrics["image_to_text_recall@1"] == 2 / 3
    assert row.metrics["text_to_image_recall@5"] == 1.0


def test_recall_of_stored_vectors_is_recall_of_their_pictures(
    tmp_path: Path, colour_encoder: ColourEncoder
) -> None:
    pairs = captioned(tmp_path)
    (row,) = evaluate(pairs, colour_encoder, languages=["en"], policies=["raw"])
    vectors = np.eye(3, dtype=np.float32)
    assert recall_of_vectors(pairs.captions, vectors, colour_encoder, "en", "raw") == row
    with pytest.raises(UsageError, match="none of these 3 photos has a sentence in 'fr'"):
        recall_of_vectors(pairs.captions, vectors, colour_encoder, "fr", "raw")


def test_every_metric_of_retrieval_is_what_the_cosines_worked_out_by_hand_give() -> None:
    vectors = np.array([[1, 0, 0], [0, 1, 0], [0.6, 0, 0.8]], np.float32)
    captions = [
        {"en": ["red", "red red red green", "red green green blue blue"]},  # third: 1/3 2/3 11/15
        {"en": ["green"]},
        {"en": ["red red green green green"]},  # 0.55 0.83 0.33
    ]
    row = recall_of_vectors(captions, vectors, ColourEncoder(), "en", "raw")
    assert row.metrics == pytest.approx(
        {
            "text_to_image_recall@1": 3 / 5,  # places 1 1 3 1 3
            "text_to_image_recall@5": 1,
            "text_to_image_recall@10": 1,
            "text_to_image_mean_recall": 13 / 15,
            "text_to_image_median_rank": 1,
            "text_to_image_map": (3 + 2 / 3) / 5,
            "image_to_text_recall@1": 2 / 3,  # places 1 2 4 of the first photo; 1; 4
            "image_to_text_recall@5": 1,
            "image_to_text_recall@10": 1,
            "image_to_text_mean_recall": 8 / 9,
            "image_to_text_median_rank": 1,
            "image_to_text_map": ((1 + 1 + 3 / 4) / 3 + 1 + 1 / 4) / 3,
        }
    )


def test_a_text_about_two_photos_is_one_query_and_others_are_in_the_gallery(
    tmp_path: Path, colour_encoder: ColourEncoder
) -> None:
    red, green, again = (
        draw(tmp_path / f"{n}.png", c) for n, c in enumerate(("red", "lime", "red"))
    )
    others = tuple(draw(tmp_path / f"other-{n}.png", "red") for n in range(4))
    captions = ({"en": ("red",)}, {"en": ("red", "green")}, {"en": ("red",)})
    ids = Ids((4, 5, 6, 7, 8, 9, 10), ({"en": (30,)}, {"en": (31, 32)}, {"en": (30,)}))
    pairs = CaptionedPhotos((red, green, again), captions, others=others, ids=ids)
    told: list[tuple[int, int]] = []
    (row,) = evaluate(
        pairs, colour_encoder, policies=["raw"], progress=lambda *each: told.append(each)
    )
    assert (row.photos, row.texts) == (7, 3)
    assert told == [(4, 7), (7, 7)]
    # 30 finds both its photos first; the photo of 31 comes after all six red ones
    assert row.metrics["text_to_image_recall@1"] == 2 / 3
    assert row.metrics["text_to_image_recall@5"] == 2 / 3
    assert row.metrics["text_to_image_map"] == pytest.approx((1 + 1 / 7 + 1) / 3)


def test_each_language_the_encoder_knows_is_a_row(tmp_path: Path) -> None:
    english = ColourEncoder(languages=("en",))
    assert [row.language for row in evaluate(captioned(tmp_path), english)] == ["en"]
    both = evaluate(captioned(tmp_path), ColourEncoder())
    assert [row.language for row in both] == ["en", "zh"]


def test_zero_shot_accuracy_is_the_share_of_photos_whose_class_ranks_first(
    tmp_path: Path, colour_encoder: ColourEncoder
) -> None:
    colours: list[str | tuple[int, int, int]] = ["red", "red", (60, 200, 255), "green"]
    pictures = tuple(draw(tmp_path / f"{n}.png", colour) for n, colour in enumerate(colours))
    names = {colour: {"en": (colour,)} for colour in ("red", "green", "blue")}
    pairs = LabelledPhotos(pictures, ("red", "red", "red", "green"), names)
    (row,) = evaluate(pairs, colour_encoder)
    assert row.metrics["top_1"] == 3 / 4
    assert row.texts == 2, "classes without a photo are no candidates"
    assert row.metrics["mean_per_class_top_1"] == pytest.approx((2 / 3 + 1) / 2)
    # the third photo looks greener than red, yet redder than the green one
    assert row.metrics["search_map"] == 1.0


def test_photos_of_a_single_class_are_refused(
    tmp_path: Path, colour_encoder: ColourEncoder
) -> None:
    pictures = (draw(tmp_path / "1.png", "red"), draw(tmp_path / "2.png", "green"))
    names = {colour: {"en": (colour,)} for colour in ("red", "green")}
    pairs = LabelledPhotos(pictures, ("red", "red"), names)
    told: list[tuple[int, int]] = []
    with pytest.raises(
        UsageError, match=r"these 2 photos are all of the class 'red'.* two classes"
    ):
        list(evaluate(pairs, colour_encoder, progress=lambda *each: told.append(each)))
    assert not told, "no picture is embedded for that"


def test_queries_are_embedded_as_search_embeds_them(colour_encoder: ColourEncoder) -> None:
    (row,) = embed_queries(["red"], colour_encoder, "en", "seven")
    filled = prompts.expand("red", prompts.templates("seven", "red", "en"))
    np.testing.assert_allclose(row, ensemble(colour_encoder.embed_texts(filled)), atol=1e-7)


def test_a_language_without_text_is_named(tmp_path: Path, colour_encoder: ColourEncoder) -> None:
    with pytest.raises(UsageError, match="no text in 'fr'"):
        list(evaluate(captioned(tmp_path), colour_encoder, languages=["fr"]))


def test_an_encoder_that_knows_no_language_of_the_pairs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoEncoderError, match="knows fr"):
        list(evaluate(captioned(tmp_path), ColourEncoder(languages=("fr",))))


def test_a_text_too_long_for_the_tower_is_cut_and_not_an_error(tmp_path: Path) -> None:
    class Brief(ColourEncoder):
        def shorten(self, text: str) -> str:
            return text[:3]

    (row,) = embed_queries(["red blue blue blue"], Brief(), "en", "raw")
    np.testing.assert_allclose(row, ColourEncoder().embed_texts(["red"])[0], atol=1e-7)


class Counting(ColourEncoder):
    """Notes how many pictures and texts each call brings."""

    def __init__(self) -> None:
        super().__init__()
        self.pictures: list[int] = []
        self.texts: list[int] = []

    def embed_images(self, images: list[Image.Image]) -> Vectors:
        self.pictures.append(len(images))
        return super().embed_images(images)

    def embed_texts(self, texts: list[str]) -> Vectors:
        self.texts.append(len(texts))
        return super().embed_texts(texts)


def test_only_so_many_prompts_are_in_memory_at_once() -> None:
    encoder = Counting()
    texts = [f"{colour} {n}" for n in range(40) for colour in ("red", "green", "blue")]
    rows = embed_queries(texts, encoder, "en", "ensemble")
    assert sum(encoder.texts) == 80 * len(texts)
    assert max(encoder.texts) <= 4096
    assert len(encoder.texts) == 3
    alone = [embed_queries([text], encoder, "en", "ensemble")[0] for text in texts[::17]]
    np.testing.assert_allclose(rows[::17], alone, atol=1e-7)
    assert embed_queries([], encoder, "en", "raw").shape == (0, 3)


def test_a_picture_of_a_tar_that_cannot_be_read_is_told_by_its_place(tmp_path: Path) -> None:
    good = draw(tmp_path / "red.png", "red").read_bytes()
    pairs = CaptionedPhotos((good, b"no picture"), ({"en": ("red",)}, {"en": ("green",)}))
    with pytest.raises(PictureError, match=r"^picture 2 of 2: .*; leave it out of the set$"):
        list(evaluate(pairs, ColourEncoder()))


@pytest.mark.parametrize("policy", ["sevne", ""])
def test_a_prompt_policy_that_is_none_is_refused_before_any_picture(
    policy: Any, tmp_path: Path
) -> None:
    encoder = Counting()
    with pytest.raises(UsageError, match="no prompt policy is called"):
        list(evaluate(captioned(tmp_path), encoder, policies=["raw", policy]))
    assert encoder.pictures == []
