"""Decoding: from a ClipCap and embeddings to token ids, for many photos at once.

Greedy, beam search with ClipCap's length normalisation at every step, and sampling. Rows do not see
one another, and a sampled row draws from a generator of its own, so a batch gives what its photos
give one by one. Rows that are done leave the batch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor

from imgsearch.captioning.gpt2 import Cache
from imgsearch.captioning.model import ClipCap
from imgsearch.errors import UsageError

Method: TypeAlias = Literal["beam", "greedy", "sample"]
NEVER = float("-inf")


@dataclass(frozen=True)
class Decoding:
    """How a sentence is chosen.

    `top_k`, `top_p`, `temperature` and `seed` are for sampling: only the k likeliest tokens, then
    only the likeliest that reach the probability p together. `longest` is in tokens; None: as the
    captioner says. No `no_repeat` tokens in a row come twice in a sentence; 0: they may.
    """

    method: Method = "beam"
    beams: int = 5
    top_k: int = 0
    top_p: float = 1.0
    temperature: float = 1.0
    seed: int = 0
    longest: int | None = None
    no_repeat: int = 3

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            raise UsageError(f"decoding {self.method!r} is unknown; it is beam, greedy or sample")
        for name, is_right, expected in (
            ("beams", self.beams >= 1, "at least 1"),
            ("top_k", self.top_k >= 0, "at least 0, which is off"),
            ("top_p", 0 < self.top_p <= 1, "above 0 and at most 1, which is off"),
            ("temperature", 0 < self.temperature < math.inf, "above 0 and finite"),
            ("seed", -(2**63) <= self.seed < 2**63, "a number of 64 bits"),
            ("longest", self.longest is None or self.longest >= 1, "at least 1 token"),
            ("no_repeat", self.no_repeat >= 0, "at least 0, which is off"),
        ):
            if not is_right:
                raise UsageError(f"{name} is {getattr(self, name)!r}; it must be {expected}")


@dataclass(frozen=True)
class Ends:
    """In token ids: what a caption starts with, any of what ends it, and what never comes."""

    start: tuple[int, ...] = ()
    stop: tuple[int, ...] = ()
    barred: tuple[int, ...] = ()


@dataclass(frozen=True)
class Decoded:
    """One sentence: its tokens, the one that ended it included, and their mean log-probability."""

    tokens: tuple[int, ...]
    log_probability: float


@torch.inference_mode()
def decode(
    model: ClipCap,
    vectors: Tensor,
    ends: Ends,
    decoding: Decoding,
    generators: Sequence[torch.Generator] = (),
) -> list[Decoded]:
    """The likeliest sentence found for each embedding (b, p); `decoding.longest` is known.

    Sampling draws from the generators: one a row, or a single one that all rows share.
    """
    if not len(vectors):
        return []
    if decoding.method == "beam":
        return [found[0] for found in beam_search(model, vectors, ends, decoding)]
    return Rows(model, vectors, ends, decoding, generators).decoded()


@dataclass
class Rows:
    """Sentences that grow by one token each until all have ended: greedy, or drawn."""

    model: ClipCap
    vectors: Tensor
    ends: Ends
    decoding: Decoding
    generators: Sequence[torch.Generator]

    def decoded(self) -> list[Decoded]:
        """All rows, in order."""
        self.tokens: list[list[int]] = [[] for _ in range(len(self.vectors))]
        self.sums = [0.0] * len(self.vectors)
        longest = _longest(self.decoding)
        rows = list(range(len(self.vectors)))  # those in the batch
        start = torch.tensor(self.ends.start, dtype=torch.long, device=self.vectors.device)
        logits, cache = self.model.read(self.vectors, start, longest)
        so_far = start.new_empty(len(rows), 0)  # (b, t)
        for step in range(longest):
            logits = barred(logits.float(), self.ends.barred)
            ban_repeats(logits, so_far, self.decoding.no_repeat)
            chosen = self._chosen(logits, rows)
            self._add(rows, chosen, logits)
            going = [place for place, row in enumerate(rows) if not self._has_ended(row)]
            if not going or step + 1 == longest:
                break
            so_far = torch.cat([so_far, chosen[:, None]], dim=1)
            if len(going) < len(rows) and not self._is_shared:
                kept = torch.tensor(going, device=chosen.device)
                cache.take(kept)
                so_far = so_far[kept]
                rows = [rows[place] for place in going]
            logits = self.model.read_on(so_far[:, -1], cache)
        return [
            Decoded(tuple(tokens), total / len(tokens))
            for tokens, total in zip(self.tokens, self.sums, strict=True)
        ]

    @property
    def _is_shared(self) -> bool:
        """Whether what one row draws depends on how many others there are."""
        return len(self.generators) == 1 and len(self.vectors) > 1

    def _has_ended(self, row: int) -> bool:
        return bool(self.tokens[row]) and self.tokens[row][-1] in self.ends.stop

    def _add(self, rows: list[int], chosen: Tensor, logits: Tensor) -> None:
        scores = logits.gather(1, chosen[:, None])[:, 0] - logits.logsumexp(-1)
        for row, token, score in zip(rows, chosen.tolist(), scores.tolist(), strict=True):
            if not self._has_ended(row):
                self.tokens[row].append(token)
                self.sums[row] += score

    def _chosen(self, logits: Tensor, rows: list[int]) -> Tensor:
        if self.decoding.method == "greedy":
            return logits.argmax(-1)
        logits = logits / self.decoding.temperature
        chances = filtered(logits, self.decoding.top_k, self.decoding.top_p).softmax(-1)
        if self._is_shared:
            return torch.multinomial(chances, 1, generator=self.generators[0])[:, 0]
        chances = chances.cpu()
        drawn = [
            torch.multinomial(chances[place], 1, generator=self.generators[row])
            for place, row in enumerate(rows)
        ]
        return torch.cat(drawn).to(logits.device)


@torch.inference_mode()
def beam_search(
    model: ClipCap, vectors: Tensor, ends: Ends, decoding: Decoding
) -> list[list[Decoded]]:
    """All beams of each photo, best first: ClipCap's search (`generate_beam`), for many photos.

    Every step keeps the beams whose mean log-probability a token is highest, so that ended and
    unfinished sentences compete at their own lengths; it is over when all beams have ended.
    """
    return _Beams(model, vectors, ends, decoding).searched()


class _Beams:
    """k sentences of each of n photos; the model reads on only those that have not ended."""

    def __init__(self, model: ClipCap, vectors: Tensor, ends: Ends, decoding: Decoding) -> None:
        self.model, self.ends, self.decoding = model, ends, decoding
        self.vectors = vectors
        vocabulary = model.language_model.config.vocab_size
        self.k = min(decoding.beams, vocabulary - len(set(ends.barred)))
        self.stop = torch.tensor(ends.stop, dtype=torch.long, device=vectors.device)
        self.found: list[list[Decoded]] = [[] for _ in range(len(vectors))]

    def searched(self) -> list[list[Decoded]]:
        """The beams of all photos, in order."""
        longest = _longest(self.decoding)
        start = torch.tensor(self.ends.start, dtype=torch.long, device=self.vectors.device)
        logits, cache = self.model.read(self.vectors, start, longest)
        n = len(self.vectors)
        self.scores, first = self._likeliest(logits, start.new_empty(n, 0))  # (n, k): sums so far
        self.photos = list(range(n))
        self.tokens = first[:, :, None]  # (n, k, t)
        self.lengths = torch.ones_like(self.scores)
        self.is_done = torch.isin(first, self.stop)
        photo_of = torch.arange(n, device=first.device)[:, None].expand(n, self.k)
        cache.take(photo_of[~self.is_done])
        for _ in range(longest - 1):
            self._finish()
            if not self.photos:
                return self.found
            self._step(cache)
        self._finish(everything=True)
        return self.found

    def _step(self, cache: Cache) -> None:
        """One more token for each beam that has not ended."""
        n, k = self.scores.shape
        goes_on = ~self.is_done  # (n, k); the rows of the cache are these, in order
        row_of = goes_on.view(-1).cumsum(0).view(n, k) - 1
        so_far = self.tokens[goes_on]  # (rows, t)
        logits = self.model.read_on(so_far[:, -1], cache)
        best = self.scores.new_full((n, k, k), NEVER)
        best[:, :, 0] = 0.0  # an ended beam goes on as it is
        token = so_far.new_zeros(n, k, k)
        # Of one beam no more than k continuations can be among the k best of all.
        best[goes_on], token[goes_on] = self._likeliest(logits, so_far)
        self.lengths = self.lengths + goes_on
        means = (self.scores[:, :, None] + best) / self.lengths[:, :, None]
        mean, place = means.view(n, k * k).topk(k)  # (n, k)
        source = place // k
        self.lengths = self.lengths.gather(1, source)
        self.scores = mean * self.lengths
        chosen = token.view(n, k * k).gather(1, place)
        history = self.tokens.gather(1, source[:, :, None].expand(-1, -1, self.tokens.shape[2]))
        self.tokens = torch.cat([history, chosen[:, :, None]], dim=2)
        self.is_done = self.is_done.gather(1, source) | torch.isin(chosen, self.stop)
        cache.take(row_of.gather(1, source)[~self.is_done])

    def _likeliest(self, logits: Tensor, so_far: Tensor) -> tuple[Tensor, Tensor]:
        """The k likeliest next tokens of each row: log-probabilities and ids, (rows, k) each."""
        logits = barred(logits.float(), self.ends.barred)
        ban_repeats(logits, so_far, self.decoding.no_repeat)
        best, token = logits.topk(self.k)
        return best - logits.logsumexp(-1, keepdim=True), token

    def _finish(self, everything: bool = False) -> None:
        """Note the photos whose beams have all ended, and take them out of the batch."""
        is_over = self.is_done.all(dim=1) | everything
        over = is_over.nonzero()[:, 0].tolist()
        if not over:
            return
        for place in over:
            means = self.scores[place] / self.lengths[place]
            order = means.argsort(descending=True, stable=True).tolist()
            rows = self.tokens[place].tolist()
            lengths = self.lengths[place].int().tolist()
            self.found[self.photos[place]] = [
                Decoded(tuple(rows[beam][: lengths[beam]]), means[beam].item()) for beam in order
            ]
        going = (~is_over).nonzero()[:, 0]
        self.photos = [self.photos[place] for place in going.tolist()]
        self.scores, self.lengths = self.scores[going], self.lengths[going]
        self.tokens, self.is_done = self.tokens[going], self.is_done[going]


def filtered(logits: Tensor, top_k: int, top_p: float) -> Tensor:
    """Logits (b, v) with the unlikely ones at minus infinity.

    The k-th likeliest and its equals stay; then the likeliest stay until they reach the probability
    p together, the one that gets there included (Holtzman et al. 2020).
    """
    if top_k:
        least = logits.topk(min(top_k, logits.shape[-1])).values[:, -1:]
        logits = logits.masked_fill(logits < least, NEVER)
    if top_p < 1:
        ordered, order = logits.sort(dim=-1, descending=True)
        reached = ordered.softmax(-1).cumsum(-1) > top_p
        is_dropped = torch.zeros_like(reached)
        is_dropped[:, 1:] = reached[:, :-1]
        logits = logits.masked_fill(is_dropped.scatter(1, order, is_dropped), NEVER)
    return logits


def barred(logits: Tensor, tokens: Sequence[int]) -> Tensor:
    """Logits in which these tokens are impossible."""
    if tokens:
        logits[:, list(tokens)] = NEVER
    return logits


def ban_repeats(logits: Tensor, so_far: Tensor, length: int) -> None:
    """Make impossible, in place, what would repeat that many tokens in a row: (b, v), (b, t)."""
    spans = so_far.shape[1] - length + 1  # how many there are already
    if not length or spans < 1:
        return
    is_again = torch.ones_like(so_far[:, :spans], dtype=torch.bool)
    for place in range(length - 1):  # as far as all but the last token of a span go
        last = so_far[:, spans + place : spans + place + 1]
        is_again &= so_far[:, place : place + spans] == last
    row, span = is_again.nonzero(as_tuple=True)
    logits[row, so_far[row, span + length - 1]] = NEVER


def _longest(decoding: Decoding) -> int:
    assert decoding.longest is not None, "the captioner resolves it"
    return decoding.longest
