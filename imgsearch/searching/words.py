"""The photos that a text's words find, in captions and in the names of files and their folders.

A text in, hits without a cosine out, ranked by BM25. No encoder is asked and none is loaded, so
this answers in any language, at once.
"""

from dataclasses import dataclass

import numpy as np

from imgsearch.catalog import WordMatch
from imgsearch.library import Library
from imgsearch.searching.filters import Allowed
from imgsearch.searching.hits import Hit
from imgsearch.words import parse


@dataclass(frozen=True)
class Found:
    """Hits, best first, and of each photo the match that made it one."""

    hits: tuple[Hit, ...]
    matches: dict[int, WordMatch]


NOTHING = Found((), {})


def find_words(library: Library, text: str, allowed: Allowed, limit: int) -> Found:
    """The best `limit` live photos that have some word of the text; none where it has no word."""
    matches = library.catalog.match_words(parse(text), only=allowed.ids, limit=limit)
    paths = allowed.paths(np.array([match.photo_id for match in matches], np.int64))
    live = {match.photo_id: match for match in matches if match.photo_id in paths}
    hits = (
        Hit(rank, None, photo_id, paths[photo_id], text_rank=rank, text_score=match.score)
        for rank, (photo_id, match) in enumerate(live.items(), 1)
    )
    return Found(tuple(hits), live)


def written(library: Library, found: Found) -> set[int]:
    """The photos of which most words were found in a caption that a person wrote."""
    caption_ids = {i: match.caption_id for i, match in found.matches.items() if match.caption_id}
    return {
        photo_id
        for photo_id, rows in library.catalog.captions(list(caption_ids)).items()
        for row in rows
        if row.id == caption_ids[photo_id] and row.source != "generated"
    }
