"""Generations: a new index from the stored embeddings, and the switch to it.

An encoder's row goes in, the row of its new generation comes out. The folder is written beside the
others under a name that nothing reads, then renamed, and one commit makes it the current one: that
commit is the switch, so a kill at any moment leaves the old index or the new one, never a half.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from imgsearch.catalog import EncoderRow, GenerationRow, Ids, audit
from imgsearch.errors import LibraryDamagedError, NoEncoderError
from imgsearch.library.place import Library
from imgsearch.library.sample import keep_sample
from imgsearch.library.stored import StoredEmbeddings

if TYPE_CHECKING:  # it brings faiss
    from imgsearch.vector_index import Asked, Step, VectorIndex

UNFINISHED = ".tmp"
OUR_NAMES = re.compile(r"\d{4,}(\.tmp)?")
GENERATIONS_KEPT = 2  # the current one, and the one before: a search may just be opening it
LEAST_BESIDE, MOST_BESIDE = 1000, 100  # photos, and which part of a generation's, lie beside it
TEXTS_MEASURED = 500  # whose photos an index is to find: texts lie elsewhere than photos do


def build(
    library: Library,
    encoder: EncoderRow,
    kind: str | None = None,
    recall: float | None = None,
    notify: Callable[[Step], None] | None = None,
) -> GenerationRow:
    """Build, write and switch to a generation of all stored embeddings of an encoder.

    As `write`; the catalog knows the row that comes out.
    """
    return _switch(library, write(library, encoder, kind, recall, notify))


def write(
    library: Library,
    encoder: EncoderRow,
    kind: str | None = None,
    recall: float | None = None,
    notify: Callable[[Step], None] | None = None,
) -> GenerationRow:
    """Build a generation of all stored embeddings of an encoder, and write its folder.

    No search uses it before `Writer.switch_generation` is given the row that comes out, and
    `settle` then tidies up. `kind` and `recall` are what is asked of the index from now on, as in
    `vector_index.Asked`; where not given, as `asked_so_far`. The caller holds the library's lock.
    Raises NoEncoderError when the encoder has no embeddings, UsageError for an unknown kind.
    """
    from imgsearch.vector_index import VectorIndex

    stored = StoredEmbeddings(library.catalog, encoder)
    if not stored.count:
        raise NoEncoderError(
            f"{library.path} holds no embeddings of {encoder.name} to build from. "
            f"Make some: {library.command('index', '--encoder', encoder.name)}"
        )
    asked = asked_so_far(library, encoder).changed(kind, recall)
    texts = library.catalog.known_texts(encoder.id, TEXTS_MEASURED)
    index = VectorIndex.build_from(
        stored, asked, texts=texts if len(texts) else None, notify=notify or _ignore
    )
    return _save(library, encoder, index, stored.last)


def renew(
    library: Library, encoder: EncoderRow, notify: Callable[[Step], None] | None = None
) -> GenerationRow:
    """Switch to a generation with all that came since the last one, as cheaply as will do.

    Mostly it is the last one, and what is new beside it in its file: nothing is learned again, and
    the stored embeddings of a million photos are not read. Else, and where a byte of that file is
    not what was written, as `build`.
    """
    current = library.catalog.current_generation(encoder.id)
    extended = None
    if current is not None:
        with contextlib.suppress(LibraryDamagedError):  # it is what is made anew below
            extended = _extended(library, encoder, current, notify or _ignore)
    if extended is None:
        return build(library, encoder, notify=notify)
    return _switch(library, extended)


def asked_so_far(library: Library, encoder: EncoderRow) -> Asked:
    """What a person asked of the index of an encoder, else of the one that answers its languages.

    The manifest is where that is kept; where it does not read, the kind is in the catalog.
    """
    from imgsearch.vector_index import USUAL, Asked, VectorIndex

    active = library.catalog.active_encoders()
    for each in (encoder, *(active[name] for name in encoder.languages if name in active)):
        current = library.catalog.current_generation(each.id)
        if current is None:
            continue
        try:
            return VectorIndex.asked(library.generations_folder / current.folder)
        except LibraryDamagedError:
            return Asked.likely(current.kind, current.count, each.dim)
    return USUAL


def settle(library: Library, encoder_id: int) -> GenerationRow:
    """Drop an encoder's generations that are too old by now; the row of the current one."""
    rows = library.catalog.generations(encoder_id)
    old = rows[:-GENERATIONS_KEPT]
    with library.catalog.write() as writer:
        writer.forget_generations([row.id for row in old])
    for row in old:  # Windows keeps a mapped file: a later run sweeps it up
        shutil.rmtree(library.generations_folder / row.folder, ignore_errors=True)
    return rows[-1]


def is_due(library: Library, encoder_id: int) -> bool:
    """Whether an encoder has embeddings but no generation, or too many beside it.

    Too many is more than 1,000 and more than a hundredth of the generation. A process that has just
    begun reads and scores them one by one, so they are to be few; to write an index with them costs
    as much as a hundred times so many copied, a small part of what embedding them did.
    """
    current = library.catalog.current_generation(encoder_id)
    if current is None:
        return library.catalog.photo_count(encoder_id) > 0
    beside = library.catalog.embeddings_after(encoder_id, current.last_embedding_id)
    return beside > max(LEAST_BESIDE, current.count // MOST_BESIDE)


def fingerprint(ids: Ids) -> str:
    """SHA-256, hex, of ascending photo ids as little-endian int64: what a generation is made of."""
    return hashlib.sha256(np.sort(ids).astype("<i8").tobytes()).hexdigest()


def sweep(library: Library) -> None:
    """Delete what killed runs left behind: unfinished folders, and generations nobody switched to.

    Only names that are made here: whatever else lies there is a person's own. The caller holds the
    library's lock, or one of them may be in the making.
    """
    rows = {row.folder for row in library.catalog.generations()}
    for path in library.generations_folder.glob("*"):
        if OUR_NAMES.fullmatch(path.name) and path.name not in rows:
            shutil.rmtree(path, ignore_errors=True)
    for path in library.models_folder.glob(f"builtin-*{UNFINISHED}"):
        shutil.rmtree(path, ignore_errors=True)


def _extended(
    library: Library,
    encoder: EncoderRow,
    current: GenerationRow,
    notify: Callable[[Step], None],
) -> GenerationRow | None:
    """As `_save`, of the current generation brought up to date; None where that will not do."""
    from imgsearch.vector_index import VectorIndex

    index, last = library.index_of(current), current.last_embedding_id
    newer = StoredEmbeddings(library.catalog, encoder, last)
    removed = np.setdiff1d(index.ids(), audit.photo_ids_until(library.catalog, encoder.id, last))
    if not index.can_extend(newer.count, len(removed)):
        return None
    folder = library.generations_folder / current.folder
    made = VectorIndex.extended(folder, newer, removed, notify=notify)
    return _save(library, encoder, made, newer.last)


def _save(library: Library, encoder: EncoderRow, index: VectorIndex, last: int) -> GenerationRow:
    """The row of a generation whose folder is written, of the embeddings up to the id `last`."""
    sweep(library)
    folder = _next_folder(library)
    partial = folder.with_name(folder.name + UNFINISHED)
    about: dict[str, str | int] = {
        "encoder": encoder.name,
        "identity": encoder.identity,
        "last_embedding_id": last,
        "ids": fingerprint(index.ids()),
    }
    index.save(partial, about=about)
    keep_sample(library, encoder, partial, last)
    partial.rename(folder)
    return GenerationRow(0, encoder.id, folder.name, index.kind, index.count, last)


def _switch(library: Library, row: GenerationRow) -> GenerationRow:
    with library.catalog.write() as writer:
        writer.switch_generation(row)
    return settle(library, row.encoder_id)


def _next_folder(library: Library) -> Path:
    library.generations_folder.mkdir(exist_ok=True)
    names = [row.folder for row in library.catalog.generations()]
    names += [path.name.split(".")[0] for path in library.generations_folder.iterdir()]
    last = max((int(name) for name in names if name.isdigit()), default=0)
    return library.generations_folder / f"{last + 1:04}"


def _ignore(step: Step) -> None:
    """Nobody listens."""
