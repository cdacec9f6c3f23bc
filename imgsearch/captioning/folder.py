"""A captioner on disk: `captioner.json`, `model.safetensors` and its vocabulary in one folder.

In: a captioner, or a folder. Out: the other. The tensors have the published names (`clip_project.`
for the mapper, `gpt.` for the language model), so that ClipCap's own code reads them; half
precision halves the size, and what it loses changes no sentence.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save_file

from imgsearch.captioning.captioner import Captioner, Speech, TrainedOn
from imgsearch.captioning.consistency import Parts
from imgsearch.captioning.gpt2 import Gpt2Config
from imgsearch.captioning.mappers import MapperConfig
from imgsearch.captioning.model import ClipCap
from imgsearch.captioning.settings import frozen
from imgsearch.captioning.tokenizers import VOCABULARY, BertVocabulary, BytePairs, Tokenizer
from imgsearch.errors import UsageError
from imgsearch.weights import filling
from imgsearch.weights.files import State, read_tensors

CONFIG = "captioner.json"
WEIGHTS = "model.safetensors"
FORMAT = 1
PARTS = {"clip_project.": "mapper.", "gpt.": "language_model."}  # published names -> ours
HEAD = "language_model.lm_head.weight"
TABLE = "language_model.transformer.wte.weight"


def read_captioner(folder: Path, *, name: str | None, source: str, device: str) -> Captioner:
    """The captioner of a folder. Raises UsageError where it does not read as one."""
    try:
        config = json.loads((folder / CONFIG).read_text("utf-8"))
        if config["format"] > FORMAT:
            raise UsageError(
                f"{folder} has format {config['format']} and this imgsearch knows {FORMAT}; "
                "install the newer imgsearch that wrote it: pip install --upgrade imgsearch"
            )
        parts = Parts(
            MapperConfig(**config["mapper"]),
            Gpt2Config(**config["language_model"]),
            Speech(**frozen(config["speech"])),
            TrainedOn(**frozen(config["trained_on"])),
        )
        parts.check(folder / CONFIG)
        tokenizer = read_tokenizer(folder, config["tokenizer"])
        name = name or str(config["name"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{folder / CONFIG} is no configuration of a captioner: {error!r}; copy the whole "
            "folder anew"
        ) from error
    parts.check_vocabulary(tokenizer)
    state, _ = read_tensors(folder / WEIGHTS)
    with filling.Unfilled():
        model = ClipCap(parts.mapper, parts.language_model)
    filling.fill(model, our_names(state, PARTS), str(folder / WEIGHTS))
    captioner = Captioner(
        model,
        tokenizer,
        parts.speech,
        parts.trained_on,
        name=name,
        identity="",
        source=source,
        device=device,
    )
    captioner.identity = identity_of(captioner, folder / WEIGHTS)
    return captioner


def identity_of(captioner: Captioner, weights: Path) -> str:
    """The SHA-256 over all that changes a sentence: weights, sizes, words, and how it speaks."""
    model = captioner.model
    return filling.identity(
        filling.file_hash(weights),
        speech=asdict(captioner.speech),
        norm=captioner.trained_on.norm,
        mapper=asdict(model.mapper_config),
        language_model=asdict(model.language_model.config),
        vocabulary=[filling.file_hash(file) for file in captioner.tokenizer.files],
    )


def save_captioner(captioner: Captioner, folder: Path, *, half: bool = False) -> None:
    """Write the folder of a captioner; it is there as a whole or not at all.

    Raises UsageError where the folder exists.
    """
    if folder.exists():
        raise UsageError(f"{folder} exists already; save the captioner under another name")
    unfinished = folder.with_name(folder.name + ".tmp")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    save_file(published_names(captioner.model, half), unfinished / WEIGHTS)
    config = {
        "format": FORMAT,
        "name": captioner.name,
        "trained_on": asdict(captioner.trained_on),
        "speech": asdict(captioner.speech),
        "mapper": asdict(captioner.model.mapper_config),
        "language_model": asdict(captioner.model.language_model.config),
        "tokenizer": _keep_tokenizer(captioner.tokenizer, unfinished),
    }
    text = json.dumps(config, indent=2, ensure_ascii=False)
    (unfinished / CONFIG).write_text(text + "\n", encoding="utf-8", newline="\n")
    os.replace(unfinished, folder)


def our_names(state: Mapping[str, torch.Tensor], parts: Mapping[str, str]) -> State:
    """Published tensors under our names; a head that is not stored is the token table."""
    renamed: State = {}
    for name, tensor in state.items():
        part = next((each for each in parts if name.startswith(each)), None)
        renamed[name if part is None else parts[part] + name.removeprefix(part)] = tensor.float()
    if TABLE in renamed:
        renamed.setdefault(HEAD, renamed[TABLE])
    return renamed


def published_names(model: ClipCap, half: bool) -> State:
    """The tensors of a model as they are saved; a head that is the token table is left out."""
    is_tied = model.language_model.config.tie_word_embeddings
    state: State = {}
    for name, tensor in model.state_dict().items():
        if name != HEAD or not is_tied:
            part = next(each for each, ours in PARTS.items() if name.startswith(ours))
            kept = tensor.detach().cpu().to(torch.float16 if half else torch.float32)
            state[part + name.removeprefix(PARTS[part])] = kept.contiguous()
    return state


def read_tokenizer(folder: Path, kind: str) -> Tokenizer:
    """The tokenizer in a folder: `bert` or `gpt2`."""
    if kind == "bert":
        return BertVocabulary(folder / VOCABULARY)
    if kind == "gpt2":
        return BytePairs(folder)
    raise UsageError(f"{folder} wants a tokenizer of kind {kind!r}; there are bert and gpt2")


def _keep_tokenizer(tokenizer: Tokenizer, folder: Path) -> str:
    for file in tokenizer.files:  # a vocabulary may be called anything where it came from
        shutil.copyfile(file, folder / (VOCABULARY if tokenizer.kind == "bert" else file.name))
    return tokenizer.kind
