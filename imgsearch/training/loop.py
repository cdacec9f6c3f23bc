"""The plain training loop: step, report, evaluate, save; interrupted at any moment, it goes on.

In: towers, sets of photos, a resolved recipe, a folder for the run's state, how to measure. Out:
events, and the trained weights in place. What a step sees depends on its number alone (see
`batches`), so weights, optimiser and schedule are all that a checkpoint holds.
"""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from imgsearch.errors import CollapsedError
from imgsearch.training.batches import Batch, Batches, size_at
from imgsearch.training.collapse import Watch, loss_of_guessing
from imgsearch.training.events import Evaluated, Stepped
from imgsearch.training.ranks import Ranks
from imgsearch.training.recipe import Recipe
from imgsearch.training.sets import TrainingSet
from imgsearch.training.state import Measure, Run
from imgsearch.training.steps import Computed, Stepper
from imgsearch.training.towers import Towers

REPORTS = 200  # a run, at most


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
    of a minute, or of 20 times what saving takes. Raises CollapsedError when embeddings no longer
    tell things apart, LibraryError when the disk is full.
    """
    batches = Batches(sets, recipe, ranks)
    plan = plan_of(recipe, batches)
    run = Run(towers, recipe, folder, ranks)
    stepper = Stepper(towers, recipe, ranks, run.device, run.scaler)
    run.load()
    watch = Watch(plan.steps, recipe.rates.of_parts)
    watch.remember(run.watched)
    yield from evaluations(run, plan, measure, watch)
    report = Report(recipe, plan)
    try:
        for step, batch in batches.steps(run.step, plan.steps):
            run.is_between_steps = False
            run.prepare(step, plan.steps)
            computed = stepper.gradients(step, batch)
            run.update()
            run.step = step + 1
            run.is_between_steps = True
            report.add(computed, batch.count)
            if report.is_due(run.step):
                guessing = loss_of_knowing_nothing(recipe, batch)
                cosine = watch.look(
                    run.step, computed.images, computed.texts, computed.loss, guessing
                )
                run.watched = watch.memory
                yield report.stepped(run, cosine)
            yield from evaluations(run, plan, measure, watch)
            if run.is_save_due():
                run.save()
            report.go_on()
    except CollapsedError:
        run.is_between_steps = False  # nothing worth going on from
        raise
    finally:
        if run.is_between_steps:
            run.save()
    run.take_best()


def evaluations(run: Run, plan: Plan, measure: Measure | None, watch: Watch) -> Iterator[Evaluated]:
    """Measure where the plan says so and it was not done before an interruption; then save."""
    if run.step not in plan.evaluations or run.measured_step == run.step:
        return
    evaluated = run.measured(measure, run.step * plan.photos_a_step)
    if evaluated is not None:
        if evaluated.health is not None:
            watch.judge(run.step, evaluated.health)
            run.watched = watch.memory
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

    def go_on(self) -> None:
        """A step is over, with all that was measured and saved after it."""
        if not self.losses:
            self.started = time.perf_counter()

    def stepped(self, run: Run, cosine: float) -> Stepped:
        plan, now = self.plan, time.perf_counter()
        stepped = Stepped(
            step=run.step,
            steps=plan.steps,
            photos=run.step * plan.photos_a_step,
            total=plan.steps * plan.photos_a_step,
            size=size_at(self.recipe, (run.step - 1) * plan.photos_a_step),
            loss=sum(self.losses) / len(self.losses),
            logit_scale=run.towers.logit_scale.exp().item(),
            rates=run.rates,
            cosine=cosine,
            photos_per_second=self.photos / (now - self.started),
        )
        self.losses, self.photos, self.started = [], 0, now
        return stepped
