"""Training: losses against numpy, the vocabulary against its rule, batches, and resuming to the
same end.
"""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from open_clip.tokenizer import SimpleTokenizer

from conftest import draw
from imgsearch import training
from imgsearch.pairs import CaptionedPhotos, LabelledPhotos
from imgsearch.training.losses import multi_positive_loss
from imgsearch.training.photos import pad, random_views
from imgsearch.training.vocabulary import Vocabulary, learn_merges, save_merges

CONFIG = {
    "embed_dim": 16,
    "vision_cfg": {
        "timm_model_name": "resnet10t",
        "timm_model_pretrained": False,
        "timm_pool": "avg",
        "timm_proj": "linear",
        "image_size": 32,
    },
    "text_cfg": {"context_length": 12, "vocab_size": 600, "width": 32, "heads": 2, "layers": 1},
    "custom_text": True,
}


def log_softmax(logits: np.ndarray, axis: int) -> np.ndarray:
    shifted = logits - logits.max(axis=axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))


def test_the_loss_is_the_cross_entropy_of_shared_targets() -> None:
    generator = np.random.default_rng(0)
    images, texts = generator.normal(size=(5, 8)), generator.normal(size=(3, 8))
    positives = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 1], [0, 0, 1], [0, 1, 0]], bool)
    cosines = (images / np.linalg.norm(images, axis=1, keepdims=True)) @ (
        texts / np.linalg.norm(texts, axis=1, keepdims=True)
    ).T
    rows, columns = log_softmax(7 * cosines, 1), log_softmax(7 * cosines, 0)
    to_text = np.mean([-rows[i, positives[i]].mean() for i in range(5)])
    to_image = np.mean([-columns[positives[:, u], u].mean() for u in range(3)])
    ours = multi_positive_loss(
        torch.tensor(images), torch.tensor(texts), torch.tensor(positives), 7.0
    )
    assert ours.item() == pytest.approx((to_text + to_image) / 2, abs=1e-9)


def test_with_one_positive_each_the_loss_is_open_clips() -> None:
    from open_clip.loss import ClipLoss

    torch.manual_seed(0)
    images, texts = torch.randn(2, 6, 8, dtype=torch.float64)
    unit = [torch.nn.functional.normalize(each, dim=-1) for each in (images, texts)]
    ours = multi_positive_loss(images, texts, torch.eye(6, dtype=torch.bool), 10.0)
    assert ours.item() == pytest.approx(ClipLoss()(*unit, torch.tensor(10.0)).item(), abs=1e-9)


def test_collapsed_embeddings_cost_the_logarithm_of_the_batch() -> None:
    same = torch.ones(8, 4)
    loss = multi_positive_loss(same, same, torch.eye(8, dtype=torch.bool), 10.0)
    assert loss.item() == pytest.approx(np.log(8), abs=1e-5)


def test_merges_join_the_most_frequent_pair_first_and_open_clip_reads_them(tmp_path: Path) -> None:
    merges = learn_merges(["low low low lower newest newest"], most=3)
    assert merges[0] == ("l", "o")  # four times; ties go to the smaller pair
    save_merges(merges, tmp_path / "bpe.txt.gz")
    tokenizer = SimpleTokenizer(bpe_path=str(tmp_path / "bpe.txt.gz"), context_length=8)
    assert tokenizer.vocab_size == 512 + len(merges) + 2
    assert tokenizer.decode(tokenizer.encode("low")).strip() == "low"


def test_a_han_character_becomes_a_word_of_its_own(tmp_path: Path) -> None:
    vocabulary = training.learn_vocabulary(["一只猫", "猫"] * 3, tmp_path / "bpe.txt.gz")
    start, *cat, end = vocabulary.tokenize("猫")
    assert len(cat) == 1
    assert vocabulary.tokenize("一只猫")[-2:] == [*cat, end]
    assert len(vocabulary.tokenize("一只猫")) == 5
    again = Vocabulary(tmp_path / "bpe.txt.gz")
    assert again.tokenize("一只猫") == vocabulary.tokenize("一只猫")
    assert (start, end) == (again.size - 2, again.size - 1), "pooling looks for the highest id"


def tokenize(text: str) -> list[int]:
    return [598, *(ord(letter) % 500 for letter in text), 599]


def two_sets(folder: Path) -> list[training.TrainingSet]:
    pictures = [
        draw(folder / f"{colour}.png", colour) for colour in ("red", "green", "blue", "white")
    ]
    captioned = CaptionedPhotos(
        tuple(pictures),
        (
            {"en": ("shared", "one"), "zh": ("红",)},
            {"en": ("shared",), "zh": ("绿",), "zh_translated": ("绿色",)},
            {"en": ("three",), "zh": ("蓝",)},
            {"en": ("four",), "zh": ("白",)},
        ),
    )
    names = {"n1": {"en": ("dog",), "zh": ("狗",)}, "n2": {"en": ("cat",), "zh": ("猫",)}}
    labelled = LabelledPhotos(tuple(pictures), ("n1", "n2", "n1", "n2"), names)
    return [
        training.captioned_set("sentences", captioned, 40, tokenize, ("en", "zh")),
        training.labelled_set("classes", labelled, 40, tokenize, ("en", "zh")),
    ]


def test_photos_that_share_a_sentence_are_never_negatives_of_each_other(tmp_path: Path) -> None:
    sentences, _ = two_sets(tmp_path)
    for seed in range(20):
        tokens, positives = sentences.draw_texts([0, 1, 2], "en", random.Random(seed))
        assert positives.any(0).all() and positives.any(1).all()
        shared = [u for u, each in enumerate(tokens) if each == tuple(tokenize("shared"))]
        assert all(positives[[0, 1], u].all() and not positives[2, u] for u in shared)


def test_photos_that_share_a_class_share_one_text(tmp_path: Path) -> None:
    _, classes = two_sets(tmp_path)
    tokens, positives = classes.draw_texts([0, 1, 2, 3], "zh", random.Random(0))
    assert len(tokens) == 2
    assert positives.tolist() == [[True, False], [False, True], [True, False], [False, True]]


def test_a_crop_of_the_whole_picture_keeps_it() -> None:
    pixels = torch.arange(3 * 8 * 8, dtype=torch.uint8).reshape(1, 3, 8, 8)
    views = random_views(pixels.expand(16, -1, -1, -1), 8, torch.Generator().manual_seed(0), 1.0)
    assert views.shape == (16, 3, 8, 8) and views.min() >= 0 and views.max() <= 1


def test_a_text_that_is_cut_keeps_its_end_token() -> None:
    assert pad([(9, 1, 2, 3, 8), (9, 8)], 4).tolist() == [[9, 1, 2, 8], [9, 8, 0, 0]]


def test_an_interrupted_run_ends_where_an_uninterrupted_one_does(tmp_path: Path) -> None:
    sets = two_sets(tmp_path)
    recipe = training.Recipe(
        stages=(training.Stage(32, 32),), batch={"sentences": 4, "classes": 4}, decay=0.3
    )

    def models() -> torch.nn.Module:
        torch.manual_seed(0)
        return training.build(CONFIG)

    whole = models()
    list(training.train(whole, sets, recipe, tmp_path / "whole", report_every=1, save_every=1))
    halves = training.train(models(), sets, recipe, tmp_path / "cut", report_every=1, save_every=1)
    next(halves), next(halves)
    halves.close()
    resumed = models()
    left = list(
        training.train(resumed, sets, recipe, tmp_path / "cut", report_every=1, save_every=1)
    )
    assert [progress.seen for progress in left] == [24, 32]
    for key, value in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[key], value, rtol=0, atol=0)


def test_training_lowers_the_loss(tmp_path: Path) -> None:
    recipe = training.Recipe(
        stages=(training.Stage(32, 240),), batch={"sentences": 4, "classes": 4}, token_drop=0
    )
    torch.manual_seed(0)
    model = training.build(CONFIG)
    losses = [
        each.loss
        for each in training.train(
            model, two_sets(tmp_path), recipe, tmp_path / "run", report_every=5
        )
    ]
    assert losses[-1] < losses[0]


def test_what_is_saved_is_what_open_clip_and_search_read(tmp_path: Path) -> None:
    import imgsearch

    texts = ["red", "green", "blue", "红", "绿", "蓝"]
    vocabulary = training.learn_vocabulary(texts * 3, tmp_path / "bpe.txt.gz")
    config = training.small_clip("toy/1", 32, vocabulary.size, ("en", "zh"))
    model = training.build(config["model_cfg"])
    training.save_encoder(model, config, vocabulary.path, tmp_path / "encoder")
    encoder = imgsearch.load_encoder(str(tmp_path / "encoder"))
    assert (encoder.name, encoder.languages, encoder.image_size) == ("toy/1", ("en", "zh"), 32)
    tokens = pad([tuple(vocabulary.tokenize(text)) for text in texts], 48)
    padded = torch.nn.functional.pad(tokens, (0, 48 - tokens.shape[1]))
    with torch.no_grad():
        expected = model.eval().half().float().encode_text(padded, normalize=True).numpy()
    np.testing.assert_allclose(encoder.embed_texts(texts), expected, atol=1e-5)
