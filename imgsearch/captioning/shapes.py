"""The shape of a captioner, read off its tensors: what mapper it is, and all sizes of both parts.

In: tensors under our names. Out: the two configurations. How many heads attend is in no tensor: the
published sizes of GPT-2 are known by their width, the mappers have eight.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

import torch

from imgsearch.captioning.folder import HEAD, TABLE
from imgsearch.captioning.gpt2 import Gpt2Config
from imgsearch.captioning.mappers import MapperConfig
from imgsearch.errors import UsageError
from imgsearch.weights.files import State

HEADS_OF = {768: 12, 1024: 16, 1280: 20, 1600: 25}  # of the published GPT-2s, by n_embd
UNKNOWN_HEADS = 0

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]


def gpt2_config(state: State) -> Gpt2Config:
    """The shape of the language model; `n_head` is 0 where its width is none of the published."""
    table = state[TABLE]
    width = table.shape[1]
    return Gpt2Config(
        vocab_size=table.shape[0],
        n_positions=state["language_model.transformer.wpe.weight"].shape[0],
        n_embd=width,
        n_layer=_count(state, "language_model.transformer.h."),
        n_head=HEADS_OF.get(width, UNKNOWN_HEADS),
        tie_word_embeddings=torch.equal(state[HEAD], table),
    )


def mapper_config(state: State, width: int) -> MapperConfig:
    """The shape of the mapper. Raises UsageError where it is of no kind that is known."""
    shapes = {
        name.removeprefix("mapper."): tuple(tensor.shape)
        for name, tensor in state.items()
        if name.startswith("mapper.")
    }
    for marker, read in MARKERS.items():
        if marker in shapes:
            return read(shapes, width)
    raise UsageError(
        "its mapper is none imgsearch knows (MLP, linear, Transformer, BERT): it has "
        + ", ".join(list(shapes)[:10])
    )


def _mlp(shapes: Shapes, width: int) -> MapperConfig:
    (_, dim), (size, _) = shapes["model.0.weight"], shapes["model.2.weight"]
    return MapperConfig("mlp", dim, size // width, width)


def _linear(shapes: Shapes, width: int) -> MapperConfig:
    size, dim = shapes["weight"]
    return MapperConfig("linear", dim, size // width, width)


def _transformer(shapes: Shapes, width: int) -> MapperConfig:
    size, dim = shapes["linear.weight"]
    return MapperConfig(
        "transformer",
        dim,
        shapes["prefix_const"][0],
        width,
        clip_length=size // width,
        layers=_count(shapes, "transformer.layers."),
        ratio=shapes["transformer.layers.0.mlp.fc1.weight"][0] // width,
    )


def _bert(shapes: Shapes, width: int) -> MapperConfig:
    size, dim = shapes["linear.weight"]
    return MapperConfig(
        "bert",
        dim,
        shapes["prefix_const"][0],
        width,
        clip_length=size // width,
        layers=_count(shapes, "bert.encoder.layer."),
        ratio=shapes["bert.encoder.layer.0.intermediate.dense.weight"][0] // width,
        positions=shapes["bert.embeddings.position_embeddings.weight"][0],
    )


MARKERS: Mapping[str, Callable[[Shapes, int], MapperConfig]] = {
    # a tensor that only mappers of this kind have -> how its sizes are read
    "bert.embeddings.position_embeddings.weight": _bert,
    "transformer.layers.0.mlp.fc1.weight": _transformer,
    "model.2.weight": _mlp,
    "weight": _linear,
}


def _count(names: Iterable[str], prefix: str) -> int:
    """How many numbers follow the prefix: layers."""
    return len({name[len(prefix) :].split(".")[0] for name in names if name.startswith(prefix)})
