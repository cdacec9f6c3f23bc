"""Captioners of others: told by their content, with all that is stored and that no tensor tells."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from imgsearch import captioning
from imgsearch.captioning import Decoding
from imgsearch.captioning.published import TYPICAL_LENGTH
from imgsearch.errors import DownloadError, NoEncoderError, UsageError
from small_captioners import CHINESE, ENGLISH, publish, published, rows, state_of
from small_encoders import golden

KINDS = dict(zip((*ENGLISH, *CHINESE), ("mlp", "transformer", "mlp", "bert"), strict=True))


@pytest.mark.parametrize("name", KINDS)
def test_a_captioner_is_told_by_its_tensors_whatever_its_name(name: str, tmp_path: Path) -> None:
    path = publish(name, tmp_path, file="mlp_finetune.jpg")
    captioner = captioning.load(str(path), device="cpu")
    assert captioner.model.mapper_config.kind == KINDS[name]
    assert captioner.languages == (("zh",) if "chinese" in name else ("en",))
    assert (captioner.name, captioner.source) == ("mlp_finetune", str(path))
    weights = golden(name)[0]
    table = captioner.model.language_model.transformer.wte.weight
    family = "gpt2" if "chinese" in name else "gpt"
    assert torch.equal(table, weights[f"{family}.transformer.wte.weight"])


def test_a_single_linear_map_is_a_mapper_too(tmp_path: Path) -> None:
    path = publish(ENGLISH[0], tmp_path)
    torch.manual_seed(4)
    layer = torch.nn.Linear(24, 3 * 32)
    state = {key: each for key, each in state_of(ENGLISH[0]).items() if key.startswith("gpt.")}
    state |= {f"clip_project.{key}": each for key, each in layer.state_dict().items()}
    torch.save(state, path)
    captioner = captioning.load(str(path), device="cpu")
    vectors = rows(2, 24)
    expected = layer(torch.from_numpy(vectors)).view(2, 3, 32)
    assert torch.allclose(captioner.prefix(vectors), expected, atol=1e-6)


def test_a_head_of_its_own_is_kept_and_saved(tmp_path: Path) -> None:
    path = publish(ENGLISH[0], tmp_path)
    state = state_of(ENGLISH[0])
    state["gpt.lm_head.weight"] = torch.randn(97, 32)
    torch.save(state, path)
    captioner = captioning.load(str(path), device="cpu")
    head = captioner.model.language_model.lm_head.weight
    assert torch.equal(head, state["gpt.lm_head.weight"])
    assert torch.equal(
        captioner.model.language_model.transformer.wte.weight, state["gpt.transformer.wte.weight"]
    )
    captioning.folder.save_captioner(captioner, tmp_path / "saved")
    again = captioning.load(str(tmp_path / "saved"), device="cpu")
    assert torch.equal(again.model.language_model.lm_head.weight, head)
    asked = Decoding(longest=10)
    assert again.caption(rows(5, 24), "en", asked) == captioner.caption(rows(5, 24), "en", asked)


def test_english_ends_at_a_full_stop_and_chinese_at_sep(tmp_path: Path) -> None:
    english = published(ENGLISH[0], tmp_path).speech
    assert english == captioning.captioner.Speech({"en": ()}, (13, 96))
    chinese = published(CHINESE[0], tmp_path).speech
    assert (chinese.openings, chinese.stop, chinese.longest) == ({"zh": ()}, (102,), 100)
    assert sorted(chinese.barred) == [0, 100, 101, 103]


def test_chinese_captions_have_no_special_token_and_no_space(tmp_path: Path) -> None:
    captioner = published(CHINESE[1], tmp_path)
    for method in ("beam", "greedy", "sample"):
        decoding = Decoding(method, longest=12)  # type: ignore[arg-type]
        for caption in captioner.caption(rows(8, 24), "zh", decoding):
            assert not set(caption.text) & set("[] #")


def wide(mapper: str, dim: int, length: int, prefix: str = "gpt.") -> dict[str, torch.Tensor]:
    """The tensors of a published shape with a narrow language model: 32 wide, 97 tokens."""
    from imgsearch.captioning.mappers import MapperConfig, make_mapper

    made = make_mapper(MapperConfig(mapper, dim, length, 32, length, layers=1))  # type: ignore[arg-type]
    state = {key: each for key, each in state_of(ENGLISH[0]).items() if key.startswith("gpt.")}
    return state | {f"clip_project.{key}": each for key, each in made.state_dict().items()}


@pytest.mark.parametrize(
    ("mapper", "dim", "length", "encoder", "norm"),
    [
        ("mlp", 512, 10, "open_clip/ViT-B-32/openai", TYPICAL_LENGTH),
        ("transformer", 640, 40, "open_clip/RN50x4/openai", 1.0),
    ],
)
def test_the_published_captioners_know_their_encoder_and_its_lengths(
    mapper: str, dim: int, length: int, encoder: str, norm: float, tmp_path: Path
) -> None:
    path = publish(ENGLISH[0], tmp_path, trained_on={})
    torch.save(wide(mapper, dim, length), path)
    captioner = captioning.load(str(path), device="cpu")
    trained_on = captioner.trained_on
    assert (trained_on.encoders[0], trained_on.dim, trained_on.norm) == (encoder, dim, norm)
    vectors = rows(2, dim)
    with torch.no_grad():
        expected = captioner.model.mapper(torch.from_numpy(vectors * np.float32(norm)))
    assert torch.allclose(captioner.prefix(vectors), expected, atol=1e-5)
    captioner.check(encoder, "sha256", dim)
    with pytest.raises(NoEncoderError, match=f"reads embeddings of {encoder}") as refused:
        captioner.check("open_clip/ViT-B-32/laion2b_s34b_b79k", "sha256", dim)
    assert f"imgsearch index --encoder {encoder}" in str(refused.value)


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"language_model": {}}, r"how many heads its language model of width 32 has; say it in"),
        ({"language_model": {"n_head": 5}}, "language_model of width 32 cannot have 5 heads"),
        ({"trained_on": {"norm": 1.0}}, "no encoder is known whose embeddings of 24 numbers"),
        ({"trained_on": {"encoders": ["x"]}}, "whether embeddings were normalised in training"),
        (
            {"trained_on": {"encoders": ["x"], "norm": 1.0, "length": 1}},
            "trained_on has no length; it has encoders, identity",
        ),
        ({"mapper": {"kind": "foo"}}, "a mapper of kind 'foo' is unknown; it is mlp, linear"),
        ({"tokens": {}}, "does not tell how to read weights.pt"),
        ({"mapper": {"layers": 3}}, "does not fit its architecture"),
    ],
)
def test_what_no_tensor_tells_is_asked_for(
    parts: dict[str, Any], said: str, tmp_path: Path
) -> None:
    name = ENGLISH[1] if "layers" in parts.get("mapper", ()) else ENGLISH[0]
    with pytest.raises(UsageError, match=said):
        published(name, tmp_path, **parts)


def test_settings_win_over_what_is_inferred_and_are_part_of_the_identity(tmp_path: Path) -> None:
    path = publish(ENGLISH[0], tmp_path)
    plain = captioning.load(str(path), device="cpu")
    assert captioning.load(str(path), device="cpu").identity == plain.identity
    settings = json.loads(path.with_suffix(".json").read_text("utf-8"))
    settings["speech"] = {"openings": {"en": [5]}, "stop": [7], "longest": 9}
    path.with_suffix(".json").write_text(json.dumps(settings), "utf-8")
    other = captioning.load(str(path), device="cpu")
    assert (other.speech.openings, other.speech.stop, other.speech.longest) == (
        {"en": (5,)},
        (7,),
        9,
    )
    assert other.identity != plain.identity
    settings["trained_on"]["norm"] = 3.0
    path.with_suffix(".json").write_text(json.dumps(settings), "utf-8")
    assert captioning.load(str(path), device="cpu").identity not in (other.identity, plain.identity)


def test_a_mapper_alone_says_what_is_missing(tmp_path: Path) -> None:
    for prefix in ("clip_project.", ""):
        state = {
            prefix + key.removeprefix("clip_project."): each
            for key, each in state_of(ENGLISH[1]).items()
            if key.startswith("clip_project.")
        }
        torch.save(state, tmp_path / "mapper.pt")
        with pytest.raises(UsageError, match=r"mapper of a captioner alone.*train-captioner"):
            captioning.load(str(tmp_path / "mapper.pt"), device="cpu")


def test_half_a_captioner_and_another_model_are_told_apart(tmp_path: Path) -> None:
    path = publish(ENGLISH[0], tmp_path)
    state = {key: each for key, each in state_of(ENGLISH[0]).items() if "wpe" not in key}
    torch.save(state, path)
    with pytest.raises(UsageError, match=r"half a captioner: it has no .*wpe"):
        captioning.load(str(path), device="cpu")
    torch.save(golden("openai_clip_tiny")[0], path)
    with pytest.raises(UsageError, match="is no captioner imgsearch knows"):
        captioning.load(str(path), device="cpu")
    with pytest.raises(UsageError, match="name its weights file"):
        captioning.load(str(tmp_path), device="cpu")


def test_words_are_where_they_are_named_then_beside_then_everybodys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = publish(ENGLISH[0], tmp_path)
    (tmp_path / "words").mkdir()
    (tmp_path / "tokenizer.json").rename(tmp_path / "words" / "tokenizer.json")
    for words in (tmp_path / "words", tmp_path / "words" / "tokenizer.json"):
        assert captioning.load(str(path), device="cpu", tokenizer=words).tokenizer.size == 97
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    with pytest.raises(DownloadError, match=r"tokenizer\.json of openai-community/gpt2") as failed:
        captioning.load(str(path), device="cpu")
    assert f"caption --captioner {path} --tokenizer" in str(failed.value)
    chinese = publish(CHINESE[0], tmp_path)
    (tmp_path / "vocab.txt").unlink()
    with pytest.raises(UsageError, match=r"vocab\.txt has 21,128 words and .* a table of 120"):
        captioning.load(str(chinese), device="cpu")


def test_words_that_do_not_fit_the_table_are_refused(tmp_path: Path) -> None:
    path = publish(ENGLISH[0], tmp_path)
    state = state_of(ENGLISH[0])
    for key in ("gpt.transformer.wte.weight", "gpt.lm_head.weight"):
        state[key] = state[key][:-1]
    torch.save(state, path)
    with pytest.raises(UsageError, match=r"has 97 words and .*weights\.pt a table of 96"):
        captioning.load(str(path), device="cpu")
