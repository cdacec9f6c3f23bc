"""Words and the pieces of words, as BERT cuts them: what Chinese-CLIP and its captioners read by.

A text goes in, its words come out; a word and a vocabulary go in, the pieces it is made of come
out. Equal to the `BasicTokenizer` and `WordpieceTokenizer` that the cn_clip package ships, without
the package, which loads torch.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterator

LONGEST_WORD = 200  # characters; a longer one is unknown
UNKNOWN = "[UNK]"
# As BERT has it: neither the radicals nor planes that came later, unlike `prompts.space_han`.
_HAN = re.compile(
    "[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002a6df\U0002a700-\U0002b73f"
    "\U0002b740-\U0002b81f\U0002b820-\U0002ceaf\U0002f800-\U0002fa1f]"
)


def words(text: str) -> Iterator[str]:
    """The words of a text in small letters without accents; each Han character and each sign is
    one."""
    kept = "".join(map(_visible, text))
    for part in _HAN.sub(r" \g<0> ", kept).split():
        bare = (each for each in unicodedata.normalize("NFD", part.lower()) if not _is_accent(each))
        yield from "".join(f" {each} " if _is_sign(each) else each for each in bare).split()


def pieces(word: str, vocabulary: Container[str]) -> list[str]:
    """The longest known beginning of a word, then of the rest, each with ## before it but the
    first; [UNK] alone where none is known."""
    if len(word) > LONGEST_WORD:
        return [UNKNOWN]
    found: list[str] = []
    start = 0
    while start < len(word):
        mark = "##" if start else ""
        for end in range(len(word), start, -1):
            piece = mark + word[start:end]
            if piece in vocabulary:
                break
        else:
            return [UNKNOWN]
        found.append(piece)
        start = end
    return found


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
