"""finetune(): pairs and an encoder become a better encoder, measured before and after.

Pairs go in, events come out, and at the end a folder in the library's `models/` that loads like any
encoder. Nothing that answers queries is touched: `rebuild --encoder NAME` puts the new encoder to
work, which is proposed only when the validation pairs gained and the guard did not lose. The state
of an unfinished run lies in the library's `training/NAME/`; the same call goes on from it.
"""

import contextlib
import json
import math
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from imgsearch.encoders import device as devices
from imgsearch.errors import NoEncoderError, UsageError
from imgsearch.library import Library
from imgsearch.library.lock import Lock
from imgsearch.pairs import CaptionedPhotos, LabelledPhotos
from imgsearch.training import curves, encoder_folder, logs
from imgsearch.training.events import Began, Evaluated, Event, Finished, Stepped, score_of
from imgsearch.training.loop import train
from imgsearch.training.material import Material, Pairs, Sets, read_material, texts_by_language
from imgsearch.training.measuring import Measuring
from imgsearch.training.model_card import Card, model_card
from imgsearch.training.ranks import Ranks, join_ranks, own_device
from imgsearch.training.recipe import Loss, Recipe, Stage
from imgsearch.training.sets import TrainingSet, captioned_set, labelled_set, texts_of
from imgsearch.training.squares import Squares
from imgsearch.training.towers import Towers, fresh_towers, open_towers

NAMES = re.compile(r"[\w][\w.+-]*")
ROOM_TO_CROP = 1.125  # squares are held this much larger than the tower's input


@dataclass(frozen=True)
class FromScratch:
    """Start from random weights: an architecture as `towers.fresh_towers` takes it."""

    architecture: str | Path


def finetune(
    library: Library,
    material: Material,
    *,
    name: str,
    start: str | FromScratch = "builtin",
    recipe: Recipe = Recipe(),  # noqa: B008  # frozen
    device: str = "auto",
) -> Iterator[Event]:
    """Train an encoder further on pairs and put it into the library's `models/NAME`.

    Yields an `Evaluated` before the first step, then `Stepped` and `Evaluated` as they come, one
    `Finished`. Stopping at any moment loses at most a minute: the same call goes on. Started by
    torchrun, its processes share every batch, and only the first of them yields.

    Raises UsageError for pairs, names and recipes that do not fit together, NoEncoderError when the
    encoder knows no language of the pairs, CollapsedError when training fails, and
    LibraryLockedError when another process is training under this name.
    """
    _check_name(library, name)
    sets = read_material(library, material)
    device = own_device(device)
    ranks = join_ranks(devices.choose(device))
    folder = library.path / "training" / name
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder, ranks):
        torch.manual_seed(recipe.seed)
        towers = _towers(library, start, sets.learnt, folder, device)
        recipe = _resolved(recipe, towers, sets.learnt, ranks)
        run = _Run(name, folder, towers, recipe, sets, _base(start, towers))
        if ranks.is_first:
            run.check_fingerprint()
        ranks.wait()
        yield from run.events(ranks)
        if ranks.is_first:
            yield run.finish(library)
        ranks.leave()


@dataclass
class _Run:
    """A run's parts, once they are known to fit together."""

    name: str
    folder: Path
    towers: Towers
    recipe: Recipe
    sets: Sets
    base: str
    squares: Squares | None = None  # of the photos learnt from, once training

    @property
    def metrics(self) -> Path:
        return self.folder / "metrics.jsonl"

    def check_fingerprint(self) -> None:
        """The state in the folder, if any, is of this very run."""
        file = self.folder / "run.json"
        found = {"recipe": asdict(self.recipe), "base": self.base, "pairs": self.sets.fingerprint}
        text = json.dumps(found, indent=2, default=str)
        if not (self.folder / "checkpoint.pt").exists():
            self.metrics.unlink(missing_ok=True)
        elif not file.exists() or file.read_text("utf-8") != text:
            raise UsageError(
                f"{self.folder} holds an unfinished run under the name {self.name!r} with other "
                "pairs, another start or another recipe; repeat that command to go on, or use "
                "another --name, or begin anew with --restart"
            )
        file.write_text(text, "utf-8")

    def began(self) -> Began:
        """What the run works with."""
        learnt, sets = self.sets.learnt, self.sets
        seen = [each.photos for each in logs.read(self.metrics) if isinstance(each, Stepped)]
        return Began(
            encoder=self.base,
            parameters=self.towers.parameters,
            learnt=len(learnt),
            validation=len(sets.validation or ()),
            guard=len(sets.guard or ()),
            texts=texts_by_language(learnt),
            pictures_without_text=learnt.unpaired.pictures,
            texts_without_picture=learnt.unpaired.texts,
            goes_on_from=max(seen, default=0),
        )

    def events(self, ranks: Ranks) -> Iterator[Event]:
        """Train, and write down what happens."""
        side = math.ceil(ROOM_TO_CROP * max(stage.size for stage in self.recipe.stages))
        learnt = self._set("pairs", self.sets.learnt, side)
        held_out = None
        validation = self.sets.validation
        if isinstance(validation, CaptionedPhotos):
            held_out = self._set("validation", validation, self.recipe.stages[-1].size)
        measuring = Measuring(self.towers, self.recipe, validation, self.sets.guard, held_out)
        board = None
        self.squares = learnt.squares
        if ranks.is_first:
            logs.truncate(self.metrics, self.folder / "checkpoint.pt")
            began = self.began()
            board = logs.tensorboard(self.folder / "tensorboard", began.goes_on_from or None)
            yield began
        measure = measuring if ranks.is_first else None
        for event in train(
            self.towers, [learnt], self.recipe, self.folder, measure=measure, ranks=ranks
        ):
            if not ranks.is_first:
                continue
            logs.append(self.metrics, event)
            if board is not None:
                board.add(event)
            if isinstance(event, Evaluated):
                curves.draw(self.metrics, self.folder / "curves.png")
            yield event

    def _set(self, name: str, pairs: Pairs, side: int) -> TrainingSet:
        squares = Squares(pairs.pictures, side, self.towers.fit)
        languages = _languages(pairs, self.towers)
        if isinstance(pairs, LabelledPhotos):
            return labelled_set(name, pairs, squares, languages)
        by_label = self.recipe.objective.loss == "same-label"
        return captioned_set(name, pairs, squares, languages, by_label)

    def finish(self, library: Library) -> Finished:
        """Put the encoder, its card and its curves into the library; forget the run's state."""
        evaluated = [each for each in logs.read(self.metrics) if isinstance(each, Evaluated)]
        before, after = evaluated[0], evaluated[-1]
        if self.recipe.keep == "best" and after.score is not None:
            after = max(evaluated, key=lambda each: each.score or 0.0)  # the first of equals
        target = library.models_folder / self.name
        reasons = _reasons(before, after, self.recipe)
        bad = self.squares.bad.values() if self.squares else ()
        unreadable = (*self.sets.unreadable, *bad)
        finished = Finished(self.name, target, before, after, reasons, unreadable)
        made = self.folder / "encoder"
        self.towers.save(made, self.name)
        (made / "MODEL_CARD.md").write_text(model_card(self._card(finished)), "utf-8")
        for name in ("metrics.jsonl", "curves.png"):
            shutil.copyfile(self.folder / name, made / name)
        library.models_folder.mkdir(exist_ok=True)
        made.rename(target)
        shutil.rmtree(self.folder, ignore_errors=True)
        return finished

    def _card(self, finished: Finished) -> Card:
        encoder = self.towers.encoder
        return Card(
            name=self.name,
            base=self.base,
            architecture=encoder_folder.architecture_of(encoder),
            languages=self.towers.languages,
            pairs=self.sets.on_card,
            recipe=self.recipe,
            before=finished.before,
            after=finished.after,
            reasons=finished.reasons,
            loading=encoder_folder.how_to_load(encoder),
        )


@contextlib.contextmanager
def _alone(folder: Path, ranks: Ranks) -> Iterator[None]:
    """Be the only run in this folder; the first of several processes holds the lock for all."""
    if not ranks.is_first:
        yield
        return
    with Lock(folder / "run.lock").held():
        yield


def _check_name(library: Library, name: str) -> None:
    if not NAMES.fullmatch(name) or name.startswith("builtin"):
        raise UsageError(
            f"{name!r} cannot be the name of an encoder: letters, digits, '.', '_', '+' and '-', "
            "not beginning with 'builtin'; for example --name flowers-v2"
        )
    folder = library.models_folder / name
    if folder.exists():
        raise UsageError(
            f"there is an encoder {name!r} in {folder} already; use another --name, "
            f"or start from it: --start {name}"
        )


def _towers(
    library: Library, start: str | FromScratch, learnt: Pairs, folder: Path, device: str
) -> Towers:
    if isinstance(start, str):
        return open_towers(start, device=device, models=library.models_folder)
    texts = texts_of(learnt, sorted({each.split("_")[0] for each in learnt.languages}))
    return fresh_towers(start.architecture, texts=texts, folder=folder, device=device)


def _base(start: str | FromScratch, towers: Towers) -> str:
    if isinstance(start, str):
        return towers.encoder.name
    return f"random weights ({Path(start.architecture).name})"


def _languages(pairs: Pairs, towers: Towers) -> list[str]:
    found = dict.fromkeys(each.split("_")[0] for each in pairs.languages)
    return [language for language in found if language in towers.languages]


def _resolved(recipe: Recipe, towers: Towers, learnt: Pairs, ranks: Ranks) -> Recipe:
    """The recipe with everything chosen that nobody chose, once it is known to make sense."""
    recipe = recipe.resolved(towers.parameters, towers.is_fresh)
    has_labels = isinstance(learnt, LabelledPhotos) or any(learnt.labels)
    if recipe.objective.loss == "auto":
        loss: Loss = "same-label" if has_labels else "same-caption"
        recipe = replace(recipe, objective=replace(recipe.objective, loss=loss))
    if recipe.objective.loss == "same-label" and not has_labels:
        raise UsageError("the loss same-label needs pairs with labels; use same-caption")
    if recipe.objective.loss == "siglip":
        towers.use_bias()
    if recipe.variation.cut_mix and not recipe.objective.loss.startswith("same-"):
        raise UsageError(
            f"photos mixed in pairs have two right texts, which the loss {recipe.objective.loss} "
            "cannot say; leave --cut-mix out, or use --loss same-caption"
        )
    if recipe.variation.cut_mix and ranks.count > 1:
        raise UsageError("--cut-mix works in one process only; leave it out under torchrun")
    if not _languages(learnt, towers):
        raise NoEncoderError(
            f"{towers.encoder.name} knows {', '.join(towers.languages)}; the pairs are in "
            f"{', '.join(learnt.languages)}: start from another encoder with --start"
        )
    batch = min(recipe.batch_size, len(learnt))
    if not recipe.stages:
        photos = max(batch, round(recipe.epochs * len(learnt)))
        recipe = replace(recipe, stages=(Stage(towers.image_size, photos),))
    return replace(recipe, batch_size=batch)


def _reasons(before: Evaluated, after: Evaluated, recipe: Recipe) -> tuple[str, ...]:
    """Why the new encoder should not take the old one's place; none where it should."""
    reasons = []
    if before.score is None or after.score is None:
        reasons.append("nothing was held out to measure it on")
    elif after.score <= before.score:
        reasons.append(
            f"on the validation pairs it is no better: {after.score:.1%} after, "
            f"{before.score:.1%} before"
        )
    old, new = score_of(before.guard), score_of(after.guard)
    if old is not None and new is not None and old - new > recipe.largest_guard_loss:
        reasons.append(
            f"it forgot what the guard pairs show: {new:.1%} after, {old:.1%} before, more than "
            f"the {recipe.largest_guard_loss:.1%} allowed"
        )
    return tuple(reasons)
