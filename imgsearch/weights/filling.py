"""From a state dict to a filled model, and the identity that names the result.

In: a model and tensors, or a weights file and what is done to a picture before it. Out: the model
with those weights in float32; a SHA-256 that changes with anything that changes an embedding. The
identity hashes the file's bytes (not the tensors), so it can be known without loading them; a
Hugging Face cache names its files by that very hash, which saves reading them at all.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from imgsearch.errors import UsageError


class Unfilled(TorchFunctionMode):
    """Inside it, random initialisation is left out: `with Unfilled(): model = build()`.

    For models whose every parameter is loaded right after (`fill` is strict about that). Drawing
    the random weights of a ViT-B/32 costs 0.7 s on two cores, leaving it out 0.01 s.
    """

    DRAWN = frozenset(
        {
            torch.Tensor.normal_,
            torch.Tensor.uniform_,
            torch.nn.init.normal_,
            torch.nn.init.uniform_,
            torch.nn.init.trunc_normal_,
            torch.nn.init.kaiming_uniform_,
            torch.nn.init.kaiming_normal_,
            torch.nn.init.xavier_uniform_,
            torch.nn.init.xavier_normal_,
        }
    )

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in self.DRAWN:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **(kwargs or {}))


def fill(model: torch.nn.Module, state: Mapping[str, torch.Tensor], source: str) -> None:
    """Copy every tensor into the model, as the model's own number format. Strict both ways.

    Raises UsageError, naming `source`, where tensors are missing, left over or of another shape.
    """
    try:
        model.load_state_dict(dict(state), strict=True)
    except RuntimeError as error:
        detail = " ".join(str(error).split())[:300]
        raise UsageError(f"{source} does not fit its architecture: {detail}") from error


def file_hash(path: Path) -> str:
    """SHA-256 of all bytes of the file, as hex."""
    blob = path.resolve().name
    if path.resolve().parent.name == "blobs" and re.fullmatch(r"[0-9a-f]{64}", blob):
        return blob
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def identity(weights_hash: str, **settings: object) -> str:
    """The SHA-256 that vectors are keyed by: the weights and all settings that change an
    embedding."""
    text = json.dumps({"weights": weights_hash, **settings}, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
