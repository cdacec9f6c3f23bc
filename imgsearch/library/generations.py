"""Generations: a new index from the stored embeddings, and the switch to it.

An encoder's row goes in, the row of its new generation comes out. The folder is written beside the
others under a name that nothing reads, then renamed, and one commit makes it the current one: that
commit is the switch, so a kill at any moment leaves the old index or the new one, never a half.
"""

import hashlib
import re
import shutil
from pathlib import Path

import numpy as np

from imgsearch.catalog import EncoderRow, GenerationRow, Ids
from imgsearch.errors import NoEncoderError
from imgsearch.library.place import Library

UNFINISHED = ".tmp"
OUR_NAMES = re.compile(r"\d{4,}(\.tmp)?")
GENERATIONS_KEPT = 2  # the current one, and the one before: a search may just be opening it


def build(library: Library, encoder: EncoderRow, kind: str | None = None) -> GenerationRow:
    """Build, write and switch to a generation of all stored embeddings of an encoder.

    As `write`; the catalog knows the row that comes out.
    """
    row = write(library, encoder, kind)
    with library.catalog.write() as writer:
        writer.switch_generation(row)
    return settle(library, encoder.id)


def write(library: Library, encoder: EncoderRow, kind: str | None = None) -> GenerationRow:
    """Build a generation of all stored embeddings of an encoder, and write its folder.

    No search uses it before `Writer.switch_generation` is given the row that comes out, and
    `settle` then tidies up. `kind` as in `vector_index`; that of the current generation unless
    given, else flat. The caller holds the library's lock. Raises NoEncoderError when the encoder
    has no embeddings.
    """
    from imgsearch.vector_index import VectorIndex

    catalog = library.catalog
    ids, vectors, last = catalog.embeddings_and_last(encoder.id)
    if len(ids) == 0:
        raise NoEncoderError(
            f"{library.path} holds no embeddings of {encoder.name} to build from. "
            f"Make some: {library.command('index', '--encoder', encoder.name)}"
        )
    current = catalog.current_generation(encoder.id)
    index = VectorIndex.build(ids, vectors, kind or (current.kind if current else "flat"))
    sweep(library)
    folder = _next_folder(library)
    partial = folder.with_name(folder.name + UNFINISHED)
    about: dict[str, str | int] = {
        "encoder": encoder.name,
        "identity": encoder.identity,
        "last_embedding_id": last,
        "ids": fingerprint(ids),
    }
    index.save(partial, about=about)
    partial.rename(folder)
    return GenerationRow(0, encoder.id, folder.name, index.kind, index.count, last)


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

    Too many is more than 1,000 and more than a tenth of the generation: those are scored one by
    one at every search, and a new generation costs time in proportion to the whole.
    """
    current = library.catalog.current_generation(encoder_id)
    if current is None:
        return library.catalog.photo_count(encoder_id) > 0
    beside = library.catalog.embeddings_after(encoder_id, current.last_embedding_id)
    return beside > max(1000, current.count // 10)


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


def _next_folder(library: Library) -> Path:
    library.generations_folder.mkdir(exist_ok=True)
    names = [row.folder for row in library.catalog.generations()]
    names += [path.name.split(".")[0] for path in library.generations_folder.iterdir()]
    last = max((int(name) for name in names if name.isdigit()), default=0)
    return library.generations_folder / f"{last + 1:04}"
