"""similar(): a photo in, the photos most like it out, itself left out."""

import os
from dataclasses import replace
from pathlib import Path

from imgsearch.encoders import Encoder
from imgsearch.errors import UsageError
from imgsearch.images import ARCHIVES, FILMS, content_hash, is_gone
from imgsearch.library import Library, check_is_one
from imgsearch.searching.filters import NO_FILTERS, Allowed, Filters
from imgsearch.searching.gallery import Gallery
from imgsearch.searching.hits import Hit, captioned
from imgsearch.searching.question import Question


def similar(
    library: Library,
    photo: Path | int,
    k: int = 10,
    *,
    encoder: str | Encoder | None = None,
    filters: Filters = NO_FILTERS,
) -> list[Hit]:
    """The k photos nearest to a picture, or to a photo of the library by its id, best first.

    A picture whose bytes the library knows, and one that is gone from a path it knows, is answered
    from its stored embedding; any other is embedded. It is never among its own hits, nor are other
    files with the same bytes.

    Raises QueryError for an unknown id, a file that many photos are in and a library without any,
    PictureError for a file that is no picture, NoEncoderError where no encoder answers, UsageError
    for k below 1 and for a least relevance, which is one of words.
    """
    if k < 1:
        raise UsageError(f"k must be at least 1, got {k}")
    if filters.min_relevance is not None:
        raise UsageError(
            "how like a photo is to another is told by its score alone; leave the least relevance "
            "out, or give a least score"
        )
    itself = photo if isinstance(photo, int) else _known(library, photo)
    question = Question(library, photo, None, encoder)
    stored = [] if itself is None else [itself]
    if len(library.catalog.embeddings(question.row.id, photo_ids=stored)[0]):
        question = Question(library, stored[0], None, encoder)
    gallery = Gallery(library, question.row, Allowed(library, filters), filters.min_score)
    near = gallery.hits(question.vector("auto"), k + 1)
    others = [hit for hit in near if hit.photo_id != itself][:k]
    ranked = [replace(hit, rank=rank, vector_rank=rank) for rank, hit in enumerate(others, 1)]
    return captioned(library.catalog, ranked, {}, None)


def _known(library: Library, path: Path) -> int | None:
    """The photo with the bytes of that file; of a file that is gone, the one it held."""
    if path.name.lower().endswith(tuple(ARCHIVES | FILMS)):
        check_is_one(library, path)
    if not is_gone(path):
        return next(iter(library.catalog.photos_with_hashes([content_hash(path)]).values()), None)
    for name in dict.fromkeys((os.path.realpath(path), os.path.abspath(path))):
        file = library.catalog.files_under([Path(name)]).get(name)
        if file is not None:
            return file.photo_id
    return None
