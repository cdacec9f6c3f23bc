"""GPT-2: the language model of every captioner, with a cache for decoding.

Embeddings go in, since a captioner's prefix has no tokens; logits come out. The tensors have the
names and shapes of Hugging Face's `GPT2LMHeadModel`, so published weights load as they are; our own
hundred lines, because decoding spends its time here: the cache is a block of memory a layer that
grows in place, and one more that rows are moved into, where a general library pays for every case
it foresees.
(Radford et al. 2019; the layout is that of `transformers`.)
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

ROUND = 16  # numbers: 64 bytes


@dataclass(frozen=True)
class Gpt2Config:
    """The shape of a GPT-2, in the words of Hugging Face's `config.json`; the defaults are those of
    the smallest published one. Tied: the head is the token table.
    """

    vocab_size: int = 50257
    n_positions: int = 1024
    n_embd: int = 768
    n_layer: int = 12
    n_head: int = 12
    dropout: float = 0.1
    tie_word_embeddings: bool = True


class Projection(nn.Module):
    """A linear map whose weight is stored (in, out), as GPT-2's files have it."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_in, n_out).normal_(std=0.02))
        self.bias = nn.Parameter(torch.zeros(n_out))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight.t(), self.bias)


class Cache:
    """The keys and values of all positions so far, layer by layer; one row a sequence.

    `head` is the model's own, made once for all positions.
    """

    def __init__(self, config: Gpt2Config, longest: int, head: Tensor | None = None) -> None:
        self.longest = longest
        self.head = head
        self.length = 0
        self._layers: list[Tensor | None] = [None] * config.n_layer  # (b, t, 2, h, e) each
        self._spare: Tensor | None = None  # what a layer had before its rows were taken

    def extend(self, layer: int, newest: Tensor) -> tuple[Tensor, Tensor]:
        """Add the newest positions (b, t, 2, h, e); all keys and values of the layer come back,
        (b, h, t, e) each."""
        held = self._layers[layer]
        if held is None:
            b, _, *sizes = newest.shape
            held = self._layers[layer] = newest.new_empty(b, self.longest, *sizes)
        end = self.length + newest.shape[1]
        held[:, self.length : end] = newest
        keys, values = held[:, :end].permute(2, 0, 3, 1, 4)
        return keys, values

    def take(self, rows: Tensor) -> None:
        """Keep these rows, in this order; one may be taken more than once."""
        for layer, held in enumerate(self._layers):
            if held is None:
                continue
            taken = self._spare
            if taken is None or len(taken) < len(rows):
                taken = held.new_empty(len(rows), *held.shape[1:])
            taken = taken[: len(rows)]
            # From one block into another: to select and put back in place takes twice the time.
            torch.index_select(held[:, : self.length], 0, rows, out=taken[:, : self.length])
            self._layers[layer], self._spare = taken, held


class Attention(nn.Module):
    """Every position looks at itself and what is before it."""

    def __init__(self, config: Gpt2Config) -> None:
        super().__init__()
        self.heads = config.n_head
        self.dropout = config.dropout
        self.c_attn = Projection(config.n_embd, 3 * config.n_embd)
        self.c_proj = Projection(config.n_embd, config.n_embd)
        self.resid_dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, cache: Cache | None, layer: int) -> Tensor:
        b, t, d = x.shape
        parts = self.c_attn(x).view(b, t, 3, self.heads, d // self.heads)
        queries, keys, values = parts.permute(2, 0, 3, 1, 4)  # (b, h, t, e) each
        if cache is not None:
            keys, values = cache.extend(layer, parts[:, :, 1:])
        y = F.scaled_dot_product_attention(
            queries,
            keys,
            values,
            dropout_p=self.dropout if self.training else 0.0,
            is_causal=t > 1,
        )
        y = y.transpose(1, 2).reshape(b, t, d)
        return self.resid_dropout(self.c_proj(y))  # type: ignore[no-any-return]


class FeedForward(nn.Module):
    """Two maps with a GELU between, in its tanh form."""

    def __init__(self, config: Gpt2Config) -> None:
        super().__init__()
        self.c_fc = Projection(config.n_embd, 4 * config.n_embd)
        self.c_proj = Projection(4 * config.n_embd, config.n_embd)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.dropout(self.c_proj(F.gelu(self.c_fc(x), approximate="tanh")))
        return y


class Block(nn.Module):
    """One layer."""

    def __init__(self, config: Gpt2Config) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.n_embd)
        self.attn = Attention(config)
        self.ln_2 = nn.LayerNorm(config.n_embd)
        self.mlp = FeedForward(config)

    def forward(self, x: Tensor, cache: Cache | None, layer: int) -> Tensor:
        x = x + self.attn(self.ln_1(x), cache, layer)
        y: Tensor = x + self.mlp(self.ln_2(x))
        return y


class Transformer(nn.Module):
    """The layers with their token and position tables."""

    def __init__(self, config: Gpt2Config) -> None:
        super().__init__()
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        self.wpe = nn.Embedding(config.n_positions, config.n_embd)
        nn.init.normal_(self.wte.weight, std=0.02)
        nn.init.normal_(self.wpe.weight, std=0.02)
        self.drop = nn.Dropout(config.dropout)
        self.h = nn.ModuleList(Block(config) for _ in range(config.n_layer))
        self.ln_f = nn.LayerNorm(config.n_embd)

    def forward(self, embeddings: Tensor, cache: Cache | None) -> Tensor:
        start = 0 if cache is None else cache.length
        end = start + embeddings.shape[1]
        x = self.drop(embeddings + self.wpe.weight[start:end])
        for layer, block in enumerate(self.h):
            x = block(x, cache, layer)
        if cache is not None:
            cache.length = end
        y: Tensor = self.ln_f(x)
        return y


class Gpt2(nn.Module):
    """GPT-2 with its head."""

    def __init__(self, config: Gpt2Config) -> None:
        super().__init__()
        self.config = config
        self.transformer = Transformer(config)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        if config.tie_word_embeddings:
            self.lm_head.weight = self.transformer.wte.weight
        else:
            nn.init.normal_(self.lm_head.weight, std=0.02)
        for name, parameter in self.named_parameters():
            if name.endswith("c_proj.weight"):  # what is added once a layer must not add up
                nn.init.normal_(parameter, std=0.02 / (2 * config.n_layer) ** 0.5)

    def embed(self, tokens: Tensor) -> Tensor:
        """Token ids (b, t) -> (b, t, n_embd)."""
        embedded: Tensor = self.transformer.wte(tokens)
        return embedded

    def hidden(self, embeddings: Tensor, cache: Cache | None = None) -> Tensor:
        """(b, t, n_embd) -> what the head reads, (b, t, n_embd).

        With a cache the positions follow those that are in it, and t is 1 unless it is empty.
        """
        found: Tensor = self.transformer(embeddings, cache)
        return found

    def head(self) -> Tensor:
        """The head's rows, and zeros below them up to a round number.

        Into rows of an odd length, whose addresses are not round, a processor multiplies at half
        its speed: 4,041 words at 640 places take 27 ms, 4,048 take 16.
        """
        return F.pad(self.lm_head.weight, (0, 0, 0, -self.config.vocab_size % ROUND))

    def logits(self, hidden: Tensor, head: Tensor | None = None) -> Tensor:
        """(..., n_embd) -> (..., vocab_size); `head` where it was made before."""
        found = F.linear(hidden, self.head() if head is None else head)
        return found[..., : self.config.vocab_size]
