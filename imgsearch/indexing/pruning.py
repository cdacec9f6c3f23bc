"""prune(): drop what was made with encoders that answer nothing.

A library goes in, what goes and what it weighs comes out, the same whether it is only asked or
done. One commit forgets the encoders, and the switches that would lead back to them; folders go
after it, so a kill in between leaves folders that nothing names. A model in models/ that a person
trained or put there is a person's work, and an encoder that has embedded photos and to which no
switch leads back may be one that was built to answer tomorrow: they go only when they are named.
"""

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from imgsearch.catalog import EncoderRow, footprint
from imgsearch.encoders.exports import cache, parted
from imgsearch.encoders.families import builtin_version
from imgsearch.errors import UsageError
from imgsearch.indexing.answering import unknown_encoder
from imgsearch.library import Library, generations

BUNDLED_COPY = re.compile(r"builtin-\d+(\.tmp)?")


@dataclass(frozen=True)
class Unused:
    """An encoder that answers nothing: photos it embedded, how many of those have no file now (none
    can be embedded again before it returns), texts, indexes; `size_bytes` with its bundled copy.

    `is_waiting`: it has never answered, as far as is known, and waits for `switch`.
    """

    encoder: str
    photos: int
    fileless: int
    texts: int
    generations: int
    size_bytes: int
    is_waiting: bool = False


@dataclass(frozen=True)
class Model:
    """A folder or file in models/ and its size."""

    name: str
    size_bytes: int


@dataclass(frozen=True)
class Pruned:
    """What goes: encoders, models (copies of bundled ones, and those named), steps of `rollback`.

    `kept` are a person's own models that nothing in use needs, `waiting` the encoders that nobody
    named; `steps_left` how often `rollback` still can. `freed_bytes` is by how much the folder
    shrank, 0 when it was only asked.
    """

    encoders: tuple[Unused, ...]
    models: tuple[Model, ...]
    waiting: tuple[Unused, ...]
    kept: tuple[Model, ...]
    steps_lost: int
    steps_left: int
    freed_bytes: int = 0

    @property
    def size_bytes(self) -> int:
        """What it all takes up, without the catalog's own bookkeeping."""
        encoders = sum(each.size_bytes for each in self.encoders)
        return encoders + sum(each.size_bytes for each in self.models)

    def __bool__(self) -> bool:
        return bool(self.encoders or self.models)


def prune(
    library: Library,
    *,
    dry_run: bool,
    encoders: Sequence[str] = (),
    models: Sequence[str] = (),
) -> Pruned:
    """Drop the encoders that answer no language: embeddings, kept texts, indexes, bundled copies.

    `models` names what else goes from the library's models/, with the encoders made of it, and
    `encoders` those that wait for `switch`: built by a `rebuild` that was not to switch or did not
    end, or taken back. What was exported of weights that go from models/ goes with them. With
    `dry_run` nothing is changed and the same is told. Photos, their files,
    and what answers are never touched; while nobody answers at all, no encoder goes.

    Raises UsageError for a model that is not there and for one or an encoder that answers,
    NoEncoderError for an encoder that is not there, and LibraryLockedError when another process is
    writing: it may be embedding with an encoder that is to answer.
    """
    with library.lock():
        named = _named(library, models)
        active = {row.id for row in library.catalog.active_encoders().values()}
        rows = library.catalog.encoders()
        idle = [row for row in rows if active and row.id not in active]
        answering = [row for row in rows if row not in idle]
        _check_named(library, encoders, named, answering)
        wanted = {library.find_encoder(name) for name in encoders}
        wanted |= {row for row in idle if _needed(named, [row])}
        waiting = [row for row in idle if _is_waiting(library, row) and row not in wanted]
        unused = [row for row in idle if row not in waiting]
        staying = [*answering, *waiting]
        copies = _copies(library, staying)
        ids = [row.id for row in unused]
        left = footprint.steps(library.catalog, ids)
        pruned = Pruned(
            encoders=tuple(_look(library, row) for row in unused),
            models=_weighed([*copies, *named]),
            waiting=tuple(_look(library, row) for row in waiting),
            kept=_weighed(_own(library, staying, named)),
            steps_lost=footprint.steps(library.catalog) - left,
            steps_left=left,
        )
        if dry_run or not pruned:
            return pruned
        before = _size_bytes(library.path)
        with library.catalog.write() as writer:
            writer.forget_encoders(ids)
        generations.sweep(library)
        for path in (*copies, *named):
            _delete(path)
        cache.remove_gone(library.models_folder)
        footprint.shrink(library.catalog)
        freed = max(0, before - _size_bytes(library.path))
        return replace(pruned, freed_bytes=freed)


def _is_waiting(library: Library, row: EncoderRow) -> bool:
    """Whether it has embedded photos, and no switch tells that it answered."""
    is_old = row.id in footprint.answered_before(library.catalog)
    return not is_old and library.catalog.photo_count(row.id) > 0


def _look(library: Library, row: EncoderRow) -> Unused:
    found = footprint.footprint(library.catalog, row.id)
    folders = [library.generations_folder / g.folder for g in library.catalog.generations(row.id)]
    size_bytes = found.size_bytes + sum(map(_size_bytes, folders))
    return Unused(
        *(row.name, found.photos, found.fileless, found.texts, len(folders), size_bytes),
        is_waiting=_is_waiting(library, row),
    )


def _named(library: Library, models: Sequence[str]) -> list[Path]:
    found = []
    for name in dict.fromkeys(models):
        path = library.models_folder / Path(name).name
        there = [each.name for each in _entries(library)]
        if path.name not in there or name not in (path.name, f"models/{path.name}"):
            raise UsageError(
                f"{library.models_folder} has no model {name!r}; it has "
                f"{', '.join(there) or 'none'}"
            )
        found.append(path)
    return found


def _check_named(
    library: Library, encoders: Sequence[str], models: Sequence[Path], answering: list[EncoderRow]
) -> None:
    in_use = [f"the model {path.name!r}" for path in _needed(models, answering)]
    for name in encoders:
        row = library.find_encoder(name)
        if row is None:
            raise unknown_encoder(library, name)
        if row in answering:
            in_use.append(f"the encoder {row.name}")
    if in_use:
        raise UsageError(
            f"in use: {' and '.join(in_use)}; let another encoder answer first: "
            f"{library.command('switch', 'NAME')}"
        )


def _copies(library: Library, staying: Sequence[EncoderRow]) -> list[Path]:
    """Copies of bundled weights that no encoder of the library needs."""
    entries = _entries(library)
    needed = _needed(entries, staying)
    return [each for each in entries if _is_copy(each) and each not in needed]


def _own(library: Library, staying: Sequence[EncoderRow], named: Sequence[Path]) -> list[Path]:
    """A person's own models that no encoder of the library needs and that nobody named."""
    entries = _entries(library)
    apart = {*_needed(entries, staying), *named}
    return [each for each in entries if not _is_copy(each) and each not in apart]


def _needed(entries: Sequence[Path], rows: Sequence[EncoderRow]) -> list[Path]:
    """Those of the entries of models/ that any of these encoders is loaded from."""
    copies = {f"builtin-{builtin_version(row.name)}" for row in rows}
    sources = [parted(row.source)[0] for row in rows if row.source is not None]
    return [
        path
        for path in entries
        if path.name in copies or any(_is_of(path, source) for source in sources)
    ]


def _is_of(path: Path, source: str) -> bool:
    """Whether a source is this entry, or a file in it, maybe behind the name of an architecture."""
    source = f"{_slashed(source)}/"
    if source.startswith(f"{_slashed(path.name)}/"):
        return True
    return any(f"{_slashed(each)}/" in source for each in (path, os.path.realpath(path)))


def _slashed(path: Path | str) -> str:
    return os.path.normcase(path).replace(os.sep, "/")


def _entries(library: Library) -> list[Path]:
    there = library.models_folder.iterdir() if library.models_folder.is_dir() else ()
    return sorted(path for path in there if not path.name.startswith("."))


def _is_copy(path: Path) -> bool:
    return BUNDLED_COPY.fullmatch(path.name) is not None


def _weighed(paths: Sequence[Path]) -> tuple[Model, ...]:
    return tuple(Model(path.name, _size_bytes(path)) for path in dict.fromkeys(paths))


def _size_bytes(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
