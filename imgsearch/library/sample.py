"""Photos that stand for all that an encoder has embedded, kept beside the index they are in.

A library and an encoder go in, about 2,048 vectors come out. To read so many rows, one here and one
there, takes a search in a new process as long as all else it asks the catalog; so they are written
into the folder of a generation, whose photos never change. What is kept there is derived: where it
is missing, or does not read, it is made again, and kept if the library can be written.
"""

import contextlib
from pathlib import Path

import numpy as np

from imgsearch.catalog import EncoderRow, GenerationRow, Sample
from imgsearch.library.place import Library
from imgsearch.library.replacement import replacing
from imgsearch.vectors import Vectors, are_unit

FILE = "sample.f32"
STORED = np.dtype("<f4")  # rows behind one another, and nothing else
PHOTOS = 2048  # whose cosines stand for all
MOST_BESIDE = 10  # a tenth of the photos may have come later: what is ordinary is still the same


def sample_of(library: Library, encoder: EncoderRow) -> Sample:
    """Photos of an encoder that stand for all; none where it has embedded none."""
    catalog, generation = library.catalog, library.catalog.current_generation(encoder.id)
    if generation is not None:
        last = generation.last_embedding_id
        beside = catalog.embeddings_after(encoder.id, last)
        if beside <= generation.count // MOST_BESIDE:
            return Sample(
                _of_generation(library, encoder, generation), generation.count + beside, last
            )
    _, vectors, last = catalog.sample_embeddings(encoder.id, PHOTOS)
    return Sample(vectors, catalog.photo_count(encoder.id), last)


def keep_sample(library: Library, encoder: EncoderRow, folder: Path, last: int) -> Vectors:
    """Write the sample of the embeddings up to the id `last` into a folder, as far as it can be
    written; the sample.
    """
    _, vectors, _ = library.catalog.sample_embeddings(encoder.id, PHOTOS, until=last)
    with contextlib.suppress(OSError), replacing(folder / FILE) as file:
        file.write(vectors.astype(STORED).tobytes())
    return vectors


def is_damaged(library: Library, encoder: EncoderRow, generation: GenerationRow) -> bool:
    """Whether what is kept beside a generation is not what its photos say; not where none is."""
    file = file_of(library, generation)
    if not file.exists():
        return False
    _, right, _ = library.catalog.sample_embeddings(
        encoder.id, PHOTOS, until=generation.last_embedding_id
    )
    try:
        kept = _read(file, encoder.dim)
    except PermissionError:  # somebody else's: searches read the catalog instead
        return False
    except OSError:
        return True
    return kept is None or not np.array_equal(kept, right)


def file_of(library: Library, generation: GenerationRow) -> Path:
    """Where the sample of a generation is kept."""
    return library.generations_folder / generation.folder / FILE


def _of_generation(library: Library, encoder: EncoderRow, generation: GenerationRow) -> Vectors:
    file = file_of(library, generation)
    try:
        kept = _read(file, encoder.dim)
    except OSError:  # mostly there is none yet
        kept = None
    if kept is None:
        return keep_sample(library, encoder, file.parent, generation.last_embedding_id)
    return kept


def _read(file: Path, dim: int) -> Vectors | None:
    """The vectors (n, dim) of a file; None where it holds anything else."""
    stored = file.read_bytes()
    if not stored or len(stored) % (dim * STORED.itemsize):
        return None
    vectors: Vectors = np.frombuffer(stored, STORED).reshape(-1, dim)
    return vectors if are_unit(vectors) else None
