"""search(): a query becomes one vector and some words, and both become hits.

Texts, pictures and photos go in, added and subtracted, photos come out, best first, with their
exact cosine scores. The index only proposes candidates: each is scored again from its stored
embedding, so that a score means the same whatever kind of index found it. A text is looked for in
captions and file names too; the two rankings are fused. A search whose encoder is dropped while it
runs, because another answers now, asks that one.

    manner.py     how a search is carried out
    answer.py     one query on its way to hits
    question.py   which encoder answers, and the query as its vector
    addresses.py  a picture on the web
    filters.py    which photos may be hits
    gallery.py    the photos of that encoder, and the best of them
    words.py      the photos that have the words of a text
    fusion.py     two rankings as one
    diversity.py  hits that are not all alike
    ordering.py   hits by date and by path
    explaining.py what of a query carried a hit
    similar.py    photos like one of them
    random_photos.py  photos by chance
    hits.py       a photo found, and why
"""

from collections.abc import Sequence
from functools import cache, partial

from imgsearch import prompts
from imgsearch.encoders import Encoder
from imgsearch.errors import UsageError
from imgsearch.library import Library
from imgsearch.queries import Asked, query_of
from imgsearch.relevance import LEAST_RELEVANT
from imgsearch.searching.answer import Answer
from imgsearch.searching.filters import NO_FILTERS, Allowed, Filters
from imgsearch.searching.hits import Hit
from imgsearch.searching.manner import ANY_MANNER, MODES, Manner, Mode
from imgsearch.searching.ordering import ORDERS, Order
from imgsearch.searching.question import embed_together
from imgsearch.vectors import Vectors

__all__ = [
    "ANY_MANNER",
    "LEAST_RELEVANT",
    "MODES",
    "NO_FILTERS",
    "ORDERS",
    "Filters",
    "Hit",
    "Manner",
    "Mode",
    "Order",
    "search",
    "search_all",
]

_AT_ONCE = 64  # queries, each with all the photos that its conditions let through
_MOST = 2**48  # photos: more than there are anywhere; 64 bits of SQLite hold 50 times as many


def search(
    library: Library,
    query: Asked,
    k: int = 10,
    *,
    mode: Mode = "auto",
    language: str | None = None,
    prompt: prompts.Policy = "auto",
    encoder: str | Encoder | None = None,
    filters: Filters = NO_FILTERS,
    order: Order = "score",
    is_diverse: bool = False,
) -> list[Hit]:
    """The k best photos for a query, best first, equal ones by lower photo id.

    A text may be a sum and hold conditions, by the grammar of `queries.parse`: "horse + stripes",
    "id:7 - snow year:2023"; conditions alone give the newest photos that satisfy them. A Path or a
    PIL image is embedded as a photo, a number is the id of a photo, which is itself a hit of score
    1; a text never names files or addresses, a `Query` may. Photos without a file are never hits.
    Fewer than k hits mean that there are no more.

    A text is answered by the active encoder of its language, which `language` overrides; `encoder`
    (a name in the library, or the object itself) overrules both. `prompt` says which templates a
    text is put in.

    `mode` says what is ranked by: the `vector` alone; the words of captions and file names alone
    (`text`), for which no encoder is needed; or both (`hybrid`), photos that only words found
    included if the encoder has embedded them. `auto` is hybrid for one text in a language that
    photos have captions in, which measured no worse than the vector alone (see fusion.py), else
    vector.

    `filters` bound what may be a hit before anything is ranked; a least relevance leaves out of the
    best photos those below it, `LEAST_RELEVANT` being where answers end. `is_diverse` puts unlike
    photos before alike ones, and `order` sorts the k hits by date or path.

    Raises QueryError for an empty text, one too long for the encoder, one without a word in text
    mode, one that the grammar refuses, a sum that cancels out, no single text where words are asked
    for, an unknown photo id and a library without photos; PictureError for a file that is no
    picture; NoEncoderError where no encoder answers; UsageError for k below 1, an unknown mode or
    order, and what would change nothing in the mode that answers.
    """
    manner = Manner(mode, language, prompt, encoder, filters, order, is_diverse)
    return search_all(library, [query], k, manner)[0]


def search_all(
    library: Library, queries: Sequence[Asked], k: int = 10, manner: Manner = ANY_MANNER
) -> list[list[Hit]]:
    """The hits of each query as `search` gives them; what is new of many is embedded in one
    batch.
    """
    if k < 1:
        raise UsageError(f"k must be at least 1, got {k}")
    k = min(k, _MOST)
    hits: list[list[Hit]] = []
    for start in range(0, len(queries), _AT_ONCE):
        hits += _answered(library, queries[start : start + _AT_ONCE], k, manner)
    return hits


def _answered(
    library: Library, queries: Sequence[Asked], k: int, manner: Manner
) -> list[list[Hit]]:
    """The hits of as many queries as are held at once."""
    allowed = cache(partial(Allowed, library))  # queries of the same filters share what they let
    answers = [Answer(library, query_of(query), k, manner, allowed) for query in queries]
    vectors = _embedded(answers, manner.prompt)
    return [
        _hits(answer, vector, manner.prompt)
        for answer, vector in zip(answers, vectors, strict=True)
    ]


def _embedded(answers: Sequence[Answer], policy: prompts.Policy) -> list[Vectors | None]:
    """The vector of each question, None where there is none."""
    asking = [answer for answer in answers if answer.question is not None]
    try:
        vectors = embed_together([each.question for each in asking if each.question], policy)
    except Exception:  # what an encoder that is dropped beneath a search breaks first is chance
        overtaken = [each for each in asking if each.question and each.question.is_overtaken]
        if not overtaken:
            raise
        for answer in overtaken:
            answer.ask_anew()
        vectors = embed_together([each.question for each in asking if each.question], policy)
    of_asking = iter(vectors)
    return [None if answer.question is None else next(of_asking) for answer in answers]


def _hits(answer: Answer, vector: Vectors | None, policy: prompts.Policy) -> list[Hit]:
    """What the encoder says that was asked, or the one that took its place meanwhile."""
    question = answer.question
    hits: list[Hit] = []
    try:
        hits = answer.hits(vector)
    except Exception:  # as above
        if question is None or not question.is_overtaken:
            raise
    if hits or question is None or not question.is_overtaken:
        return hits
    answer.ask_anew()
    return answer.hits(None if answer.question is None else answer.question.vector(policy))
