"""index: the stages put together, under the library's lock.

Paths go in, outcomes come out as they are committed; at the end stands a generation where one is
due. Everything hangs on the generator: when its caller stops, threads end, the lock is given back
and the run is noted as interrupted. A process that is killed leaves the same, but for the note.
"""

import contextlib
import itertools
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias

from imgsearch import images, relevance
from imgsearch.errors import ImgsearchError, PictureError, UsageError
from imgsearch.images import Finding, perceptual
from imgsearch.indexing.ahead import ahead
from imgsearch.indexing.answering import take_over
from imgsearch.indexing.batches import batch_size, commit_in_batches
from imgsearch.indexing.choosing import ChosenEncoder, Wanted, choose
from imgsearch.indexing.comparing import Comparison, Task, storable
from imgsearch.indexing.containers import Containers
from imgsearch.indexing.embedding import Pictures, fitted, short_side
from imgsearch.indexing.gone import mark_missing
from imgsearch.indexing.outcomes import (
    Embedding,
    FellBack,
    Intake,
    Notice,
    Outcome,
    Scanned,
    UnreadTexts,
    Withheld,
)
from imgsearch.indexing.reindexing import told_steps
from imgsearch.indexing.renewing import renew_facts
from imgsearch.indexing.roots import find_roots
from imgsearch.library import Library, generations, recorded
from imgsearch.library.sentences import Sentence, sentences_beside

HASHES_AHEAD = 256
MATCHED_TOGETHER = 64
BATCHES_AHEAD = 2
MAX_THREADS = 16

UnreadPaths: TypeAlias = list[tuple[Path, str]]  # photos whose text does not read, and why


def index(
    library: Library,
    paths: Sequence[Path | str] | Path | str,
    *,
    encoder: Wanted = None,
    intake: Intake = Intake(),  # noqa: B008  # frozen
    device: str = "auto",
    notify: Callable[[Notice], None] | None = None,
) -> Iterator[Outcome]:
    """Bring the library up to date with the photos at or under `paths`; one outcome a file.

    Without any path, all that were given before. A path that is not on disk, and of which the
    library knows files, counts as a folder whose files are all gone. `encoder` names or holds what
    embeds the photos, several in one pass; without it the library's active encoders do, and a
    library that is new gets the default one. Photos of a known encoder that it has not embedded yet
    are embedded. `notify` hears what the run is doing; without it only what calls for attention is
    said, as a warning.

    A file's outcome is yielded once it is committed, so stopping at any moment loses no outcome.

    Raises UsageError for a path that neither exists nor is known, LibraryLockedError when another
    process is writing, and what `encoders.load` raises.
    """
    notify = notify or warn
    with library.lock():
        generations.sweep(library)
        roots = find_roots(library, paths, intake.listed)
        walked = images.find(roots.there, intake.exclude, intake.containers)
        chosen = choose(library, encoder, device, notify, roots.there)
        comparison = Comparison(library.catalog, roots.compared, chosen)
        findings = itertools.chain(roots.closed, walked)
        with recorded(library, "index") as counts, released():
            for outcome in bring_up_to_date(
                library, comparison, findings, roots.compared, intake, notify
            ):
                counts[type(outcome).__name__.lower()] += 1
                yield outcome
            renew_facts(library, notify)
            build_due(library, chosen, notify)
            if encoder is not None:
                take_over(library, chosen)


def bring_up_to_date(
    library: Library,
    comparison: Comparison,
    findings: Iterable[Finding],
    roots: Sequence[Path],
    intake: Intake,
    notify: Callable[[Notice], None],
) -> Iterator[Outcome]:
    """Take in what was found; what was known, was not found and is gone from `roots` is missing."""
    containers = Containers(library, intake, comparison)
    unread: UnreadPaths = []
    yield from comparison.walk(containers.opened(findings))
    yield from _take_in(library, comparison, intake, notify, unread)
    yield from mark_missing(library, comparison, roots, intake.accept_missing, notify)
    containers.note()
    if unread:
        notify(UnreadTexts(len(unread), *unread[0]))


def _take_in(
    library: Library,
    comparison: Comparison,
    intake: Intake,
    notify: Callable[[Notice], None],
    unread: UnreadPaths,
) -> Iterator[Outcome]:
    """Hash, match, decode, embed and commit what the walk left over."""
    chosen = comparison.encoders
    notify(Scanned(comparison.total))
    if not comparison.tasks:
        return
    total = len(comparison.tasks)
    by_side: dict[int, list[ChosenEncoder]] = {}  # filled once a photo needs an encoder

    def matched() -> Iterator[Task]:
        hashed = ahead(pool, look, comparison.drain(), lambda: HASHES_AHEAD)
        while tasks := [task for task, _ in itertools.islice(hashed, MATCHED_TOGETHER)]:
            comparison.match(tasks)
            if not by_side and any(task.needs_pixels for task in tasks):
                for each in chosen:
                    notify(Embedding(each.row.name, total))
                for each in chosen:
                    by_side.setdefault(short_side(each.encoder), []).append(each)
            yield from tasks

    def look(task: Task) -> None:
        _look(task, unread)

    def decode(task: Task) -> Pictures:
        return _decode(task, intake.max_pixels, by_side) if task.needs_pixels else {}

    def depth() -> int:
        return BATCHES_AHEAD * batch_size(chosen) if by_side else MATCHED_TOGETHER

    pool = ThreadPoolExecutor(min(MAX_THREADS, os.cpu_count() or 1), "imgsearch-decode")
    try:
        decoded = ahead(pool, decode, matched(), depth)
        yield from commit_in_batches(library, chosen, comparison, decoded)
    finally:
        pool.shutdown(cancel_futures=True)


def _look(task: Task, unread: UnreadPaths) -> None:
    """Hash a photo that is not as known, and read what lies beside it in an archive."""
    if task.photo_id is not None:
        return
    try:
        task.content_hash = images.content_hash(task.file.path)
    except PictureError as error:
        task.reason = str(error)
    else:
        task.sentences = _sentences_beside(task.file.path, unread)


def _sentences_beside(path: Path, unread: UnreadPaths) -> list[Sentence]:
    """What text in an archive says of a photo in it; text that does not read is noted."""
    try:
        return sentences_beside(path)
    except (UsageError, OSError) as error:
        unread.append((path, str(error)))
        return []


def _decode(
    task: Task, max_pixels: int, by_side: Mapping[int, Sequence[ChosenEncoder]]
) -> Pictures:
    """The photo as each encoder sees it, and what else its pixels tell."""
    path, largest = task.file.path, max(by_side)
    pictures: Pictures = {}
    try:
        for side, encoders in by_side.items():
            picture, task.facts = images.read(path, max_pixels=max_pixels, short_side=side)
            if side == largest >= perceptual.SHORT_SIDE:  # else `duplicates` decodes it larger
                task.perceptual_hash = perceptual.perceptual_hash(picture)
            pictures.update((each.row.id, fitted(each, picture)) for each in encoders)
        status = images.stat(path)
        seen = (status.size_bytes, storable(status.mtime_ns))
        if seen != (task.file.size_bytes, task.file.mtime_ns):
            raise PictureError("the file changed while it was read; the next run takes it")
    except PictureError as error:
        task.reason = str(error)
    except OSError as error:
        task.reason = f"the file is gone: {error.strerror}"
    if task.reason is None:
        return pictures
    task.facts = None
    return {}


@contextlib.contextmanager
def released() -> Iterator[None]:
    """Files that hold photos are kept open for the run, and not beyond."""
    try:
        yield
    finally:
        images.let_go()


def build_due(
    library: Library, chosen: Iterable[ChosenEncoder], notify: Callable[[Notice], None]
) -> None:
    """Build a generation of each encoder that has too many photos beside its last one; while it is
    loaded, embed the ordinary texts that tell what its scores mean, so that no search has to.
    """
    for each in chosen:
        # What its text tower lacks, a tokenizer say, is told by the first search that asks it.
        with contextlib.suppress(ImgsearchError):
            if each.is_loaded:
                relevance.prepare(library.catalog, each.row, each.encoder.embed_texts)
        if generations.is_due(library, each.row.id):
            tell = told_steps(library.catalog.photo_count(each.row.id), notify)
            generations.renew(library, each.row, tell)


def warn(notice: Notice) -> None:
    if isinstance(notice, Withheld | FellBack | UnreadTexts):
        warnings.warn(str(notice), stacklevel=3)
