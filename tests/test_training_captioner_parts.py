"""What a captioner learns from: finished sentences, their tokens, batches, rates, curves."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from imgsearch.captioning.tokenizers import BertVocabulary, write_vocabulary
from imgsearch.errors import UsageError
from imgsearch.evaluating import score_captions
from imgsearch.pairs import CaptionedPhotos
from imgsearch.training import logs
from imgsearch.training.captioner import CaptionerRecipe, LanguageModel, Mapper, curves
from imgsearch.training.captioner import events as told
from imgsearch.training.captioner.batches import Batches, chance_of
from imgsearch.training.captioner.events import Began, Evaluated, Finished, Stepped
from imgsearch.training.captioner.loop import mixed, turned
from imgsearch.training.captioner.sentences import (
    Sentences,
    ended,
    languages_of,
    speech_of,
    tokenized,
)

CAPTIONS = ["a dog runs", "A cat sleeps .", "a dog and a cat and a dog sleep!"]


@pytest.fixture
def vocabulary(tmp_path: Path) -> BertVocabulary:
    file = tmp_path / "vocab.txt"
    write_vocabulary(["a dog runs.", "A cat sleeps."] * 4, ["[EN]", "[ZH]"], file)
    return BertVocabulary(file)


def sentences(vocabulary: BertVocabulary, captions: list[str], room: int = 50) -> Sentences:
    pairs = CaptionedPhotos(
        tuple(bytes([n]) for n in range(len(captions))), tuple({"en": (each,)} for each in captions)
    )
    return tokenized(pairs, ("en",), vocabulary, speech_of(vocabulary, ["en", "zh"]), room)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a dog runs", "a dog runs."),
        ("A dog .", "A dog."),
        ("  Stop!  ", "Stop!"),
        ("一只狗", "一只狗。"),
        ("一只狗。", "一只狗。"),
        ("he says 'go.'", "he says 'go.'"),
        ("a sign of 'go'", "a sign of 'go'."),
        ("wait …", "wait…"),
    ],
)
def test_every_caption_gets_its_full_stop(given: str, expected: str) -> None:
    assert ended(given) == expected


def test_a_caption_is_opened_in_its_language_and_closed(vocabulary: BertVocabulary) -> None:
    found = sentences(vocabulary, CAPTIONS)
    written = [[vocabulary.tokens[token] for token in tokens] for tokens in found.tokens]
    assert written[0] == ["[EN]", "a", "dog", "runs", ".", "[SEP]"]
    assert written[1] == ["[EN]", "a", "cat", "sleeps", ".", "[SEP]"]
    assert written[2][-2:] == ["[UNK]", "[SEP]"]  # "!" is in no caption of the vocabulary
    assert found.photos.tolist() == [0, 1, 2] and found.counts == {"en": 3}
    speech = speech_of(vocabulary, ["en", "zh"])
    barred = {vocabulary.tokens[token] for token in speech.barred}
    assert {"[UNK]", "[PAD]", "[EN]", "[ZH]", "[CLS]"} <= barred and "[SEP]" not in barred


def test_a_caption_that_is_too_long_is_cut_and_not_closed(vocabulary: BertVocabulary) -> None:
    found = sentences(vocabulary, CAPTIONS, room=6)
    assert [len(tokens) for tokens in found.tokens] == [6, 6, 6]
    end = vocabulary.id_of("[SEP]")
    assert [tokens[-1] == end for tokens in found.tokens] == [True, True, False]
    with pytest.raises(UsageError, match="no caption has a word that the vocabulary knows"):
        sentences(vocabulary, ["xyzzy"])


def test_sentences_that_were_translated_are_learnt_only_when_they_are_named() -> None:
    captions = {"en": ("x",), "zh": ("y",), "zh_translated": ("z",)}
    pairs = CaptionedPhotos((b"",), (captions,))
    assert languages_of(pairs, ()) == ("en", "zh")
    assert languages_of(pairs, ("zh", "zh_translated")) == ("zh", "zh_translated")
    only = CaptionedPhotos((b"",), ({"zh_translated": ("z",)},))
    assert languages_of(only, ()) == ("zh_translated",)
    with pytest.raises(UsageError, match="'fr', only in en, zh, zh_translated"):
        languages_of(pairs, ("fr",))


def test_nothing_is_learnt_of_openings_padding_and_unknown_words(
    vocabulary: BertVocabulary,
) -> None:
    found = sentences(vocabulary, CAPTIONS)
    batch = Batches(found, 3, 0).at(0)
    assert batch.tokens.shape == batch.targets.shape == (3, int(found.lengths.max()))
    for row, photo in enumerate(batch.photos):
        said = found.tokens[photo]
        expected = [-100, *(-100 if token == found.unknown else token for token in said[1:])]
        expected += [-100] * (batch.targets.shape[1] - len(said))
        assert batch.targets[row].tolist() == expected
        assert batch.tokens[row, : len(said)].tolist() == list(said)


def test_an_epoch_sees_every_caption_once_in_batches_of_like_length(
    vocabulary: BertVocabulary,
) -> None:
    captions = ["a dog" + " runs" * (n % 7) for n in range(100)]
    found = sentences(vocabulary, captions)
    batches = Batches(found, 8, seed=5)
    assert batches.an_epoch == 13
    first = [batches.at(step) for step in range(13)]
    assert sorted(int(photo) for each in first for photo in each.photos) == list(range(100))
    spread = [np.ptp(found.lengths[each.photos]) for each in first]
    assert max(spread) <= 1
    second = [batches.at(step) for step in range(13, 26)]
    assert any(
        one.photos.tolist() != two.photos.tolist() for one, two in zip(first, second, strict=True)
    )
    again = Batches(found, 8, seed=5).at(20)  # whatever was computed before it
    assert again.photos.tolist() == second[7].photos.tolist()
    assert (batches.seen(0), batches.seen(13), batches.seen(14)) == (0, 100, 108)


def test_noise_and_mixing_turn_unit_rows_as_far_as_they_say() -> None:
    torch.manual_seed(0)
    rows = torch.nn.functional.normalize(torch.randn(2000, 64), dim=-1)
    moved = turned(rows, 0.5, chance_of(0, 1, "noise"))
    torch.testing.assert_close(moved.norm(dim=1), torch.ones(2000))
    # A direction at right angles of even length in [0, 1] leaves a cosine of asinh(1) on average.
    assert (moved * rows).sum(1).mean().item() == pytest.approx(np.arcsinh(1), abs=0.01)
    assert torch.equal(moved, turned(rows, 0.5, chance_of(0, 1, "noise")))
    assert turned(rows, 0, chance_of(0, 1, "noise")) is rows
    blended = mixed(rows, 0.5, chance_of(0, 1, "mix"))
    torch.testing.assert_close(blended.norm(dim=1), torch.ones(2000))
    likeness = (blended * rows).sum(1)
    assert likeness.min() > 0.6 and likeness.mean() == pytest.approx(0.93, abs=0.02)
    assert mixed(rows, 0, chance_of(0, 1, "mix")) is rows


def test_the_published_rates_are_for_weights_and_ours_for_none() -> None:
    bare = CaptionerRecipe()
    published = bare.resolved(has_weights=True, captions=400_000, precision="bf16")
    assert (published.batch_size, published.learning_rate, published.weight_decay) == (40, 2e-5, 0)
    assert (published.warmup, published.schedule) == (5000, "linear")
    assert (published.betas, published.epsilon) == ((0.9, 0.999), 1e-6)
    assert published.longest_gradient == 0
    steps = published.steps(400_000, 40)
    assert steps == 100_000
    assert published.rate_at(2499, steps) == pytest.approx(1e-5)
    assert published.rate_at(4999, steps) == pytest.approx(2e-5)
    assert published.rate_at(52_500, steps) == pytest.approx(1e-5)
    ours = bare.resolved(has_weights=False, captions=60_000, precision="fp32")
    assert (ours.batch_size, ours.learning_rate, ours.weight_decay) == (256, 1e-3, 0.05)
    assert (ours.warmup, ours.schedule, ours.precision) == (235, "cosine", "fp32")
    assert (ours.betas, ours.longest_gradient) == ((0.9, 0.98), 1)
    assert ours.rate_at(235 + (2350 - 235) // 2, 2350) == pytest.approx(5e-4, rel=1e-2)
    own = replace(bare, batch_size=8, learning_rate=1e-4, warmup=0, precision="fp32", epochs=0.5)
    own = replace(own, betas=(0.5, 0.5), longest_gradient=0.0)
    given = own.resolved(has_weights=False, captions=100, precision="bf16")
    assert (given.learning_rate, given.warmup, given.precision) == (1e-4, 0, "fp32")
    assert (given.betas, given.longest_gradient) == ((0.5, 0.5), 0)
    assert given.resolved(has_weights=True, captions=100, precision="bf16") == given
    assert given.steps(100, 8) == 6
    with pytest.raises(UsageError, match="precision 'fp16' is unknown"):
        replace(bare, precision="fp16")  # type: ignore[arg-type]


def test_a_mapper_has_heads_and_places_that_go_into_it() -> None:
    config = Mapper("bert", prefix_length=256, heads=4).config(512, 100)
    assert (config.embedding_dim, config.width, config.heads) == (512, 100, 4)
    assert Mapper("mlp", heads=8).config(512, 100).width == 100  # it has none
    with pytest.raises(UsageError, match="100 wide has no 8 heads of one size; choose --mapper-"):
        Mapper("transformer", heads=8).config(512, 100)
    with pytest.raises(UsageError, match="room for a prefix of 256 vectors, not 257"):
        Mapper("bert", prefix_length=257).config(512, 768)


def test_events_come_back_as_they_were_and_are_drawn(tmp_path: Path) -> None:
    scores = (score_captions(["a dog", "a cat"], [["a dog runs"], ["a cat sleeps"]], "en"),)
    evaluated = [Evaluated(step, 8 * step, {"en": 3.0 - step}, scores) for step in (1, 2)]
    began = Began("x", "toy", 10, 4, 30, 2, 2, {"en": 2}, 0, 0, 0)
    done = Finished("x", Path("captioners/x"), ("en",), 4, evaluated[1], scores, ("bad.png",))
    stepped = Stepped(1, 2, 8, 16, 3.2, 1e-3, 99.5)
    metrics = tmp_path / "metrics.jsonl"
    written = [began, stepped, *evaluated, done]
    for event in written:
        logs.append(metrics, event)
    assert told.read(metrics) == written
    figure = curves.figure_of(written)
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "Loss",
        "BLEU-4 of greedy captions",
        "CIDEr of greedy captions",
    ]
    drawn = {line.get_label(): line for line in figure.axes[0].get_lines()}
    assert list(drawn["validation, en"].get_ydata()) == [2.0, 1.0]
    curves.draw(metrics, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes()[1:4] == b"PNG"
    metrics.write_text('{"event": "stepped", "loss": 1}\n', "utf-8")
    with pytest.raises(UsageError, match="line 1 is no event of a captioner's run"):
        told.read(metrics)
    metrics.write_text("", "utf-8")
    with pytest.raises(UsageError, match="nothing to draw"):
        curves.draw(metrics, tmp_path / "curves.png")


def test_the_best_state_is_that_of_the_best_cider_and_of_equals_the_lower_loss() -> None:
    good = score_captions(["a dog", "a cat"], [["a dog"], ["a cat"]], "en")
    bad = score_captions(["a cat", "a dog"], [["a dog"], ["a cat"]], "en")
    first, second = Evaluated(1, 8, {"en": 2.0}, (good,)), Evaluated(2, 8, {"en": 1.0}, (bad,))
    assert first.quality > second.quality
    assert second.quality > replace(second, losses={"en": 1.5}).quality


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0])
def test_a_recipe_has_finite_numbers(value: float) -> None:
    for name in ("epochs", "learning_rate", "weight_decay", "noise", "mix", "smoothing"):
        with pytest.raises(UsageError, match=f"{name} is {value}; it must be a finite number, 0"):
            CaptionerRecipe(**{name: value})  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="dropout is"):
        LanguageModel(dropout=value)


def test_a_recipe_has_a_seed_of_64_bits_and_a_prefix_that_a_gpt2_can_read() -> None:
    assert CaptionerRecipe(seed=2**64 - 1).seed == 2**64 - 1
    with pytest.raises(UsageError, match="seed is 18446744073709551616; it must fit 64 bits"):
        CaptionerRecipe(seed=2**64)
    with pytest.raises(UsageError, match=r"prefix_length is 99999999; .* takes at most 1,024"):
        Mapper(prefix_length=99_999_999)


def test_what_is_no_number_is_written_as_null_wherever_it_stands(tmp_path: Path) -> None:
    row = score_captions(["a dog"], [["a dog"]], "en")
    rows = (replace(row, bleu=(1.0, math.nan, 0.5, -math.inf)),)
    event = Evaluated(1, 8, {"en": math.inf}, rows)

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    found = json.loads(logs.line(event), parse_constant=refuse)
    assert found["losses"] == {"en": None}
    assert found["scores"][0]["bleu"] == [1.0, None, 0.5, None]
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_text('{"event": "stepped", "step": 1, "loss": NaN}\n', "utf-8")
    torch.save({"step": 1}, tmp_path / "checkpoint.pt")
    logs.truncate(metrics, tmp_path / "checkpoint.pt")
    assert json.loads(metrics.read_text("utf-8"), parse_constant=refuse)["loss"] is None


def test_scores_of_nothing_are_drawn_as_nothing() -> None:
    row = score_captions(["a dog runs"], [["a cat sleeps"]], "en")
    noise = [replace(row, bleu=(0.0, 0.0, 0.0, step * 1e-9), cider=0.0) for step in (1, 2)]
    told = [Evaluated(step, 8 * step, {"en": 3.0}, (noise[step - 1],)) for step in (1, 2)]
    for axes in curves.figure_of(told).axes[1:]:
        bottom, top = axes.get_ylim()
        assert bottom == 0 and top >= 1
