"""What decides a training run besides its photos and its encoder.

Frozen values, saved beside the weights and printed on the model card. Shares are of the run, rates
are per step, sizes in pixels. `None` means "as fits the encoder", which `resolved` works out, so
that what is saved is what was done.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias, get_args

from imgsearch.errors import UsageError

Loss: TypeAlias = Literal[
    "auto", "clip", "soft", "soft-per-axis", "same-caption", "same-label", "siglip"
]
Tower: TypeAlias = Literal["none", "image", "text"]
Schedule: TypeAlias = Literal["cosine", "linear", "constant", "plateau"]
Precision: TypeAlias = Literal["auto", "fp32", "bf16", "fp16"]
Keep: TypeAlias = Literal["best", "last"]

SMALL = 20_000_000  # parameters: an encoder below it was trained on little, and learns fast
GUARD_LOSS = 0.05


def check_choice(name: str, value: str, choices: object) -> None:
    """Raises UsageError unless the value is one of a Literal's."""
    known = get_args(choices)
    if value not in known:
        raise UsageError(f"{name} {value!r} is unknown; it is one of {', '.join(known)}")


@dataclass(frozen=True)
class Objective:
    """The loss and its switches.

    `auto` is same-caption, or same-label where pairs have labels: with nothing repeated both are
    clip. `temperature` is that of the soft losses, whose logits have no learnt scale, and
    `target_temperature` that of their targets, as published unless given;
    `normalize_embeddings` and `detach_targets` mend them (the other losses always normalise).
    """

    loss: Loss = "auto"
    temperature: float = 1.0
    target_temperature: float | None = None
    normalize_embeddings: bool = False
    detach_targets: bool = False

    def __post_init__(self) -> None:
        check_choice("loss", self.loss, Loss)


@dataclass(frozen=True)
class Rates:
    """Learning rates at their highest. A part without one of its own has `every`; None: chosen by
    the size of the encoder and of the batch.
    """

    every: float | None = None
    image_tower: float | None = None
    text_tower: float | None = None
    heads: float | None = None  # the projections into the common space, and the scale

    @property
    def of_parts(self) -> dict[str, float]:
        """The rate of each part, once `every` is known."""
        assert self.every is not None, "resolve the recipe first"
        own = {"image": self.image_tower, "text": self.text_tower, "heads": self.heads}
        return {part: self.every if rate is None else rate for part, rate in own.items()}


@dataclass(frozen=True)
class Variation:
    """How a photo and its text differ from one time they are seen to the next.

    `smallest_crop` is the least share of the area that is kept; `cut_mix` the share of batches
    whose photos are mixed in pairs; `token_drop` the share of tokens left out of half the
    sentences.
    """

    smallest_crop: float = 0.6
    mirror: bool = True
    light_and_colour: bool = True
    cut_mix: float = 0.0
    token_drop: float = 0.0


@dataclass(frozen=True)
class Stage:
    """A stretch of the run at one picture size: `size` in pixels, `photos` to see."""

    size: int
    photos: int


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a run besides its data and where it starts.

    batch_size photos make one step of the optimiser and are contrasted with one another; they pass
    through the towers `micro_batch` at a time. `batches` divides them among several sets by name.
    The run is `epochs` over the largest set, or `stages`. The rate warms up over the first `warmup`
    share, then follows `schedule`: cosine to zero; linear stays and falls to zero over the last
    `decay` share; constant stays; plateau is multiplied by `plateau_factor` when the validation
    loss has not fallen for `plateau_patience` evaluations. `freeze` locks a tower; for the first
    `image_locked` share of the run the image tower is locked as well (Chinese-CLIP's two stages).
    """

    epochs: float = 5.0
    stages: tuple[Stage, ...] = ()
    batch_size: int = 128
    micro_batch: int | None = None
    batches: Mapping[str, int] = field(default_factory=dict)
    objective: Objective = Objective()
    rates: Rates = Rates()
    weight_decay: float = 0.05
    head_decay: float | None = None
    schedule: Schedule = "cosine"
    warmup: float = 0.05
    decay: float = 0.4
    plateau_patience: int = 1
    plateau_factor: float = 0.8
    freeze: Tower = "none"
    image_locked: float = 0.0
    variation: Variation = Variation()
    precision: Precision = "auto"
    checkpoint_activations: bool = False
    evaluations: float = 1.0  # an epoch; 0: only before and after
    keep: Keep = "best"
    largest_guard_loss: float = GUARD_LOSS  # mean recall, in points of 1: more is not proposed
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice("schedule", self.schedule, Schedule)
        check_choice("freeze", self.freeze, Tower)
        check_choice("precision", self.precision, Precision)
        check_choice("keep", self.keep, Keep)
        if self.freeze == "text" and self.image_locked:
            raise UsageError(
                "with the text tower frozen and the image tower locked nothing is left to learn; "
                "use one of the two"
            )

    def resolved(self, parameters: int, from_scratch: bool) -> Recipe:
        """The recipe with its rate chosen, where nobody chose one.

        From scratch 1e-3. Else 2e-4 for an encoder under 20 M parameters; for larger ones 5e-5 at
        1,024 photos a step, in proportion to the batch: the rates of Chinese-CLIP's published
        recipes, whose README warns of the divergence that more brings to small batches.
        """
        if self.rates.every is not None:
            return self
        if from_scratch:
            rate = 1e-3
        elif parameters < SMALL:
            rate = 2e-4
        else:
            rate = 5e-5 * self.batch_size / 1024
        return replace(self, rates=replace(self.rates, every=rate))

    def share_of_rate(self, step: int, steps: int) -> float:
        """What the schedule leaves of every rate at a step, counted from 0, in (0, 1].

        Warm-up and cosine are Chinese-CLIP's and open_clip's, step for step.
        """
        rising_steps = round(self.warmup * steps)
        if step < rising_steps:
            return (step + 1) / rising_steps
        if self.schedule == "cosine":
            after = (step - rising_steps) / max(steps - rising_steps, 1)
            return 0.5 * (1 + math.cos(math.pi * after))
        if self.schedule == "linear" and self.decay:
            return min(1.0, (1 - step / steps) / self.decay)
        return 1.0
