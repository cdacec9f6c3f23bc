"""Texts as an encoder of a library sees them, and the ground that its scores stand on.

Texts and an encoder's row go in, (n, d) unit rows come out. Each is filled into the templates that
a search would use, so what either embedded the other has.
"""

from collections.abc import Sequence

import numpy as np

from imgsearch import prompts
from imgsearch.catalog import EncoderRow, Ids
from imgsearch.encoders import DEFAULT
from imgsearch.errors import NoEncoderError, UsageError
from imgsearch.library import Library, sample_of
from imgsearch.library import embed_texts as embedded
from imgsearch.organising.confidences import Ground
from imgsearch.relevance import background_of, ordinary_labels
from imgsearch.vectors import Vectors


def encoder_of(library: Library, language: str) -> EncoderRow:
    """The encoder that answers a language; it has embedded something.

    Raises UsageError for a library without photos, NoEncoderError where none knows the language.
    """
    answering = library.catalog.active_encoders()
    if not answering:
        raise UsageError(
            f"the library {library.path} holds no photos yet; this adds some: "
            f"{library.command('index', 'FOLDER')}"
        )
    if language not in answering:
        name = DEFAULT.get(language, "NAME")
        raise NoEncoderError(
            f"no encoder of the library {library.path} understands the language {language!r}; "
            f"this adds one: {library.command('index', '--encoder', name)}"
        )
    return answering[language]


def embed_texts(
    library: Library,
    encoder: EncoderRow,
    texts: Sequence[str],
    language: str,
    policy: prompts.Policy = "auto",
) -> Vectors:
    """(n, d) unit rows, a row a text. Raises QueryError for a text that is too long."""
    filled = [(text, prompts.templates(policy, text, language)) for text in texts]
    rows = embedded(library.catalog, encoder, filled, lambda: library.load_encoder(encoder, "cpu"))
    return np.stack([rows[each] for each in filled])


def embed_words(library: Library, encoder: EncoderRow, language: str) -> tuple[list[str], Vectors]:
    """Ordinary words of a language, and their (w, d) unit rows."""
    words = list(ordinary_labels(language))
    return words, embed_texts(library, encoder, words, language, "photo")


def any_encoder(library: Library) -> EncoderRow:
    """The encoder that answers where no language is asked for: the English one, if there is one."""
    answering = library.catalog.active_encoders()
    return encoder_of(library, "en" if "en" in answering else next(iter(answering), "en"))


def live_embedded(library: Library, encoder: EncoderRow, only: Ids | None) -> Ids:
    """Embedded photos with a live file, ascending; `only` bounds them."""
    ids = np.array(sorted(library.catalog.embedded_photo_ids(encoder.id)), np.int64)
    if only is not None:
        ids = np.intersect1d(ids, only)
    live = library.catalog.live_paths(ids)
    found: Ids = ids[np.array([photo_id in live for photo_id in ids.tolist()], bool)]
    return found


def ground_of(library: Library, encoder: EncoderRow, language: str) -> Ground:
    """What scores of this encoder stand on: some of the library's photos, and ordinary texts."""
    background = background_of(
        library.catalog,
        encoder,
        language,
        lambda texts: library.load_encoder(encoder, "cpu").embed_texts(texts),
        lambda: sample_of(library, encoder),
    )
    if background is None:
        raise NoEncoderError(
            f"no photo of the library {library.path} is embedded by {encoder.name} yet; this does "
            f"that: {library.command('index', '--encoder', encoder.name)}"
        )
    return Ground.of(background.photos, background.texts)


def spread_out(ids: Ids, count: int) -> Ids:
    """At most so many of the ids, evenly from the first to the last: always the same ones."""
    if len(ids) <= count:
        return ids
    return ids[np.linspace(0, len(ids) - 1, count).astype(np.int64)]
