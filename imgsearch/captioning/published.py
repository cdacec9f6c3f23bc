"""The weights of others, recognised by their content: ClipCap's and ClipCap-Chinese's.

In: a weights file. Out: a Captioner. Names of files are not believed (a published `mlp_finetune`
holds a BERT): what it is, is read off its tensors. What no tensor tells, whose embeddings it reads
and whether they were normalised, is known of the published ones; `settings` says it of others, and
wins over all that is inferred.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from imgsearch.captioning.captioner import Captioner, Speech, TrainedOn
from imgsearch.captioning.folder import identity_of, our_names
from imgsearch.captioning.gpt2 import Gpt2Config
from imgsearch.captioning.mappers import MapperConfig
from imgsearch.captioning.model import ClipCap
from imgsearch.captioning.settings import Settings
from imgsearch.captioning.shapes import UNKNOWN_HEADS, gpt2_config, mapper_config
from imgsearch.captioning.tokenizers import (
    END,
    END_OF_TEXT,
    VOCABULARY,
    BertVocabulary,
    BytePairs,
    Tokenizer,
)
from imgsearch.errors import UsageError
from imgsearch.weights import filling, hub
from imgsearch.weights.files import State, read_tensors

TYPICAL_LENGTH = 10.0
"""About how long the embeddings are that ViT-B/32 gives of photos, before they are normalised.

The published MLP captioners were trained on those. A library keeps the direction alone, so each
gets this length: an approximation, which changes a word here and there.
"""

FAMILIES = {"gpt.": "ClipCap", "gpt2.": "ClipCap-Chinese"}  # how the language model's names begin
MAPPER = "clip_project."
LEGACY = (".attn.bias", ".attn.masked_bias", ".position_ids")  # stored once, and no weights
UNUSED = ("mapper.bert.pooler.", "mapper.bert.embeddings.word_embeddings.")
OPENAI = {512: "ViT-B-32", 640: "RN50x4", 768: "ViT-L-14", 1024: "RN50"}  # by length of embedding
GPT2_REPO = "openai-community/gpt2"
BYTE_PAIRS = ("tokenizer.json", "vocab.json")  # either, the latter with merges.txt
NEVER_SAID = ("[PAD]", "[UNK]", "[CLS]", "[MASK]")


def read_published(path: Path, *, tokenizer: Path | None, device: str) -> Captioner:
    """The captioner of a published weights file. Its words are at `tokenizer`, a folder or file;
    else beside the weights; else those that all published captioners of the family share.

    Raises UsageError for what is no captioner, or does not tell all it takes; DownloadError where
    GPT-2's words are neither here nor to be had.
    """
    if path.is_dir():
        raise UsageError(
            f"the folder {path} has no captioner.json: to load a captioner of others, name its "
            "weights file"
        )
    tensors, _ = read_tensors(path)
    prefix = _family(tensors, path)
    state = _renamed(tensors, prefix)
    settings = Settings.beside(path)
    mapper, gpt2 = _shape(state, settings, path)
    is_chinese = FAMILIES[prefix] == "ClipCap-Chinese"
    words = (_chinese_words if is_chinese else _byte_pairs)(path, tokenizer)
    if words.size != gpt2.vocab_size:
        raise UsageError(
            f"{words.file} has {words.size:,} words and {path} a table of {gpt2.vocab_size:,}: "
            "name the tokenizer that the captioner was trained with"
        )
    speech = settings.over(_speech(words), "speech")
    trained_on = _trained_on(mapper, settings, is_chinese=is_chinese)
    with filling.Unfilled():
        model = ClipCap(mapper, gpt2)
    filling.fill(model, state, str(path))
    captioner = Captioner(
        model,
        words,
        speech,
        trained_on,
        name=path.stem,
        identity="",
        source=str(path),
        device=device,
    )
    captioner.identity = identity_of(captioner, path)
    return captioner


def _family(tensors: State, path: Path) -> str:
    """How the published names of the language model begin."""

    def has(*prefixes: str) -> bool:
        return all(any(name.startswith(each) for name in tensors) for each in prefixes)

    for prefix in FAMILIES:
        if has(prefix, MAPPER):
            return prefix
    if has(MAPPER) or has("prefix_const") or has("model.0.weight", "model.2.weight"):
        raise UsageError(
            f"{path} holds the mapper of a captioner alone; the language model it was trained "
            f"with is missing. Save the state_dict of the whole model (its names begin with "
            f"{MAPPER} and {' or '.join(FAMILIES)}), or train one here: imgsearch train-captioner"
        )
    raise UsageError(
        f"{path} is no captioner imgsearch knows ({', '.join(FAMILIES.values())}); an encoder is "
        f"named with --encoder. Its first keys are: {', '.join(list(tensors)[:10])}"
    )


def _renamed(tensors: State, prefix: str) -> State:
    """The tensors under our names, without those that nothing reads."""
    kept = {name: each for name, each in tensors.items() if not name.endswith(LEGACY)}
    state = our_names(kept, {MAPPER: "mapper.", prefix: "language_model."})
    return {name: each for name, each in state.items() if not name.startswith(UNUSED)}


def _shape(state: State, settings: Settings, path: Path) -> tuple[MapperConfig, Gpt2Config]:
    try:
        gpt2 = settings.over(gpt2_config(state), "language_model")
        mapper = settings.over(mapper_config(state, gpt2.n_embd), "mapper")
    except (KeyError, IndexError) as error:
        raise UsageError(
            f"{path} is half a captioner: it has no {error.args[0]}; fetch or save it again"
        ) from error
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    if gpt2.n_head == UNKNOWN_HEADS:
        raise _unsaid(
            f"{path} does not tell how many heads its language model of width {gpt2.n_embd} has",
            {"language_model": {"n_head": 4}},
            settings,
        )
    for part, heads in (("language_model", gpt2.n_head), ("mapper", mapper.heads)):
        if gpt2.n_embd % heads:
            raise UsageError(
                f"{path}: the {part} of width {gpt2.n_embd} cannot have {heads} heads; say how "
                f"many it has in {settings.file}"
            )
    return mapper, gpt2


def _trained_on(mapper: MapperConfig, settings: Settings, *, is_chinese: bool) -> TrainedOn:
    """Whose embeddings it reads, and how long they were; only the published ones are known."""
    dim = mapper.embedding_dim
    if dim not in OPENAI and not settings.says("trained_on", "encoders"):
        raise _unsaid(
            f"no encoder is known whose embeddings of {dim} numbers captioners read",
            {"trained_on": {"encoders": ["open_clip/ViT-B-16/openai"], "norm": 1.0}},
            settings,
        )
    norm = _norm(mapper, is_chinese=is_chinese)
    if norm is None and not settings.says("trained_on", "norm"):
        raise _unsaid(
            "the weights do not tell whether embeddings were normalised in training (1.0), or "
            f"how long they were (about {TYPICAL_LENGTH:g})",
            {"trained_on": {"norm": 1.0}},
            settings,
        )
    name = OPENAI.get(dim)
    encoders = (f"open_clip/{name}/openai", f"open_clip/{name}-quickgelu/openai") if name else ()
    return settings.over(TrainedOn(encoders, None, dim, norm or 1.0), "trained_on")


def _norm(mapper: MapperConfig, *, is_chinese: bool) -> float | None:
    """How long embeddings were in the training of the published weights; None for others."""
    kind, dim, length = mapper.kind, mapper.embedding_dim, mapper.prefix_length
    if is_chinese or (kind, dim, length) == ("mlp", 512, 10):
        return TYPICAL_LENGTH
    return 1.0 if (kind, dim, length) == ("transformer", 640, 40) else None


def _unsaid(what: str, example: dict[str, Any], settings: Settings) -> UsageError:
    return UsageError(f"{what}; say it in {settings.file}, such as {json.dumps(example)}")


def _speech(words: Tokenizer) -> Speech:
    """ClipCap ends at a full stop, ClipCap-Chinese at [SEP]."""
    if isinstance(words, BertVocabulary):
        barred = tuple(words.id_of(token) for token in NEVER_SAID if token in words.tokens)
        return Speech({"zh": ()}, (words.id_of(END),), barred, longest=100)
    assert isinstance(words, BytePairs)
    return Speech({"en": ()}, (words.id_of("."), words.id_of(END_OF_TEXT)))


def _byte_pairs(path: Path, tokenizer: Path | None) -> Tokenizer:
    place = tokenizer or path.parent
    if place.is_file():
        place = place.parent
    if tokenizer is None and not any((place / name).is_file() for name in BYTE_PAIRS):
        by_hand = f"caption --captioner {path} --tokenizer PATH"
        place = hub.fetch(GPT2_REPO, BYTE_PAIRS[:1], use=by_hand).parent
    return BytePairs(place)


def _chinese_words(path: Path, tokenizer: Path | None) -> Tokenizer:
    place = tokenizer or path.with_name(VOCABULARY)
    if place.is_dir():
        place = place / VOCABULARY
    if tokenizer is None and not place.is_file():
        from cn_clip import clip

        place = Path(clip.__file__).with_name(VOCABULARY)  # line for line the published one
    return BertVocabulary(place)
