"""The photos that a text's words find, in captions and in the names of files and their folders.

A text in, hits without a cosine out, ranked by BM25. No encoder is asked and none is loaded, so
this answers in any language, at once.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from imgsearch.catalog import WordMatch
from imgsearch.library import Library
from imgsearch.searching.filters import Allowed
from imgsearch.searching.fusion import GENERATED_WEIGHT, NAMED_WEIGHT, WRITTEN_WEIGHT
from imgsearch.searching.hits import Hit
from imgsearch.words import are_scattered, parse


@dataclass(frozen=True)
class Found:
    """The hits of a text, best first, and of each photo the match that made it one."""

    text: str
    hits: tuple[Hit, ...]
    matches: dict[int, WordMatch]

    @cached_property
    def weights(self) -> dict[int, float]:
        """What a photo's place among these is worth in a fused ranking, by where its words were
        found.

        Most of them in a caption that a person wrote, else some in a name, else in a generated
        caption, which is also all that single characters of longer words are worth.
        """
        return {
            photo_id: GENERATED_WEIGHT if are_scattered(self.text, match.words) else _weight(match)
            for photo_id, match in self.matches.items()
        }

    @cached_property
    def said(self) -> set[int]:
        """The photos of which a person wrote, in a caption or a name, at least half of the
        words.
        """
        least = len(parse(self.text)) / 2
        return {
            photo_id
            for photo_id, match in self.matches.items()
            if self.weights[photo_id] >= NAMED_WEIGHT and len(match.words) >= least
        }


NOTHING = Found("", (), {})


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
    return Found(text, tuple(hits), {match.photo_id: match for match in live[:limit]})


def _weight(match: WordMatch) -> float:
    if match.caption_source in ("user", "sidecar"):
        return WRITTEN_WEIGHT
    return GENERATED_WEIGHT if match.file_id is None else NAMED_WEIGHT
