"""Folders of weights: what ours say beside open_clip's own, what is said of one that is no good,
and what training saves, read back by us and by the packages."""

import gzip
import json
from pathlib import Path
from typing import Any

import cn_clip.clip
import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import load_file

import imgsearch.encoders as encoders
from imgsearch.encoders import cn_clip as chinese
from imgsearch.encoders.open_clip import OpenClip, Settings
from imgsearch.errors import UsageError
from imgsearch.training.towers import Towers, fresh_towers, open_towers
from small_encoders import (
    CHINESE,
    CHINESE_MODEL,
    MODEL,
    TEXTS,
    furthest,
    pictures,
    unit,
    write_chinese_file,
    write_folder,
)
from small_towers import KINDS, RATES, loss_of, towers_of


def test_a_folder_may_name_its_encoder_its_languages_and_its_own_merges(tmp_path: Path) -> None:
    merges = "#version: 0.2\na t</w>\nc at</w>"
    text = {**MODEL["text_cfg"], "vocab_size": 516, "context_length": 20}
    section = {
        "name": "builtin/9",
        "languages": ["en", "zh"],
        "space_han": True,
        "bpe": "bpe.txt.gz",
    }
    path = write_folder(tmp_path / "x", model_cfg={**MODEL, "text_cfg": text}, imgsearch=section)
    (path / "bpe.txt.gz").write_bytes(gzip.compress(merges.encode()))
    encoder: Any = encoders.load(str(path), device="cpu")
    assert encoder.name == "builtin/9"
    assert encoder.languages == ("en", "zh")
    cat, fish, spaced = encoder.tokenizer.rows(["cat", "金鱼", "金 鱼"])
    assert cat == (514, 513, 515)  # start, cat, end
    assert fish == spaced  # two characters of three bytes, spaced or not
    assert len(fish) == 8
    assert encoder.embed_texts(["cat", "金鱼"]).shape == (2, 64)


def test_an_unusable_folder_says_why(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no weights file"):
        encoders.load(str(tmp_path))
    (tmp_path / "open_clip_config.json").write_text("{", "utf-8")
    with pytest.raises(UsageError, match="is no open_clip configuration"):
        encoders.load(str(tmp_path))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_cfg": {"embed_dim": 64, "text_cfg": MODEL["text_cfg"]}}, "vision_cfg"),
        ({"model_cfg": {**MODEL, "vision_cfg": []}}, "is no open_clip configuration|cannot build"),
        ({"model_cfg": []}, "is no open_clip configuration"),
        ({"imgsearch": []}, "is no open_clip configuration"),
        ({"preprocess_cfg": 7}, "is no open_clip configuration"),
        ({"preprocess_cfg": {"interpolation": "lanczos"}}, 'preprocess_cfg .*"lanczos"'),
        ({"preprocess_cfg": {"resize_mode": "stretch"}}, 'preprocess_cfg .*"stretch"'),
        ({"imgsearch": {"bpe": "gone.gz"}}, r"gone\.gz.* is not there"),
    ],
)
def test_a_configuration_that_cannot_be_used_says_why(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    folder = write_folder(tmp_path / "x")
    path = folder / "open_clip_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **changes}), "utf-8")
    with pytest.raises(UsageError, match=message):
        encoders.load(str(folder), device="cpu")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not gzip", "is no byte-pair file"),
        (gzip.compress(b"\xff\xfe", mtime=0), "is no byte-pair file"),
        (gzip.compress(b"x", mtime=0)[:-9], "is no byte-pair file"),
        (gzip.compress(b"#version: 0.2\na t</w>", mtime=0), "515 tokens, its model 514"),
    ],
)
def test_merges_that_do_not_fit_are_named(content: bytes, message: str, tmp_path: Path) -> None:
    model = {**MODEL, "text_cfg": {**MODEL["text_cfg"], "vocab_size": 514}}
    folder = write_folder(tmp_path / "x", model_cfg=model, imgsearch={"bpe": "bpe.gz"})
    (folder / "bpe.gz").write_bytes(content)
    encoder = encoders.load(str(folder), device="cpu")
    with pytest.raises(UsageError, match=message):
        encoder.embed_texts(["a cat"])


# What training saves


def stepped(towers: Towers) -> Towers:
    """After a step: no weight and no batch statistic is what it came with."""
    towers.train()
    optimiser = torch.optim.AdamW(towers.groups(dict.fromkeys(RATES, 1e-2), 0.1))
    loss_of(towers).backward()
    optimiser.step()
    towers.eval()
    return towers


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_saved_embeds_as_the_towers_did(kind: str, tmp_path: Path) -> None:
    towers = stepped(towers_of(kind))
    towers.save(tmp_path / "models" / "flowers", "flowers")
    loaded = encoders.load("flowers", device="cpu", models=tmp_path / "models")
    assert (loaded.name, loaded.languages) == ("flowers", towers.languages)
    assert (loaded.dim, loaded.image_size) == (towers.encoder.dim, towers.image_size)
    images, texts = pictures(3), TEXTS + CHINESE
    assert furthest(loaded.embed_images(images), towers.encoder.embed_images(images)) < 1e-6
    assert furthest(loaded.embed_texts(texts), towers.encoder.embed_texts(texts)) < 1e-6
    assert encoders.load(str(tmp_path / "models" / "flowers"), device="cpu").name == "flowers"


@pytest.mark.parametrize("kind", ["vit", "resnet", "timm", "quick_gelu", "bias"])
def test_open_clip_itself_reads_what_is_saved(kind: str, tmp_path: Path) -> None:
    if kind == "quick_gelu":
        settings = Settings({**MODEL, "quick_gelu": True}, {"resize_mode": "longest"}, ("en",))
        towers = Towers(OpenClip(None, settings, name="x", source="x", device="cpu"))
    else:
        towers = towers_of("vit" if kind == "bias" else kind)
    if kind == "bias":
        towers.use_bias()
    stepped(towers).save(tmp_path / "made", "made")
    name = f"local-dir:{tmp_path / 'made'}"
    model, _, transform = open_clip.create_model_and_transforms(name)
    images = pictures(2)
    with torch.inference_mode():
        photos = model.eval().encode_image(torch.stack([transform(image) for image in images]))
        texts = model.encode_text(open_clip.get_tokenizer(name)(TEXTS))
    assert furthest(towers.encoder.embed_images(images), unit(photos)) < 1e-6
    assert furthest(towers.encoder.embed_texts(TEXTS), unit(texts)) < 1e-6
    if kind == "bias":
        again = open_towers(str(tmp_path / "made"), device="cpu")
        assert again.logit_bias is not None and towers.logit_bias is not None
        assert again.logit_bias.item() == towers.logit_bias.item() == model.logit_bias.item()


@pytest.mark.parametrize("kind", ["chinese", "chinese_resnet"])
def test_chinese_clip_itself_reads_what_is_saved(kind: str, tmp_path: Path) -> None:
    towers = towers_of(kind)
    towers.use_bias()  # which its class has no place for
    stepped(towers).save(tmp_path / "made", "made")
    encoder: Any = towers.encoder
    model = cn_clip.clip.model.CLIP(**encoder.config)
    model.load_state_dict(load_file(tmp_path / "made" / "model.safetensors"))
    images = pictures(2)
    with torch.inference_mode():
        photos = model.eval().encode_image(encoder.pixels(images))
        texts = model.encode_text(encoder.padded(encoder.tokenizer.rows(CHINESE)))
    assert furthest(encoder.embed_images(images), unit(photos)) < 1e-6
    assert furthest(encoder.embed_texts(CHINESE), unit(texts)) < 1e-6


@pytest.mark.model
@pytest.mark.parametrize(
    ("name", "both"),
    [
        ("RN50", "RN50@RBT3-chinese"),
        ("ViT-B-16", "ViT-B-16@RoBERTa-wwm-ext-base-chinese"),
    ],
)
def test_chinese_clips_own_create_model_reads_what_is_saved(
    name: str, both: str, tmp_path: Path
) -> None:
    towers = fresh_towers(f"cn_clip/{name}", texts=CHINESE, folder=tmp_path, device="cpu")
    towers.save(tmp_path / "made", "made")
    state = load_file(tmp_path / "made" / "model.safetensors")
    model = cn_clip.clip.utils.create_model(both, {"state_dict": state}).float().eval()
    encoder: Any = encoders.load(str(tmp_path / "made"), device="cpu")
    assert encoder.architecture == name
    rounded: Any = chinese.half_rounded(encoder.model)  # the package halves all it makes
    images, tokens = encoder.pixels(pictures(1)), encoder.padded(encoder.tokenizer.rows(CHINESE))
    with torch.inference_mode():
        for mine, theirs in (
            (rounded.encode_image(images), model.encode_image(images)),
            (rounded.encode_text(tokens), model.encode_text(tokens)),
        ):
            assert furthest(unit(mine), unit(theirs)) < 1e-6


def test_sizes_that_no_tensor_tells_are_written_beside_the_weights(tmp_path: Path) -> None:
    config = {**CHINESE_MODEL, "text_num_attention_heads": 4, "vision_head_width": 16}
    encoder = chinese.ChineseClip(None, config, name="x", source="x", device="cpu")
    Towers(encoder).save(tmp_path / "made", "made")
    loaded = encoders.load(str(tmp_path / "made"), device="cpu")
    assert furthest(loaded.embed_texts(CHINESE), encoder.embed_texts(CHINESE)) < 1e-6
    assert furthest(loaded.embed_images(pictures(1)), encoder.embed_images(pictures(1))) < 1e-6
    said = json.loads((tmp_path / "made" / "imgsearch.json").read_text("utf-8"))
    assert (said["name"], said["base"], said["architecture"]) == ("made", "x", "custom")
    (tmp_path / "made" / "imgsearch.json").write_text('{"name": "made"}', "utf-8")
    with pytest.raises(UsageError, match=r"imgsearch\.json is not what .* writes"):
        encoders.load(str(tmp_path / "made"), device="cpu")


def test_a_chinese_checkpoint_that_learnt_more_keeps_its_languages_and_pictures(
    tmp_path: Path,
) -> None:
    towers = open_towers(str(write_chinese_file(tmp_path / "base.pt")), device="cpu")
    towers.save(tmp_path / "made", "made")
    first = open_towers(str(tmp_path / "made"), device="cpu")
    assert (first.base, first.languages, first.fit) == ("made", ("zh",), "squash")
    assert np.array_equal(first.encoder.embed_texts(CHINESE), towers.encoder.embed_texts(CHINESE))


def test_a_vocabulary_travels_with_the_weights(tmp_path: Path) -> None:
    texts = ["a red cat", "一只红色的猫"] * 4
    towers = fresh_towers("small-32", texts=texts, folder=tmp_path / "run", device="cpu")
    towers.save(tmp_path / "made", "made", half=True)
    loaded = encoders.load(str(tmp_path / "made"), device="cpu")
    assert (loaded.name, loaded.languages) == ("made", ("en", "zh"))
    state = load_file(tmp_path / "made" / "open_clip_model.safetensors")
    assert {each.dtype for each in state.values() if each.is_floating_point()} == {torch.float16}
    towers.model.half().float()
    assert furthest(loaded.embed_texts(texts), towers.encoder.embed_texts(texts)) < 1e-6
    assert furthest(loaded.embed_images(pictures(2)), towers.encoder.embed_images(pictures(2))) < (
        1e-6
    )
    again = open_towers(str(tmp_path / "made"), device="cpu")
    assert again.tokens("一只猫") == towers.tokens("一只猫")


def test_saving_over_the_folder_one_started_from_replaces_all_of_it(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    text = {**MODEL["text_cfg"], "vocab_size": 516}
    write_folder(folder, model_cfg={**MODEL, "text_cfg": text}, imgsearch={"bpe": "mine.gz"})
    (folder / "mine.gz").write_bytes(gzip.compress(b"#version: 0.2\na t</w>\nc at</w>", mtime=0))
    (folder / "MODEL_CARD.md").write_text("of the old one", "utf-8")
    towers = open_towers(str(folder), device="cpu")
    for name in ("first", "second"):
        towers.save(folder, name)
        assert encoders.load(str(folder), device="cpu").name == name
        assert sorted(file.name for file in folder.iterdir()) == [
            "mine.gz",
            "open_clip_config.json",
            "open_clip_model.safetensors",
        ]
    assert [file.name for file in tmp_path.iterdir()] == ["made"]
    assert towers.tokens("cat") == (514, 513, 515)


def test_a_folder_that_is_no_encoders_is_never_replaced(tmp_path: Path) -> None:
    towers = towers_of("vit")
    (tmp_path / "photos").mkdir()
    towers.save(tmp_path / "photos", "x")  # empty: nothing is lost
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "one.txt").write_text("dear", "utf-8")
    (tmp_path / "file").write_text("dear", "utf-8")
    for name in ("letters", "file"):
        with pytest.raises(UsageError, match=f"{name} is there and is no encoder's folder"):
            towers.save(tmp_path / name, "x")
    assert (tmp_path / "letters" / "one.txt").read_text("utf-8") == "dear"
