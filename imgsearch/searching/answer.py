"""Answer: one query on its way to hits, from what may be a hit to the order they are shown in.

A query and a manner go in; what is to be embedded comes out as a `Question`, so that the texts of
many queries are embedded at once, and once there is a vector, hits do.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from imgsearch import prompts, relevance
from imgsearch.errors import QueryError
from imgsearch.library import Library, sample_of
from imgsearch.queries import Query
from imgsearch.searching import diversity
from imgsearch.searching.filters import Allowed, Filters
from imgsearch.searching.fusion import DEPTH, fuse
from imgsearch.searching.gallery import Gallery, newest
from imgsearch.searching.hits import Hit, captioned
from imgsearch.searching.manner import Manner, text_of
from imgsearch.searching.ordering import ordered
from imgsearch.searching.question import Question, answering, languages_of, not_understood
from imgsearch.searching.words import NOTHING, find_words
from imgsearch.vectors import Vectors, normalise
from imgsearch.words import parse

DIGITS = 6  # of a relevance; more say nothing


class Answer:
    """One query to one library; `question` is what must become a vector first, if anything must.

    `allowed` tells what filters let through. Raises what `search` does.
    """

    def __init__(
        self,
        library: Library,
        query: Query,
        k: int,
        manner: Manner,
        allowed: Callable[[Filters], Allowed],
    ) -> None:
        self._library, self._catalog = library, library.catalog
        self._query, self._k, self._manner = query, k, manner
        self._language = manner.language or next(iter(languages_of(query.terms)), None)
        conditions = (*manner.filters.conditions, *query.conditions)
        self._filters = replace(manner.filters, conditions=conditions)
        self._text = text_of(query)
        if query.terms:
            self._mode = manner.mode_for(library, query, self._language)
            if self._mode == "text":
                manner.check_words_alone()
                _check_words(library, self._text or "", self._language)
        else:
            manner.check_conditions_alone()
        self._allowed = allowed(self._filters)
        self._found = NOTHING
        if self._text is not None and self._mode != "vector":
            limit = k if self._mode == "text" else DEPTH
            self._found = find_words(library, self._text, self._allowed, limit)
        self.question = self._asked()

    def ask_anew(self) -> None:
        """Put the question to whoever answers now: another encoder has taken over."""
        self.question = self._asked()

    def hits(self, vector: Vectors | None) -> list[Hit]:
        """The hits; `vector` (d,) is that of the question, None without one."""
        if self.question is None or vector is None:
            hits = list(self._found.hits) if self._query.terms else newest(self._allowed, self._k)
        else:
            hits = self._ranked(self.question, vector)
        hits = ordered(self._catalog, hits[: self._k], self._manner.order)
        return captioned(self._catalog, hits, self._found.matches, self._language)

    def _asked(self) -> Question | None:
        if not self._query.terms or self._mode == "text":
            return None
        manner = self._manner
        return Question(self._library, self._query, manner.language, manner.encoder)

    def _ranked(self, question: Question, vector: Vectors) -> list[Hit]:
        """The best photos, those that are not relevant enough left out, alike ones behind others
        where that was asked for.
        """
        gallery = Gallery(self._library, question.row, self._allowed, self._filters.min_score)
        if self._mode == "hybrid":
            hits = gallery.hits(vector, max(self._k, DEPTH))
            found = self._found.hits
            cosines = gallery.scores(vector, [hit.photo_id for hit in (*hits, *found)])
            hits = fuse(hits, found, cosines, self._found.weights)
        else:
            depth = diversity.DEPTH if self._manner.is_diverse else 0
            hits = gallery.hits(vector, max(self._k, depth))
        if self._manner.is_diverse:
            hits = self._relevant(question, vector, gallery, hits, len(hits))
            return diversity.spread(hits, gallery.vectors(hits), self._k)
        return self._relevant(question, vector, gallery, hits, self._k)

    def _relevant(
        self,
        question: Question,
        vector: Vectors,
        gallery: Gallery,
        hits: Sequence[Hit],
        count: int,
    ) -> list[Hit]:
        """The first so many of the hits that are relevant enough, with their relevance.

        A photo of which somebody wrote what the query says is relevant whatever its cosine. What
        is like a picture is told by its score alone: no ordinary picture says how like is like.
        """
        if not hits or not question.is_of_words:
            return list(hits[:count])
        background = relevance.background_of(
            self._catalog,
            question.row,
            question.language or "en",
            lambda texts: question.encoder().embed_texts(texts),
            lambda: sample_of(self._library, question.row),
        )
        if background is None:
            return list(hits[:count])
        # in float64, and rounded: it must not hang on how many hits were asked for
        if len(question.terms) > 1:  # what is subtracted need not be ordinary
            vector = normalise(question.parts(self._manner.prompt)[question.added].sum(axis=0))
        # all are measured by the best of them, which words may have put behind others
        best = max(hits, key=lambda hit: -np.inf if hit.score is None else hit.score)
        least = self._filters.min_relevance
        told: list[Hit] = []
        for part in (hits[:count], hits[count:]):  # mostly the first will do
            if not part or len(told) >= count:
                break
            relevances = background.relevance(
                vector.astype(np.float64),
                gallery.vectors([*part, best]).astype(np.float64),
                is_sentence=self._text is not None and not prompts.is_label(self._text),
            )
            for hit, each in zip(part, relevances[:-1].tolist(), strict=True):
                rounded, is_written = round(each, DIGITS), hit.photo_id in self._found.said
                if least is None or rounded >= least or is_written:
                    told.append(replace(hit, relevance=rounded, is_written=is_written))
        return told[:count]


def _check_words(library: Library, text: str, language: str | None) -> None:
    """Raise where words alone cannot answer."""
    if not parse(text):
        raise QueryError(
            f"the query {text!r} has no word that a caption or a file name could have; give one, "
            "or look for what is in the photos with the mode vector"
        )
    known = {*answering(library), *prompts.LANGUAGES}
    if language and language not in known and not library.catalog.has_captions(language):
        raise not_understood(library, language)
