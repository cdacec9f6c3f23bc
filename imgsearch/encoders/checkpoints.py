"""Which family of encoders a weights file belongs to, by the names of its tensors.

In: a path. Out: a flat dict of tensors and the family that can use them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from imgsearch.errors import UsageError
from imgsearch.weights.files import State, read_tensors

Family = Literal["open_clip", "cn_clip"]

OPENAI_SCALARS = (
    "input_resolution",
    "context_length",
    "vocab_size",
)  # only OpenAI's own files hold them

CAPTIONS = "imgsearch caption --captioner {source} writes captions with it"
NOT_ENCODERS = {  # keys with all of these prefixes -> what the file is instead, what to do with it
    ("gpt.", "clip_project."): ("a ClipCap captioner", CAPTIONS),
    ("gpt2.", "clip_project."): ("a ClipCap-Chinese captioner", CAPTIONS),
    ("clip_project.",): (
        "the mapper of a ClipCap captioner",
        "without its language model it says nothing; imgsearch train-captioner makes another",
    ),
    ("image_projection.", "text_projection.projection"): (
        "a Shariatnia OpenAI-CLIP model",
        "none of its kind was published; imgsearch encoders lists those that were",
    ),
    ("vision_model.", "text_model.encoder.layers."): (
        "a Hugging Face CLIPModel",
        "use its open_clip version; imgsearch encoders lists names",
    ),
}


@dataclass(frozen=True)
class Checkpoint:
    """The tensors of a file by their official names, and whether OpenAI's own release wrote it."""

    path: Path
    state: State
    is_openai: bool

    @property
    def family(self) -> Family:
        """The family whose keys these are. Raises UsageError where no adapter can use them."""
        return recognise(self.state, str(self.path))


def read(path: Path) -> Checkpoint:
    """The checkpoint in the file. Raises what `read_tensors` raises."""
    state, container = read_tensors(path)
    is_openai = container == "torchscript" or any(name in state for name in OPENAI_SCALARS)
    for name in OPENAI_SCALARS:
        state.pop(name, None)
    return Checkpoint(path, state, is_openai)


def recognise(state: Mapping[str, torch.Tensor], source: str = "the file") -> Family:
    """The family whose keys these are.

    Raises UsageError, saying what it is or listing the first ten keys, where no adapter can use
    them.
    """

    def has(*prefixes: str) -> bool:
        return all(any(name.startswith(prefix) for name in state) for prefix in prefixes)

    if has("bert.", "visual.") or has("vision_model.", "text_model.encoder.layer."):
        return "cn_clip"
    if has("visual.") and (has("token_embedding.weight") or has("text.")):
        return "open_clip"
    for prefixes, (what, instead) in NOT_ENCODERS.items():
        if has(*prefixes):
            raise UsageError(
                f"{source} is {what}, not an encoder imgsearch can load: "
                + instead.format(source=source)
            )
    raise UsageError(
        f"{source} belongs to no family imgsearch knows (open_clip, cn_clip); its first keys are: "
        + ", ".join(list(state)[:10])
    )
