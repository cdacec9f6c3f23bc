"""Decoding: from a ClipCap and embeddings to token ids, for many photos at once.

Greedy, beam search with ClipCap's length normalisation at every step, and sampling. Rows do not see
one another, and a sampled row draws from a generator of its own, so a batch gives what its photos
give one by one. Rows that are done leave the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
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
            ("temperature", self.temperature > 0, "above 0"),
            ("longest", self.longest is None or self.longest >= 1, "at least 1 token"),
            ("no_repeat", self.no_repeat >= 0, "at least 0, which is off"),
        ):
            if not is_right:
                raise UsageError(f"{name} is {getattr(self, name)!r}; it must be {expected}")


@dataclass(frozen=True)
class Ends:
    """What opens and closes a caption, in token ids: the tokens that it starts with, those of which
    any ends it, and those that never come."""

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
    tokens: list[list[int]] = field(init=False)
    sums: list[float] = field(init=False)

    def decoded(self) -> list[Decoded]:
        """All rows, in order."""
        n = len(self.vectors)
        longest = _longest(self.decoding)
        self.tokens, self.sums = [[] for _ in range(n)], [0.0] * n
        rows = list(range(n))  # those in the batch
        start = torch.tensor(self.ends.start, dtype=torch.long, device=self.vectors.device)
        logits, cache = self.model.read(self.vectors, start, longest)
        for step in range(longest):
            logits = barred(logits, self.ends.barred)
            ban_repeats(logits, [self.tokens[row] for row in rows], self.decoding.no_repeat)
            chosen = self._chosen(logits, rows)
            self._add(rows, chosen, logits)
            going = [place for place, row in enumerate(rows) if not self._has_ended(row)]
            if not going or step + 1 == longest:
                break
            if len(going) < len(rows) and not self._is_shared:
                kept = torch.tensor(going, device=chosen.device)
                cache.take(kept)
                chosen = chosen[kept]
                rows = [rows[place] for place in going]
            logits = self.model.read_on(chosen, cache)
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
        scores = torch.log_softmax(logits.float(), -1).gather(1, chosen[:, None])[:, 0]
        for row, token, score in zip(rows, chosen.tolist(), scores.tolist(), strict=True):
            if not self._has_ended(row):
                self.tokens[row].append(token)
                self.sums[row] += score

    def _chosen(self, logits: Tensor, rows: list[int]) -> Tensor:
        if self.decoding.method == "greedy":
            return logits.argmax(-1)
        kept = filtered(
            logits.float() / self.decoding.temperature, self.decoding.top_k, self.decoding.top_p
        )
        chances = kept.softmax(-1)
        if self._is_shared:
            return torch.multinomial(chances, 1, generator=self.generators[0])[:, 0]
        drawn = [
            torch.multinomial(chances[place].cpu(), 1, generator=self.generators[row])
            for place, row in enumerate(rows)
        ]
        return torch.cat(drawn).to(logits.device)


def beam_search(
    model: ClipCap, vectors: Tensor, ends: Ends, decoding: Decoding
) -> list[list[Decoded]]:
    """All beams of each photo, best first: ClipCap's search (`generate_beam`), for many photos.

    Every step keeps the beams whose mean log-probability a token is highest, so that ended and
    unfinished sentences compete at their own lengths; it is over when all beams have ended.
    """
    return _Beams(model, vectors, ends, decoding).searched()


class _Beams:
    """k sentences of each of n photos, as rows photo by photo."""

    def __init__(self, model: ClipCap, vectors: Tensor, ends: Ends, decoding: Decoding) -> None:
        self.model, self.ends, self.decoding = model, ends, decoding
        self.vectors = vectors
        vocabulary = model.language_model.config.vocab_size
        self.k = min(decoding.beams, vocabulary - len(set(ends.barred)))
        self.stop = torch.tensor(ends.stop, dtype=torch.long, device=vectors.device)
        self.found: list[list[Decoded]] = [[] for _ in range(len(vectors))]

    def searched(self) -> list[list[Decoded]]:
        longest = _longest(self.decoding)
        device = self.vectors.device
        start = torch.tensor(self.ends.start, dtype=torch.long, device=device)
        logits, cache = self.model.read(self.vectors, start, longest)
        scores, first = self._log_probabilities(logits).topk(self.k)  # (n, k): sums so far
        self.photos = list(range(len(self.vectors)))
        self.scores = scores
        self.tokens = first[:, :, None]  # (n, k, t)
        self.lengths = torch.ones_like(scores)
        self.is_done = torch.isin(first, self.stop)
        cache.take(torch.arange(len(first), device=device).repeat_interleave(self.k))
        for _ in range(longest - 1):
            self._finish(cache)
            if not self.photos:
                return self.found
            self._step(cache)
        self._finish(cache, everything=True)
        return self.found

    def _step(self, cache: Cache) -> None:
        """One more token for each beam that has not ended."""
        n, k = self.scores.shape
        logits = self.model.read_on(self.tokens[:, :, -1].reshape(-1), cache)
        so_far = self.tokens.view(n * k, -1).tolist() if self.decoding.no_repeat else []
        log_probabilities = self._log_probabilities(logits, so_far)  # (n * k, v)
        best, token = log_probabilities.topk(k)  # of one beam no more than k can be among the k
        best, token = best.view(n, k, k), token.view(n, k, k)
        done = self.is_done[:, :, None]
        only = torch.full_like(best, NEVER)
        only[:, :, 0] = 0.0  # an ended beam goes on as it is
        best = torch.where(done, only, best)
        token = torch.where(done, torch.zeros_like(token), token)
        self.lengths = self.lengths + ~self.is_done
        means = (self.scores[:, :, None] + best) / self.lengths[:, :, None]
        mean, place = means.view(n, k * k).topk(k)  # (n, k)
        source = place // k
        self.lengths = self.lengths.gather(1, source)
        self.scores = mean * self.lengths
        chosen = token.view(n, k * k).gather(1, place)
        history = self.tokens.gather(1, source[:, :, None].expand(-1, -1, self.tokens.shape[2]))
        self.tokens = torch.cat([history, chosen[:, :, None]], dim=2)
        was_done = self.is_done.gather(1, source)
        self.is_done = was_done | torch.isin(chosen, self.stop)
        cache.take((torch.arange(n, device=source.device)[:, None] * k + source).view(-1))

    def _log_probabilities(self, logits: Tensor, so_far: Sequence[Sequence[int]] = ()) -> Tensor:
        logits = barred(logits, self.ends.barred)
        ban_repeats(logits, so_far, self.decoding.no_repeat)
        return torch.log_softmax(logits.float(), dim=-1)

    def _finish(self, cache: Cache, everything: bool = False) -> None:
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
        if self.photos:
            self.scores, self.lengths = self.scores[going], self.lengths[going]
            self.tokens, self.is_done = self.tokens[going], self.is_done[going]
            beams = torch.arange(self.k, device=going.device)
            cache.take((going[:, None] * self.k + beams).view(-1))


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


def ban_repeats(logits: Tensor, so_far: Sequence[Sequence[int]], length: int) -> None:
    """Make impossible, in place, what would repeat that many tokens in a row."""
    if not length:
        return
    for row, tokens in enumerate(so_far):
        if len(tokens) < length:
            continue
        last = tuple(tokens[len(tokens) - length + 1 :])
        again = [
            tokens[start + length - 1]
            for start in range(len(tokens) - length + 1)
            if tuple(tokens[start : start + length - 1]) == last
        ]
        if again:
            logits[row, again] = NEVER


def _longest(decoding: Decoding) -> int:
    assert decoding.longest is not None, "the captioner resolves it"
    return decoding.longest
