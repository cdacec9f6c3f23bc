"""Embed a batch and commit it: rows and vectors land together or not at all.

Matched tasks go in with their decoded pictures, outcomes come out once the transaction is through.
Vectors are computed before the transaction begins, so the catalog is locked for milliseconds,
however slow the encoder is.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from imgsearch.catalog import FilePlace, Writer, hashes
from imgsearch.indexing.choosing import ChosenEncoder
from imgsearch.indexing.comparing import Comparison, Task
from imgsearch.indexing.embedding import Pictures, embed
from imgsearch.indexing.outcomes import Added, Moved, Outcome, Skipped, Unchanged
from imgsearch.library import Library
from imgsearch.library.facts import photo_facts, taken_near
from imgsearch.library.sentences import by_language
from imgsearch.places import Place

TASKS_AT_ONCE = 1000  # in a transaction, when they need no encoder


def commit_in_batches(
    library: Library,
    encoders: Sequence[ChosenEncoder],
    comparison: Comparison,
    decoded: Iterable[tuple[Task, Pictures]],
) -> Iterator[Outcome]:
    """One outcome for every task, batch by batch."""
    root_ids: dict[Path, int] = {}
    tasks: list[Task] = []
    pictures: dict[Task, Pictures] = {}
    for task, sizes in decoded:
        tasks.append(task)
        if sizes:
            pictures[task] = sizes
        is_full = bool(pictures) and len(pictures) >= batch_size(encoders)
        if is_full or len(tasks) >= TASKS_AT_ONCE:
            yield from _commit(library, encoders, comparison, tasks, pictures, root_ids)
            tasks, pictures = [], {}
    yield from _commit(library, encoders, comparison, tasks, pictures, root_ids)


def batch_size(encoders: Sequence[ChosenEncoder]) -> int:
    """How many photos make a batch; loads the encoders."""
    return max(each.encoder.batch_size for each in encoders)


def _commit(
    library: Library,
    encoders: Sequence[ChosenEncoder],
    comparison: Comparison,
    tasks: list[Task],
    pictures: dict[Task, Pictures],
    root_ids: dict[Path, int],
) -> list[Outcome]:
    if not tasks:
        return []
    embedded = [(each, *embed(each, pictures)) for each in encoders] if pictures else []
    some_vector = {task for _, owners, _ in embedded for task in owners}
    for task in pictures:
        if task not in some_vector:
            task.facts = None  # bytes that no encoder could be shown are no photo
    pictures.clear()  # the caller holds them no longer than they are needed
    places = {task: taken_near(task.facts) for task in tasks if task.facts is not None}
    outcomes = []
    with library.catalog.write() as writer:
        for task in tasks:
            outcomes.append(_write_file(writer, task, root_ids, places.get(task)))
            _write_sentences(writer, task)
        for each, owners, vectors in embedded:
            photo_ids = [task.photo_id for task in owners if task.photo_id is not None]
            writer.add_embeddings(each.row.id, photo_ids, vectors)
        hashes.put(writer, _hashes_of(tasks))
    for each, owners, _ in embedded:
        each.photo_ids.update(task.photo_id for task in owners if task.photo_id is not None)
    for task in tasks:
        comparison.settle(task)
    return outcomes


def _write_file(
    writer: Writer, task: Task, root_ids: dict[Path, int], near: Place | None
) -> Outcome:
    file = task.file
    if task.leader is not None:
        task.photo_id, task.reason = task.leader.photo_id, task.leader.reason
    if task.photo_id is not None and task.is_as_known:
        return _outcome(task, task.photo_id)
    if file.root not in root_ids:
        root_ids[file.root] = writer.add_root(file.root)
    place = FilePlace(file.path, root_ids[file.root], file.size_bytes, file.mtime_ns)
    if task.photo_id is None:
        if task.facts is None or task.content_hash is None:
            reason = task.reason or "it cannot be read"
            writer.skip_file(place, reason)
            return Skipped(file.path, reason)
        task.photo_id = writer.add_photo(photo_facts(task.content_hash, task.facts), near)
    if task.moved_from is not None:
        writer.move_file(task.moved_from[0], place)
    else:
        writer.put_file(place, task.photo_id)
    return _outcome(task, task.photo_id)


def _hashes_of(tasks: Iterable[Task]) -> dict[int, bytes]:
    return {
        task.photo_id: task.perceptual_hash
        for task in tasks
        if task.photo_id is not None and task.perceptual_hash is not None
    }


def _write_sentences(writer: Writer, task: Task) -> None:
    if task.photo_id is not None:
        for language, texts in by_language(task.sentences).items():
            writer.add_captions(task.photo_id, texts, language, "sidecar")


def _outcome(task: Task, photo_id: int) -> Outcome:
    path = task.file.path
    if task.reason is not None:  # the bytes are known, yet no encoder could be shown them
        return Skipped(path, task.reason)
    if task.moved_from is not None:
        return Moved(path, task.moved_from[1], photo_id)
    if task.is_new or task.is_changed:
        return Added(path, photo_id)
    return Unchanged(path, photo_id)
