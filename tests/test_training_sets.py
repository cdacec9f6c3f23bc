"""What may be said of which photo, and the vocabulary it is said in."""

import random
from pathlib import Path

import pytest
from open_clip.tokenizer import SimpleTokenizer

from conftest import draw
from imgsearch.errors import UsageError
from imgsearch.pairs import CaptionedPhotos, LabelledPhotos
from imgsearch.training import Squares, TrainingSet, captioned_set, labelled_set, texts_of
from imgsearch.training.vocabulary import (
    Vocabulary,
    learn_merges,
    learn_vocabulary,
    save_merges,
)


def test_merges_join_the_most_frequent_pair_first_and_open_clip_reads_them(tmp_path: Path) -> None:
    merges = learn_merges(["low low low lower newest newest"], most=3)
    assert merges[0] == ("l", "o")  # four times; ties go to the smaller pair
    save_merges(merges, tmp_path / "bpe.txt.gz")
    tokenizer = SimpleTokenizer(bpe_path=str(tmp_path / "bpe.txt.gz"), context_length=8)
    assert tokenizer.vocab_size == 512 + len(merges) + 2
    assert tokenizer.decode(tokenizer.encode("low")).strip() == "low"


def test_a_han_character_becomes_a_word_of_its_own(tmp_path: Path) -> None:
    vocabulary = learn_vocabulary(["一只猫", "猫"] * 3, tmp_path / "bpe.txt.gz")
    start, *cat, end = vocabulary.tokenize("猫")
    assert len(cat) == 1
    assert vocabulary.tokenize("一只猫")[-2:] == [*cat, end]
    assert len(vocabulary.tokenize("一只猫")) == 5
    again = Vocabulary(tmp_path / "bpe.txt.gz")
    assert again.tokenize("一只猫") == vocabulary.tokenize("一只猫")
    assert (start, end) == (again.size - 2, again.size - 1), "pooling looks for the highest id"


@pytest.fixture
def captioned(tmp_path: Path) -> CaptionedPhotos:
    colours = ("red", "green", "blue", "white")
    return CaptionedPhotos(
        tuple(draw(tmp_path / f"{colour}.png", colour) for colour in colours),
        (
            {"en": ("shared", "one"), "zh": ("红",)},
            {"en": ("shared",), "zh": ("绿",), "zh_translated": ("绿色",)},
            {"en": ("three",), "zh": ("蓝",)},
            {"en": ("four",), "zh": ("白",)},
        ),
    )


@pytest.fixture
def labelled(captioned: CaptionedPhotos) -> LabelledPhotos:
    names = {"n1": {"en": ("dog",), "zh": ("狗",)}, "n2": {"en": ("cat",), "zh": ("猫",)}}
    return LabelledPhotos(captioned.pictures, ("n1", "n2", "n1", "n2"), names)


def sentences(captioned: CaptionedPhotos) -> TrainingSet:
    return captioned_set("s", captioned, Squares(captioned.pictures, 40), ("en", "zh"))


def test_photos_that_share_a_sentence_are_never_negatives_of_each_other(
    captioned: CaptionedPhotos,
) -> None:
    for seed in range(20):
        drawn = sentences(captioned).draw([0, 1, 2], "en", random.Random(seed))
        assert drawn.positives.any(0).all() and drawn.positives.any(1).all()
        shared = [u for u, text in enumerate(drawn.texts) if text == "shared"]
        assert all(drawn.positives[[0, 1], u].all() and not drawn.positives[2, u] for u in shared)


def test_a_translation_counts_as_its_language_and_is_drawn_half_as_often(
    captioned: CaptionedPhotos,
) -> None:
    found = sentences(captioned)
    rng = random.Random(0)
    drawn = [found.draw([1], "zh", rng).texts[0] for _ in range(600)]
    assert set(drawn) == {"绿", "绿色"}
    assert drawn.count("绿") / len(drawn) == pytest.approx(2 / 3, abs=0.06)


def test_photos_that_share_a_class_share_one_text(labelled: LabelledPhotos) -> None:
    classes = labelled_set("c", labelled, Squares(labelled.pictures, 40), ("en", "zh"))
    drawn = classes.draw([0, 1, 2, 3], "zh", random.Random(0))
    assert len(drawn.texts) == 2
    assert drawn.positives.tolist() == [
        [True, False],
        [False, True],
        [True, False],
        [False, True],
    ]
    assert "狗" in drawn.texts[0] and "猫" in drawn.texts[1]


def test_two_labels_of_one_name_are_one_class(labelled: LabelledPhotos) -> None:
    names = {"n1": {"en": ("Pizza",)}, "n2": {"en": ("pizza",)}}
    pairs = LabelledPhotos(labelled.pictures, labelled.labels, names)
    classes = labelled_set("c", pairs, Squares(pairs.pictures, 40), ("en",))
    assert len(classes.draw([0, 1], "en", random.Random(0)).texts) == 1


def test_a_class_without_a_name_in_any_language_is_refused(labelled: LabelledPhotos) -> None:
    with pytest.raises(UsageError, match="the class 'n1' has no name in fr"):
        labelled_set("c", labelled, Squares(labelled.pictures, 40), ("fr",))


def test_every_text_a_set_can_draw_is_known_to_the_vocabulary(
    captioned: CaptionedPhotos, labelled: LabelledPhotos
) -> None:
    assert sorted(set(texts_of(captioned, ("en",)))) == sorted(
        {"shared", "one", "three", "four", "红", "绿", "绿色", "蓝", "白"}
    )
    assert "a photo of a dog." in set(texts_of(labelled, ("en",)))
    assert not any("狗" in text for text in texts_of(labelled, ("en",)))
