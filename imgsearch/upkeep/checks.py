"""doctor(): do catalog, generations, models and files agree, and what of it can be mended.

A library goes in, one `Finding` a fault comes out. The catalog is the truth, so whatever disagrees
with it is made anew from it; what cannot be (the catalog itself, the photos) is only reported, with
what to do.
"""

import filecmp
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from imgsearch.catalog import EncoderRow, GenerationRow, audit
from imgsearch.errors import ImgsearchError, LibraryDamagedError, LibraryError, NoEncoderError
from imgsearch.images import is_gone
from imgsearch.library import Library, generations, sample


@dataclass(frozen=True)
class Finding:
    """What is off, and either that it was repaired or what a person can do.

    What is no fault is only worth knowing: photos come and go between two runs.
    """

    what: str
    is_repaired: bool
    remedy: str = ""
    is_fault: bool = True


def doctor(library: Library, *, repair: bool = True) -> Iterator[Finding]:
    """Check that catalog, generations, models and files agree; nothing found means all is well.

    With `repair`, what can be made again is: indexes, of vectors and of words, are rebuilt,
    embeddings that no search can use are dropped (the next `index` makes them), leftovers of killed
    runs are deleted. Photos are never touched.

    The library must be writable, even where nothing is repaired: its lock keeps others from
    changing it meanwhile. Raises LibraryLockedError when another process is writing.
    """
    with library.lock():
        try:
            yield from _check_catalog(library)
            yield from _check_embeddings(library, repair)
            yield from _check_words(library, repair)
        except LibraryDamagedError as error:  # the rest would only stumble over the same pages
            yield Finding(str(error), False, f"Bring back a copy from {library.backups_folder}.")
            return
        if repair:
            generations.sweep(library)  # what a killed run left is no fault, only in the way
        yield from _check_faiss()
        yield from _check_generations(library, repair)
        yield from _check_models(library, repair)
        yield from _check_exports(library, repair)
        yield from _check_files(library)


def _check_catalog(library: Library) -> Iterator[Finding]:
    for problem in audit.integrity_problems(library.catalog):
        remedy = f"Bring back a copy from {library.backups_folder}, or index into a new library."
        yield Finding(f"library.db: {problem}", False, remedy)
    for table, count in audit.dangling_rows(library.catalog).items():
        if table != "embeddings":  # those are found, and mended, one by one
            remedy = "Please report it: nothing in imgsearch leaves such rows."
            yield Finding(f"{count} rows of {table} point at nothing", False, remedy)


def _check_embeddings(library: Library, repair: bool) -> Iterator[Finding]:
    bad = list(audit.bad_embeddings(library.catalog))
    reasons: dict[str, int] = {}
    for each in bad:
        reasons[each.reason] = reasons.get(each.reason, 0) + 1
    if bad and repair:
        with library.catalog.write() as writer:
            writer.delete_embeddings([each.embedding_id for each in bad])
    remedy = f"Embed those photos again: {library.command('index')}"
    for reason, count in reasons.items():
        yield Finding(f"{count} embeddings {reason}", repair, remedy)


def _check_words(library: Library, repair: bool) -> Iterator[Finding]:
    if audit.are_words_in_step(library.catalog):
        return
    if repair:
        with library.catalog.write() as writer:
            writer.build_full_text()
    remedy = "" if repair else f"Repair it: {library.command('doctor')}"
    yield Finding("captions or file names are not found by all their words", repair, remedy)


def _check_faiss() -> Iterator[Finding]:
    from imgsearch.vector_index import installed

    found = installed()
    if found.conflict:
        yield Finding(found.conflict, False, found.remedy)


def _check_generations(library: Library, repair: bool) -> Iterator[Finding]:
    current = [row.id for row in library.catalog.generations(only_current=True)]
    encoders = {row.id: row for row in library.catalog.encoders()}
    for row in library.catalog.generations():
        problem = _generation_problem(library, row)
        if problem is None:
            yield from _check_sample(library, encoders[row.encoder_id], row, repair)
            continue
        if not repair:
            yield Finding(problem, False, f"Repair it: {library.command('doctor')}")
        elif row.id not in current:  # the one before: nothing needs it any more
            _forget_generation(library, row)
            yield Finding(problem, True)
        else:
            yield _rebuild(library, encoders[row.encoder_id], row, problem)


def _rebuild(library: Library, encoder: EncoderRow, row: GenerationRow, problem: str) -> Finding:
    asked = generations.asked_so_far(library, encoder)  # which the folder knows
    _forget_generation(library, row)
    try:
        generations.build(library, encoder, asked.kind, asked.recall)
    except NoEncoderError:  # no embedding is left, so no index is needed either
        pass
    except LibraryError as error:
        return Finding(f"{problem} ({error})", False, "Make room or mend the disk, then try again.")
    return Finding(problem, True)


def _generation_problem(library: Library, row: GenerationRow) -> str | None:
    from imgsearch.vector_index import VectorIndex

    folder = library.generations_folder / row.folder
    name = folder.relative_to(library.path)
    if not folder.is_dir():
        return f"{name} is gone"
    try:
        VectorIndex.verify(folder)
        index = VectorIndex.load(folder)
    except LibraryDamagedError as error:
        return str(error)
    if index.count != row.count:
        return f"{name} holds {index.count} vectors where the catalog says {row.count}"
    ids = audit.photo_ids_until(library.catalog, row.encoder_id, row.last_embedding_id)
    if (index.about or {}).get("ids") != generations.fingerprint(ids):
        return f"{name} holds other photos than the catalog"
    return None


def _check_sample(
    library: Library, encoder: EncoderRow, row: GenerationRow, repair: bool
) -> Iterator[Finding]:
    """What relevances are measured by, as far as it is kept."""
    if not sample.is_damaged(library, encoder, row):
        return
    file = sample.file_of(library, row)
    problem, remedy = f"{file.relative_to(library.path)} has changed", ""
    if not repair:
        remedy = f"Repair it: {library.command('doctor')}"
    else:
        try:
            file.unlink(missing_ok=True)  # the next search makes it
        except OSError as error:
            problem += f", and cannot be removed ({error.strerror})"
            remedy = f"Remove {file}: the next search makes it"
    yield Finding(problem, not remedy, remedy)


def _forget_generation(library: Library, row: GenerationRow) -> None:
    with library.catalog.write() as writer:
        writer.forget_generations([row.id])
    shutil.rmtree(library.generations_folder / row.folder, ignore_errors=True)


def _check_models(library: Library, repair: bool) -> Iterator[Finding]:
    """The copies of bundled weights are there and are those the embeddings were made with."""
    from imgsearch.encoders.families import builtin_version, builtin_versions
    from imgsearch.library.models import keep_bundled

    ours = builtin_versions()
    for row in library.catalog.encoders():
        version = builtin_version(row.name)
        if version is None:
            continue
        copy = library.models_folder / f"builtin-{version}"
        source = ours.get(version)
        if source is not None and copy.is_dir() and _is_same_folder(source, copy):
            continue  # which spares loading it
        if copy.is_dir() and _has_identity(row, library.models_folder):
            continue
        problem = f"the copy of {row.name} in models/ is {'damaged' if copy.is_dir() else 'gone'}"
        can_mend = source is not None and _has_identity(row, None)
        if can_mend and repair:
            _delete(copy)
            keep_bundled(library.models_folder, row.name)
        remedy = "" if can_mend else f"Install an imgsearch that bundles this {row.name}."
        yield Finding(problem, can_mend and repair, remedy)


def _check_exports(library: Library, repair: bool) -> Iterator[Finding]:
    """The exports of the library's encoders, where this machine has them, are as they were made."""
    from imgsearch.encoders import exports

    for row in library.catalog.encoders():
        damages = list(exports.damages(row.identity))
        if damages and repair:
            exports.remove(row.identity)
        remedy = "" if repair else f"Repair it: {library.command('doctor')}"
        for damage in damages:
            yield Finding(f"the export of {row.name}: {damage}", repair, remedy)


def _has_identity(row: EncoderRow, models: Path | None) -> bool:
    from imgsearch import encoders
    from imgsearch.encoders import exports

    name, precision = exports.parted(row.name)
    try:
        loaded = encoders.load(name, device="cpu", models=models, runtime="torch")
    except ImgsearchError:
        return False
    is_whole = precision == "float32"
    return row.identity == (loaded.identity if is_whole else exports.int8_identity(loaded.identity))


def _check_files(library: Library) -> Iterator[Finding]:
    gone: dict[Path, int] = {}
    for root, name in audit.live_files(library.catalog):
        if is_gone(name):
            gone[root] = gone.get(root, 0) + 1
    for root, count in gone.items():
        command = library.command("index", root, "--accept-missing")
        remedy = f"Mount its drive, or say that they are gone: {command}"
        yield Finding(f"{count} files of {root} are not on disk", False, remedy, is_fault=False)


def _is_same_folder(source: Path, copy: Path) -> bool:
    names = [path.name for path in copy.iterdir()]
    needed = [path.name for path in source.iterdir() if path.is_file() and path.suffix != ".py"]
    same, _, _ = filecmp.cmpfiles(source, copy, needed, shallow=False)
    return set(needed) <= set(names) and len(same) == len(needed)


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
