"""The photos that a text's words find, in captions and in the names of files and their folders.

A text in, hits without a cosine out, ranked by BM25. No encoder is asked and none is loaded, so
this answers in any language, at once.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from imgsearch.catalog import WordMatch
from imgsearch.library import Library
from imgsearch.searching.filters import Allowed
from imgsearch.searching.fusion import GENERATED_WEIGHT, NAMED_WEIGHT, WRITTEN_WEIGHT
from imgsearch.searching.hits import Hit
from imgsearch.words import are_scattered, parse


@dataclass(frozen=True)
class Found:
    """Hits, best first, and of each photo the match that made it one."""

    hits: tuple[Hit, ...]
    matches: dict[int, WordMatch]


NOTHING = Found((), {})


def find_words(library: Library, text: str, allowed: Allowed, limit: int) -> Found:
    """The best `limit` live photos that have some word of the text; none where it has no word."""
    terms, wanted = parse(text), math.ceil(limit / allowed.share)
    while True:
        matches = library.catalog.match_words(terms, only=allowed.ids, limit=wanted)
        paths = allowed.paths(np.array([match.photo_id for match in matches], np.int64))
        live = [match for match in matches if match.photo_id in paths]
        if len(live) >= limit or len(matches) < wanted:
            break
        wanted *= 4  # fewer pass the filters than it seemed
    hits = (
        Hit(rank, None, each.photo_id, paths[each.photo_id], text_rank=rank, text_score=each.score)
        for rank, each in enumerate(live[:limit], 1)
    )
    return Found(tuple(hits), {match.photo_id: match for match in live[:limit]})


def weights(library: Library, text: str, found: Found) -> dict[int, float]:
    """What a photo's place among these is worth in a fused ranking, by where its words were found.

    Most of them in a caption that a person wrote, else some in a name, else in a generated caption,
    which is also all that single characters of longer words are worth.
    """
    matches = found.matches
    told = [photo_id for photo_id, match in matches.items() if match.caption_id is not None]
    sources = {
        row.id: row.source for rows in library.catalog.captions(told).values() for row in rows
    }
    return {
        photo_id: GENERATED_WEIGHT if are_scattered(text, match.words) else _weight(match, sources)
        for photo_id, match in matches.items()
    }


def said(library: Library, text: str, found: Found) -> set[int]:
    """The photos of which a person wrote, in a caption or a name, at least half of the words."""
    of_words = weights(library, text, found)
    least = len(parse(text)) / 2
    return {
        photo_id
        for photo_id, match in found.matches.items()
        if of_words[photo_id] >= NAMED_WEIGHT and len(match.words) >= least
    }


def _weight(match: WordMatch, sources: Mapping[int, str]) -> float:
    source = None if match.caption_id is None else sources.get(match.caption_id)
    if source in ("user", "sidecar"):
        return WRITTEN_WEIGHT
    return GENERATED_WEIGHT if match.file_id is None else NAMED_WEIGHT
