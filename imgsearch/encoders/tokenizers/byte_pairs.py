"""CLIP's tokenizer: words to bytes, bytes to ever longer pieces, by a ranked list of pairs.

In: texts, and a gzip file of merges (CLIP's published ones lie in the open_clip package). Out: the
ids that `open_clip.SimpleTokenizer` gives. Merges are kept as the lines of their file: a dict of
strings is made in a third of the time that one of pairs takes. Those last read are kept, since most
encoders of a process have the same.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import Any, TypeAlias

from imgsearch.encoders.tokenizers import (
    DEFAULT_CONTEXT,
    DEFAULT_VOCABULARY,
    REMEMBERED,
    Tokenizer,
    cleaning,
    shipped,
)
from imgsearch.errors import UsageError
from imgsearch.prompts import space_han

Ids: TypeAlias = dict[str, int]

PUBLISHED = "bpe_simple_vocab_16e6.txt.gz"
SAVED = "merges.txt.gz"
MOST = 49152 - 256 - 2  # merges: CLIP reads no more of a file
CHUNK_BYTES = 1 << 18
BEGINNING, END = "<start_of_text>", "<end_of_text>"
LAST = "</w>"  # behind the last symbol of a word
WORDS = "{special}|'s|'t|'re|'ve|'m|'ll|'d|[{letters}]+|[{digits}]|[^\\s{letters}{digits}]+"
# Every byte as a character one can print, in the order of their ids.
_PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_OTHERS = [byte for byte in range(256) if byte not in _PRINTABLE]
_SYMBOLS = {byte: chr(byte) for byte in _PRINTABLE} | {
    byte: chr(256 + place) for place, byte in enumerate(_OTHERS)
}


class BytePairs(Tokenizer):
    """CLIP's own tokenizer, with its published merges or those of a file.

    `han` takes every Han character for a word. Raises UsageError for a file or for options of
    `text_config` that cannot be used.
    """

    padding = 0

    def __init__(
        self, text_config: Mapping[str, Any], merges: Path | None = None, han: bool = False
    ) -> None:
        self.context = int(text_config.get("context_length", DEFAULT_CONTEXT))
        self.merges = merges or shipped("open_clip", PUBLISHED)
        self._options = dict(text_config.get("tokenizer_kwargs") or {})
        self._known = int(text_config.get("vocab_size", DEFAULT_VOCABULARY))
        self._has_spaced_han = han
        clean, more = _read(self._options)
        self._clean = cleaning.cleaner(clean)
        self._special = [BEGINNING, END, *more]
        self._ranks, pieces = read_merges(self.merges)
        first = 1 + max(pieces.values())
        self._ids = pieces | {each: first + place for place, each in enumerate(self._special)}
        if len(self._ids) > self._known:
            raise UsageError(
                f"{self.merges} makes {len(self._ids)} tokens, its model {self._known}; "
                "bring the file the model was trained with"
            )
        self._words_of_plain = _splitter(re.compile, self._special, "a-z" + cleaning.HAN, "0-9")
        self._encoded = lru_cache(REMEMBERED)(self._encode)
        self._pieces = lru_cache(REMEMBERED)(self._merge)

    @classmethod
    def saved(cls, settings: Mapping[str, Any], folder: Path) -> BytePairs:
        """What `save` wrote."""
        return cls(settings["text"], folder / SAVED, settings["space_han"])

    def save(self, folder: Path) -> dict[str, Any]:
        (folder / SAVED).write_bytes(self.merges.read_bytes())
        text = {
            "context_length": self.context,
            "vocab_size": self._known,
            "tokenizer_kwargs": self._options,
        }
        return {"kind": "byte_pairs", "text": text, "space_han": self._has_spaced_han}

    def ids(self, text: str) -> tuple[int, ...]:
        return self._encoded(text)

    def _encode(self, text: str) -> tuple[int, ...]:
        if self._has_spaced_han:
            text = space_han(text)
        split = self._words_of_plain if cleaning.is_plain(text) else self._words_of_any()
        ids = [self._ids[BEGINNING]]
        for word in split(self._clean(text)):
            ids += self._pieces(word)
        return (*ids, self._ids[END])

    def _words_of_any(self) -> Callable[[str], list[str]]:
        # The package's own: its Unicode is not that of Python. It loads in 15 ms, and caches.
        import regex

        return _splitter(regex.compile, self._special, r"\p{L}", r"\p{N}")

    def _merge(self, word: str) -> tuple[int, ...]:
        """The ids of a word: while two neighbours make a known pair, the first known merges."""
        symbols = [_SYMBOLS[byte] for byte in word.encode()]
        if (special := "".join(symbols)) in self._special:
            return (self._ids[special],)
        symbols[-1] += LAST
        while len(symbols) > 1:
            pairs = {f"{one} {other}" for one, other in pairwise(symbols)}
            best = min(pairs, key=lambda pair: self._ranks.get(pair, inf))
            if best not in self._ranks:
                break
            symbols = _joined(symbols, best.split(" "))
        return tuple(self._ids[symbol] for symbol in symbols)


def read_merges(path: Path) -> tuple[Ids, Ids]:
    """The ranks of the pairs in a merges file, each as its line: two symbols with one space; and
    the ids of all pieces. Both are shared by who reads the same."""
    try:
        return _merges(path.read_bytes())
    except (OSError, EOFError, zlib.error, ValueError) as error:  # ValueError: no UTF-8
        raise UsageError(
            f"{path} is no byte-pair file ({error}): expected the gzip file that open_clip's "
            "SimpleTokenizer(bpe_path=...) reads"
        ) from error


@lru_cache(2)
def _merges(content: bytes) -> tuple[Ids, Ids]:
    found = b""
    with gzip.open(io.BytesIO(content)) as file:  # CLIP's holds five times the lines it reads
        while found.count(b"\n") <= MOST and (chunk := file.read(CHUNK_BYTES)):
            found += chunk
    if found.count(b"\n") > MOST:
        found = found[: found.rindex(b"\n")]  # no character is cut in two
    lines = found.decode("utf-8").split("\n", MOST + 1)[1 : MOST + 1]  # the first: a title
    pairs = list(map(" ".join, map(str.split, lines)))
    pieces = [*_SYMBOLS.values(), *(symbol + LAST for symbol in _SYMBOLS.values())]
    pieces += "\n".join(pairs).replace(" ", "").split("\n") if pairs else []
    return _numbered(pairs), _numbered(pieces)


def _numbered(names: list[str]) -> Ids:
    return dict(zip(names, range(len(names)), strict=True))


def _read(options: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The kind of cleaning and the further special tokens of `tokenizer_kwargs`."""
    unknown = options.keys() - {"clean", "additional_special_tokens"}
    if unknown:
        raise UsageError(
            f"the option {min(unknown)!r} of tokenizer_kwargs means nothing to CLIP's tokenizer; "
            "take it out of the text_cfg (clean and additional_special_tokens are known)"
        )
    return options.get("clean", "lower"), list(options.get("additional_special_tokens") or ())


def _splitter(
    compile: Callable[..., re.Pattern[str]], special: list[str], letters: str, digits: str
) -> Callable[[str], list[str]]:
    """What splits a clean text into words, by the letters and digits of an alphabet."""
    pattern = WORDS.format(special="|".join(special), letters=letters, digits=digits)
    return compile(pattern, re.IGNORECASE).findall


def _joined(symbols: list[str], pair: list[str]) -> list[str]:
    """The symbols with every occurrence of a pair made one, from the left."""
    joined: list[str] = []
    place = 0
    while place < len(symbols):
        width = 2 if symbols[place : place + 2] == pair else 1
        joined.append("".join(symbols[place : place + width]))
        place += width
    return joined
