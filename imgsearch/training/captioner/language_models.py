"""Language models to begin with: a GPT-2 with weights and words, or words for one without weights.

In: a folder, a file, `gpt2`, a repository of the hub; or the captions, for a vocabulary of their
own. Out: what `ClipCap` is built from. The sizes of a model are read off its tensors; only how many
heads it has they do not tell.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from imgsearch.captioning.folder import our_names
from imgsearch.captioning.gpt2 import Gpt2Config
from imgsearch.captioning.shapes import gpt2_config
from imgsearch.captioning.tokenizers import (
    VOCABULARY,
    BertVocabulary,
    BytePairs,
    Tokenizer,
    write_vocabulary,
)
from imgsearch.errors import UsageError
from imgsearch.evaluating.captions import spoken
from imgsearch.pairs import CaptionedPhotos
from imgsearch.training.captioner.recipe import SMALL, LanguageModel
from imgsearch.training.captioner.sentences import opening_token, texts_of
from imgsearch.weights import filling, hub
from imgsearch.weights.files import State, read_tensors

PUBLISHED = {"gpt2": "openai-community/gpt2"}
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
CONFIG = "config.json"
WORDS = (VOCABULARY, "tokenizer.json", "vocab.json")
WIDTH_OF_A_HEAD = 64  # in every published GPT-2
NAMED = ("transformer.", "lm_head.")  # how tensors begin, unless all lack the first
PART = "language_model."  # what a captioner's names put before them
MASKS = (".attn.bias", ".attn.masked_bias")  # stored, and no weights
BY_HAND = "train-captioner PAIRS --name NAME --tokenizer PATH --language-model PATH"


@dataclass(frozen=True)
class Words:
    """A language model as far as it is known: its words, and its weights with their sizes, or
    None where it starts from nothing.

    `hashes` are the SHA-256 of the files that were given, by their names: what a frozen one said
    before an interruption is in no checkpoint.
    """

    tokenizer: Tokenizer
    weights: tuple[Gpt2Config, State] | None = None
    hashes: Mapping[str, str] = field(default_factory=dict)

    def named(self, model: LanguageModel) -> LanguageModel:
        """The same for other machines: files by their name and the start of their hash."""
        hashes = iter(self.hashes.values())
        source, tokenizer = model.source, model.tokenizer
        if self.weights is not None:
            source = f"{name_of(source)}, {next(hashes)[:12]}"
        if tokenizer is not None:
            tokenizer = f"{name_of(tokenizer)}, {next(hashes)[:12]}"
        return replace(model, source=source, tokenizer=tokenizer)


def name_of(given: str) -> str:
    """What is shown of what was given: of a path, its last part."""
    path = Path(os.path.expanduser(given))
    return path.resolve().name if path.exists() else given


def open_words(
    model: LanguageModel, pairs: CaptionedPhotos, names: tuple[str, ...], folder: Path
) -> Words:
    """The words of a language model, and its weights where it has any.

    A vocabulary of the captions is written into `folder`. Raises UsageError for what is no GPT-2
    and no tokenizer, DownloadError within seconds where there is no way to the hub.
    """
    if model.source == SMALL:
        if model.is_frozen:
            raise UsageError(
                "a language model that starts from nothing has to learn: leave --freeze-lm out, or "
                "name weights with --language-model"
            )
        if model.tokenizer is not None:
            given = open_tokenizer(Path(os.path.expanduser(model.tokenizer)))
            return Words(given, hashes=_hashes(given.files))
        return Words(_own(pairs, names, folder))
    file = _weights_file(model.source)
    config, state = read_gpt2(file)
    place = Path(os.path.expanduser(model.tokenizer)) if model.tokenizer else file.parent
    tokenizer = open_tokenizer(place)
    if tokenizer.size > config.vocab_size:
        raise UsageError(
            f"{place} has {tokenizer.size:,} words and {file} {config.vocab_size:,}: name the "
            "tokenizer that the weights were trained with, with --tokenizer"
        )
    return Words(tokenizer, (config, state), _hashes((file, *tokenizer.files)))


def _hashes(files: Sequence[Path]) -> dict[str, str]:
    return {file.name: filling.file_hash(file) for file in files}


def open_tokenizer(place: Path) -> Tokenizer:
    """The tokenizer of a `vocab.txt`, of a folder that has one or GPT-2's files, or beside one of
    the latter."""
    if place.is_file() and place.suffix != ".json":
        return BertVocabulary(place)
    if place.is_file():
        return BytePairs(place.parent)
    if (place / VOCABULARY).is_file():
        return BertVocabulary(place / VOCABULARY)
    return BytePairs(place)


def read_gpt2(file: Path) -> tuple[Gpt2Config, State]:
    """The sizes and the tensors of a GPT-2 file, the latter under our names.

    Raises UsageError where it is none.
    """
    tensors, _ = read_tensors(file)
    named = {
        name if name.startswith(NAMED) else f"{NAMED[0]}{name}": tensor
        for name, tensor in tensors.items()
        if not name.endswith(MASKS)
    }
    state = our_names(named, {"": PART})
    try:
        config = gpt2_config(state)
    except KeyError as error:
        raise UsageError(
            f"{file} is no GPT-2: it has no wte.weight and wpe.weight; give a folder with GPT-2's "
            "model.safetensors"
        ) from error
    heads = _heads(file.with_name(CONFIG)) or max(1, config.n_embd // WIDTH_OF_A_HEAD)
    own = {name.removeprefix(PART): tensor for name, tensor in state.items()}
    return replace(config, n_head=heads), own


def _heads(config: Path) -> int | None:
    if not config.is_file():
        return None
    try:
        found = json.loads(config.read_text("utf-8"))
        return int(found["n_head"]) if "n_head" in found else None
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"{config} is no configuration of a GPT-2: {error}") from error


def _weights_file(source: str) -> Path:
    path = Path(os.path.expanduser(source))
    if path.is_file():
        return path
    if path.is_dir():
        there = [path / name for name in WEIGHTS if (path / name).is_file()]
        if not there:
            raise UsageError(f"{path} has no {' and no '.join(WEIGHTS)}; name a GPT-2's folder")
        return there[0]
    repo = PUBLISHED.get(source, source)
    if repo.count("/") != 1 or repo.startswith((".", "/", "~")):
        raise UsageError(
            f"no language model is called {source!r}: it is small, gpt2, a repository of the hub "
            "(uer/gpt2-chinese-cluecorpussmall), or the path of a GPT-2's folder or file"
        )
    file = hub.fetch(repo, WEIGHTS, use=BY_HAND)
    for names in (WORDS, (CONFIG,)):
        hub.fetch(repo, names, use=BY_HAND)
    return file


def _own(pairs: CaptionedPhotos, names: tuple[str, ...], folder: Path) -> BertVocabulary:
    file = folder / VOCABULARY
    openings = dict.fromkeys(opening_token(spoken(name)) for name in names)
    write_vocabulary((text for *_, text in texts_of(pairs, names)), openings, file)
    return BertVocabulary(file)
