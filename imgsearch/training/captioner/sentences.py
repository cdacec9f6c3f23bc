"""Captions as a captioner learns them: opened in their language, finished, and closed.

Photos with sentences and a tokenizer go in; token ids with the number of their photo come out, made
once. Every caption ends with a full stop and with a token that stands for nothing else: ClipCap has
no such token, and its captions run on where a full stop was missing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from imgsearch.captioning.captioner import Speech
from imgsearch.captioning.tokenizers import END, END_OF_TEXT, BertVocabulary, BytePairs, Tokenizer
from imgsearch.errors import UsageError
from imgsearch.evaluating.captions import spoken
from imgsearch.pairs import CaptionedPhotos

UNKNOWN = "[UNK]"
END_SIGNS = ".!?…。！？"
CLOSING = "\"'”’」』）)"
DEVIATIONS = 10  # ClipCap's limit to a caption: so many standard deviations above the mean

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Sentences:
    """n captions: `photos[i]` is the number of caption i's photo, `sets[i]` that of its set in
    `names`; `tokens[i]` open it, say it and close it.

    The first `opening[i]` tokens are given, not learnt; neither is `unknown`, a word that the
    vocabulary has not got.
    """

    names: tuple[str, ...]
    photos: Ints
    sets: Ints
    opening: Ints
    tokens: tuple[tuple[int, ...], ...]
    unknown: int | None

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def lengths(self) -> Ints:
        """In tokens."""
        return np.array([len(each) for each in self.tokens], np.int64)

    @property
    def counts(self) -> dict[str, int]:
        """How many captions there are of each set."""
        return {name: int((self.sets == place).sum()) for place, name in enumerate(self.names)}


def languages_of(pairs: CaptionedPhotos, asked: Sequence[str]) -> tuple[str, ...]:
    """The sets of sentences to learn: those asked for, or all that were written by people.

    Raises UsageError for one that the pairs have not got.
    """
    wanted = asked or [name for name in pairs.languages if "_" not in name] or pairs.languages
    for name in wanted:
        if name not in pairs.languages:
            raise UsageError(
                f"the pairs have no sentences in {name!r}, only in {', '.join(pairs.languages)}; "
                "use another --language"
            )
    return tuple(dict.fromkeys(wanted))


def texts_of(pairs: CaptionedPhotos, names: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Photo, set and finished sentence of every caption that says anything."""
    for photo, captions in enumerate(pairs.captions):
        for place, name in enumerate(names):
            for sentence in captions.get(name, ()):
                if sentence.strip():
                    yield photo, place, ended(sentence)


def ended(sentence: str) -> str:
    """A sentence with a full stop, unless it ends with a sign of its own.

    >>> ended("a dog runs"), ended("A dog ."), ended("一只狗"), ended("Stop!")
    ('a dog runs.', 'A dog.', '一只狗。', 'Stop!')
    """
    text = re.sub(rf"\s+([{END_SIGNS}])$", r"\1", sentence.strip())
    bare = text.rstrip(CLOSING)
    if not bare or bare[-1] in END_SIGNS:
        return text
    is_wide = unicodedata.east_asian_width(bare[-1]) in "WF"
    return text + ("。" if is_wide else ".")


def opening_token(language: str) -> str:
    """What opens a caption in a vocabulary of our own."""
    return f"[{language.upper()}]"


def speech_of(tokenizer: Tokenizer, languages: Sequence[str], rows: int | None = None) -> Speech:
    """How a captioner with these words speaks.

    A language is opened by its own token where the vocabulary has one; else by nothing where it is
    the only one, and by its name as words where it is not. `rows` are those of the language model's
    token table, often more than there are words: it never says what stands for none.
    """
    openings: dict[str, tuple[int, ...]] = {}
    for language in languages:
        if isinstance(tokenizer, BertVocabulary) and opening_token(language) in tokenizer.tokens:
            openings[language] = (tokenizer.id_of(opening_token(language)),)
        else:
            is_only = len(languages) == 1
            openings[language] = () if is_only else tuple(tokenizer.encode(f"{language}:"))
    stop = _end(tokenizer)
    specials = tokenizer.specials if isinstance(tokenizer, BertVocabulary) else ()
    barred = (each for each in specials if each != stop)
    return Speech(openings, (stop,), (*barred, *range(tokenizer.size, rows or tokenizer.size)))


def _end(tokenizer: Tokenizer) -> int:
    assert isinstance(tokenizer, BertVocabulary | BytePairs)
    return tokenizer.id_of(END if isinstance(tokenizer, BertVocabulary) else END_OF_TEXT)


def tokenized(
    pairs: CaptionedPhotos, names: Sequence[str], tokenizer: Tokenizer, speech: Speech, room: int
) -> Sentences:
    """The captions of these sets as tokens, at most `room` of them with all that opens and closes.

    A longer one, and one of odd length, is cut and not closed: what is there of it is right, and
    that it ends there would not be. A caption without a known word is left out.
    """
    unknown = tokenizer.id_of(UNKNOWN) if isinstance(tokenizer, BertVocabulary) else None
    stop = speech.stop[0]
    rows: list[tuple[int, int, int, tuple[int, ...]]] = []
    for photo, place, text in texts_of(pairs, names):
        opening = speech.openings[spoken(names[place])]
        words = tokenizer.encode(text)
        if any(word != unknown for word in words[:-1]):  # the last is the full stop
            closing = [] if words[-1] in speech.stop else [stop]
            rows.append((photo, place, len(opening), (*opening, *words, *closing)))
    if not rows:
        raise UsageError(
            "no caption has a word that the vocabulary knows; give another --tokenizer"
        )
    lengths = np.array([len(tokens) for *_, tokens in rows])
    longest = min(room, int(lengths.mean() + DEVIATIONS * lengths.std()), int(lengths.max()))
    photos, places, openings = np.array([row[:3] for row in rows], np.int64).T
    tokens = tuple(tokens[:longest] for *_, tokens in rows)
    return Sentences(tuple(names), photos, places, openings, tokens, unknown)
