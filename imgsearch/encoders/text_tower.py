"""The text tower of an open_clip model, run over no more of its context than its texts need.

In: token ids, at most as many as the context. Out: vectors. A causal tower's answer at the end of a
text does not depend on what stands behind it, so its position table and its mask are cut to the
tokens that came. They are passed in for the one call, the model itself is never changed: gradients
reach the whole table, and several threads may ask at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch


class TextTower(torch.nn.Module):
    """`encode_text` as a module of its own, which `functional_call` needs; shares the model."""

    def __init__(self, model: torch.nn.Module, text_config: Mapping[str, Any]) -> None:
        super().__init__()
        self.model: Any = model
        self._path = "model.text" if hasattr(model, "text") else "model"
        tower: Any = self.get_submodule(self._path)
        pool = getattr(tower, "pool_type", getattr(tower, "text_pool_type", None))
        self._is_causal = (  # no position looks ahead, none behind the end of a text is read
            getattr(tower, "attn_mask", None) is not None
            and getattr(tower, "cls_emb", None) is None
            and pool in ("argmax", "eos")
        )
        is_hugging_face = "hf_model_name" in text_config
        self._masks = is_hugging_face and text_config.get("tokenizer_mode") != "clips"

    @property
    def ignores_padding(self) -> bool:
        """A text's vector is the same however many padding tokens follow it."""
        return self._is_causal or self._masks

    def vectors(self, tokens: torch.Tensor) -> torch.Tensor:
        """(n, l) token ids -> (n, dim), of any length."""
        tower: Any = self.get_submodule(self._path)
        length = tokens.shape[1]
        if not self._is_causal or length >= tower.positional_embedding.shape[0]:
            found: torch.Tensor = self(tokens)
            return found
        tables = {
            f"{self._path}.positional_embedding": tower.positional_embedding[:length],
            f"{self._path}.attn_mask": tower.attn_mask[:length, :length],
        }
        found = torch.func.functional_call(self, tables, (tokens,))
        return found

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(n, l) token ids of the full length -> (n, dim)."""
        found: torch.Tensor = self.model.encode_text(tokens, normalize=False)
        return found
