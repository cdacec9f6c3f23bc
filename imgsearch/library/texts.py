"""Texts as an encoder of a library sees them, embedded once: the next time the catalog has them.

Texts with the templates they are put in go in, (d,) unit vectors come out, each the mean of its
prompts. The encoder is loaded only where a text is new, and embeds all new ones at once. A text
that it cannot read to the end is refused by whoever asks: a part of it would be kept for the whole.
"""

from collections.abc import Callable, Iterable
from typing import TypeAlias

import numpy as np

from imgsearch import prompts
from imgsearch.catalog import Catalog, EncoderRow
from imgsearch.encoders import Encoder
from imgsearch.vectors import Vectors, ensemble

Text: TypeAlias = tuple[str, tuple[str, ...]]  # and the templates it is put in


def embed_texts(
    catalog: Catalog, row: EncoderRow, texts: Iterable[Text], load: Callable[[], Encoder]
) -> dict[Text, Vectors]:
    """The vector of each text by this encoder. Raises QueryError for a text that is too long."""
    by_templates: dict[tuple[str, ...], list[str]] = {}
    for text, templates in dict.fromkeys(texts):
        by_templates.setdefault(templates, []).append(text)
    keys = {templates: prompts.templates_key(templates) for templates in by_templates}
    found: dict[Text, Vectors] = {}
    new: list[Text] = []
    for templates, alike in by_templates.items():
        kept = catalog.cached_texts(row.id, keys[templates], alike)
        found |= {(text, templates): vector for text, vector in kept.items()}
        new += [(text, templates) for text in alike if text not in kept]
    made = _embedded(new, load) if new else {}
    for used in dict.fromkeys(templates for _, templates in new):
        vectors = {text: vector for (text, templates), vector in made.items() if templates == used}
        catalog.cache_texts(row.id, keys[used], vectors)
    return found | made


def _embedded(texts: list[Text], load: Callable[[], Encoder]) -> dict[Text, Vectors]:
    filled = [prompts.expand(*each) for each in texts]
    rows = load().embed_texts([prompt for each in filled for prompt in each])
    ends = np.cumsum([len(each) for each in filled])
    return dict(zip(texts, map(ensemble, np.split(rows, ends[:-1])), strict=True))
