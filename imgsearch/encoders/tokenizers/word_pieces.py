"""BERT's tokenizer as Chinese-CLIP was trained with it: Han characters and the pieces of words.

In: texts, and the vocabulary that the cn_clip package ships. Out: the ids of that package's
`FullTokenizer` behind the lower-casing and the straight quotes of its training code, which its
public `tokenize` leaves out.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from imgsearch.encoders.tokenizers import REMEMBERED, Tokenizer, shipped
from imgsearch.errors import UsageError
from imgsearch.word_pieces import UNKNOWN, pieces, words

CONTEXT = 52
SAVED = "vocab.txt"
BEGINNING, END = "[CLS]", "[SEP]"
_STRAIGHT = str.maketrans("“”", '""')


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
            ids += [self._ids[piece] for piece in pieces(word, self._ids)]
        return (*ids, self._ids[END])
