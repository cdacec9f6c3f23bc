"""Encoders give the numbers of the packages they stand for, under one small contract.

Golden files hold what the reference implementations computed with tiny random weights; the other
models are small ones of both families, built on the spot. Nothing is downloaded.
"""

import json
from pathlib import Path
from typing import Any

import cn_clip.clip
import numpy as np
import open_clip
import pytest
import torch
from cn_clip.training.data import _preprocess_text

import imgsearch.encoders as encoders
from imgsearch.encoders import architectures
from imgsearch.encoders import cn_clip as chinese
from imgsearch.encoders import open_clip as adapter
from imgsearch.encoders.checkpoints import Checkpoint
from imgsearch.encoders.tokenizers import padded
from imgsearch.encoders.tokenizers.word_pieces import WordPieces
from imgsearch.errors import QueryError
from imgsearch.weights import filling
from small_encoders import (
    CHINESE,
    GOLDEN,
    MODEL,
    TEXTS,
    furthest,
    golden,
    pictures,
    unit,
    write_chinese_file,
    write_folder,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("encoders") / "small")


@pytest.fixture(scope="module")
def encoder(folder: Path) -> adapter.OpenClip:
    found = encoders.load(str(folder), device="cpu")
    assert isinstance(found, adapter.OpenClip)
    return found


@pytest.fixture(scope="module")
def chinese_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_chinese_file(tmp_path_factory.mktemp("encoders") / "finetuned.pt")


@pytest.fixture(scope="module")
def chinese_encoder(chinese_file: Path) -> chinese.ChineseClip:
    found = encoders.load(str(chinese_file), device="cpu")
    assert isinstance(found, chinese.ChineseClip)
    return found


@pytest.fixture(params=["encoder", "chinese_encoder"])
def either(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


# Golden numbers of the reference implementations


@pytest.mark.parametrize("name", ["cn_clip_tiny_vit", "cn_clip_tiny_rn"])
@pytest.mark.parametrize("precision", ["fp32", "ref_cpu"])
def test_chinese_clip_gives_the_golden_numbers(name: str, precision: Any, tmp_path: Path) -> None:
    state, expected = golden(name)
    config = json.loads((GOLDEN / f"{name}.json").read_text("utf-8"))
    encoder = chinese.ChineseClip(
        Checkpoint(GOLDEN / f"{name}.safetensors", state, False),
        config,
        name=name,
        source=name,
        device="cpu",
        precision=precision,
    )
    with torch.inference_mode():
        image = encoder.model.encode_image(expected["image"])
        text = encoder.model.encode_text(expected["text"])
        per_image, per_text = encoder.model.get_similarity(expected["image"], expected["text"])
    group = "ref_cpu." if precision == "ref_cpu" else ""
    assert furthest(image, expected[f"{group}image_features"]) < 1e-5
    assert furthest(text, expected[f"{group}text_features"]) < 1e-5
    assert furthest(per_image, expected[f"{group}logits_per_image"]) < 1e-5
    assert torch.equal(per_image.T, per_text)
    other = "" if group else "ref_cpu."
    assert furthest(image, expected[f"{other}image_features"]) > 1e-4
    assert furthest(text, expected[f"{other}text_features"]) > 1e-4
    assert not encoder.model.training
    assert {parameter.dtype for parameter in encoder.model.parameters()} == {torch.float32}


@pytest.mark.parametrize("quick_gelu", [True, False])
def test_openai_weights_give_the_golden_numbers_with_the_right_activation(quick_gelu: bool) -> None:
    state, expected = golden("openai_clip_tiny")
    config = architectures.open_clip_config(state, "golden")
    model: Any = adapter.build({**config, "quick_gelu": quick_gelu}).eval()
    filling.fill(model, state, "golden")
    right, wrong = ("quick_gelu_true", "quick_gelu_false")[:: 1 if quick_gelu else -1]
    with torch.inference_mode():
        image = model.encode_image(expected["image"])
        text = model.encode_text(expected["text"])
        assert furthest(image, expected[f"{right}.image_features"]) < 1e-5
        assert furthest(text, expected[f"{right}.text_features"]) < 1e-5
        assert furthest(image, expected[f"{wrong}.image_features"]) > 1e-3
        assert furthest(text, expected[f"{wrong}.text_features"]) > 1e-3
        if quick_gelu:
            assert furthest(image, expected["openai_reference.image_features"]) < 1e-5
            assert furthest(image, expected["ref_cpu.image_features"]) > 1e-4
            rounded: Any = adapter.half_rounded(model)
            assert (
                furthest(
                    rounded.encode_image(expected["image"]), expected["ref_cpu.image_features"]
                )
                < 1e-5
            )
            assert (
                furthest(rounded.encode_text(expected["text"]), expected["ref_cpu.text_features"])
                < 1e-5
            )


# What every encoder promises


def test_rows_are_unit_float32_in_order_and_no_input_gives_no_rows(either: Any) -> None:
    images = pictures(5)
    rows = either.embed_images(images)
    assert rows.dtype == np.float32
    assert rows.shape == (5, either.dim) == (5, 64)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    assert furthest(either.embed_images(images[::-1]), rows[::-1]) < 1e-6
    assert either.embed_images([]).shape == either.embed_texts([]).shape == (0, 64)
    assert either.embed_texts(["一只 cat"]).shape == (1, 64)


def test_a_row_does_not_depend_on_the_batch_it_was_in(either: Any) -> None:
    images = pictures(7)
    either.batch_size, batch_size = 3, either.batch_size
    in_threes = either.embed_images(images)
    either.batch_size = batch_size
    alone = np.concatenate([either.embed_images([image]) for image in images])
    assert furthest(either.embed_images(images), in_threes) < 1e-6
    assert furthest(alone, in_threes) < 1e-6
    texts = TEXTS + CHINESE
    alone = np.concatenate([either.embed_texts([text]) for text in texts])
    assert furthest(either.embed_texts(texts), alone) < 1e-6


def test_embedding_twice_gives_the_same_row_because_dropout_is_off(either: Any) -> None:
    assert np.array_equal(either.embed_texts(["金鱼"]), either.embed_texts(["金鱼"]))


def test_a_text_too_long_for_the_tower_is_an_error_with_both_numbers(
    encoder: adapter.OpenClip, chinese_encoder: chinese.ChineseClip
) -> None:
    encoder.embed_texts(["word " * 75])
    with pytest.raises(QueryError, match=r"'word word .*…' has 78 tokens .* at most 77"):
        encoder.embed_texts(["short", "word " * 76])
    chinese_encoder.embed_texts(["猫" * 50])
    with pytest.raises(QueryError, match="has 53 tokens and this encoder reads at most 52"):
        chinese_encoder.embed_texts(["猫" * 51])


def test_a_long_text_is_shortened_to_just_what_the_tower_reads(
    encoder: adapter.OpenClip, chinese_encoder: chinese.ChineseClip
) -> None:
    assert encoder.shorten("a short one") == "a short one"
    assert encoder.shorten("word " * 100).split() == ["word"] * 75
    assert chinese_encoder.shorten("猫" * 100) == "猫" * 50
    assert len(encoder.embed_texts([encoder.shorten("word " * 100)])) == 1


# Agreement with the packages themselves


def test_open_clip_rows_equal_the_package_on_the_same_folder(
    encoder: adapter.OpenClip, folder: Path
) -> None:
    name = f"local-dir:{folder}"
    model, _, transform = open_clip.create_model_and_transforms(name)
    model.eval()
    images = pictures(3)
    batch = torch.stack([transform(image) for image in images])
    tokens = open_clip.get_tokenizer(name)(TEXTS)
    with torch.inference_mode():
        image_rows, text_rows = model.encode_image(batch), model.encode_text(tokens)
    assert furthest(encoder.embed_images(images), unit(image_rows)) < 1e-6
    assert furthest(encoder.embed_texts(TEXTS), unit(text_rows)) < 1e-6


def test_pixels_equal_the_packages_own_transforms_to_the_bit(
    encoder: adapter.OpenClip, chinese_encoder: chinese.ChineseClip
) -> None:
    for size in ((100, 70), (33, 90), (64, 64), (31, 17), (640, 481)):
        images = pictures(1, size)
        mine = encoder.pixels(images)[0]
        assert torch.equal(mine, open_clip.image_transform(64, is_train=False)(images[0]))
        squashed = chinese_encoder.pixels(images)[0]
        assert torch.equal(squashed, cn_clip.clip.image_transform(32)(images[0]))


AWKWARD = [
    "a dog",
    "一只在海滩上奔跑的狗",
    "“金鱼”和‘猫’",
    "Ｆｕｌｌ width ＡＢＣ",
    "Café Déjà-vu naïve",
    "emoji 🐶 and symbols ©®",
    "[MASK] [SEP] literally",
    "\ue000 private use",
    "a" * 210,
    "T恤 iPhone13 3.14",
    "   spaces\tand\nlines  ",
    "&amp; &lt;html&gt;",
    "",
]


def test_chinese_tokens_equal_the_package_after_its_training_preprocessing() -> None:
    expected = cn_clip.clip.tokenize([_preprocess_text(text) for text in AWKWARD])
    tokenizer = WordPieces()
    mine = padded(tokenizer.rows(AWKWARD), tokenizer.context)
    assert np.array_equal(mine, expected)
    quotes = tokenizer.ids("“金鱼”")
    assert 100 not in quotes  # [UNK], which the package's public tokenize makes of curly quotes
    assert 100 in cn_clip.clip.tokenize(["“金鱼”"])[0]


def test_english_tokens_equal_the_package(encoder: adapter.OpenClip) -> None:
    short = [text for text in AWKWARD if len(text) < 60]
    rows = encoder.tokenizer.rows(short)
    assert np.array_equal(padded(rows, 77), open_clip.tokenize(short))
    assert [encoder.tokenizer.length(text) for text in short] == [len(row) for row in rows]


@pytest.mark.parametrize("layout", ["plain", "custom_text"])
def test_a_text_tower_cut_to_its_longest_prompt_gives_what_the_full_one_gives(
    layout: str, tmp_path: Path
) -> None:
    changes = {"model_cfg": {**MODEL, "custom_text": True}} if layout == "custom_text" else {}
    encoder: Any = encoders.load(str(write_folder(tmp_path / layout, **changes)), device="cpu")
    texts = [*TEXTS, "word " * 75, "<end_of_text> twice"]
    tokens = open_clip.tokenize(texts)
    rows = encoder.tokenizer.rows(texts)
    assert len(rows[0]) == 4
    with torch.inference_mode():
        full = unit(encoder.model.encode_text(tokens))
        cut = unit(encoder.text_vectors(encoder.padded(rows[:3])))
    assert furthest(cut, full[:3]) < 1e-6
    assert furthest(encoder.embed_texts(texts), full) < 1e-6
    assert furthest(encoder.embed_texts(texts[4:]), full[4:]) < 1e-6


def test_a_text_tower_that_looks_both_ways_is_never_cut(tmp_path: Path) -> None:
    text = {**MODEL["text_cfg"], "no_causal_mask": True}
    model = {**MODEL, "text_cfg": text}
    encoder: Any = encoders.load(
        str(write_folder(tmp_path / "both", model_cfg=model)), device="cpu"
    )
    tokens = open_clip.tokenize(TEXTS)
    with torch.inference_mode():
        full = unit(encoder.model.encode_text(tokens))
    cut = unit(encoder.model.encode_text(torch.nn.functional.pad(tokens[:, :20], (0, 57), value=9)))
    assert furthest(encoder.embed_texts(TEXTS), full) < 1e-6
    assert furthest(cut, full) > 1e-4  # what stands in the padding does count


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_in_mixed_precision_ranks_as_the_cpu_does(folder: Path, chinese_file: Path) -> None:
    for path in (folder, chinese_file):
        cpu, gpu = (encoders.load(str(path), device=name) for name in ("cpu", "cuda"))
        for one, other in (
            (cpu.embed_images(pictures(9)), gpu.embed_images(pictures(9))),
            (cpu.embed_texts(TEXTS), gpu.embed_texts(TEXTS)),
        ):
            assert other.dtype == np.float32
            assert (one * other).sum(1).min() > 0.999
