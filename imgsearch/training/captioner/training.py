"""train_captioner(): pairs and an encoder become a captioner of that encoder's embeddings.

Pairs go in, events come out, and at the end a folder in the library's `captioners/` that `caption
--captioner NAME` takes. The state of an unfinished run lies in the library's
`training-captioners/NAME/`; the same call goes on from it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from imgsearch.encoders import Encoder
from imgsearch.errors import UsageError
from imgsearch.library import Library
from imgsearch.training.captioner import events
from imgsearch.training.captioner.events import Event, Finished, Studied
from imgsearch.training.captioner.ground import ground_of
from imgsearch.training.captioner.recipe import CaptionerRecipe
from imgsearch.training.captioner.run_folder import TRAINED, is_begun, open_run
from imgsearch.training.material import Material
from imgsearch.training.unfinished import METRICS, NAMES, alone, check_fingerprint, clear

EMBEDDINGS = "embeddings"
LONGEST_NAME = 100  # bytes: folders have room for 255, and what is made beside them wants some


def train_captioner(
    library: Library,
    material: Material,
    *,
    name: str,
    encoder: str | Encoder = "builtin",
    start: str | None = None,
    recipe: CaptionerRecipe = CaptionerRecipe(),  # noqa: B008  # frozen
    device: str = "auto",
) -> Iterator[Event]:
    """Train a captioner on pairs and put it into the library's `captioners/NAME`.

    Yields `Began`, `Embedded` until every photo is, `Stepped` and `Evaluated` as they come, then
    `Finished`. Stopping at any moment loses a minute or so: the same call goes on.

    Raises UsageError for pairs, names and recipes that do not fit together, NoEncoderError when
    `start` is a captioner of another encoder, DownloadError for weights that are nowhere, and
    LibraryLockedError when another process is training under this name.
    """
    _check_name(library, name)
    folder = _folder(library, name)
    with alone(folder):
        ground = ground_of(library, material, encoder, recipe, folder / EMBEDDINGS, device)
        run = open_run(name, folder, ground, recipe, start)
        yield from run.events()
        yield run.finish()
        clear(folder)
    shutil.rmtree(folder, ignore_errors=True)  # once the lock in it is given back


def study_prefix_lengths(
    library: Library,
    material: Material,
    prefix_lengths: Sequence[int],
    *,
    name: str,
    encoder: str | Encoder = "builtin",
    recipe: CaptionerRecipe = CaptionerRecipe(),  # noqa: B008  # frozen
    device: str = "auto",
) -> Iterator[Event]:
    """Train one captioner for each prefix length, `NAME-k5`, `NAME-k10` and so on.

    The photos are embedded once. Yields the events of each in turn and a `Studied` at the end;
    interrupted, the same call keeps those that are finished and goes on with the captioner that was
    under way. Raises as `train_captioner`.
    """
    lengths = sorted(set(prefix_lengths))
    recipes = [replace(recipe, mapper=replace(recipe.mapper, prefix_length=k)) for k in lengths]
    names = _members(name, lengths)
    _check_spelling(name)
    folder = _folder(library, name)
    trained = folder / TRAINED
    if not trained.exists():
        _check_members(library, names)
    finished: list[Finished] = []
    with alone(folder):
        ground = ground_of(library, material, encoder, recipe, folder / EMBEDDINGS, device)
        decides = {
            "recipe": asdict(recipe),
            "prefix lengths": lengths,
            "encoder": ground.encoder.identity,
            **ground.sets.fingerprints,
        }
        check_fingerprint(folder, name, decides, is_begun=is_begun(folder))
        trained.mkdir(exist_ok=True)
        for each, own in zip(names, recipes, strict=True):
            is_own = (trained / each).exists()  # and no captioner that was there before
            if not (is_own and (library.captioners_folder / each).exists()):
                _check_members(library, [each])
                (folder / each).mkdir(exist_ok=True)
                run = open_run(each, folder / each, ground, own, None)
                yield from run.events()
                (trained / each).touch()
                yield run.finish()
            finished.append(_finished(library, each))
        clear(folder)
    shutil.rmtree(folder, ignore_errors=True)
    yield Studied(tuple(finished))


def forget(library: Library, name: str, prefix_lengths: Sequence[int] = ()) -> None:
    """Drop the state of an unfinished run, or of a study of these prefix lengths, so that the next
    one under this name begins anew.

    Raises, and drops nothing, UsageError for what cannot be a name and where a captioner is there
    already, LibraryLockedError when the run is going on.
    """
    _check_spelling(name)
    folder = _folder(library, name)
    if prefix_lengths:
        is_unfinished = (folder / TRAINED).exists()
        _check_members(library, _members(name, prefix_lengths), is_unfinished=is_unfinished)
    else:
        _check_name(library, name)
    if folder.exists():
        with alone(folder):
            clear(folder)


def _members(name: str, prefix_lengths: Sequence[int]) -> list[str]:
    """What the captioners of a study are called."""
    return [f"{name}-k{k}" for k in prefix_lengths]


def _finished(library: Library, name: str) -> Finished:
    """How a captioner of this library was measured when it was finished."""
    told = events.read(library.captioners_folder / name / METRICS)
    return next(each for each in told if isinstance(each, Finished))


def _folder(library: Library, name: str) -> Path:
    return library.path / "training-captioners" / name


def _check_name(library: Library, name: str) -> None:
    _check_spelling(name)
    folder = library.captioners_folder / name
    if folder.exists():
        raise UsageError(
            f"there is a captioner {name!r} in {folder} already; use another --name, "
            f"or start from it: --start {name}"
        )


def _check_spelling(name: str) -> None:
    if len(name.encode()) > LONGEST_NAME:
        raise UsageError(
            f"a name of {len(name)} letters is too long for a captioner: at most {LONGEST_NAME} "
            f"characters, or {LONGEST_NAME // 3} Chinese ones; for example --name flowers-v2"
        )
    if not NAMES.fullmatch(name) or name == "builtin":
        raise UsageError(
            f"{name!r} cannot be the name of a captioner: letters, digits, '.', '_', '+' and '-', "
            "and not 'builtin' alone; for example --name flowers-v2"
        )


def _check_members(library: Library, names: Sequence[str], *, is_unfinished: bool = False) -> None:
    """Nothing is where a study puts its captioners; those of one that is unfinished are kept as
    well."""
    folder = library.captioners_folder
    there = [str(folder / each) for each in names if (folder / each).exists()]
    if there:
        going_on = "leave --restart out to go on with the study, " if is_unfinished else ""
        if len(there) == len(names) > 1:
            compared = " ".join(f"--captioner {each}" for each in names)
            going_on += f"compare them with imgsearch eval DATA {compared}, "
        raise UsageError(
            f"the study would make captioners that there are already: {', '.join(there)}; "
            f"{going_on}use another --name, or delete these folders first"
        )
