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
from typing import Any

import torch
from safetensors.torch import save_file

from imgsearch.captioning.captioner import Captioner, Speech, TrainedOn
from imgsearch.captioning.gpt2 import Gpt2Config
from imgsearch.captioning.mappers import MapperConfig
from imgsearch.captioning.model import ClipCap
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
        trained_on = TrainedOn(**{**config["trained_on"], **_tuples(config["trained_on"])})
        speech = _speech(config["speech"])
        model_configs = MapperConfig(**config["mapper"]), Gpt2Config(**config["language_model"])
        tokenizer = read_tokenizer(folder, config["tokenizer"])
        name = name or str(config["name"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{folder / CONFIG} is no configuration of a captioner: {error!r}; copy the whole "
            "folder anew"
        ) from error
    state, _ = read_tensors(folder / WEIGHTS)
    with filling.Unfilled():
        model = ClipCap(*model_configs)
    filling.fill(model, our_names(state, PARTS), str(folder / WEIGHTS))
    identity = filling.identity(
        filling.file_hash(folder / WEIGHTS),
        speech=config["speech"],
        vocabulary=_vocabulary_hash(tokenizer),
    )
    return Captioner(
        model,
        tokenizer,
        speech,
        trained_on,
        name=name,
        identity=identity,
        source=source,
        device=device,
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
    state: State = {}
    for name, tensor in model.state_dict().items():
        if name != HEAD:
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
    if isinstance(tokenizer, BertVocabulary):
        shutil.copyfile(tokenizer.file, folder / VOCABULARY)
        return "bert"
    for name in ("tokenizer.json", "vocab.json", "merges.txt"):
        if (tokenizer.file / name).is_file():
            shutil.copyfile(tokenizer.file / name, folder / name)
    return "gpt2"


def _vocabulary_hash(tokenizer: Tokenizer) -> str:
    file = tokenizer.file
    if file.is_dir():
        names = ("tokenizer.json", "vocab.json")
        file = next(file / name for name in names if (file / name).is_file())
    return filling.file_hash(file)


def _speech(saved: Mapping[str, Any]) -> Speech:
    openings = {language: tuple(tokens) for language, tokens in saved["openings"].items()}
    return Speech(openings, tuple(saved["stop"]), tuple(saved["barred"]), int(saved["longest"]))


def _tuples(saved: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) for name, value in saved.items() if isinstance(value, list)}
