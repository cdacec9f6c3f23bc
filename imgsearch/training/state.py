"""The state of a run: all that changes while it goes on, and what an interrupted one goes on from.

Towers and a recipe go in. A checkpoint in the run's folder holds weights, optimiser, schedule and
what was seen so far; nothing random, since a step's chance comes from its number.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from imgsearch.training.checkpoint import Checkpoint, write_state
from imgsearch.training.events import Evaluated
from imgsearch.training.ranks import Ranks
from imgsearch.training.recipe import Recipe
from imgsearch.training.steps import compute_type
from imgsearch.training.towers import Towers

BETAS, EPSILON = (0.9, 0.98), 1e-6  # CLIP's, for vision transformers
LONGEST_GRADIENT = 1.0

Measure = Callable[[int, int], Evaluated]  # at this step, after so many photos


class Run:
    """All that changes while a run goes on, and what an interrupted one needs to go on."""

    def __init__(self, towers: Towers, recipe: Recipe, folder: Path, ranks: Ranks) -> None:
        self.towers = towers
        self.recipe = recipe
        self.folder = folder
        self.ranks = ranks
        self.step = 0
        self.measured_step = -1
        self.watched: dict[str, Any] = {}
        self.rates: dict[str, float] = {}  # of the last step, by part
        self.is_between_steps = True
        self.device = towers.logit_scale.device
        is_half = compute_type(recipe.precision, self.device) == torch.float16
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=is_half)
        towers.lock(recipe.freeze)
        groups = towers.groups(recipe.rates.of_parts, recipe.weight_decay, recipe.head_decay)
        self.optimiser = torch.optim.AdamW(groups, betas=BETAS, eps=EPSILON, fused=True)
        self.plateau = Plateau(recipe.plateau_patience, recipe.plateau_factor)
        self._best: float | None = None
        self._checkpoint = Checkpoint(folder)
        towers.checkpoint_activations(recipe.checkpoint_activations)

    def prepare(self, step: int, steps: int) -> None:
        """Training mode, locks and rates for a step of so many."""
        is_first_stage = step < self.recipe.image_locked * steps
        self.towers.lock("image" if is_first_stage else self.recipe.freeze)
        self.towers.train()
        share = self.recipe.share_of_rate(step, steps) * self.plateau.share
        self.rates = {part: rate * share for part, rate in self.recipe.rates.of_parts.items()}
        for group in self.optimiser.param_groups:
            group["lr"] = group["rate"] * share
        self.optimiser.zero_grad(set_to_none=True)

    def update(self) -> None:
        """Take the step whose gradients were computed."""
        self.scaler.unscale_(self.optimiser)
        nn.utils.clip_grad_norm_(self.towers.model.parameters(), LONGEST_GRADIENT)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.towers.clamp_scale()

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
        return self._checkpoint.is_due()

    def save(self) -> None:
        """Write the checkpoint, unless this very step is written."""
        self._checkpoint.save((self.step, self.measured_step), self._write_all)

    def _write_all(self, path: Path) -> None:
        state = {
            "model": self.towers.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "plateau": vars(self.plateau),
            "best": self._best,
            "watched": self.watched,
            "scaler": self.scaler.state_dict(),
            "measured_step": self.measured_step,
            "step": self.step,
        }
        self._write(path, state)

    def load(self) -> None:
        """Go on from the checkpoint, where there is one."""
        state = self._checkpoint.load(self.device)
        if state is None:
            return
        self.towers.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.plateau = Plateau(**state["plateau"])
        self._best = state["best"]
        self.watched = state["watched"]
        self.scaler.load_state_dict(state["scaler"])
        self.measured_step = state["measured_step"]
        self.step = state["step"]

    def _write(self, path: Path, state: dict[str, Any]) -> None:
        if self.ranks.is_first:
            write_state(path, state)


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
