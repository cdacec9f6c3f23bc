"""Ordinary texts: what people ask photos for, per language, and the background they make.

The catalog, an encoder's row and photos that stand for all go in, a Background comes out. The texts
are data (`en.json` and `zh.json`, line by line the same: 240 labels and 40 sentences), labels in
the template of a photo, sentences as they stand. They are embedded once per encoder and language,
in one batch, and kept in the catalog as any query is; a background stays in memory until the
library has grown by a tenth.
"""

import json
from collections.abc import Callable
from functools import cache
from importlib import resources
from weakref import WeakKeyDictionary

import numpy as np

from imgsearch import prompts
from imgsearch.catalog import Catalog, EncoderRow, Sample
from imgsearch.errors import UsageError
from imgsearch.relevance.background import Background
from imgsearch.vectors import Vectors

_Embed = Callable[[list[str]], Vectors]
_Kept = dict[tuple[int, str], tuple[int, Background]]

_kept: WeakKeyDictionary[Catalog, _Kept] = WeakKeyDictionary()


def background_of(
    catalog: Catalog,
    encoder: EncoderRow,
    language: str,
    embed: _Embed,
    sample: Callable[[], Sample],
) -> Background | None:
    """The background of texts of a language; None where the encoder has embedded no photo.

    `embed` gives the texts their vectors, once: from the next time on the catalog has them.
    `sample` gives the photos, once while the catalog is open and has not grown much.
    A language without ordinary texts of its own has the English ones. Raises UsageError for vectors
    that are not finite, and keeps none of them.
    """
    kept = _kept.setdefault(catalog, {})
    last, background = kept.get((encoder.id, language), (0, None))
    if background is not None:
        new = catalog.embeddings_after(encoder.id, last)
        if new <= background.count // 10:
            return background
    photos = sample()
    if not len(photos.vectors):
        return None
    texts = _embedded(catalog, encoder, ordinary_texts(language), embed)
    background = Background(texts, photos.vectors, photos.count)
    kept[encoder.id, language] = photos.last, background
    return background


def prepare(catalog: Catalog, encoder: EncoderRow, embed: _Embed) -> None:
    """Let an encoder embed the ordinary texts of each of its languages, once."""
    for language in encoder.languages:
        _embedded(catalog, encoder, ordinary_texts(language), embed)


@cache
def ordinary_labels(language: str) -> tuple[str, ...]:
    """The ordinary labels of a language; in English for one that has none."""
    return tuple(_document(language)["labels"])


@cache
def ordinary_texts(language: str) -> tuple[str, ...]:
    """The ordinary texts of a language as they are embedded; in English for one that has none."""
    (template,) = prompts.templates("photo", "", _known(language))
    labels = (template.replace("{}", label) for label in ordinary_labels(language))
    return (*labels, *_document(language)["sentences"])


@cache
def _document(language: str) -> dict[str, list[str]]:
    file = resources.files(__package__) / f"{_known(language)}.json"
    document: dict[str, list[str]] = json.loads(file.read_text(encoding="utf-8"))
    return document


def _known(language: str) -> str:
    return language if language in prompts.LANGUAGES else "en"


def _embedded(
    catalog: Catalog, encoder: EncoderRow, texts: tuple[str, ...], embed: _Embed
) -> Vectors:
    key = prompts.templates_key(prompts.RAW)
    vectors = catalog.cached_texts(encoder.id, key, texts)
    missing = [text for text in texts if text not in vectors]
    if missing:
        rows = embed(missing)
        if not np.isfinite(rows).all():
            raise UsageError(
                f"the encoder {encoder.name} gives ordinary texts vectors that are not finite, so "
                "that no score of it means anything; its text tower is damaged: index with another "
                "one, imgsearch index FOLDER --encoder NAME"
            )
        made = dict(zip(missing, rows, strict=True))
        catalog.cache_texts(encoder.id, key, made)
        vectors |= made
    return np.stack([vectors[text] for text in texts])
