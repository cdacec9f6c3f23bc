"""How good a captioner is at this moment, on photos it does not learn from.

In: a captioner as it stands, held-out photos with their embeddings. Out: losses and scores by set
of sentences. Captions are made by the captioner itself, as `caption` makes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from imgsearch.captioning import Captioner, Decoding
from imgsearch.captioning.model import IGNORED
from imgsearch.evaluating import CaptionScores, score_captions
from imgsearch.evaluating.captions import spoken
from imgsearch.pairs import CaptionedPhotos
from imgsearch.training.captioner.batches import batch_of
from imgsearch.training.captioner.events import Evaluated
from imgsearch.training.captioner.sentences import Sentences
from imgsearch.training.steps import compute_type
from imgsearch.vectors import Vectors

BATCH = 256  # captions


@dataclass(frozen=True)
class Measuring:
    """Measures a captioner while it learns; call it with the step and captions seen."""

    captioner: Captioner
    pairs: CaptionedPhotos
    sentences: Sentences
    vectors: Vectors
    precision: str

    def __call__(self, step: int, captions: int) -> Evaluated:
        scores = scored(
            self.captioner, self.pairs, self.vectors, self.sentences.names, Decoding("greedy")
        )
        return Evaluated(step, captions, self._losses(), scores)

    def _losses(self) -> dict[str, float]:
        """The mean over all tokens of a set, embeddings as they are."""
        order = np.argsort(self.sentences.lengths, kind="stable")
        found = {}
        for place, name in enumerate(self.sentences.names):
            rows = order[self.sentences.sets[order] == place]
            if len(rows):
                found[name] = self._loss(rows)
        return found

    def _loss(self, rows: np.ndarray) -> float:
        model, device = self.captioner.model, self.captioner.device
        dtype = compute_type(self.precision, device)
        total, count = 0.0, 0
        for start in range(0, len(rows), BATCH):
            batch = batch_of(self.sentences, rows[start : start + BATCH])
            vectors = torch.from_numpy(self.vectors[batch.photos]).to(device)
            tokens = int((batch.targets != IGNORED).sum())
            with (
                torch.inference_mode(),
                torch.autocast(device.type, dtype, enabled=dtype != torch.float32),
            ):
                loss = model.loss(
                    vectors * self.captioner.trained_on.norm,
                    batch.tokens.to(device),
                    batch.targets.to(device),
                )
            total, count = total + loss.item() * tokens, count + tokens
        return total / count


def scored(
    captioner: Captioner,
    pairs: CaptionedPhotos,
    vectors: Vectors,
    names: Sequence[str],
    decoding: Decoding = Decoding(),  # noqa: B008  # frozen
) -> tuple[CaptionScores, ...]:
    """Caption every photo that has sentences, and compare; once for each set of sentences."""
    found = []
    for name in names:
        photos = [photo for photo, each in enumerate(pairs.captions) if each.get(name)]
        if photos:
            captions = captioner.caption(vectors[photos], spoken(name), decoding)
            references = [pairs.captions[photo][name] for photo in photos]
            found.append(score_captions([each.text for each in captions], references, name))
    return tuple(found)
