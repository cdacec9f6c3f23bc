"""Small true captioners for the tests: the golden ones as files, and words that fit them.

A plain module, as `small_encoders`; the golden files are described in `golden/README.md`.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from tokenizers.decoders import ByteLevel

from imgsearch import captioning
from imgsearch.captioning.captioner import Captioner, Speech, TrainedOn
from imgsearch.captioning.gpt2 import Gpt2Config
from imgsearch.captioning.mappers import MapperConfig
from imgsearch.captioning.model import ClipCap
from imgsearch.captioning.tokenizers import END_OF_TEXT, BertVocabulary, write_vocabulary
from small_encoders import GOLDEN, State, golden

LETTERS = [chr(code) for code in range(33, 127)]  # as GPT-2's first ids: "!" is 0, "." is 13
CHINESE_WORDS = ["[PAD]", *(chr(0x4E00 + each) for each in range(1, 100)), "[UNK]", "[CLS]"]
CHINESE_WORDS += ["[SEP]", "[MASK]", *(chr(0x5E00 + each) for each in range(16))]
ENGLISH = ("clipcap_model_mlp", "clipcap_model_transformer")
CHINESE = ("clipcap_chinese_mlp", "clipcap_chinese_bert")


def byte_pairs(file: Path) -> Path:
    """GPT-2's tokenizer with the 97 tokens of the golden captioners."""
    tokens = [*LETTERS, "\u0120", "\u0120dog", END_OF_TEXT]
    merges = [("\u0120", "d"), ("\u0120d", "o"), ("\u0120do", "g")]
    vocabulary = {token: place for place, token in enumerate(tokens)}
    # Byte pairs want all parts of a merge as tokens; two of them take the place of rare signs.
    for part, sign in (("\u0120d", "|"), ("\u0120do", "~")):
        vocabulary[part] = vocabulary.pop(sign)
    made = Tokenizer(models.BPE(vocabulary, merges))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = ByteLevel()
    made.save(str(file))
    return file


def state_of(name: str) -> State:
    """The weights of a golden captioner and what old versions of transformers stored beside."""
    state = golden(name)[0]
    prefix = "gpt2." if "chinese" in name else "gpt."
    for layer in range(2):
        state[f"{prefix}transformer.h.{layer}.attn.bias"] = torch.ones(1, 1, 9, 9).tril().byte()
        state[f"{prefix}transformer.h.{layer}.attn.masked_bias"] = torch.tensor(-1e4)
    if name.endswith("bert"):
        state["clip_project.bert.embeddings.position_ids"] = torch.arange(64)[None]
    return state


def publish(name: str, folder: Path, *, file: str = "weights.pt", **parts: Any) -> Path:
    """A golden captioner as its authors would publish it, with words and settings beside it."""
    path = folder / file
    torch.save({f"module.{key}": each for key, each in state_of(name).items()}, path)
    heads = 4 if name.endswith("bert") else 8
    settings: dict[str, Any] = {
        "mapper": {"heads": heads},
        "language_model": {"n_head": 4},
        "trained_on": {"encoders": ["toy/golden"], "norm": 1.0},
    }
    settings.update(parts)
    path.with_suffix(".json").write_text(json.dumps(settings), "utf-8")
    if "chinese" in name:
        (folder / "vocab.txt").write_text("\n".join(CHINESE_WORDS) + "\n", "utf-8")
    else:
        byte_pairs(folder / "tokenizer.json")
    return path


def published(name: str, folder: Path, **parts: Any) -> Captioner:
    """The same, loaded."""
    return captioning.load(str(publish(name, folder, **parts)), device="cpu")


def bilingual(
    folder: Path, *, seed: int = 3, dim: int = 16, longest: int = 12, trained_on: Any = None
) -> Captioner:
    """A captioner of our own kind with random weights large enough that its sentences differ."""
    write_vocabulary(
        ["photo dog red runs , . 照 片 狗 红"] * 4, ["[EN]", "[ZH]"], folder / "vocab.txt"
    )
    words = BertVocabulary(folder / "vocab.txt")
    english, chinese, end = map(words.id_of, ("[EN]", "[ZH]", "[SEP]"))
    torch.manual_seed(seed)
    model = ClipCap(
        MapperConfig("mlp", embedding_dim=dim, prefix_length=2, width=16),
        Gpt2Config(vocab_size=words.size, n_positions=40, n_embd=16, n_layer=2, n_head=2),
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.3)
    barred = tuple(each for each in words.specials if each != end)
    speech = Speech({"en": (english,), "zh": (chinese,)}, (end,), barred, longest)
    trained_on = trained_on or TrainedOn(("toy/small",), "sha256-of-toy/small", dim)
    return Captioner(
        model, words, speech, trained_on, name="toy/bilingual", identity="", device="cpu"
    )


def rows(count: int, dim: int = 16, seed: int = 5) -> Any:
    """Unit rows (n, d)."""
    found = np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def cases(name: str) -> Any:
    """A golden file of JSON."""
    return json.loads((GOLDEN / f"{name}.json").read_text("utf-8"))
