"""The language models that a captioner begins with: what is read of their files, how they learn
behind every mapper, and that a frozen one does not.
"""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from imgsearch.captioning.gpt2 import Gpt2
from imgsearch.training.captioner.language_models import read_gpt2
from imgsearch.weights import filling
from small_language_models import HEADS, gpt2


def test_a_head_of_its_own_leaves_the_token_table_as_it_is(tmp_path: Path) -> None:
    file = gpt2(tmp_path, 40, is_tied=False) / "model.safetensors"
    config, state = read_gpt2(file)
    assert not config.tie_word_embeddings and config.n_head == HEADS
    model = Gpt2(config)
    filling.fill(model, state, str(file))
    stored = load_file(file)
    assert torch.equal(model.lm_head.weight, stored["lm_head.weight"])
    assert torch.equal(model.transformer.wte.weight, stored["transformer.wte.weight"])
    stored["lm_head.weight"] = stored["transformer.wte.weight"].clone()
    save_file(stored, file)  # as old files have it: a copy of the table is no head of its own
    assert read_gpt2(file)[0].tie_word_embeddings
