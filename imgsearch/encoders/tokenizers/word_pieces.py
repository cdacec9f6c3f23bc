"""BERT's tokenizer as Chinese-CLIP was trained with it: Han characters and the pieces of words.

In: texts, and the vocabulary that the cn_clip package ships. Out: the ids of that package's
`FullTokenizer` behind the lower-casing and the straight quotes of its training code, which its
public `tokenize` leaves out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from imgsearch.encoders.tokenizers import REMEMBERED, Tokenizer, shipped
from imgsearch.errors import UsageError

CONTEXT = 52
SAVED = "vocab.txt"
LONGEST_WORD = 200  # characters; a longer one is unknown
BEGINNING, END, UNKNOWN = "[CLS]", "[SEP]", "[UNK]"
_STRAIGHT = str.maketrans("“”", '""')
# As BERT has it: neither the radicals nor planes that came later, unlike `prompts.space_han`.
_HAN = re.compile(
    "[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002a6df\U0002a700-\U0002b73f"
    "\U0002b740-\U0002b81f\U0002b820-\U0002ceaf\U0002f800-\U0002fa1f]"
)


class WordPieces(Tokenizer):
    """Chinese-CLIP's tokenizer, with the vocabulary its package ships or that of a file.

    Raises UsageError for a file that is no BERT vocabulary.
    """

    padding = 0

    def __init__(self, vocabulary: Path | None = None, context: int = CONTEXT) -> None:
        self.context = context
        self.vocabulary = vocabulary or shipped("cn_clip", "clip", SAVED)
        try:
            lines = self.vocabulary.read_text("utf-8").removesuffix("\n").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"the vocabulary {self.vocabulary} cannot be read: {error}") from error
        self._ids = {line.strip(): id for id, line in enumerate(lines)}
        missing = [token for token in (BEGINNING, END, UNKNOWN) if token not in self._ids]
        if missing:
            raise UsageError(
                f"{self.vocabulary} is no BERT vocabulary: it has no {' and no '.join(missing)}; "
                "bring the vocab.txt that the model was trained with"
            )
        self._encoded = lru_cache(REMEMBERED)(self._encode)

    @classmethod
    def saved(cls, settings: Mapping[str, Any], folder: Path) -> WordPieces:
        """What `save` wrote."""
        return cls(folder / SAVED, settings["context"])

    def save(self, folder: Path) -> dict[str, Any]:
        (folder / SAVED).write_bytes(self.vocabulary.read_bytes())
        return {"kind": "word_pieces", "context": self.context}

    def ids(self, text: str) -> tuple[int, ...]:
        return self._encoded(text)

    def _encode(self, text: str) -> tuple[int, ...]:
        ids = [self._ids[BEGINNING]]
        for word in words(text.lower().translate(_STRAIGHT)):
            ids += self._pieces(word)
        return (*ids, self._ids[END])

    def _pieces(self, word: str) -> list[int]:
        """The longest known beginning of a word, then of the rest; [UNK] where none is known."""
        unknown = [self._ids[UNKNOWN]]
        if len(word) > LONGEST_WORD:
            return unknown
        found: list[int] = []
        start = 0
        while start < len(word):
            mark = "##" if start else ""
            for end in range(len(word), start, -1):
                id = self._ids.get(mark + word[start:end])
                if id is not None:
                    break
            else:
                return unknown
            found.append(id)
            start = end
        return found


def words(text: str) -> Iterator[str]:
    """The words of a lower-case text without accents; each Han character and each sign is one."""
    kept = "".join(map(_visible, text))
    for part in _HAN.sub(r" \g<0> ", kept).split():
        bare = (each for each in unicodedata.normalize("NFD", part) if not _is_accent(each))
        yield from "".join(f" {each} " if _is_sign(each) else each for each in bare).split()


def _visible(character: str) -> str:
    """The character, a space for any kind of space, nothing for one that controls or is broken."""
    if character in "\t\n\r":
        return " "
    category = unicodedata.category(character)
    if category in ("Cc", "Cf") or character == "\ufffd":
        return ""
    return " " if category == "Zs" else character


def _is_accent(character: str) -> bool:
    return unicodedata.category(character) == "Mn"


def _is_sign(character: str) -> bool:
    """Punctuation, and all of ASCII that is neither letter nor digit."""
    if character.isascii():
        return not character.isalnum()
    return unicodedata.category(character).startswith("P")
