"""How good the towers are at this moment: recall on validation and guard, the validation loss, and
whether embeddings still tell things apart.

In: towers as they stand, held-out pairs. Out: an `Evaluated`. Everything goes through the encoder
itself, as search would, so what is measured here is what the saved encoder will give.
"""

import random
from collections.abc import Iterator

import torch
from torch import Tensor

from imgsearch.evaluating import Measurement, embed_pictures, evaluate, recall_of_vectors
from imgsearch.pairs import CaptionedPhotos, LabelledPhotos
from imgsearch.training.batches import Batch, Contrast
from imgsearch.training.collapse import health
from imgsearch.training.events import Evaluated, Health
from imgsearch.training.recipe import Recipe
from imgsearch.training.sets import TrainingSet
from imgsearch.training.steps import batch_loss
from imgsearch.training.towers import Towers
from imgsearch.training.views import still_views
from imgsearch.vectors import Vectors

Pairs = CaptionedPhotos | LabelledPhotos
WATCHED = 1000  # texts whose best hits are looked at


class Measuring:
    """Measures the towers on pairs they do not learn from; call it with the step and photos
    seen."""

    def __init__(
        self,
        towers: Towers,
        recipe: Recipe,
        validation: Pairs | None,
        guard: Pairs | None,
        validation_set: TrainingSet | None,
    ) -> None:
        self.towers = towers
        self.recipe = recipe
        self.validation = validation
        self.guard = guard
        self.validation_set = validation_set

    def __call__(self, step: int, photos: int) -> Evaluated:
        validation, found = self._measure(self.validation)
        guard, _ = self._measure(self.guard)
        return Evaluated(step, photos, validation, guard, self._loss(), found)

    def _measure(self, pairs: Pairs | None) -> tuple[tuple[Measurement, ...], Health | None]:
        if pairs is None:
            return (), None
        encoder = self.towers.encoder
        if isinstance(pairs, LabelledPhotos):
            return tuple(evaluate(pairs, encoder)), None
        vectors = embed_pictures(pairs.pictures, encoder)
        known = [each for each in pairs.languages if each.split("_")[0] in encoder.languages]
        rows = tuple(
            recall_of_vectors(pairs.captions, vectors, encoder, language, "raw")
            for language in known
        )
        return rows, self._health(pairs, vectors, known[0]) if known else None

    def _health(self, pairs: CaptionedPhotos, vectors: Vectors, language: str) -> Health:
        encoder = self.towers.encoder
        texts = [each[language][0] for each in pairs.captions if each.get(language)][:WATCHED]
        return health(vectors, encoder.embed_texts([encoder.shorten(text) for text in texts]))

    def _loss(self) -> float | None:
        """The mean loss of batches as large as in training, photos whole, texts always the same."""
        if self.validation_set is None:
            return None
        losses, photos = 0.0, 0
        with torch.no_grad():
            for batch in self._batches(self.validation_set):
                loss = batch_loss(self.towers, self.recipe, batch, *self._embedded(batch))
                losses += loss.item() * batch.count
                photos += batch.count
        return losses / photos if photos else None

    def _embedded(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The photos (b, d) and the texts (u, d) of a batch, as many at a time as in training."""
        towers, device = self.towers, self.towers.logit_scale.device
        tokens = [towers.tokens(text) for text in batch.texts]
        size = self.recipe.micro_batch or max(len(batch.views), len(tokens))
        images = [
            towers.image_vectors(towers.pixels(part.to(device)))
            for part in torch.split(batch.views, size)
        ]
        texts = [
            towers.text_vectors(tokens[start : start + size])
            for start in range(0, len(tokens), size)
        ]
        return torch.cat(images).float(), torch.cat(texts).float()

    def _batches(self, found: TrainingSet) -> Iterator[Batch]:
        rng = random.Random(0)
        size = self.recipe.stages[-1].size
        count = self.recipe.batch_size
        for start in range(0, len(found), count):
            squares, is_decoded = found.squares.take(range(start, min(start + count, len(found))))
            photos = [start + row for row, is_there in enumerate(is_decoded) if is_there]
            drawn = [found.draw(photos, language, rng) for language in found.texts]
            drawn = [each for each in drawn if len(each.rows)]
            contrasts = tuple(
                Contrast(each, each.rows, len(photos), 1.0, 1 / len(drawn)) for each in drawn
            )
            if contrasts:
                views = still_views(squares[is_decoded], size)
                yield Batch(views, list(range(len(photos))), len(photos), contrasts)
