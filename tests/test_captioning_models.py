"""Our GPT-2 and BERT against those of transformers, with random weights."""

import pytest
import torch
from transformers import BertConfig, BertModel, GPT2Config, GPT2LMHeadModel

from imgsearch.captioning.gpt2 import Cache, Gpt2, Gpt2Config
from imgsearch.captioning.mappers import BertMapper, MapperConfig
from imgsearch.captioning.model import IGNORED, ClipCap
from small_encoders import furthest


def pair(is_tied: bool) -> tuple[Gpt2, GPT2LMHeadModel]:
    torch.manual_seed(7)
    theirs = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=61,
            n_positions=32,
            n_embd=24,
            n_layer=3,
            n_head=3,
            tie_word_embeddings=is_tied,
        )
    ).eval()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.2)
    config = Gpt2Config(
        vocab_size=61, n_positions=32, n_embd=24, n_layer=3, n_head=3, tie_word_embeddings=is_tied
    )
    ours = Gpt2(config).eval()
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


@pytest.mark.parametrize("is_tied", [True, False], ids=["tied", "untied"])
@torch.no_grad()
def test_gpt2_agrees_with_transformers_with_and_without_a_cache(is_tied: bool) -> None:
    ours, theirs = pair(is_tied)
    tokens = torch.randint(0, 61, (4, 11))
    expected = theirs(input_ids=tokens).logits
    embedded = ours.embed(tokens)
    assert furthest(ours.logits(ours.hidden(embedded)), expected) < 1e-5
    cache = Cache(ours.config, 11)
    steps = [ours.hidden(embedded[:, :5], cache)]
    steps += [ours.hidden(embedded[:, place : place + 1], cache) for place in range(5, 11)]
    assert furthest(ours.logits(torch.cat(steps, dim=1)), expected) < 1e-5


@pytest.mark.parametrize("taken", [[2, 2, 0], [0, 1, 1, 3, 2, 3], [1], [3, 2, 1, 0], [0, 1, 2, 3]])
@torch.no_grad()
def test_a_cache_keeps_the_rows_that_are_taken(taken: list[int]) -> None:
    ours, _ = pair(is_tied=True)
    tokens, more = torch.randint(0, 61, (4, 6)), torch.randint(0, 61, (len(taken), 3))
    cache = Cache(ours.config, 9)
    ours.hidden(ours.embed(tokens), cache)
    cache.take(torch.tensor(taken))
    for place in range(3):
        last = ours.hidden(ours.embed(more[:, place : place + 1]), cache)[:, -1]
    whole = ours.hidden(ours.embed(torch.cat([tokens[taken], more], dim=1)))[:, -1]
    assert furthest(last, whole) < 1e-5


@torch.no_grad()
def test_the_bert_mapper_agrees_with_transformers() -> None:
    torch.manual_seed(8)
    mapper = BertMapper(MapperConfig("bert", 12, 5, 16, 5, layers=2, heads=2, ratio=3)).eval()
    theirs = BertModel(
        BertConfig(
            vocab_size=9,
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=48,
        )
    ).eval()
    for parameter in theirs.parameters():
        parameter.add_(torch.randn_like(parameter), alpha=0.2)
    kept = {
        name: each
        for name, each in theirs.state_dict().items()
        if "pooler" not in name and "word_embeddings" not in name
    }
    mapper.bert.load_state_dict(kept)
    vectors = torch.randn(3, 12)
    constants = mapper.prefix_const.expand(3, -1, -1)
    embedded = torch.cat([mapper.linear(vectors).view(3, 5, 16), constants], dim=1)
    expected = theirs(inputs_embeds=embedded).last_hidden_state[:, 5:]
    assert furthest(mapper(vectors), expected) < 1e-5


def test_token_0_is_a_word_and_only_ignored_positions_cost_nothing() -> None:
    torch.manual_seed(9)
    model = ClipCap(
        MapperConfig("linear", 6, 2, 8),
        Gpt2Config(vocab_size=7, n_positions=12, n_embd=8, n_layer=1, n_head=2),
    ).eval()
    vectors, tokens = torch.randn(2, 6), torch.tensor([[3, 0, 5, 0], [0, 2, 1, 4]])
    logits = model.logits(vectors, tokens)[:, 1:-1].log_softmax(-1)
    each = -logits.gather(2, tokens[:, :, None])[:, :, 0]
    assert abs(model.loss(vectors, tokens, tokens).item() - each.mean().item()) < 1e-6
    targets = tokens.clone()
    targets[0, 2:] = IGNORED
    learnt = torch.cat([each[0, :2], each[1]]).mean().item()
    assert abs(model.loss(vectors, tokens, targets).item() - learnt) < 1e-6
    behind = tokens.clone()
    behind[0, 2:] = 6  # what stands behind the end changes nothing
    assert model.loss(vectors, behind, targets).item() == pytest.approx(learnt, abs=1e-6)
