"""The photos and texts of a step: drawn from every set, decoded ahead, the same for a step whenever
it is computed.

In: sets, a recipe, the number of a step. Out: a `Batch`. All chance comes from the seed and that
number alone, so an interrupted run needs no random state to go on as if it had not been.
"""

import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor

from imgsearch.errors import UsageError
from imgsearch.training.ranks import Ranks
from imgsearch.training.recipe import Recipe
from imgsearch.training.sets import Drawn, TrainingSet
from imgsearch.training.views import CHANCES, cut_mix, random_views


@dataclass(frozen=True)
class Part:
    """What one set gives to a step, of this process: photos, squares and which were decoded."""

    photos: list[int]
    squares: Tensor
    is_decoded: list[bool]


@dataclass(frozen=True)
class Contrast:
    """Texts of one set in one language, and the photos of the batch they are compared with.

    rows (r,) are photos of the batch, from a set that gave it `photos`; `own` is the share of each
    picture that is its own, the rest is of the picture before it.
    """

    drawn: Drawn
    rows: Tensor
    photos: int
    own: float
    weight: float


@dataclass(frozen=True)
class Batch:
    """views (b', 3, size, size) in [0, 1] are this process's part of `count` photos, at the places
    `mine`; `contrasts` hold the texts of all."""

    views: Tensor
    mine: list[int]
    count: int
    contrasts: tuple[Contrast, ...]

    @property
    def texts(self) -> list[str]:
        """All texts, contrast after contrast."""
        return [text for each in self.contrasts for text in each.drawn.texts]


class Batches:
    """The steps of a run, from `first` on; decoding runs one step ahead of its user."""

    def __init__(self, sets: Sequence[TrainingSet], recipe: Recipe, ranks: Ranks) -> None:
        self.sets = sets
        self.recipe = recipe
        self.ranks = ranks
        self.counts = [recipe.batches.get(each.name, recipe.batch_size) for each in sets]

    def steps(self, first: int, last: int) -> Iterator[tuple[int, Batch]]:
        """The batches of steps first ... last - 1, each with its number."""
        with ThreadPoolExecutor(1, "imgsearch-batches") as pool:
            ahead = pool.submit(self._parts, first)
            for step in range(first, last):
                parts = ahead.result()
                if step + 1 < last:
                    ahead = pool.submit(self._parts, step + 1)
                yield step, self._batch(step, parts)

    @property
    def photos_a_step(self) -> int:
        return sum(self.counts)

    def _parts(self, step: int) -> list[Part]:
        parts = []
        for each, count in zip(self.sets, self.counts, strict=True):
            photos = each.photos(step * count, count, self.recipe.seed)
            mine = self.ranks.share(len(photos))
            squares, is_decoded = each.squares.take(photos[mine.start : mine.stop])
            parts.append(Part(photos, squares, is_decoded))
        return parts

    def _batch(self, step: int, parts: Sequence[Part]) -> Batch:
        recipe = self.recipe
        size = size_at(recipe, step * self.photos_a_step)
        rng = random.Random(f"{recipe.seed}/{step}")
        generator = torch.Generator().manual_seed(rng.getrandbits(63))
        views: list[Tensor] = []
        contrasts: list[Contrast] = []
        mine: list[int] = []
        total = 0
        for each, part in zip(self.sets, parts, strict=True):
            own_rows = self.ranks.share(len(part.photos))
            is_decoded = self.ranks.gathered(
                torch.tensor(part.is_decoded, dtype=torch.uint8), len(part.photos), own_rows
            ).bool()
            photos = [p for p, is_there in zip(part.photos, is_decoded, strict=True) if is_there]
            place = (is_decoded.cumsum(0) - 1 + total).tolist()
            mine += [place[row] for row in own_rows if is_decoded[row]]
            pictures, own = self._views(part, size, generator, rng)
            views.append(pictures)
            drawn = [each.draw(photos, language, rng) for language in each.texts]
            drawn = [found for found in drawn if len(found.rows)]
            for found in drawn:
                weight = len(photos) / self.photos_a_step / len(drawn)
                contrasts.append(Contrast(found, found.rows + total, len(photos), own, weight))
            total += len(photos)
        if not total:
            raise UsageError(f"no photo of a batch can be decoded: {self._first_reason()}")
        return Batch(torch.cat(views), mine, total, tuple(contrasts))

    def _first_reason(self) -> str:
        reasons = (reason for each in self.sets for reason in each.squares.bad.values())
        return next(reasons, "another process cannot read its part")

    def _views(
        self, part: Part, size: int, generator: torch.Generator, rng: random.Random
    ) -> tuple[Tensor, float]:
        variation = self.recipe.variation
        chance = torch.rand(CHANCES, len(part.photos), generator=generator)  # the same everywhere
        mine = list(self.ranks.share(len(part.photos)))
        views = random_views(part.squares, size, variation, chance[:, mine])[part.is_decoded]
        if variation.cut_mix and rng.random() < variation.cut_mix:
            return cut_mix(views, generator)
        return views, 1.0


def size_at(recipe: Recipe, photos: int) -> int:
    """The side in pixels of pictures after that many photos; the recipe's stages are known."""
    for stage in recipe.stages:
        if photos < stage.photos:
            return stage.size
        photos -= stage.photos
    return recipe.stages[-1].size
