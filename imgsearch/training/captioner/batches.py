"""The captions of a step: of similar length, in another order every epoch, the same for a step
whenever it is computed.

Sentences and the number of a step go in, padded tokens come out. All chance comes from the seed and
that number, so an interrupted run needs no random state to go on as if it had not been.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from imgsearch.captioning.model import IGNORED
from imgsearch.training.captioner.sentences import Ints, Sentences

SORTED = 20  # batches among which captions are sorted by length


@dataclass(frozen=True)
class Batch:
    """b captions: the numbers of their photos (b,), `tokens` and `targets` (b, t)."""

    photos: Ints
    tokens: Tensor
    targets: Tensor


class Batches:
    """The captions of a run, `size` of them a step."""

    def __init__(self, sentences: Sentences, size: int, seed: int) -> None:
        self.sentences = sentences
        self.size = size
        self.seed = seed
        self._lengths = sentences.lengths
        self._epoch = lru_cache(2)(self._ordered)

    @property
    def an_epoch(self) -> int:
        """Steps in which every caption is seen once."""
        return math.ceil(len(self.sentences) / self.size)

    def seen(self, step: int) -> int:
        """Captions seen before a step, as if the smallest batch of an epoch were the last."""
        epochs, steps = divmod(step, self.an_epoch)
        return epochs * len(self.sentences) + min(steps * self.size, len(self.sentences))

    def at(self, step: int) -> Batch:
        """The captions of a step, counted from 0."""
        epoch, place = divmod(step, self.an_epoch)
        return batch_of(self.sentences, self._epoch(epoch)[place])

    def _ordered(self, epoch: int) -> list[Ints]:
        """The captions of every step of an epoch: shuffled, sorted by length within large chunks,
        cut into batches, and these shuffled again."""
        rng = np.random.default_rng(random.Random(f"{self.seed}/{epoch}/order").getrandbits(63))
        order = rng.permutation(len(self.sentences))
        found = []
        for start in range(0, len(order), SORTED * self.size):
            chunk = order[start : start + SORTED * self.size]
            chunk = chunk[np.argsort(self._lengths[chunk], kind="stable")]
            found += [chunk[at : at + self.size] for at in range(0, len(chunk), self.size)]
        return [found[place] for place in rng.permutation(len(found))]


def batch_of(sentences: Sentences, rows: Ints) -> Batch:
    """Captions by their numbers, padded to the longest; nothing is learnt of the padding, of what
    opens a caption, and of unknown words."""
    tokens, targets = [], []
    longest = max(len(sentences.tokens[row]) for row in rows)
    for row in rows:
        said = sentences.tokens[row]
        given = int(sentences.opening[row])
        learnt = [IGNORED if each == sentences.unknown else each for each in said[given:]]
        tokens.append(_padded(said, 0, longest))
        targets.append(_padded([*[IGNORED] * given, *learnt], IGNORED, longest))
    return Batch(sentences.photos[rows], torch.tensor(tokens), torch.tensor(targets))


def _padded(values: Sequence[int], filler: int, length: int) -> list[int]:
    return [*values, *[filler] * (length - len(values))]


def chance_of(seed: int, step: int, what: str) -> torch.Generator:
    """The chance of one thing in one step."""
    return torch.Generator().manual_seed(random.Random(f"{seed}/{step}/{what}").getrandbits(63))
