"""Towers that have learnt nothing: architectures by name and by description, and their
vocabulary."""

import gzip
import json
from pathlib import Path

import pytest
import torch

from imgsearch.errors import NoEncoderError, UsageError
from imgsearch.training.towers import fresh_towers
from imgsearch.training.vocabulary import Vocabulary
from small_encoders import CHINESE, MODEL, TEXTS
from small_towers import RATES, SHORT_TEXT, TIMM, loss_of


def test_the_classifier_of_a_timm_trunk_is_its_head_where_there_is_no_other(
    tmp_path: Path,
) -> None:
    vision = {**TIMM, "timm_proj": None}
    model = {**MODEL, "vision_cfg": vision, "text_cfg": SHORT_TEXT, "custom_text": True}
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"model_cfg": model}), "utf-8")
    towers = fresh_towers(path, texts=TEXTS, folder=tmp_path, device="cpu")
    assert towers.part_of("visual.trunk.fc.weight") == "heads"
    assert towers.part_of("visual.trunk.conv1.0.weight") == "image"


def test_the_small_architecture_reads_its_own_vocabulary_and_size(tmp_path: Path) -> None:
    texts = ["a red cat", "a blue cat", "一只红色的猫"] * 4
    torch.manual_seed(0)
    towers = fresh_towers("small-32", texts=texts, folder=tmp_path, device="cpu")
    assert (towers.image_size, towers.languages, towers.base) == (32, ("en", "zh"), None)
    assert towers.is_fresh
    vocabulary = Vocabulary(tmp_path / "bpe.txt.gz")
    assert towers.tokens("一只猫") == tuple(vocabulary.tokenize("一只猫"))
    assert towers.model.text.vocab_size == vocabulary.size < 600  # type: ignore[union-attr]
    torch.manual_seed(0)
    again = fresh_towers("small-32", texts=texts, folder=tmp_path, device="cpu")
    for one, other in zip(towers.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(one, other)
    english = fresh_towers("small-32", texts=texts[:2], folder=tmp_path / "en", device="cpu")
    assert english.languages == ("en",)


def test_fresh_towers_that_are_to_have_a_bias_start_as_siglip_does(tmp_path: Path) -> None:
    towers = fresh_towers("small-32", texts=TEXTS, folder=tmp_path, device="cpu")
    towers.use_bias()
    assert towers.logit_scale.exp().item() == pytest.approx(10)


def test_a_description_of_ones_own_becomes_towers_that_learn(tmp_path: Path) -> None:
    """The shape of OpenAI-CLIP as benchmarks/openai_clip.json describes it, scaled down."""
    path = Path(__file__).parent.parent / "benchmarks" / "openai_clip.json"
    description = json.loads(path.read_text("utf-8"))
    model = description["model_cfg"]
    assert model["vision_cfg"]["timm_model_name"] == "resnet50"
    model["vision_cfg"].update(timm_model_name="resnet10t", image_size=32)
    model["text_cfg"].update(width=48, heads=4, layers=1)
    small = tmp_path / "openai_clip.json"
    small.write_text(json.dumps(description), "utf-8")
    towers = fresh_towers(small, texts=TEXTS * 3, folder=tmp_path / "run", device="cpu")
    assert (towers.fit, towers.encoder.context, towers.encoder.dim) == ("squash", 200, 256)
    heads = {name for name, _ in towers.model.named_parameters() if towers.part_of(name) == "heads"}
    assert {"visual.head.mlp.fc1.weight", "visual.head.mlp.fc2.weight"} < heads
    assert "text.text_projection.weight" in heads
    towers.train()
    optimiser = torch.optim.AdamW(towers.groups(RATES, 0.0, head_decay=1e-3))
    before = loss_of(towers)
    before.backward()
    optimiser.step()
    assert loss_of(towers).item() < before.item()


def test_merges_beside_a_description_are_used_as_they_are(tmp_path: Path) -> None:
    text = {**SHORT_TEXT, "vocab_size": 516}
    ours = {"bpe": "mine.gz", "languages": ["en", "zh"]}
    description = {"model_cfg": {**MODEL, "text_cfg": text}, "imgsearch": ours}
    (tmp_path / "x.json").write_text(json.dumps(description), "utf-8")
    (tmp_path / "mine.gz").write_bytes(gzip.compress(b"#version: 0.2\na t</w>\nc at</w>"))
    towers = fresh_towers(tmp_path / "x.json", texts=TEXTS, folder=tmp_path / "run", device="cpu")
    assert towers.tokens("cat") == (514, 513, 515)
    assert towers.languages == ("en", "zh")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ViT-B-33", r"no architecture is called 'ViT-B-33'; did you mean ViT-B-32"),
        ("smal", "did you mean small"),
        ("cn_clip/ViT-B-33", "cn_clip has no architecture 'ViT-B-33'"),
    ],
)
def test_an_architecture_nobody_has_is_named_with_its_neighbours(
    name: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(NoEncoderError, match=message):
        fresh_towers(name, texts=TEXTS, folder=tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read as the description"),
        ("{", "cannot be read as the description"),
        ("[]", "is no open_clip configuration"),
        ('{"model_cfg": {"embed_dim": 8}}', "is no open_clip configuration.*text_cfg"),
        ('{"model_cfg": {"embed_dim": 8, "text_cfg": {}}}', "cannot build"),
        (
            '{"model_cfg": {"text_cfg": {"vocab_size": 9}}, "imgsearch": {"bpe": "x"}}',
            "at least 514",
        ),
    ],
)
def test_a_description_that_cannot_be_used_says_why(
    content: str | None, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.json"
    if content is not None:
        path.write_text(content, "utf-8")
    with pytest.raises(UsageError, match=message):
        fresh_towers(path, texts=TEXTS, folder=tmp_path / "run")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "size"), [("RN50", 224), ("cn_clip/RN50", 224)])
def test_a_published_architecture_starts_from_nothing(name: str, size: int, tmp_path: Path) -> None:
    towers = fresh_towers(name, texts=CHINESE, folder=tmp_path, device="cpu")
    assert (towers.image_size, towers.languages, towers.is_fresh) == (size, ("zh",), True)
