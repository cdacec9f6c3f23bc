"""search(): a query becomes one vector and some words, and both become hits.

Text, a picture or the id of a photo goes in, photos come out, best first, with their exact cosine
scores. The index only proposes candidates: each is scored again from its stored embedding, so that
a score means the same whatever kind of index found it. A text is looked for in captions and file
names too; the two rankings are fused. A search whose encoder is dropped while it runs, because
another answers now, asks that one.

    question.py  which encoder answers, and the query as its vector
    filters.py   which photos may be hits
    gallery.py   the photos of that encoder, and the best of them
    words.py     the photos that have the words of a text
    fusion.py    two rankings as one
    hits.py      a photo found, and why
"""

from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeAlias

from PIL import Image

from imgsearch import prompts
from imgsearch.encoders import Encoder
from imgsearch.errors import QueryError, UsageError
from imgsearch.library import Library
from imgsearch.queries import cleaned
from imgsearch.searching.filters import NO_FILTERS, Allowed, Filters
from imgsearch.searching.fusion import DEPTH, fuse
from imgsearch.searching.gallery import Gallery
from imgsearch.searching.hits import Hit, captioned
from imgsearch.searching.question import Question, answering, not_understood
from imgsearch.searching.words import NOTHING, find_words, weights
from imgsearch.words import parse

__all__ = ["MODES", "NO_FILTERS", "Filters", "Hit", "Mode", "search"]

Mode: TypeAlias = Literal["auto", "vector", "text", "hybrid"]
MODES: tuple[Mode, ...] = ("auto", "vector", "text", "hybrid")
Query: TypeAlias = str | Path | int | Image.Image


def search(
    library: Library,
    query: Query,
    k: int = 10,
    *,
    mode: Mode = "auto",
    language: str | None = None,
    prompt: prompts.Policy = "auto",
    encoder: str | Encoder | None = None,
    filters: Filters = NO_FILTERS,
) -> list[Hit]:
    """The k best photos for a query, best first, equal ones by lower photo id.

    A text is answered by the active encoder of its language, which `language` overrides; `encoder`
    (a name in the library, or the object itself) overrules both. `prompt` says which templates a
    text is put in. A Path or PIL image is embedded as a photo; a photo id uses the stored
    embedding, and that photo is itself a hit, of score 1. Photos without a file are never hits.
    Fewer than k hits mean that there are no more.

    `mode` says what is ranked by: the `vector` alone; the words of captions and file names alone
    (`text`), for which no encoder is needed; or both (`hybrid`), photos that only words found
    included if the encoder has embedded them. `auto` is hybrid for a text in a language that photos
    have captions in, which measured no worse than the vector alone (see fusion.py), else vector.

    Raises QueryError for an empty text, one too long for the encoder, one without a word in text
    mode, a picture or photo id where words are asked for, an unknown photo id and a library without
    photos; PictureError for a file that is no picture; NoEncoderError where no encoder answers;
    UsageError for k below 1, an unknown mode, and in text mode for a least score, an encoder or a
    prompt, which would change nothing there.
    """
    if k < 1:
        raise UsageError(f"k must be at least 1, got {k}")
    if isinstance(query, str):
        query = cleaned(query)
        language = language or prompts.language_of(query)
    mode = _settled(mode, library, query, language)
    if mode == "text":
        _check_unused(filters, prompt, encoder)
        _check_words(library, query, language)
    allowed = Allowed(library.catalog, filters)
    found = NOTHING
    if isinstance(query, str) and mode != "vector":
        found = find_words(library, query, allowed, k if mode == "text" else DEPTH)
    if mode == "text":
        return captioned(library.catalog, found.hits, found.matches, language)

    def answer(question: Question) -> list[Hit]:
        gallery = Gallery(library, question.row, allowed, filters.min_score)
        vector = question.vector(prompt)
        if mode == "vector":
            return gallery.hits(vector, k)
        near = gallery.hits(vector, max(k, DEPTH))
        cosines = gallery.scores(vector, [hit.photo_id for hit in (*near, *found.hits)])
        return fuse(near, found.hits, cosines, weights(library, found))[:k]

    hits = _answered(lambda: Question(library, query, language, encoder), answer)
    return captioned(library.catalog, hits, found.matches, language)


def _answered(ask: Callable[[], Question], answer: Callable[[Question], list[Hit]]) -> list[Hit]:
    """What the encoder says that is asked, or the one that took its place meanwhile."""
    question = ask()
    hits: list[Hit] = []
    try:
        hits = answer(question)
    except Exception:  # what an encoder that is dropped beneath a search breaks first is chance
        if not question.is_overtaken:
            raise
    return answer(ask()) if not hits and question.is_overtaken else hits


def _settled(mode: Mode, library: Library, query: Query, language: str | None) -> Mode:
    """The mode that answers. Raises UsageError for an unknown one, QueryError where it cannot."""
    if mode not in MODES:
        raise UsageError(f"no mode is called {mode!r}; there are {', '.join(MODES)}")
    if isinstance(query, str):
        if mode != "auto":
            return mode
        return "hybrid" if language and library.catalog.has_captions(language) else "vector"
    if mode in ("text", "hybrid"):
        what = f"the photo id {query}" if isinstance(query, int) else "a picture"
        raise QueryError(
            f"{what} has no words to look for, which the mode {mode} does; "
            "leave the mode out, or give words"
        )
    return "vector"


def _check_unused(filters: Filters, prompt: str, encoder: str | Encoder | None) -> None:
    """Raise where something was asked for that would change nothing in text mode."""
    if filters.min_score is not None:
        raise UsageError(
            f"a least score of {filters.min_score:g} is one of cosines, and the mode text has none "
            "(what ranks words, BM25, has no fixed scale); leave it out, or take the mode hybrid"
        )
    if encoder is not None:
        name = encoder if isinstance(encoder, str) else encoder.name
        raise UsageError(
            f"the encoder {name!r} was named, and the mode text asks none; "
            "leave it out, or take the mode hybrid"
        )
    if prompt != "auto":
        raise UsageError(
            f"the prompt {prompt!r} was named, and the mode text makes none; "
            "leave it out, or take the mode hybrid"
        )


def _check_words(library: Library, query: Query, language: str | None) -> None:
    """Raise where words alone cannot answer."""
    if isinstance(query, str) and not parse(query):
        raise QueryError(
            f"the query {query!r} has no word that a caption or a file name could have; give one, "
            "or look for what is in the photos with the mode vector"
        )
    known = {*answering(library), *prompts.LANGUAGES}
    if language and language not in known and not library.catalog.has_captions(language):
        raise not_understood(library, language)
