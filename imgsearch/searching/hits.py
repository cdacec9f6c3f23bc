"""Hit: one photo found, and why it is there.

Plain values, all that the command line, JSON and a web page show. What found a photo is ranked
first; its caption, and the words of the query as they stand in it, are read only for the photos
that are shown.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from imgsearch.catalog import CaptionRow, Catalog, WordMatch
from imgsearch.words import spans


@dataclass(frozen=True)
class Explanation:
    """What of a query carried a hit: its terms or words with what each brought to the cosine, most
    first, and of several templates the one whose prompt is nearest to the photo.
    """

    parts: tuple[tuple[str, float], ...]
    template: str | None = None


@dataclass(frozen=True)
class Hit:
    """One photo found: rank from 1, cosine score in [-1, 1], its id and the path of its file.

    `vector_rank` and `text_rank` are its places from 1 in what the vectors and the words found,
    None where the one did not find it or was not asked; of both together, only the first 100 count
    (`fusion.DEPTH`), and later ones have None. `text_score` is BM25, higher is better.
    `score` is None where only words or conditions were asked. `relevance` is what the score means,
    from 0 to 1, for every query and encoder alike; None where a query has no words; `is_written`
    says that a person wrote what was asked, in a caption or a name, which keeps the photo whatever
    its relevance. `caption` is the one to show, `matched` are the words that were found, as they
    stand in the photo's captions and its file's name.
    """

    rank: int
    score: float | None
    photo_id: int
    path: Path
    caption: str | None = None
    matched: tuple[str, ...] = ()
    vector_rank: int | None = None
    text_rank: int | None = None
    text_score: float | None = None
    relevance: float | None = None
    is_written: bool = False
    explanation: Explanation | None = None


def captioned(
    catalog: Catalog,
    hits: Sequence[Hit],
    matches: Mapping[int, WordMatch],
    language: str | None,
) -> list[Hit]:
    """The hits with their captions and matched words.

    The caption in which most words were found, else a person's, else a sidecar's, else a generated
    one in the language of the query; without a language, in any.
    """
    captions = catalog.captions([hit.photo_id for hit in hits])
    told = []
    for hit in hits:
        rows = captions.get(hit.photo_id, ())
        match = matches.get(hit.photo_id)
        shown = _shown(rows, match, language)
        texts = sorted((row.text for row in rows), key=lambda text: text != shown)
        matched = () if match is None else _surface((*texts, _name(hit.path)), match.words)
        told.append(replace(hit, caption=shown, matched=matched))
    return told


def _shown(rows: Sequence[CaptionRow], match: WordMatch | None, language: str | None) -> str | None:
    if match is not None:
        for row in rows:
            if row.id == match.caption_id:
                return row.text
    return next((row.text for row in rows if row.text and language in (None, row.language)), None)


def _surface(texts: Iterable[str], words: Sequence[str]) -> tuple[str, ...]:
    """The words as a person wrote them: of each text those that no earlier one has.

    Neighbours of a Chinese sentence come as one: what is kept of it are overlapping pairs.
    """
    found: dict[str, str] = {}
    left = tuple(words)
    for text in texts:
        for start, end in spans(text, left):
            found.setdefault(text[start:end].casefold(), text[start:end])
        left = tuple(word for word in left if not spans(text, (word,)))
    return (*found.values(), *left)  # left: a part of a longer name, or a caption just replaced


def _name(path: Path) -> str:
    return os.path.join(path.parent.name, path.name)
