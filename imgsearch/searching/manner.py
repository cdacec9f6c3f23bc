"""Manner: how a search is carried out, apart from what is asked and of which library.

One value for all queries of a call. What would change nothing in the mode that answers is refused
rather than ignored.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from imgsearch.encoders import Encoder
from imgsearch.errors import QueryError, UsageError
from imgsearch.library import Library
from imgsearch.prompts import Policy
from imgsearch.queries import PhotoId, Query, Words
from imgsearch.searching.filters import NO_FILTERS, Filters
from imgsearch.searching.ordering import Order

Mode: TypeAlias = Literal["auto", "vector", "text", "hybrid"]
MODES: tuple[Mode, ...] = ("auto", "vector", "text", "hybrid")


@dataclass(frozen=True)
class Manner:
    """How a search is carried out; `search` says what each of these means."""

    mode: Mode = "auto"
    language: str | None = None
    prompt: Policy = "auto"
    encoder: str | Encoder | None = None
    filters: Filters = NO_FILTERS
    order: Order = "score"
    is_diverse: bool = False

    def mode_for(self, library: Library, query: Query, language: str | None) -> Mode:
        """The mode that answers a query that has terms.

        Raises UsageError for an unknown one, QueryError where words are asked for that the query
        has not got.
        """
        if self.mode not in MODES:
            raise UsageError(f"no mode is called {self.mode!r}; there are {', '.join(MODES)}")
        if text_of(query) is not None:
            if self.mode != "auto":
                return self.mode
            return "hybrid" if language and library.catalog.has_captions(language) else "vector"
        if self.mode in ("text", "hybrid"):
            raise QueryError(
                f"{_named(query)} has no words to look for, which the mode {self.mode} does; "
                "leave the mode out, or give words"
            )
        return "vector"

    def check_words_alone(self) -> None:
        """Raise where something was asked for that would change nothing in text mode."""
        for least, what in (
            (self.filters.min_score, "score"),
            (self.filters.min_relevance, "relevance"),
        ):
            if least is not None:
                raise UsageError(
                    f"a least {what} of {least:g} is one of cosines, and the mode text has none "
                    "(what ranks words, BM25, has no fixed scale); leave it out, or take the mode "
                    "hybrid"
                )
        if self.encoder is not None:
            name = self.encoder if isinstance(self.encoder, str) else self.encoder.name
            raise UsageError(
                f"the encoder {name!r} was named, and the mode text asks none; "
                "leave it out, or take the mode hybrid"
            )
        if self.prompt != "auto":
            raise UsageError(
                f"the prompt {self.prompt!r} was named, and the mode text makes none; "
                "leave it out, or take the mode hybrid"
            )

    def check_conditions_alone(self) -> None:
        """Raise where something was asked for that a query without a term has not got."""
        if self.mode != "auto":
            raise QueryError(
                f"conditions alone have nothing that the mode {self.mode} could rank by; leave the "
                "mode out, or give words"
            )
        if self.filters.min_score is not None or self.filters.min_relevance is not None:
            raise QueryError(
                "conditions alone give photos no score; leave the least one out, or give words"
            )
        if self.is_diverse:
            raise QueryError(
                "conditions alone rank no photo before another; do not ask for diverse hits, or "
                "give words"
            )


ANY_MANNER = Manner()


def text_of(query: Query) -> str | None:
    """The text of a query that is one text and nothing else."""
    if len(query.terms) != 1 or query.terms[0].weight < 0:
        return None
    subject = query.terms[0].subject
    return subject.text if isinstance(subject, Words) else None


def _named(query: Query) -> str:
    if len(query.terms) > 1:
        return "a sum"
    subject = query.terms[0].subject
    if isinstance(subject, PhotoId):
        return f"the photo id {subject.id}"
    return "a text that is subtracted" if isinstance(subject, Words) else "a picture"
