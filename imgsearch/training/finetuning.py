"""finetune(): pairs and an encoder become a better encoder, measured before and after.

Pairs go in, events come out, and at the end a folder in the library's `models/` that loads like any
encoder. Nothing that answers queries is touched: `rebuild --encoder NAME` puts the new encoder to
work, which is proposed only when the validation pairs gained and the guard did not lose. The state
of an unfinished run lies in the library's `training/NAME/`; the same call goes on from it.
"""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from imgsearch.errors import NoEncoderError, UsageError
from imgsearch.library import Library
from imgsearch.pairs import LabelledPhotos
from imgsearch.training.events import Event
from imgsearch.training.material import Material, Pairs, Sets, read_material
from imgsearch.training.ranks import Ranks, join_ranks, own_device
from imgsearch.training.recipe import Loss, Recipe, Stage
from imgsearch.training.run_folder import RunFolder, languages_of
from imgsearch.training.sets import texts_of
from imgsearch.training.towers import Towers, fresh_towers, open_towers
from imgsearch.training.unfinished import NAMES, alone, clear
from imgsearch.weights import device as devices


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

    Yields `Began`, an `Evaluated` before the first step, `Stepped` and `Evaluated` as they come,
    then `Finished`. Stopping at any moment loses a minute or so: the same call goes on. Started by
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
    with _alone(folder, ranks):
        torch.manual_seed(recipe.seed)
        towers = _towers(library, start, sets.learnt, folder, device)
        recipe = _resolved(recipe, towers, sets, ranks)
        run = RunFolder(name, folder, towers, recipe, sets, _base(start, towers))
        if ranks.is_first:
            run.check_fingerprint()
        ranks.wait()
        yield from run.events(ranks)
        if ranks.is_first:
            yield run.finish(library)
            clear(folder)
        ranks.leave()
    if ranks.is_first:  # once the lock in it is given back
        shutil.rmtree(folder, ignore_errors=True)


def forget(library: Library, name: str) -> None:
    """Drop the state of an unfinished run, so that the next one under this name begins anew.

    Raises UsageError for what cannot be a name, LibraryLockedError when the run is going on.
    """
    _check_name(library, name)
    folder = library.path / "training" / name
    if folder.exists():
        with alone(folder):
            clear(folder)


@contextlib.contextmanager
def _alone(folder: Path, ranks: Ranks) -> Iterator[None]:
    """Be the only run in this folder; the first of several processes holds the lock for all."""
    with alone(folder) if ranks.is_first else contextlib.nullcontext():
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


def _resolved(recipe: Recipe, towers: Towers, sets: Sets, ranks: Ranks) -> Recipe:
    """The recipe with everything chosen that nobody chose, once it is known to make sense."""
    learnt = sets.learnt
    if len(learnt) < 2:
        raise UsageError("a photo is told apart from others: give at least two to learn from")
    recipe = replace(recipe, batch_size=min(recipe.batch_size, len(learnt)))
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
    if recipe.schedule == "plateau" and (sets.validation is None or not recipe.evaluations):
        raise UsageError(
            "the plateau schedule follows the validation loss: give --val, and --evaluations above "
            "0, or use --schedule cosine"
        )
    if not languages_of(learnt, towers):
        raise NoEncoderError(
            f"{towers.encoder.name} knows {', '.join(towers.languages)}; the pairs are in "
            f"{', '.join(learnt.languages)}: start from another encoder with --start"
        )
    if not recipe.stages:
        photos = max(recipe.batch_size, round(recipe.epochs * len(learnt)))
        recipe = replace(recipe, stages=(Stage(towers.image_size, photos),))
    return recipe
