"""The plain loop of a captioner: step, report, evaluate, save; interrupted, it goes on.

In: a ClipCap, sentences, embeddings, a resolved recipe, a folder for the run's state, how to
measure. Out: events, and the trained weights in place. A frozen language model has no gradients and
no dropout, and is in no checkpoint.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from imgsearch.captioning.model import ClipCap
from imgsearch.errors import UsageError
from imgsearch.training.captioner.batches import Batches, chance_of
from imgsearch.training.captioner.embeddings import Embeddings
from imgsearch.training.captioner.events import Evaluated, Stepped
from imgsearch.training.captioner.recipe import CaptionerRecipe
from imgsearch.training.captioner.sentences import Ints
from imgsearch.training.checkpoint import Checkpoint, State, write_state
from imgsearch.training.steps import compute_type
from imgsearch.vectors import Vectors

REPORTS = 200  # a run, at most
BEST = "best.pt"

Measure = Callable[[int, int], Evaluated]  # at this step, after so many captions


@dataclass
class Run:
    """All that changes while a run goes on, and what does not."""

    model: ClipCap
    batches: Batches
    embeddings: Embeddings
    recipe: CaptionerRecipe
    folder: Path
    norm: float = 1.0  # how long embeddings are for this captioner
    step: int = 0
    measured_step: int = -1
    is_between_steps: bool = True
    best: tuple[float, float] | None = None
    optimiser: torch.optim.AdamW = field(init=False)
    checkpoint: Checkpoint = field(init=False)

    def __post_init__(self) -> None:
        recipe, language_model = self.recipe, self.model.language_model
        language_model.requires_grad_(not recipe.language_model.is_frozen)
        assert recipe.weight_decay is not None and recipe.betas is not None, "resolve the recipe"
        learnt = list(self.learnt.values())
        groups = [
            {
                "params": [each for each in learnt if each.ndim > 1],
                "weight_decay": recipe.weight_decay,
            },
            {"params": [each for each in learnt if each.ndim <= 1], "weight_decay": 0.0},
        ]
        self.optimiser = torch.optim.AdamW(
            groups, lr=0.0, betas=recipe.betas, eps=recipe.epsilon, fused=True
        )
        self.checkpoint = Checkpoint(self.folder)

    @property
    def device(self) -> torch.device:
        return self.model.language_model.transformer.wte.weight.device

    @property
    def steps(self) -> int:
        """How many steps the run has."""
        return self.recipe.steps(len(self.batches.sentences), self.batches.size)

    @property
    def learnt(self) -> dict[str, nn.Parameter]:
        """What changes, by name."""
        return {name: each for name, each in self.model.named_parameters() if each.requires_grad}

    def take_step(self) -> float:
        """Learn from the captions of the next step; their mean loss comes back.

        Raises UsageError where the loss is no number any more.
        """
        step, recipe = self.step, self.recipe
        self.model.train()
        if recipe.language_model.is_frozen:
            self.model.language_model.eval()
        for group in self.optimiser.param_groups:
            group["lr"] = recipe.rate_at(step, self.steps)
        loss = self._loss(step)
        self.check_finite(loss.item())
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        if recipe.longest_gradient:
            nn.utils.clip_grad_norm_(self.learnt.values(), recipe.longest_gradient)
        self.is_between_steps = False
        self.optimiser.step()
        self.step = step + 1
        self.is_between_steps = True
        return loss.item()

    def check_finite(self, loss: float) -> None:
        """Raises UsageError where a loss at this moment shows that the run has diverged."""
        if not math.isfinite(loss):
            raise UsageError(
                f"the loss is {loss} after {self.batches.seen(self.step):,} captions; use a lower "
                "--learning-rate, with --restart"
            )

    def _loss(self, step: int) -> Tensor:
        batch = self.batches.at(step)
        vectors = torch.from_numpy(self._looked_at(step, batch.photos)).to(self.device)
        vectors = turned(vectors, self.recipe.noise, chance_of(self.recipe.seed, step, "noise"))
        vectors = mixed(vectors, self.recipe.mix, chance_of(self.recipe.seed, step, "mix"))
        dtype = compute_type(self.recipe.precision, self.device)
        devices = [self.device] if self.device.type == "cuda" else []
        with (
            torch.random.fork_rng(devices=devices),
            torch.autocast(self.device.type, dtype, enabled=dtype != torch.float32),
        ):
            torch.manual_seed(chance_of(self.recipe.seed, step, "dropout").initial_seed())
            try:
                return self.model.loss(
                    vectors * self.norm,
                    batch.tokens.to(self.device),
                    batch.targets.to(self.device),
                    self.recipe.smoothing,
                )
            except torch.OutOfMemoryError as error:
                raise UsageError(
                    f"a step of {len(batch.photos)} captions does not fit the memory of "
                    f"{self.device}; run the same command with a smaller --batch-size"
                ) from error

    def _looked_at(self, step: int, photos: Ints) -> Vectors:
        """(b, d): of each photo one of its views, or the whole of it."""
        chance = chance_of(self.recipe.seed, step, "views")
        views = torch.randint(self.recipe.views + 1, (len(photos),), generator=chance).numpy()
        return self.embeddings.rows(photos, views)

    def remember(self, evaluated: Evaluated) -> None:
        """Keep these weights if none before measured better."""
        self.measured_step = self.step
        if self.best is None or evaluated.quality > self.best:
            self.best = evaluated.quality
            write_state(self.folder / BEST, self._tensors())

    def take_best(self) -> None:
        """Put the weights in place that measured best, where the recipe says so."""
        if self.recipe.keep == "best" and self.best is not None:
            found: State = torch.load(
                self.folder / BEST, weights_only=True, map_location=self.device
            )
            self._fill(found)
        self.check_finite(sum(each.detach().sum().item() for each in self.learnt.values()))
        self.model.eval()

    def save(self) -> None:
        """Write the checkpoint, unless that of this very step is written."""
        self.checkpoint.save((self.step, self.measured_step), self._write)

    def load(self) -> None:
        """Go on from the checkpoint, where there is one."""
        state = self.checkpoint.load(self.device)
        if state is None:
            return
        self._fill(state["learnt"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.measured_step = state["step"], state["measured_step"]
        self.best = None if state["best"] is None else (state["best"][0], state["best"][1])

    def _write(self, path: Path) -> None:
        state = {
            "learnt": self._tensors(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "measured_step": self.measured_step,
            "best": self.best,
        }
        write_state(path, state)

    def _tensors(self) -> State:
        return {name: each.detach() for name, each in self.learnt.items()}

    def _fill(self, tensors: State) -> None:
        with torch.no_grad():
            for name, parameter in self.learnt.items():
                parameter.copy_(tensors[name])


def turned(vectors: Tensor, noise: float, chance: torch.Generator) -> Tensor:
    """Unit rows (b, d), each moved in a direction of its own and of length 1 again.

    How far is even between 0 and twice `noise`: the relative length of what is added.
    """
    if not noise:
        return vectors
    direction = nn.functional.normalize(torch.randn(vectors.shape, generator=chance), dim=-1)
    length = 2 * noise * torch.rand(len(vectors), 1, generator=chance)
    moved = vectors + (length * direction).to(vectors.device)
    return nn.functional.normalize(moved, dim=-1)


def mixed(vectors: Tensor, mix: float, chance: torch.Generator) -> Tensor:
    """Unit rows (b, d), each with some of another's in it, and of length 1 again.

    How much is even between none and the share `mix`.
    """
    if not mix:
        return vectors
    share = (mix * torch.rand(len(vectors), 1, generator=chance)).to(vectors.device)
    others = torch.randperm(len(vectors), generator=chance).to(vectors.device)
    return nn.functional.normalize((1 - share) * vectors + share * vectors[others], dim=-1)


def train(run: Run, measure: Measure | None, *, is_fresh: bool) -> Iterator[Stepped | Evaluated]:
    """Train in place; goes on from the run's checkpoint.

    Measures at the recipe's evaluations and after the last step; before the first as well where the
    captioner has learnt something already. An interrupted run ends where an uninterrupted one does,
    bit for bit on a CPU. Raises LibraryError when the disk is full.
    """
    run.load()
    steps, recipe = run.steps, run.recipe
    every = (
        max(1, round(run.batches.an_epoch / recipe.evaluations)) if recipe.evaluations else steps
    )
    measured = {*range(every, steps, every), steps} | (set() if is_fresh else {0})
    reported = max(1, steps // REPORTS)
    losses: list[float] = []
    seen, started = run.batches.seen(run.step), time.perf_counter()
    try:
        yield from _evaluations(run, measured, measure)
        while run.step < steps:
            losses.append(run.take_step())
            if run.step % reported == 0 or run.step == steps:
                now, before, seen = time.perf_counter(), seen, run.batches.seen(run.step)
                rate, pace = recipe.rate_at(run.step - 1, steps), (seen - before) / (now - started)
                total, loss = run.batches.seen(steps), sum(losses) / len(losses)
                yield Stepped(run.step, steps, seen, total, loss, rate, pace)
                losses, started = [], time.perf_counter()
            if run.step in measured:
                yield from _evaluations(run, measured, measure)
                started = time.perf_counter()
            if run.checkpoint.is_due():
                run.save()
    finally:
        if run.is_between_steps:
            run.save()
    run.take_best()


def _evaluations(run: Run, measured: set[int], measure: Measure | None) -> Iterator[Evaluated]:
    """Measure where that was not done before an interruption; then save."""
    if measure is None or run.step not in measured or run.measured_step == run.step:
        return
    run.model.eval()
    evaluated = measure(run.step, run.batches.seen(run.step))
    run.check_finite(sum(evaluated.losses.values()))
    run.remember(evaluated)
    yield evaluated
    if run.step:
        run.save()
