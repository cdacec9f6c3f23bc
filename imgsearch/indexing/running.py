"""index and rebuild: the stages put together, under the library's lock.

Paths go in, outcomes come out as they are committed; at the end stands a generation where one is
due. Everything hangs on the generator: when its caller stops, threads end, the lock is given back
and the run is noted as interrupted. A process that is killed leaves the same, but for the note.
"""

import contextlib
import itertools
import os
import shlex
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from imgsearch import images
from imgsearch.catalog import GenerationRow
from imgsearch.encoders import Encoder
from imgsearch.errors import LibraryError, NoEncoderError, PictureError, UsageError
from imgsearch.indexing.ahead import ahead
from imgsearch.indexing.batches import batch_size, commit_in_batches
from imgsearch.indexing.choosing import ChosenEncoder, Wanted, choose, supersede_bundled
from imgsearch.indexing.comparing import Comparison, Task
from imgsearch.indexing.gone import mark_missing
from imgsearch.indexing.outcomes import (
    BuildingGeneration,
    Embedding,
    FellBack,
    Intake,
    Notice,
    Outcome,
    Scanned,
    Withheld,
)
from imgsearch.library import Library, generations

HASHES_AHEAD = 256
MATCHED_TOGETHER = 64
BATCHES_AHEAD = 2
MAX_THREADS = 16


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

    Without any path, those that were given before and are there. `encoder` names or holds what
    embeds the photos, several in one pass; without it the library's active encoders do, and a
    library that is new gets the default one. Photos of a known encoder that it has not embedded yet
    are embedded. `notify` hears what the run is doing; without it only what calls for attention is
    said, as a warning.

    A file's outcome is yielded once it is committed, so stopping at any moment loses no outcome.

    Raises UsageError for a path that does not exist, LibraryLockedError when another process is
    writing, and what `encoders.load` raises.
    """
    notify = notify or _warn
    with library.lock():
        roots = _outermost(library, paths)
        findings = images.find(roots, intake.exclude)

        def command(name: str) -> str:
            return f"imgsearch index --encoder {name} {shlex.join(map(str, roots))}"

        chosen = choose(library, encoder, device, notify, command)
        comparison = Comparison(library.catalog, roots, chosen)
        with _recorded(library) as counts:
            for outcome in itertools.chain(
                comparison.walk(findings),
                _take_in(library, comparison, chosen, intake, notify),
                mark_missing(library, comparison, roots, intake.accept_missing, notify),
            ):
                counts[type(outcome).__name__.lower()] += 1
                yield outcome
            _finish(library, chosen, notify)


def rebuild(library: Library, *, encoder: str | Encoder | None = None) -> GenerationRow:
    """Build a generation from the stored embeddings alone, and switch to it.

    Of the encoder named or given; without one, of the encoder that answers English, else of any
    active one. Searches go on meanwhile, on the old generation.

    Raises NoEncoderError when the library has no such encoder or no embeddings of it, and
    LibraryLockedError when another process is writing.
    """
    with library.lock():
        catalog = library.catalog
        active = catalog.active_encoders()
        if encoder is None:
            row = active.get("en") or next(iter(active.values()), None)
        elif isinstance(encoder, str):
            row = catalog.encoder_named(encoder)
        else:
            row = catalog.encoder_with_identity(encoder.identity)
        if row is None:
            names = ", ".join(each.name for each in catalog.encoders()) or "none"
            raise NoEncoderError(
                f"{library.path} has no encoder {encoder or ''!s}; it has {names}. "
                "Add one: imgsearch index --encoder NAME"
            )
        return generations.build(library, row)


def _outermost(library: Library, paths: Sequence[Path | str] | Path | str) -> list[Path]:
    """Absolute paths, without folders that lie in another of them, outer ones first."""
    given = [paths] if isinstance(paths, Path | str) else list(paths)
    if given:
        resolved = dict.fromkeys(Path(path).expanduser().resolve() for path in given)
    else:
        resolved = dict.fromkeys(path for path in library.catalog.roots() if path.exists())
        if not resolved:
            raise UsageError("No path is given, and none that was given before is there.")
    kept: dict[Path, None] = {}
    for path in sorted(resolved, key=lambda path: len(path.parts)):
        if not any(parent in kept for parent in path.parents):
            kept[path] = None
    return list(kept)


def _take_in(
    library: Library,
    comparison: Comparison,
    chosen: Sequence[ChosenEncoder],
    intake: Intake,
    notify: Callable[[Notice], None],
) -> Iterator[Outcome]:
    """Hash, match, decode, embed and commit what the walk left over."""
    notify(Scanned(comparison.total))
    if not comparison.tasks:
        return
    total = len(comparison.tasks)
    short_side: list[int] = []  # known, and needed, once a photo needs an encoder

    def matched() -> Iterator[Task]:
        hashed = ahead(pool, _hash, comparison.drain(), lambda: HASHES_AHEAD)
        while tasks := [task for task, _ in itertools.islice(hashed, MATCHED_TOGETHER)]:
            comparison.match(tasks)
            if not short_side and any(task.needs_pixels for task in tasks):
                for each in chosen:
                    notify(Embedding(each.row.name, total))
                short_side.append(2 * max(each.encoder.image_size for each in chosen))
            yield from tasks

    def decode(task: Task) -> Image.Image | None:
        return _decode(task, intake.max_pixels, short_side[0]) if task.needs_pixels else None

    def depth() -> int:
        return BATCHES_AHEAD * batch_size(chosen) if short_side else MATCHED_TOGETHER

    pool = ThreadPoolExecutor(min(MAX_THREADS, os.cpu_count() or 1), "imgsearch-decode")
    try:
        decoded = ahead(pool, decode, matched(), depth)
        yield from commit_in_batches(library, chosen, comparison, decoded)
    finally:
        pool.shutdown(cancel_futures=True)


def _hash(task: Task) -> None:
    if task.photo_id is None:
        try:
            task.content_hash = images.content_hash(task.file.path)
        except PictureError as error:
            task.reason = str(error)


def _decode(task: Task, max_pixels: int, short_side: int) -> Image.Image | None:
    path = task.file.path
    try:
        image, facts = images.read(path, max_pixels=max_pixels, short_side=short_side)
        status = path.stat()
        if (status.st_size, status.st_mtime_ns) != (task.file.size_bytes, task.file.mtime_ns):
            raise PictureError("the file changed while it was read; the next run takes it")
    except PictureError as error:
        task.reason = str(error)
        return None
    except OSError as error:
        task.reason = f"the file is gone: {error.strerror}"
        return None
    task.facts = facts
    return image


def _finish(
    library: Library, chosen: Iterable[ChosenEncoder], notify: Callable[[Notice], None]
) -> None:
    for each in chosen:
        if generations.is_due(library, each.row.id):
            notify(BuildingGeneration(len(each.photo_ids)))
            generations.build(library, each.row)
    supersede_bundled(library, chosen)


@contextlib.contextmanager
def _recorded(library: Library) -> Iterator[Counter[str]]:
    """Note the run and how it ended; a killed one stays without an end."""
    counts: Counter[str] = Counter()
    started = time.monotonic()
    with library.catalog.write() as writer:
        run_id = writer.start_run("index")
    ended = "failed"
    try:
        yield counts
        ended = "done"
    except (KeyboardInterrupt, GeneratorExit):
        ended = "interrupted"
        raise
    finally:
        seconds = round(time.monotonic() - started, 3)
        # A full disk must not hide what went wrong first.
        with contextlib.suppress(LibraryError), library.catalog.write() as writer:
            writer.finish_run(run_id, {"ended": ended, "seconds": seconds, **counts})


def _warn(notice: Notice) -> None:
    if isinstance(notice, Withheld | FellBack):
        warnings.warn(str(notice), stacklevel=3)
