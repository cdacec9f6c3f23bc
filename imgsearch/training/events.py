"""What a training run tells its caller while it goes on.

Plain frozen values, in the order they happen: `Began`, an `Evaluated` before the first step, then
`Stepped` and `Evaluated` in turn, one `Finished` at the end. The command line draws its bar and its
tables from them, `metrics.jsonl` holds the same values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from imgsearch.evaluating import Measurement


@dataclass(frozen=True)
class Health:
    """Whether embeddings still tell things apart; see `collapse`.

    `cosine` is the mean cosine of two different photos, `effective_rank` the number of dimensions
    that carry the photos' embeddings, `distinct_top_1` the share of the best hits of the validation
    texts that are different photos, of those that could be.
    """

    cosine: float
    effective_rank: float
    distinct_top_1: float


@dataclass(frozen=True)
class Began:
    """What the run works with: photos learnt from, measured on and guarding; halves left out.

    `texts` counts the texts learnt from, by language; `pictures_without_text` and
    `texts_without_picture` are of the pairs learnt from. `goes_on_from` photos seen before an
    interruption, 0 for a new run.
    """

    encoder: str
    parameters: int
    learnt: int
    validation: int
    guard: int
    texts: dict[str, int]
    pictures_without_text: int
    texts_without_picture: int
    goes_on_from: int


@dataclass(frozen=True)
class Stepped:
    """Since the last report: where the run is, mean loss, what was seen of the embeddings.

    `photos` of `total` were seen; `rates` are those of the parts, `photos_per_second` since the
    last report.
    """

    step: int
    steps: int
    photos: int
    total: int
    size: int
    loss: float
    logit_scale: float
    rates: dict[str, float]
    cosine: float
    photos_per_second: float


@dataclass(frozen=True)
class Evaluated:
    """Recall on the validation pairs and on the guard, which the training never sees.

    `loss` is the mean over the validation pairs, None without any.
    """

    step: int
    photos: int
    validation: tuple[Measurement, ...]
    guard: tuple[Measurement, ...]
    loss: float | None
    health: Health | None

    @property
    def score(self) -> float | None:
        """The mean over languages and directions of what the validation measured, in [0, 1]: mean
        recall, or top-1; None without validation pairs."""
        return score_of(self.validation)


@dataclass(frozen=True)
class Finished:
    """The encoder is in `folder` and answers to `name`; `reasons` say why it is not proposed.

    `unreadable` are photos that could not be decoded, each with its reason; the run went on without
    them.
    """

    name: str
    folder: Path
    before: Evaluated
    after: Evaluated
    reasons: tuple[str, ...]
    unreadable: tuple[str, ...] = ()

    @property
    def is_proposed(self) -> bool:
        return not self.reasons


def score_of(measurements: Sequence[Measurement]) -> float | None:
    """One number of several measurements: the mean of their mean recalls or top-1 accuracies."""
    values = [
        each.metrics[key]
        for each in measurements
        for key in ("text_to_image_mean_recall", "image_to_text_mean_recall", "top_1")
        if key in each.metrics
    ]
    return sum(values) / len(values) if values else None


Event: TypeAlias = Began | Stepped | Evaluated | Finished
