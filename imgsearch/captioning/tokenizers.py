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
from functools import cached_property
from pathlib import Path
from typing import Literal, Protocol

from imgsearch.errors import UsageError
from imgsearch.word_pieces import UNKNOWN, pieces, words

VOCABULARY = "vocab.txt"
SPECIAL = ("[PAD]", UNKNOWN, "[CLS]", "[SEP]", "[MASK]")
END = "[SEP]"
END_OF_TEXT = "<|endoftext|>"  # of GPT-2
CLOSING = ",.;:!?)]}%'’”…-/"  # no space before these
OPENING = "([{“‘$#-/"  # and none behind these
SUFFIXES = ("s", "t", "d", "m", "re", "ve", "ll")
RAREST = 4  # a word that is seen less often is not worth its row in the table


class Tokenizer(Protocol):
    """`kind` is what `captioner.json` calls it, `file` what it was read from, `size` counts its
    ids."""

    kind: Literal["bert", "gpt2"]
    file: Path
    size: int

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that it takes to read it again."""
        ...

    def encode(self, text: str) -> list[int]:
        """The ids of a sentence, without anything that opens or closes it."""
        ...

    def decode(self, tokens: Sequence[int]) -> str:
        """The sentence of ids; those that stand for no word are left out."""
        ...

    def written(self, token: int) -> str:
        """One token as the vocabulary has it, whatever it stands for; a space before it shows."""
        ...


class BertVocabulary:
    """A `vocab.txt` as BERT's: one token a line, `##` before what continues a word."""

    kind: Literal["bert", "gpt2"] = "bert"

    def __init__(self, file: Path) -> None:
        self.file = file
        try:
            lines = file.read_text("utf-8").removesuffix("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"the vocabulary {file} cannot be read: {error}") from error
        self.tokens = lines.split("\n")  # and by nothing else: one of BERT's tokens is U+2028
        self._ids = {token: place for place, token in enumerate(self.tokens)}
        missing = [token for token in (END, UNKNOWN) if token not in self._ids]
        if missing:
            raise UsageError(
                f"{file} is no BERT vocabulary: it has no {' and no '.join(missing)}; name the "
                "vocab.txt that the captioner was trained with"
            )
        self.size = len(self.tokens)

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.file,)

    def id_of(self, token: str) -> int:
        """The id of a token that is there."""
        return self._ids[token]

    @cached_property
    def specials(self) -> tuple[int, ...]:
        """The ids of tokens in brackets, which stand for no word."""
        return tuple(
            place for place, token in enumerate(self.tokens) if re.fullmatch(r"\[.+\]", token)
        )

    def encode(self, text: str) -> list[int]:
        return [self._ids[piece] for word in words(text) for piece in pieces(word, self._ids)]

    def decode(self, tokens: Sequence[int]) -> str:
        left_out = {*self.specials, *(token for token in tokens if token >= self.size)}
        return sentence(self.tokens[token] for token in tokens if token not in left_out)

    def written(self, token: int) -> str:
        return self.tokens[token] if token < self.size else _without_word(token)


class BytePairs:
    """GPT-2's own tokenizer: `vocab.json` and `merges.txt`, or `tokenizer.json`, of a folder."""

    kind: Literal["bert", "gpt2"] = "gpt2"

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

    @property
    def files(self) -> tuple[Path, ...]:
        whole = self.file / "tokenizer.json"
        return (
            (whole,)
            if whole.is_file()
            else (whole.with_name("vocab.json"), whole.with_name("merges.txt"))
        )

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

    def written(self, token: int) -> str:
        if self._pairs.id_to_token(token) is None:
            return _without_word(token)
        text: str = self._pairs.decode([token], skip_special_tokens=False)
        return text


def _without_word(token: int) -> str:
    """An id beyond the vocabulary: tables are padded to round numbers."""
    return f"[id {token}]"


def sentence(tokens: Iterable[str]) -> str:
    """A sentence of words, characters and signs, with spaces where a person puts them.

    >>> sentence(["a", "dog", ",", "run", "##ning", "."]), sentence(["一", "只", "狗", "。"])
    ('a dog, running.', '一只狗。')
    """
    text = ""
    is_quoted = False
    for token in tokens:
        is_continued = token.startswith("##") and len(token) > 2
        piece = token[2:] if is_continued else token
        if text and not is_continued and _is_spaced(text, piece, is_quoted):
            text += " "
        is_quoted ^= piece == '"'
        text += piece
    return text


def _is_spaced(text: str, piece: str, is_quoted: bool) -> bool:
    """Whether a space stands between what there is and the next piece; `is_quoted`: within \"."""
    before, after = text[-1], piece[0]
    if _is_wide(before) or _is_wide(after):
        return False
    if after in CLOSING or before in OPENING:
        return False
    if is_quoted and '"' in (before, after):
        return False
    if before in "'’":  # it's, o'clock, but two dogs' toys
        return text[-2:-1] == "s" and piece not in SUFFIXES
    if before in ".,:" and text[-2:-1].isdigit() and after.isdigit():  # 2.5, 10:30, 1,000
        return before == "," and len(piece) != 3
    return True


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"


def write_vocabulary(texts: Iterable[str], openings: Iterable[str], file: Path) -> None:
    """The vocabulary of a new captioner: the words and characters of its captions, most frequent
    first, behind BERT's special tokens and the ones that open a caption.

    Those seen fewer than four times are left to `[UNK]`, which a captioner never says.
    """
    counts = Counter(word for text in texts for word in words(text))
    kept = sorted(
        (word for word, n in counts.items() if n >= RAREST), key=lambda w: (-counts[w], w)
    )
    file.write_text("\n".join([*SPECIAL, *openings, *kept]) + "\n", encoding="utf-8", newline="\n")
