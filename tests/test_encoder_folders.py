"""Folders in open_clip's layout: what ours may say beside it, and what is said of one that is no
good."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import torch

import imgsearch.encoders as encoders
from imgsearch.errors import UsageError
from small_encoders import MODEL, write_folder


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
    tokens, lengths = encoder.tokenizer(["cat", "金鱼", "金 鱼"])
    assert tokens[0, :3].tolist() == [514, 513, 515]  # start, cat, end
    assert lengths == [3, 8, 8]  # two characters of three bytes, spaced or not
    assert torch.equal(tokens[1], tokens[2])
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
        (gzip.compress(b"\xff\xfe"), "is no byte-pair file"),
        (gzip.compress(b"x")[:-9], "is no byte-pair file"),
        (gzip.compress(b"#version: 0.2\na t</w>"), "515 tokens, its model 514"),
    ],
)
def test_merges_that_do_not_fit_are_named(content: bytes, message: str, tmp_path: Path) -> None:
    model = {**MODEL, "text_cfg": {**MODEL["text_cfg"], "vocab_size": 514}}
    folder = write_folder(tmp_path / "x", model_cfg=model, imgsearch={"bpe": "bpe.gz"})
    (folder / "bpe.gz").write_bytes(content)
    encoder = encoders.load(str(folder), device="cpu")
    with pytest.raises(UsageError, match=message):
        encoder.embed_texts(["a cat"])
