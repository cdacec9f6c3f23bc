"""Captioners against the numbers of ClipCap and ClipCap-Chinese, loaded as a user loads them."""

from pathlib import Path

import pytest
import torch

from imgsearch.captioning.captioner import Captioner
from imgsearch.captioning.decoding import Decoding, Ends, beam_search, decode, filtered
from imgsearch.captioning.mappers import MapperConfig, make_mapper
from imgsearch.captioning.model import IGNORED
from small_captioners import CHINESE, ENGLISH, cases, published
from small_encoders import furthest, golden


@pytest.fixture(params=ENGLISH)
def english(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Captioner]:
    return request.param, published(request.param, tmp_path)


@pytest.fixture(params=CHINESE)
def chinese(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Captioner]:
    return request.param, published(request.param, tmp_path)


@pytest.mark.parametrize("kind", ["mlp", "transformer"])
def test_mappers_agree_with_the_reference(kind: str) -> None:
    weights, expected = golden(f"clipcap_{kind}")
    mapper = make_mapper(MapperConfig(kind, 24, 4, 32, 4, layers=2))  # type: ignore[arg-type]
    mapper.load_state_dict(weights)
    with torch.no_grad():
        assert furthest(mapper(expected["input"]), expected["output"]) < 2e-6


def test_logits_loss_and_gradients_agree_with_clipcap(english: tuple[str, Captioner]) -> None:
    name, captioner = english
    expected = golden(name)[1]
    prefix = expected["prefix"].clone().requires_grad_()
    tokens = expected["tokens"]
    model = captioner.model
    is_real = expected["mask"].bool()
    assert furthest(model.logits(prefix, tokens).detach()[is_real], expected["logits"][is_real]) < (
        5e-5
    )
    loss = model.loss(prefix, tokens, tokens.masked_fill(tokens == 0, IGNORED))
    assert abs(loss.item() - expected["loss"].item()) < 1e-5
    loss.backward()
    torch.testing.assert_close(prefix.grad, expected["grad_prefix"], rtol=1e-4, atol=1e-5)
    for parameter, tensor in model.mapper.named_parameters():
        torch.testing.assert_close(tensor.grad, expected[f"grad.{parameter}"], rtol=1e-4, atol=1e-5)


def test_greedy_and_all_beams_agree_with_clipcap(english: tuple[str, Captioner]) -> None:
    name, captioner = english
    file = cases("clipcap_decode")
    prefixes = golden(name)[1]["decode_prefixes"]
    for case in file["models"][name.removeprefix("clipcap_model_")]["cases"]:
        row = prefixes[case["prefix_row"]][None]
        ends = Ends((), (case["stop_token"],))
        asked = Decoding(
            "greedy", beams=file["beam_size"], longest=case["entry_length"], no_repeat=0
        )
        greedy = decode(captioner.model, row, ends, asked)[0]
        # Where the first token is the stop, the reference crashes.
        assert list(greedy.tokens) == (case["greedy"] or [case["stop_token"]])
        beams = beam_search(captioner.model, row, ends, asked)[0]
        assert [list(each.tokens) for each in beams] == [each["tokens"] for each in case["beam"]]
        assert furthest(
            [each.log_probability for each in beams], [each["score"] for each in case["beam"]]
        ) < (1e-4)


def test_prefixes_logits_and_loss_agree_with_clipcap_chinese(
    chinese: tuple[str, Captioner],
) -> None:
    name, captioner = chinese
    expected = golden(name)[1]
    embeds, ids = expected["clip_embeds"], expected["caption_ids"]
    is_real = expected["mask"].bool()
    model = captioner.model
    with torch.no_grad():
        assert furthest(model.prefix(embeds), expected["prefix_embeds"]) < 1e-5
        logits = model.logits(embeds, ids)
        assert furthest(logits[is_real], expected["logits"][is_real]) < 5e-5
        ignored = model.loss(embeds, ids, ids.masked_fill(ids == 0, IGNORED))
    assert abs(ignored.item() - expected["loss_pad_ignored"].item()) < 1e-5


def test_samples_agree_with_clipcap_chinese_given_its_random_numbers(
    chinese: tuple[str, Captioner],
) -> None:
    name, captioner = chinese
    embeds = golden(name)[1]["sample_clip_embeds"]
    for case in cases("clipcap_chinese_sampling")["models"][name.removeprefix("clipcap_chinese_")][
        "cases"
    ]:
        asked = Decoding(
            "sample",
            top_k=case["topk"],
            top_p=case["topp"] or 1.0,
            temperature=case["temperature"],
            longest=case["max_len"] + 1,
            no_repeat=0,
        )
        generator = torch.Generator().manual_seed(case["torch_manual_seed"])
        found = decode(
            captioner.model, embeds[case["rows"]], Ends((), (102,), (100,)), asked, [generator]
        )
        assert [[token for token in each.tokens if token != 102] for each in found] == case["ids"]


def test_the_filter_keeps_ties_and_minus_infinity_as_clipcap_chinese_does() -> None:
    tensors = golden("clipcap_chinese_filter")[1]
    for name, case in cases("clipcap_chinese_filter").items():
        found = filtered(tensors[f"{name}.in"].clone(), case["topk"], case["topp"] or 1.0)
        assert torch.equal(found, tensors[f"{name}.out"]), name
