"""A tiny GPT-2 as others publish it, for the tests of captioners that begin with weights.

A plain module, as `small_captioners`.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from imgsearch.captioning.gpt2 import Gpt2, Gpt2Config

HEADS = 4
WIDTH = 32


def gpt2(folder: Path, words: int, *, is_prefixed: bool = True, is_tied: bool = True) -> Path:
    """The folder of a GPT-2 with random weights, named as Hugging Face names them; half precision
    holds them as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    model = Gpt2(Gpt2Config(words, 48, WIDTH, 2, HEADS, tie_word_embeddings=is_tied)).half()
    state = {
        name if is_prefixed else name.removeprefix("transformer."): value.float()
        for name, value in model.state_dict().items()
        if name != "lm_head.weight" or not is_tied
    }
    state["h.0.attn.bias" if not is_prefixed else "transformer.h.0.attn.bias"] = torch.ones(1)
    save_file(state, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"n_head": HEADS}), "utf-8")
    return folder
