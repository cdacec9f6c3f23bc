"""Between sentences and token ids: a BERT vocabulary, or GPT-2's byte pairs.

In: a vocabulary file or folder. Out: ids of a sentence, and the sentence of ids as a person would
write it: Chinese without spaces, words with one between, no space before a comma. Captioners that
are trained here have a vocabulary of whole words and Chinese characters in BERT's format; the
published ones bring theirs.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from imgsearch.errors import UsageError

VOCABULARY = "vocab.txt"
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
END = "[SEP]"
END_OF_TEXT = "<|endoftext|>"  # of GPT-2
RAREST = 4  # a word that is seen less often is not worth its row in the table


class Tokenizer(Protocol):
    """`file` is what it was read from; `size` counts its ids."""

    file: Path
    size: int

    def encode(self, text: str) -> list[int]:
        """The ids of a sentence, without anything that opens or closes it."""
        ...

    def decode(self, tokens: Sequence[int]) -> str:
        """The sentence of ids; those that stand for no word are left out."""
        ...


class BertVocabulary:
    """A `vocab.txt` as BERT's: one token a line, `##` before what continues a word."""

    def __init__(self, file: Path) -> None:
        from cn_clip.clip.bert_tokenizer import FullTokenizer

        self.file = file
        try:
            tokens = file.read_text("utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"the vocabulary {file} cannot be read: {error}") from error
        self.tokens = [token.rstrip("\r") for token in tokens if token.strip()]
        self._ids = {token: place for place, token in enumerate(self.tokens)}
        missing = [token for token in (END, "[UNK]") if token not in self._ids]
        if missing:
            raise UsageError(
                f"{file} is no BERT vocabulary: it has no {' and no '.join(missing)}; name the "
                "vocab.txt that the captioner was trained with"
            )
        self.size = len(self.tokens)
        self._split = FullTokenizer(str(file))

    def id_of(self, token: str) -> int:
        """The id of a token that is there."""
        return self._ids[token]

    @property
    def specials(self) -> tuple[int, ...]:
        """The ids of tokens in brackets, which stand for no word."""
        return tuple(
            place for place, token in enumerate(self.tokens) if re.fullmatch(r"\[.+\]", token)
        )

    def encode(self, text: str) -> list[int]:
        unknown = self._ids["[UNK]"]
        return [self._ids.get(token, unknown) for token in self._split.tokenize(text)]

    def decode(self, tokens: Sequence[int]) -> str:
        specials = set(self.specials)
        return sentence(self.tokens[token] for token in tokens if token not in specials)


class BytePairs:
    """GPT-2's own tokenizer: `vocab.json` and `merges.txt`, or `tokenizer.json`, of a folder."""

    def __init__(self, folder: Path) -> None:
        try:
            from tokenizers import ByteLevelBPETokenizer
            from tokenizers import Tokenizer as Read
        except ImportError as error:
            raise UsageError(
                'GPT-2\'s words need the tokenizers package: pip install "imgsearch[gpt2]"'
            ) from error
        self.file = folder
        try:
            if (folder / "tokenizer.json").is_file():
                self._pairs = Read.from_file(str(folder / "tokenizer.json"))
            else:
                self._pairs = ByteLevelBPETokenizer.from_file(
                    str(folder / "vocab.json"), str(folder / "merges.txt")
                )
        except Exception as error:  # whatever the library meets in a file that is none
            raise UsageError(
                f"{folder} holds no tokenizer of GPT-2 ({error}); it needs tokenizer.json, or "
                "vocab.json and merges.txt"
            ) from error
        if self._pairs.token_to_id(END_OF_TEXT) is not None:
            self._pairs.add_special_tokens([END_OF_TEXT])  # so that it is never shown
        self.size = int(self._pairs.get_vocab_size())

    def id_of(self, token: str) -> int:
        """The id of a token. Raises UsageError where it is none."""
        found = self._pairs.token_to_id(token)
        if found is None:
            raise UsageError(f"the tokenizer in {self.file} has no token {token!r}")
        return int(found)

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self._pairs.encode(text).ids
        return ids

    def decode(self, tokens: Sequence[int]) -> str:
        text: str = self._pairs.decode(list(tokens), skip_special_tokens=True)
        return " ".join(text.split())


def sentence(tokens: Iterable[str]) -> str:
    """A sentence of words, characters and signs, with spaces where a person puts them.

    >>> sentence(["a", "dog", ",", "run", "##ning", "."]), sentence(["一", "只", "狗", "。"])
    ('a dog, running.', '一只狗。')
    """
    text = ""
    for token in tokens:
        is_continued = token.startswith("##") and len(token) > 2
        piece = token[2:] if is_continued else token
        if text and not is_continued and _is_spaced(text[-1], piece[0]):
            text += " "
        text += piece
    return text


def _is_spaced(before: str, after: str) -> bool:
    """Whether a space stands between two characters that end and begin a token."""
    is_word = after.isalnum() and not _is_han(after)
    if before in "'-/(\"":
        return False
    return is_word and not _is_han(before) and unicodedata.east_asian_width(before) != "W"


def _is_han(character: str) -> bool:
    return "\u3400" <= character <= "\u9fff" or "\uf900" <= character <= "\ufaff"


def write_vocabulary(texts: Iterable[str], openings: Iterable[str], file: Path) -> None:
    """The vocabulary of a new captioner: the words and characters of its captions, most frequent
    first, behind BERT's special tokens and the ones that open a caption.

    Those seen fewer than four times are left to `[UNK]`, which a captioner never says.
    """
    from cn_clip.clip.bert_tokenizer import BasicTokenizer

    split = BasicTokenizer().tokenize
    counts = Counter(word for text in texts for word in split(text))
    words = sorted(
        (word for word, n in counts.items() if n >= RAREST), key=lambda w: (-counts[w], w)
    )
    file.write_text("\n".join([*SPECIAL, *openings, *words]) + "\n", encoding="utf-8", newline="\n")
