"""Sentences as captions are kept: one line each, under the language it is written in.

Named sets of texts, as `pairs` reads them from any file, go in; sentences with their language come
out.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from imgsearch import images
from imgsearch.images import language_code
from imgsearch.pairs.sidecars import described_by
from imgsearch.prompts import language_of

Sentence = tuple[str, str]  # language and text


def one_line(text: str) -> str:
    """A sentence as captions are kept: on one line, without space around it."""
    return " ".join(text.splitlines()).strip()


def set_language(name: str, text: str) -> str:
    """The language of a sentence in a named set: the code in the name, else told from the text."""
    return language_code(name) or language_of(text)


def sentences_of(captions: Mapping[str, Sequence[str]]) -> list[Sentence]:
    """Named sets of sentences as captions are kept, each once, without empty ones."""
    every = (
        (set_language(name, said), said)
        for name, texts in captions.items()
        for text in texts
        if (said := one_line(text))
    )
    return list(dict.fromkeys(every))


def sentences_beside(path: Path) -> list[Sentence]:
    """What text in an archive says of a photo in it. Raises UsageError and OSError."""
    texts = images.texts_beside(path)
    captions, _ = described_by({ending: (ending, text) for ending, text in texts.items()})
    return sentences_of(captions)


def by_language(sentences: Sequence[Sentence]) -> dict[str, list[str]]:
    """Language -> texts, in their order."""
    found: dict[str, list[str]] = {}
    for language, text in sentences:
        found.setdefault(language, []).append(text)
    return found
