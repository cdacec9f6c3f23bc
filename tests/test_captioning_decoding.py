"""Decoding: a batch says what its photos say one by one, and what is forbidden never comes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from imgsearch.captioning import Decoding
from imgsearch.captioning.captioner import Captioner, Speech
from imgsearch.captioning.decoding import NEVER, Decoded, Ends, ban_repeats, beam_search, decode
from imgsearch.errors import UsageError
from small_captioners import bilingual, rows

METHODS = {
    "beam": Decoding(),
    "beam, repeating": Decoding(no_repeat=0),
    "beam, 2": Decoding(beams=2, no_repeat=2),
    "greedy": Decoding("greedy"),
    "greedy, no word twice": Decoding("greedy", no_repeat=1),
    "sample": Decoding("sample", seed=4),
    "sample, filtered": Decoding("sample", top_k=6, top_p=0.9, temperature=1.5),
}


@pytest.fixture
def captioner(tmp_path: Path) -> Captioner:
    return bilingual(tmp_path)


@pytest.mark.parametrize("name", METHODS)
def test_a_batch_gives_what_its_photos_give_one_by_one(name: str, captioner: Captioner) -> None:
    vectors, decoding = rows(40), METHODS[name]
    together = captioner.caption(vectors, "en", decoding)
    alone = [captioner.caption(row[None], "en", decoding)[0] for row in vectors]
    assert [each.text for each in together] == [each.text for each in alone]
    assert np.allclose(
        [each.log_probability for each in together],
        [each.log_probability for each in alone],
        atol=1e-5,
    )
    assert len({len(each.text.split()) for each in together}) > 2  # they end at different times


@pytest.mark.parametrize("name", METHODS)
def test_what_is_barred_or_repeated_never_comes(name: str, captioner: Captioner) -> None:
    decoding = replace(METHODS[name], longest=14)
    speech = captioner.speech
    ends = Ends(speech.openings["zh"], speech.stop, speech.barred)
    generators = [torch.Generator().manual_seed(each) for each in range(40)]
    found = decode(captioner.model, torch.from_numpy(rows(40)), ends, decoding, generators)
    for each in found:
        assert not set(each.tokens) & set(speech.barred)
        assert not set(each.tokens[:-1]) & set(speech.stop)
        n = decoding.no_repeat
        spans = [each.tokens[place : place + n] for place in range(len(each.tokens) - n + 1)]
        assert not n or len(spans) == len(set(spans))


@pytest.mark.parametrize("length", [0, 1, 2, 3, 4])
def test_banned_repeats_are_those_that_a_search_by_hand_finds(length: int) -> None:
    torch.manual_seed(2)
    for t in range(12):
        so_far = torch.randint(0, 3, (30, t))
        logits = torch.zeros(30, 3)
        ban_repeats(logits, so_far, length)
        for row, tokens in zip(logits.tolist(), so_far.tolist(), strict=True):
            for token, logit in enumerate(row):
                said = [*tokens, token]
                spans = [tuple(said[place : place + length]) for place in range(t - length + 2)]
                is_again = length > 0 and spans and spans[-1] in spans[:-1]
                assert logit == (NEVER if is_again else 0.0)


def test_a_sentence_scores_the_mean_log_probability_of_its_tokens(captioner: Captioner) -> None:
    speech, model = captioner.speech, captioner.model
    opening = speech.openings["en"]
    vectors = torch.from_numpy(rows(6))
    asked = Decoding(no_repeat=0, longest=12)
    for row, beams in zip(
        vectors, beam_search(model, vectors, Ends(opening, speech.stop), asked), strict=True
    ):
        assert len({each.tokens for each in beams}) == 5
        for each in beams:
            tokens = torch.tensor([[*opening, *each.tokens]])
            with torch.no_grad():
                logits = model.logits(row[None], tokens)[0, 2:-1].log_softmax(-1)
            scores = logits.gather(1, torch.tensor(each.tokens)[:, None])
            assert each.log_probability == pytest.approx(scores.mean().item(), abs=1e-5)


def test_more_beams_than_words_are_as_many_as_words(captioner: Captioner) -> None:
    ends = Ends((), captioner.speech.stop, captioner.speech.barred)
    asked = Decoding(beams=500, longest=3)
    (found,) = beam_search(captioner.model, torch.from_numpy(rows(1)), ends, asked)
    assert len(found) == captioner.tokenizer.size - len(captioner.speech.barred)


@pytest.mark.parametrize("name", METHODS)
def test_a_caption_that_ends_at_once_is_empty(name: str, captioner: Captioner) -> None:
    """The references crash, or give the sentence to another photo."""
    everything = tuple(set(range(captioner.tokenizer.size)) - set(captioner.speech.barred))
    captioner.speech = replace(captioner.speech, stop=everything)
    for caption in captioner.caption(rows(3), "en", METHODS[name]):
        assert (caption.text, caption.log_probability) == ("", 0.0)


def test_a_caption_without_a_full_stop_ends_at_the_longest(captioner: Captioner) -> None:
    captioner.speech = replace(captioner.speech, stop=())
    found = captioner.caption(rows(3), "en", Decoding(longest=9, no_repeat=0))
    assert all(each.text for each in found)


def test_the_same_photo_and_seed_draw_the_same_sentence(captioner: Captioner) -> None:
    vectors = rows(12)

    def drawn(seed: int, order: int = 1) -> list[str]:
        asked = Decoding("sample", seed=seed)
        return [each.text for each in captioner.caption(vectors[::order].copy(), "en", asked)]

    assert drawn(1, order=-1) == drawn(1)[::-1]
    assert drawn(2) != drawn(1)


def test_no_photo_no_caption(captioner: Captioner) -> None:
    assert captioner.caption(rows(0), "en") == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"method": "best"}, "decoding 'best' is unknown"),
        ({"beams": 0}, "beams is 0; it must be at least 1"),
        ({"top_p": 0.0}, "top_p is 0.0; it must be above 0"),
        ({"top_p": float("nan")}, "top_p is nan"),
        ({"temperature": 0.0}, "temperature is 0.0"),
        ({"temperature": float("inf")}, "temperature is inf; it must be above 0 and finite"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"seed": 2**63}, "seed is 9223372036854775808; it must be a number of 64 bits"),
        ({"seed": -(2**63) - 1}, "seed is -9223372036854775809"),
        ({"longest": 0}, "longest is 0"),
        ({"no_repeat": -1}, "no_repeat is -1"),
    ],
)
def test_impossible_decodings_are_refused(changed: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Decoding(**changed)  # type: ignore[arg-type]


def test_more_tokens_than_there_is_room_for_are_refused(captioner: Captioner) -> None:
    with pytest.raises(UsageError, match="room for 37 tokens, not 38"):
        captioner.caption(rows(1), "en", Decoding(longest=38))
    assert captioner.caption(rows(1), "en", Decoding(longest=37))


def test_what_ended_stays_as_it_is(captioner: Captioner) -> None:
    speech = Speech({"en": ()}, captioner.speech.stop, captioner.speech.barred, longest=12)
    ends = Ends((), speech.stop, speech.barred)
    for beams in beam_search(
        captioner.model, torch.from_numpy(rows(20)), ends, Decoding(longest=12)
    ):
        assert beams == sorted(beams, key=lambda each: -each.log_probability)
        assert all(isinstance(each, Decoded) and 0 < len(each.tokens) <= 12 for each in beams)
