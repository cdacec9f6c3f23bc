"""The plain training loop: step, report, evaluate, save; interrupted at any moment, it goes on.

In: towers, sets of photos, a resolved recipe, a folder for the run's state, how to measure. Out:
events, and the trained weights in place. What a step sees depends on its number alone (see
`batches`), so weights, optimiser and schedule are all that a checkpoint holds.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from imgsearch.training.batches import Batch, Batches, size_at
from imgsearch.training.collapse import Watch, loss_of_guessing
from imgsearch.training.events import Evaluated, Health, Stepped
from imgsearch.training.ranks import Ranks
from imgsearch.training.recipe import Recipe
from imgsearch.training.sets import TrainingSet
from imgsearch.training.steps import Computed, Stepper
from imgsearch.training.towers import Towers

BETAS, EPSILON = (0.9, 0.98), 1e-6  # CLIP's, for vision transformers
LONGEST_GRADIENT = 1.0
REPORTS = 200  # a run, at most
SAVED_EVERY_SECONDS = 60
SAVING_SHARE = 0.05  # of the time, at most

Measure = Callable[[int, int], Evaluated]  # at this step, after so many photos


@dataclass(frozen=True)
class Plan:
    """The steps of a run: how many, and after which of them to measure."""

    steps: int
    photos_a_step: int
    evaluations: frozenset[int]


def plan_of(recipe: Recipe, batches: Batches) -> Plan:
    """The steps that a recipe means for these sets; always measured at the end."""
    photos = sum(stage.photos for stage in recipe.stages)
    steps = max(1, math.ceil(photos / batches.photos_a_step))
    largest = max(len(each) / n for each, n in zip(batches.sets, batches.counts, strict=True))
    every = max(1, round(largest / recipe.evaluations)) if recipe.evaluations else steps
    return Plan(steps, batches.photos_a_step, frozenset({0, *range(every, steps, every), steps}))


def train(
    towers: Towers,
    sets: Sequence[TrainingSet],
    recipe: Recipe,
    folder: Path,
    *,
    measure: Measure | None = None,
    ranks: Ranks = Ranks(),  # noqa: B008  # frozen
) -> Iterator[Stepped | Evaluated]:
    """Train in place; goes on from `folder/checkpoint.pt`.

    The recipe has its rates and stages. Measures before the first step, at the recipe's evaluations
    and after the last step. With `keep="best"` the weights that measured best are in place at the
    end. An interrupted run ends where an uninterrupted one does, bit for bit on a CPU, at the cost
    of at most a minute. Raises CollapsedError when embeddings no longer tell things apart.
    """
    batches = Batches(sets, recipe, ranks)
    plan = plan_of(recipe, batches)
    run = Run(towers, recipe, folder, ranks)
    run.load()
    stepper = Stepper(towers, recipe, ranks, run.device)
    yield from evaluations(run, plan, measure, None)
    watch = Watch(plan.steps, recipe.rates.of_parts, run.starting)
    report = Report(recipe, plan)
    try:
        for step, batch in batches.steps(run.step, plan.steps):
            done = step / plan.steps
            run.is_between_steps = False
            run.prepare(done)
            computed = stepper.gradients(step, batch)
            run.update(stepper)
            run.step = step + 1
            run.is_between_steps = True
            report.add(computed, batch.count)
            if report.is_due(run.step):
                guessing = loss_of_knowing_nothing(recipe, batch)
                cosine = watch.look(
                    run.step, computed.images, computed.texts, computed.loss, guessing
                )
                yield report.stepped(run, cosine, done)
            yield from evaluations(run, plan, measure, watch)
            if run.is_save_due():
                run.save()
    finally:
        if run.is_between_steps:
            run.save()
    run.take_best()


def evaluations(
    run: "Run", plan: Plan, measure: Measure | None, watch: Watch | None
) -> Iterator[Evaluated]:
    """Measure where the plan says so and it was not done before an interruption; then save."""
    if run.step not in plan.evaluations or run.measured_step == run.step:
        return
    evaluated = run.measured(measure, run.step * plan.photos_a_step)
    if evaluated is not None:
        if watch is None:
            run.starting = run.starting or evaluated.health
        elif evaluated.health is not None:
            watch.judge(run.step, evaluated.health)
        yield evaluated
    if run.step:
        run.save()


def loss_of_knowing_nothing(recipe: Recipe, batch: Batch) -> float | None:
    """What embeddings that are all alike would cost on this batch; None for losses that a healthy
    run keeps near it, or that have no such number."""
    if recipe.objective.loss not in ("clip", "same-caption", "same-label"):
        return None
    return sum(
        each.weight * loss_of_guessing(len(each.rows), len(each.drawn.texts))
        for each in batch.contrasts
    )


class Run:
    """All that changes while a run goes on, and what an interrupted one needs to go on."""

    def __init__(self, towers: Towers, recipe: Recipe, folder: Path, ranks: Ranks) -> None:
        self.towers = towers
        self.recipe = recipe
        self.folder = folder
        self.ranks = ranks
        self.step = 0
        self.measured_step = -1
        self.starting: Health | None = None
        self.is_between_steps = True
        self.device = towers.logit_scale.device
        towers.lock(recipe.freeze)
        groups = towers.groups(recipe.rates.of_parts, recipe.weight_decay, recipe.head_decay)
        self.optimiser = torch.optim.AdamW(groups, betas=BETAS, eps=EPSILON)
        self.plateau = Plateau(recipe.plateau_patience, recipe.plateau_factor)
        self._best: float | None = None
        self._saved_at = time.monotonic()
        self._saved_step = (0, -1)
        self._pause = float(SAVED_EVERY_SECONDS)
        towers.checkpoint_activations(recipe.checkpoint_activations)

    def prepare(self, done: float) -> None:
        """Training mode, locks and rates for a step after the share `done` of the run."""
        is_first_stage = done < self.recipe.image_locked
        self.towers.lock("image" if is_first_stage else self.recipe.freeze)
        self.towers.train()
        share = self.recipe.share_of_rate(done) * self.plateau.share
        for group in self.optimiser.param_groups:
            group["lr"] = group["rate"] * share
        self.optimiser.zero_grad(set_to_none=True)

    def update(self, stepper: Stepper) -> None:
        """Take the step whose gradients were computed."""
        stepper.scaler.unscale_(self.optimiser)
        nn.utils.clip_grad_norm_(self.towers.model.parameters(), LONGEST_GRADIENT)
        stepper.scaler.step(self.optimiser)
        stepper.scaler.update()
        self.towers.clamp_scale()

    def rates(self, done: float) -> dict[str, float]:
        """The learning rate of each part."""
        share = self.recipe.share_of_rate(done) * self.plateau.share
        return {part: rate * share for part, rate in self.recipe.rates.of_parts.items()}

    def measured(self, measure: Measure | None, photos: int) -> Evaluated | None:
        """Measure the towers as they are; remember the best, and slow down on a plateau.

        Of several processes the first measures, and tells the others how far to slow down.
        """
        evaluated = None
        if measure is not None:
            self.towers.eval()
            evaluated = measure(self.step, photos)
            if self.step and evaluated.loss is not None and self.recipe.schedule == "plateau":
                self.plateau.look(evaluated.loss)
            score = evaluated.score
            if score is not None and (self._best is None or score > self._best):
                self._best = score
                self._write(self.folder / "best.pt", self.towers.model.state_dict())
        self.plateau.share = self.ranks.of_first(self.plateau.share)
        self.measured_step = self.step
        return evaluated

    def take_best(self) -> None:
        """Put the weights in place that measured best, where the recipe says so."""
        if self.recipe.keep == "best" and self._best is not None:
            best = torch.load(self.folder / "best.pt", weights_only=True, map_location=self.device)
            self.towers.model.load_state_dict(best)
        self.towers.eval()

    def is_save_due(self) -> bool:
        """A minute has passed; more where saving takes long."""
        return time.monotonic() - self._saved_at > self._pause

    def save(self) -> None:
        """Write the checkpoint, unless this very step is written."""
        if self._saved_step == (self.step, self.measured_step):
            return
        started = time.monotonic()
        state = {
            "model": self.towers.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "plateau": vars(self.plateau),
            "best": self._best,
            "starting": vars(self.starting) if self.starting else None,
            "measured_step": self.measured_step,
            "step": self.step,
        }
        self._write(self.folder / "checkpoint.pt", state)
        self._saved_at = time.monotonic()
        self._saved_step = (self.step, self.measured_step)
        self._pause = max(SAVED_EVERY_SECONDS, (self._saved_at - started) / SAVING_SHARE)

    def load(self) -> None:
        """Go on from the checkpoint, where there is one."""
        path = self.folder / "checkpoint.pt"
        if not path.exists():
            return
        state: dict[str, Any] = torch.load(path, weights_only=True, map_location=self.device)
        self.towers.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.plateau = Plateau(**state["plateau"])
        self._best = state["best"]
        self.starting = Health(**state["starting"]) if state["starting"] else None
        self.measured_step = state["measured_step"]
        self.step = state["step"]
        self._saved_step = (self.step, self.measured_step)

    def _write(self, path: Path, state: dict[str, Any]) -> None:
        if self.ranks.is_first:
            unfinished = path.with_suffix(".tmp")
            torch.save(state, unfinished)
            unfinished.replace(path)


@dataclass
class Plateau:
    """Multiplies rates by `factor` when the validation loss has not fallen for more than `patience`
    evaluations: what torch's ReduceLROnPlateau does, with its relative threshold of 1e-4."""

    patience: int
    factor: float
    share: float = 1.0
    lowest: float = math.inf
    waited: int = 0

    def look(self, loss: float) -> None:
        if loss < self.lowest * (1 - 1e-4):
            self.lowest, self.waited = loss, 0
            return
        self.waited += 1
        if self.waited > self.patience:
            self.share, self.waited = self.share * self.factor, 0


@dataclass
class Report:
    """What has happened since the last report."""

    recipe: Recipe
    plan: Plan
    losses: list[float] = field(default_factory=list)
    photos: int = 0
    started: float = field(default_factory=time.perf_counter)

    def add(self, computed: Computed, photos: int) -> None:
        self.losses.append(computed.loss)
        self.photos += photos

    def is_due(self, step: int) -> bool:
        return step % max(1, self.plan.steps // REPORTS) == 0 or step == self.plan.steps

    def stepped(self, run: Run, cosine: float, done: float) -> Stepped:
        plan, now = self.plan, time.perf_counter()
        stepped = Stepped(
            step=run.step,
            steps=plan.steps,
            photos=run.step * plan.photos_a_step,
            total=plan.steps * plan.photos_a_step,
            size=size_at(self.recipe, (run.step - 1) * plan.photos_a_step),
            loss=sum(self.losses) / len(self.losses),
            logit_scale=run.towers.logit_scale.exp().item(),
            rates=run.rates(done),
            cosine=cosine,
            photos_per_second=self.photos / (now - self.started),
        )
        self.losses, self.photos, self.started = [], 0, now
        return stepped
