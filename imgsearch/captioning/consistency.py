"""Whether a captioner's parts can be, and fit one another: what its file says, and its vocabulary.

In: the parts as they were read. Out: the first value that cannot be, as one sentence. Kinds come
before relations, so that a relation is only asked of numbers that are numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeAlias, get_args

from imgsearch.captioning.captioner import Speech, TrainedOn
from imgsearch.captioning.gpt2 import Gpt2Config
from imgsearch.captioning.mappers import Kind, MapperConfig
from imgsearch.captioning.tokenizers import Tokenizer
from imgsearch.errors import UsageError

Rule: TypeAlias = tuple[str, str, bool, str]  # part, field, whether it is right, what it must be

COUNT = "a whole number above 0"
IDS = "a list of ids"
LONGEST = 3e38  # a 32-bit number is infinite behind it


@dataclass(frozen=True)
class Parts:
    """What `captioner.json` says; its fields have the names of that file."""

    mapper: MapperConfig
    language_model: Gpt2Config
    speech: Speech
    trained_on: TrainedOn

    def check(self, file: Path) -> None:
        """Raises UsageError that names the first value of the file that cannot be."""
        for rules in (self._sizes, self._words, self._relations, self._ids):
            for part, name, is_right, expected in rules():
                if not is_right:
                    value = getattr(getattr(self, part), name)
                    raise UsageError(
                        f"{file}: {part}: {name} is {_short(value)}; it must be {expected}. Copy "
                        "the whole folder anew"
                    )

    def check_vocabulary(self, tokenizer: Tokenizer) -> None:
        """Raises UsageError unless each row of the token table has a word, or is never said."""
        rows = self.language_model.vocab_size
        unnamed = set(range(tokenizer.size, rows)) - set(self.speech.barred)
        if unnamed or tokenizer.size > rows:
            raise UsageError(
                f"{tokenizer.file} has {tokenizer.size:,} words and the captioner's token table "
                f"{rows:,}; copy the whole folder anew"
            )

    def _sizes(self) -> Iterator[Rule]:
        for part in ("mapper", "language_model"):
            config = getattr(self, part)
            for field in fields(config):
                yield part, field.name, *_kind(str(field.type), getattr(config, field.name))

    def _words(self) -> Iterator[Rule]:
        speech, trained_on = self.speech, self.trained_on
        openings = speech.openings
        is_spoken = isinstance(openings, dict) and all(map(_are_ids, openings.values()))
        yield (
            "speech",
            "openings",
            is_spoken and bool(openings),
            "an object of languages, each with a list of ids",
        )
        yield "speech", "stop", _are_ids(speech.stop) and bool(speech.stop), IDS
        yield "speech", "barred", _are_ids(speech.barred), IDS
        yield "speech", "longest", _is_count(speech.longest), COUNT
        names = trained_on.encoders
        is_named = isinstance(names, tuple) and all(isinstance(each, str) for each in names)
        yield "trained_on", "encoders", is_named and bool(names), "a list of names"
        identity = trained_on.identity
        yield "trained_on", "identity", identity is None or isinstance(identity, str), "a text"
        yield "trained_on", "norm", _is_length(trained_on.norm), "a finite number above 0"

    def _relations(self) -> Iterator[Rule]:
        mapper, gpt2 = self.mapper, self.language_model
        width, dim = mapper.width, mapper.embedding_dim
        is_wide = gpt2.n_embd == width
        yield "language_model", "n_embd", is_wide, f"{width}, the mapper's width"
        is_shared = gpt2.n_embd % gpt2.n_head == 0
        yield "language_model", "n_head", is_shared, f"a divisor of n_embd, {gpt2.n_embd}"
        attends = mapper.kind in ("transformer", "bert")
        is_shared = not attends or width % mapper.heads == 0
        yield "mapper", "heads", is_shared, f"a divisor of width, {width}"
        taken = mapper.prefix_length + max(map(len, self.speech.openings.values()))
        yield (
            "language_model",
            "n_positions",
            gpt2.n_positions > taken,
            f"more than the prefix and the longest opening, {taken}",
        )
        is_read = self.trained_on.dim == dim
        yield "trained_on", "dim", is_read, f"{dim}, the mapper's embedding_dim"

    def _ids(self) -> Iterator[Rule]:
        speech, rows = self.speech, self.language_model.vocab_size
        said = [each for opening in speech.openings.values() for each in opening]
        for name, ids in (("openings", said), ("stop", speech.stop), ("barred", speech.barred)):
            yield "speech", name, max(ids, default=0) < rows, f"made of ids below {rows:,}"


def _kind(annotation: str, value: Any) -> tuple[bool, str]:
    """Whether a size is of the kind that its annotation says, and that kind in words."""
    if annotation == "Kind":
        return value in get_args(Kind), "mlp, linear, transformer or bert"
    if annotation == "bool":
        return isinstance(value, bool), "true or false"
    if annotation == "float":  # dropout
        is_share = type(value) in (int, float) and 0 <= value < 1
        return is_share, "a number from 0 to 1, which it is not"
    if annotation == "int | None":
        return value is None or _is_count(value), f"{COUNT}, or null"
    return _is_count(value), COUNT


def _is_count(value: Any) -> bool:
    return type(value) is int and value > 0  # True is no count


def _is_length(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value < LONGEST


def _are_ids(value: Any) -> bool:
    return isinstance(value, tuple) and all(type(each) is int and each >= 0 for each in value)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
