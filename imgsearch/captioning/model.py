"""ClipCap: a mapper and a language model as one (Mokady, Hertz, Bermano 2021).

Embeddings (b, p) and the tokens of captions go in; logits and the loss come out. `decoding` asks it
for one position after another.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imgsearch.captioning.gpt2 import Cache, Gpt2, Gpt2Config
from imgsearch.captioning.mappers import MapperConfig, make_mapper

IGNORED = -100  # the id of a position that is no part of a caption: it costs nothing


class ClipCap(nn.Module):
    """A mapper before a language model; both are parts by name, to be trained or left alone."""

    def __init__(self, mapper: MapperConfig, language_model: Gpt2Config) -> None:
        super().__init__()
        self.mapper_config = mapper
        self.mapper = make_mapper(mapper)
        self.language_model = Gpt2(language_model)

    @property
    def longest(self) -> int:
        """How many tokens can follow the prefix."""
        return self.language_model.config.n_positions - self.mapper_config.prefix_length

    def prefix(self, vectors: Tensor) -> Tensor:
        """(b, p) -> (b, k, n_embd)."""
        prefix: Tensor = self.mapper(vectors)
        return prefix

    def logits(self, vectors: Tensor, tokens: Tensor) -> Tensor:
        """(b, p) and (b, t) -> (b, k + t, vocab_size): what follows each position, the prefix's
        too."""
        return self.language_model.logits(self._hidden(vectors, tokens))

    def loss(
        self, vectors: Tensor, tokens: Tensor, targets: Tensor, smoothing: float = 0.0
    ) -> Tensor:
        """The mean cross entropy of the targets (b, t), each before its token is read.

        Targets are the tokens, or IGNORED where nothing is to be learnt: behind the end, and what
        a caption begins with in every case.
        """
        k = self.mapper_config.prefix_length
        hidden = self._hidden(vectors, tokens)[:, k - 1 : -1]  # (b, t, n_embd)
        is_learnt = targets != IGNORED
        return F.cross_entropy(
            self.language_model.logits(hidden[is_learnt]),
            targets[is_learnt],
            label_smoothing=smoothing,
        )

    def _hidden(self, vectors: Tensor, tokens: Tensor) -> Tensor:
        words = self.language_model.embed(tokens)
        return self.language_model.hidden(torch.cat([self.prefix(vectors), words], dim=1))

    def read(self, vectors: Tensor, start: Tensor, longest: int) -> tuple[Tensor, Cache]:
        """Begin to decode: (b, p) and the tokens that open every caption (s,), s >= 0.

        Returns the logits of the first token (b, vocab_size), and the cache for `longest` more.
        """
        prefix = self.prefix(vectors)
        opening = self.language_model.embed(start).expand(len(vectors), -1, -1)
        embeddings = torch.cat([prefix, opening], dim=1)
        model = self.language_model
        cache = Cache(model.config, embeddings.shape[1] + longest, model.head())
        hidden = model.hidden(embeddings, cache)[:, -1]
        return model.logits(hidden, cache.head), cache

    def read_on(self, tokens: Tensor, cache: Cache) -> Tensor:
        """The logits (b, vocab_size) of what follows one more token of each row, (b,)."""
        embeddings = self.language_model.embed(tokens[:, None])
        hidden = self.language_model.hidden(embeddings, cache)[:, -1]
        return self.language_model.logits(hidden, cache.head)
