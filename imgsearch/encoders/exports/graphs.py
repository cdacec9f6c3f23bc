"""The towers of torch as ONNX graphs.

In: an encoder on the CPU. Out: a file for each. `torch.export` traces a tower with a batch of any
size, so the graph is the model's own arithmetic. A text tower that is causal takes packed texts
(`packing`), any other a batch of padded rows, as long as its texts need where padding is ignored.
It works for every architecture tried; the exporter before it, of TorchScript, is a tenth of the
work, but cannot trace a text tower cut to its texts, and is about to go.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch

from imgsearch.encoders import packing
from imgsearch.encoders.exports import sessions
from imgsearch.encoders.pixels import Preprocessing
from imgsearch.encoders.text_tower import PackedTextTower
from imgsearch.encoders.tokenizers import Tokenizer
from imgsearch.errors import UsageError
from imgsearch.vectors import Vectors

TRACED = 3  # pictures and texts, and tokens of a text: any number that is not 0 or 1


class Towers(Protocol):
    """What an export is made of: the adapters of both families, and nothing else, are this."""

    name: str
    source: str
    identity: str
    dim: int
    languages: tuple[str, ...]
    image_size: int
    ignores_padding: bool
    preprocessing: Preprocessing
    model: Any
    files: tuple[Path, ...]

    @property
    def context(self) -> int: ...
    @property
    def packed_text_tower(self) -> PackedTextTower | None: ...
    @property
    def tokenizer(self) -> Tokenizer: ...
    def embed_images(self, images: list[Any]) -> Vectors: ...
    def embed_texts(self, texts: list[str]) -> Vectors: ...
    def shorten(self, text: str) -> str: ...
    def image_vectors(self, pixels: torch.Tensor) -> torch.Tensor: ...
    def text_vectors(self, tokens: torch.Tensor) -> torch.Tensor: ...


class _ImageTower(torch.nn.Module):
    def __init__(self, encoder: Towers) -> None:
        super().__init__()
        self.model = encoder.model  # its parameters are what is exported
        self._vectors = encoder.image_vectors

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self._vectors(pixels)


class _TextTower(torch.nn.Module):
    def __init__(self, encoder: Towers) -> None:
        super().__init__()
        self.model = encoder.model
        self._vectors = encoder.text_vectors

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self._vectors(tokens)


def write_image_tower(encoder: Towers, file: Path) -> None:
    """The image tower, pixels (n, 3, h, w) -> vectors (n, dim). Raises UsageError where it cannot
    be exported, OSError where the file cannot be written."""
    pixels = torch.zeros(TRACED, 3, *encoder.preprocessing.size)
    _write(_ImageTower(encoder), {sessions.INPUT: pixels}, [(0,)], file)


def write_text_tower(encoder: Towers, file: Path) -> None:
    """The text tower, a pack of texts or token ids (n, l) -> vectors (n, dim). Raises UsageError
    where it cannot be exported, OSError where the file cannot be written."""
    packed = encoder.packed_text_tower
    if packed is not None:
        (pack,) = packing.packs([(0, 1), (0, 2, 3), (0, 2, 4)], most_nodes=5)
        inputs = {name: torch.from_numpy(each) for name, each in pack.inputs.items()}
        _write(packed, inputs, [(0,), (0,), (0, 1), (0,)], file)
        return
    length = TRACED + 1 if encoder.ignores_padding else encoder.context
    tokens = torch.ones(TRACED, length, dtype=torch.long)
    axes = (0, 1) if encoder.ignores_padding else (0,)
    _write(_TextTower(encoder), {sessions.INPUT: tokens}, [axes], file)


def _write(
    tower: torch.nn.Module,
    inputs: Mapping[str, torch.Tensor],
    any_size: list[tuple[int, ...]],
    file: Path,
) -> None:
    """A tower traced with inputs, each of which may have any size along some axes."""
    dynamic = tuple(dict.fromkeys(axes, torch.export.Dim.DYNAMIC) for axes in any_size)
    try:
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")  # of the exporter to those who write exporters
            torch.onnx.export(
                tower.eval(),
                tuple(inputs.values()),
                file,
                dynamo=True,
                verbose=False,
                optimize=False,  # ONNX Runtime does it, in a tenth of the time
                input_names=list(inputs),
                output_names=[sessions.OUTPUT],
                dynamic_shapes=dynamic,
            )
    except (OSError, MemoryError):
        raise  # of this machine at this moment, not of the tower
    except Exception as error:  # tracing fails in as many ways as there are models
        raise UsageError(f"torch cannot export it: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
