"""search(): a query becomes one vector, the vector becomes hits.

Text, a picture or the id of a photo goes in, photos with their exact cosine scores come out, best
first. The index only proposes candidates: each is scored again from its stored embedding, so that a
score means the same whatever kind of index found it. A search whose encoder is dropped while it
runs, because another answers now, asks that one.

    question.py  which encoder answers, and the query as its vector
    gallery.py   the photos of that encoder, and the best of them
"""

from pathlib import Path

from PIL import Image

from imgsearch import prompts
from imgsearch.encoders import Encoder
from imgsearch.errors import UsageError
from imgsearch.library import Library
from imgsearch.searching.gallery import Filters, Gallery, Hit
from imgsearch.searching.question import Question

__all__ = ["Filters", "Hit", "search"]

NO_FILTERS = Filters()


def search(
    library: Library,
    query: str | Path | int | Image.Image,
    k: int = 10,
    *,
    language: str | None = None,
    prompt: prompts.Policy = "auto",
    encoder: str | Encoder | None = None,
    filters: Filters = NO_FILTERS,
) -> list[Hit]:
    """The k photos nearest to a query, best first, equal scores by lower photo id.

    A text is answered by the active encoder of its language, which `language` overrides; `encoder`
    (a name in the library, or the object itself) overrules both. `prompt` says which templates a
    text is put in. A Path or PIL image is embedded as a photo; a photo id uses the stored
    embedding, and that photo is itself a hit, of score 1. Photos without a file are never hits.
    Fewer than k hits mean that there are no more.

    Raises QueryError for an empty text, one too long for the encoder, an unknown photo id and a
    library without photos; PictureError for a file that is no picture; NoEncoderError where no
    encoder answers; UsageError for k below 1.
    """
    if k < 1:
        raise UsageError(f"k must be at least 1, got {k}")
    question = Question(library, query, language, encoder)
    hits: list[Hit] = []
    try:
        hits = Gallery(library, question.row, filters).hits(question.vector(prompt), k)
    except Exception:  # what an encoder that is dropped beneath a search breaks first is chance
        if not question.is_overtaken:
            raise
    if not hits and question.is_overtaken:
        question = Question(library, query, language, encoder)
        hits = Gallery(library, question.row, filters).hits(question.vector(prompt), k)
    return hits
