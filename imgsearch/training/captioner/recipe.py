"""What decides the training of a captioner besides its photos and the encoder it listens to.

Frozen values, saved with the run and printed on the model card. `None` and `auto` mean "as fits
what is trained", which `resolved` works out: ClipCap's published numbers for a language model that
comes with weights, what worked here for one that starts from nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, TypeVar

from imgsearch.captioning.mappers import Kind, MapperConfig
from imgsearch.errors import UsageError
from imgsearch.training.recipe import Keep, check_choice

Schedule: TypeAlias = Literal["auto", "cosine", "linear"]
Precision: TypeAlias = Literal["auto", "fp32", "bf16"]

Value = TypeVar("Value")

SMALL = "small"  # the language model of our own, from nothing
MOST_VECTORS = 1024  # of a prefix: a GPT-2 reads no more


@dataclass(frozen=True)
class Defaults:
    """What a recipe becomes where it leaves the choice; a run has room for so many warm-ups."""

    batch_size: int
    learning_rate: float
    schedule: Schedule
    warmup: int
    warmups_a_run: int
    weight_decay: float
    betas: tuple[float, float]
    longest_gradient: float


PUBLISHED = Defaults(40, 2e-5, "linear", 5000, 2, 0.0, (0.9, 0.999), 0.0)
OURS = Defaults(256, 1e-3, "cosine", 300, 10, 0.05, (0.9, 0.98), 1.0)


@dataclass(frozen=True)
class Mapper:
    """From an embedding to the prefix; defaults as published.

    `clip_length` is for a transformer: the vectors made of the embedding. `layers` and `heads` are
    for a transformer and for BERT.
    """

    kind: Kind = "mlp"
    prefix_length: int = 10
    clip_length: int = 10
    layers: int = 8
    heads: int = 8

    def __post_init__(self) -> None:
        check_choice("mapper", self.kind, Kind)
        for name in ("prefix_length", "clip_length", "layers", "heads"):
            if not 1 <= getattr(self, name) <= MOST_VECTORS:
                raise UsageError(
                    f"{name} is {getattr(self, name)}; a mapper needs at least 1 and takes at most "
                    f"{MOST_VECTORS:,}"
                )

    def config(self, embedding_dim: int, width: int) -> MapperConfig:
        """Its shape between embeddings and a language model of that width.

        Raises UsageError where heads or places do not go into that.
        """
        config = MapperConfig(
            kind=self.kind,
            embedding_dim=embedding_dim,
            prefix_length=self.prefix_length,
            width=width,
            clip_length=self.clip_length,
            layers=self.layers,
            heads=self.heads,
        )
        if self.kind in ("transformer", "bert") and width % self.heads:
            raise UsageError(
                f"a mapper to a language model {width} wide has no {self.heads} heads of one size; "
                "choose --mapper-heads that divide it"
            )
        if self.kind == "bert" and 2 * self.prefix_length > config.positions:
            raise UsageError(
                f"BERT has room for a prefix of {config.positions // 2} vectors, not "
                f"{self.prefix_length}: use a smaller --prefix-length, or another --mapper"
            )
        return config


def check_finite(values: object, *names: str) -> None:
    """Raises UsageError for a value that is infinite, no number, or below 0; None may be."""
    for name in names:
        found = getattr(values, name)
        if found is not None and not 0 <= found < math.inf:
            raise UsageError(f"{name} is {found}; it must be a finite number, 0 or more")


@dataclass(frozen=True)
class LanguageModel:
    """From the prefix to words.

    `source` is `small`, a GPT-2 from nothing of the size that `width`, `layers` and `heads` say; or
    the weights of a GPT-2: a folder, a file, `gpt2`, a repository of the hub. `tokenizer` is a
    folder or a `vocab.txt`; without one, that of the weights, or a vocabulary of the captions.
    """

    source: str = SMALL
    tokenizer: str | None = None
    width: int = 256
    layers: int = 4
    heads: int = 4
    dropout: float = 0.1
    is_frozen: bool = False

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise UsageError(
                f"a language model {self.width} wide has no {self.heads} heads of one size; choose "
                "--heads that divide --width"
            )
        check_finite(self, "dropout")


@dataclass(frozen=True)
class CaptionerRecipe:
    """Everything that decides a run besides its data, its encoder and where it starts.

    `languages` are sets of sentences (`en`, `zh`, `zh_translated`); without any, all of the pairs
    but those of another kind, with an underscore in the name. A step sees `batch_size` captions,
    each with one of `views` random views of its photo or the whole of it, whose embedding is turned
    by noise of the relative length `noise` on average and mixed with another photo's, of which it
    becomes up to the share `mix`. The rate rises over `warmup` steps, then falls to zero; `betas`
    and `epsilon` are AdamW's, and a longer gradient is cut to `longest_gradient`, 0 being no limit.
    `keep="best"` is the state whose captions have the best CIDEr on the validation photos, a mean
    over languages.
    """

    mapper: Mapper = Mapper()
    language_model: LanguageModel = LanguageModel()
    languages: tuple[str, ...] = ()
    views: int = 0
    smallest_crop: float = 0.5
    noise: float = 0.0
    mix: float = 0.0
    epochs: float = 10.0
    batch_size: int | None = None
    learning_rate: float | None = None
    schedule: Schedule = "auto"
    warmup: int | None = None
    weight_decay: float | None = None
    betas: tuple[float, float] | None = None
    epsilon: float = 1e-6
    longest_gradient: float | None = None
    smoothing: float = 0.0
    precision: Precision = "auto"
    evaluations: float = 1.0  # an epoch; 0: only at the end
    keep: Keep = "best"
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice("schedule", self.schedule, Schedule)
        check_choice("precision", self.precision, Precision)
        check_choice("keep", self.keep, Keep)
        check_finite(
            self,
            *("smallest_crop", "noise", "mix", "epochs", "learning_rate", "weight_decay"),
            *("epsilon", "longest_gradient", "smoothing", "evaluations"),
        )
        if not -(2**63) <= self.seed < 2**64:
            raise UsageError(f"seed is {self.seed}; it must fit 64 bits, for example --seed 1")

    def resolved(
        self, *, has_weights: bool, captions: int, precision: Precision
    ) -> CaptionerRecipe:
        """The recipe with everything chosen that nobody chose.

        `PUBLISHED` for a language model with weights, `OURS` for one from nothing.
        """
        default = PUBLISHED if has_weights else OURS
        size = min(self.batch_size or default.batch_size, captions)
        warmup = min(default.warmup, self.steps(captions, size) // default.warmups_a_run)

        def chosen(own: Value | None, fitting: Value) -> Value:
            return fitting if own is None else own

        return replace(
            self,
            batch_size=size,
            learning_rate=chosen(self.learning_rate, default.learning_rate),
            schedule=default.schedule if self.schedule == "auto" else self.schedule,
            warmup=chosen(self.warmup, warmup),
            weight_decay=chosen(self.weight_decay, default.weight_decay),
            betas=chosen(self.betas, default.betas),
            longest_gradient=chosen(self.longest_gradient, default.longest_gradient),
            precision=precision if self.precision == "auto" else self.precision,
        )

    def steps(self, captions: int, batch_size: int) -> int:
        """How many steps the run has over so many captions."""
        return max(1, round(self.epochs * math.ceil(captions / batch_size)))

    def rate_at(self, step: int, steps: int) -> float:
        """The learning rate of a step, counted from 0, of a resolved recipe."""
        assert self.learning_rate is not None and self.warmup is not None, "resolve the recipe"
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        after = (step - self.warmup) / max(steps - self.warmup, 1)
        share = 1 - after if self.schedule == "linear" else 0.5 * (1 + math.cos(math.pi * after))
        return self.learning_rate * share
