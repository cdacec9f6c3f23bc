"""What of a query carried a hit: which of its terms, which of its words, which template; and where
in the photo.

Hits go in as a search gave them, and come out with an `Explanation`. Of a sum, each term brings its
own part of the cosine, and the parts add up to it. Of a text, a word brings what the cosine loses
where it is left out: the tower reads words together, so those parts add up to nothing. In Chinese
every character counts as a word, since nothing here knows where words end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from imgsearch import prompts
from imgsearch.errors import PictureError, QueryError
from imgsearch.images import decode
from imgsearch.library import Library
from imgsearch.queries import Address, Asked, PhotoId, Picture, Term, Words, query_of
from imgsearch.searching.hits import Explanation, Hit
from imgsearch.searching.manner import ANY_MANNER, Manner
from imgsearch.searching.question import Question
from imgsearch.vectors import Vectors, ensemble

if TYPE_CHECKING:
    from imgsearch.encoders.heat import Heat

_PIECE = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


def explain(
    library: Library, query: Asked, hits: Sequence[Hit], manner: Manner = ANY_MANNER
) -> list[Hit]:
    """The hits of a search for that query in that manner, each with what carried it.

    One that is a photo or a picture alone has no parts. A picture on the web is fetched anew,
    unless the query is one of `addresses.fetched`. Raises QueryError where no vector was asked.
    """
    question = _question(library, query, manner)
    ids = [hit.photo_id for hit in hits]
    found, vectors = library.catalog.embeddings(question.row.id, photo_ids=ids)
    photos = dict(zip(found.tolist(), vectors, strict=True))
    if len(question.terms) > 1:
        explain_photo = _of_sum(question, manner.prompt)
    elif isinstance(question.terms[0].subject, Words):
        explain_photo = _of_text(question, manner.prompt, question.terms[0].subject.text)
    else:
        return list(hits)
    return [
        replace(hit, explanation=explain_photo(photos[hit.photo_id]))
        if hit.photo_id in photos
        else hit
        for hit in hits
    ]


def heats(
    library: Library, query: Asked, hits: Sequence[Hit], manner: Manner = ANY_MANNER
) -> dict[int, Heat]:
    """Photo id -> where in the photo the encoder sees what is asked for; none of one that cannot be
    decoded any more.

    Raises NoEncoderError for an encoder that cannot be looked into, QueryError as `explain` does.
    """
    from imgsearch.encoders.heat import heat_of  # loads torch

    question = _question(library, query, manner)
    vector, encoder = question.vector(manner.prompt), question.encoder("torch")
    maps: dict[int, Heat] = {}
    for hit in hits:
        try:
            picture = decode(hit.path, short_side=2 * encoder.image_size)  # as it was indexed
        except PictureError:  # whoever draws it will say so in its place
            continue
        maps[hit.photo_id] = heat_of(encoder, picture, vector)
    return maps


def _question(library: Library, query: Asked, manner: Manner) -> Question:
    if manner.mode == "text":
        raise QueryError(
            "the mode text compares no vectors, and its hits say already which words were found; "
            "explain those of the mode hybrid or vector"
        )
    asked = query_of(query)
    if not asked.terms:
        raise QueryError(
            "conditions alone let photos through and compare none with anything, so there is "
            "nothing to explain; do not ask for it, or add words"
        )
    return Question(library, asked, manner.language, manner.encoder)


def _of_sum(question: Question, policy: prompts.Policy) -> Callable[[Vectors], Explanation]:
    parts = question.parts(policy)  # (t, d)
    names = [_named(term) for term in question.terms]

    def explain(photo: Vectors) -> Explanation:
        return Explanation(_strongest_first(names, (parts @ photo).tolist()))

    return explain


def _of_text(
    question: Question, policy: prompts.Policy, text: str
) -> Callable[[Vectors], Explanation]:
    templates = prompts.templates(policy, text, question.language or "en")
    pieces = _pieces(text)
    left = [text[:start].rstrip() + " " + text[end:].lstrip() for start, end in pieces]
    texts = [text, *(each.strip() for each in left)] if len(pieces) > 1 else [text]
    filled = [prompt for each in texts for prompt in prompts.expand(each, templates)]
    rows = question.encoder().embed_texts(filled).reshape(len(texts), len(templates), -1)
    whole, *without = [ensemble(each) for each in rows]
    names = [text[start:end] for start, end in pieces]

    def explain(photo: Vectors) -> Explanation:
        losses = [float((whole - each) @ photo) for each in without]
        best = templates[int(np.argmax(rows[0] @ photo))] if len(templates) > 1 else None
        return Explanation(_strongest_first(names if losses else [], losses), best)

    return explain


def _pieces(text: str) -> list[tuple[int, int]]:
    """Where the words of a text are; of Chinese, its characters."""
    pieces: list[tuple[int, int]] = []
    for found in _PIECE.finditer(text):
        parts = prompts.space_han(found[0])
        if parts == found[0]:
            pieces.append(found.span())
            continue
        place = found.start()
        for part in parts.split():
            pieces.append((place, place + len(part)))
            place += len(part)
    return pieces


def _strongest_first(
    names: Sequence[str], shares: Sequence[float]
) -> tuple[tuple[str, float], ...]:
    return tuple(sorted(zip(names, shares, strict=True), key=lambda part: -part[1]))


def _named(term: Term) -> str:
    """A term as a person would say which it is: `stripes`, `2:pool.jpg`, `- fruit`."""
    subject = term.subject
    if isinstance(subject, Words):
        name = subject.text
    elif isinstance(subject, PhotoId):
        name = f"id:{subject.id}"
    elif isinstance(subject, Address):
        name = subject.url
    else:
        name = subject.path.name if isinstance(subject, Picture) else "picture"
    weight = "" if abs(term.weight) == 1 else f"{abs(term.weight):g}:"
    return f"{'- ' if term.weight < 0 else ''}{weight}{name}"
