"""The text tower of an open_clip model, run over no more of its context than its texts need.

In: token ids, at most as many as the context. Out: vectors. A causal tower's answer at the end of a
text does not depend on what stands behind it, so its position table and its mask are cut to the
tokens that came. They are passed in for the one call, the model itself is never changed: gradients
reach the whole table, and several threads may ask at once. Neither does it depend on other texts,
so a causal tower is exported as one that reads many of them in one sequence (`PackedTextTower`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from imgsearch.encoders.packing import Ending


class TextTower(torch.nn.Module):
    """`encode_text` as a module of its own, which `functional_call` needs; shares the model."""

    def __init__(self, model: torch.nn.Module, text_config: Mapping[str, Any]) -> None:
        super().__init__()
        self.model: Any = model
        self._path = "model.text" if hasattr(model, "text") else "model"
        self._ending = _ending(self.get_submodule(self._path))
        is_hugging_face = "hf_model_name" in text_config
        self._masks = is_hugging_face and text_config.get("tokenizer_mode") != "clips"

    @property
    def ignores_padding(self) -> bool:
        """A text's vector is the same however many padding tokens follow it."""
        return self._ending is not None or self._masks

    @property
    def packed(self) -> PackedTextTower | None:
        """The same tower for packed texts; None for one that is not causal."""
        if self._ending is None:
            return None
        return PackedTextTower(self.get_submodule(self._path), self._ending)

    def vectors(self, tokens: torch.Tensor) -> torch.Tensor:
        """(n, l) token ids -> (n, dim), of any length."""
        tower: Any = self.get_submodule(self._path)
        length = tokens.shape[1]
        if self._ending is None or length >= tower.positional_embedding.shape[0]:
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


class PackedTextTower(torch.nn.Module):
    """What `encode_text` computes, over a `packing.Pack`; shares the tower's modules. `ending` says
    at which token of a text it answers."""

    def __init__(self, tower: torch.nn.Module, ending: Ending) -> None:
        super().__init__()
        self.tower: Any = tower
        self.ending = ending

    def forward(
        self,
        tokens: torch.Tensor,
        positions: torch.Tensor,
        mask: torch.Tensor,
        ends: torch.Tensor,
    ) -> torch.Tensor:
        """m nodes, whose tokens, positions (m,) and mask (m, m) a pack has, and n ends ->
        (n, dim), of any length."""
        tower = self.tower
        projection: Any = tower.text_projection
        nodes = tower.token_embedding(tokens) + tower.positional_embedding[positions]  # (m, width)
        nodes = tower.transformer(nodes[None], attn_mask=mask)[0]
        vectors: torch.Tensor = tower.ln_final(nodes[ends])  # (n, width)
        if projection is None:
            return vectors
        is_linear = isinstance(projection, torch.nn.Linear)
        vectors = projection(vectors) if is_linear else vectors @ projection
        return vectors


def _ending(tower: Any) -> Ending | None:
    """None unless no position looks ahead and none behind the end of a text is read."""
    if getattr(tower, "attn_mask", None) is None or getattr(tower, "cls_emb", None) is not None:
        return None
    pool = getattr(tower, "pool_type", getattr(tower, "text_pool_type", None))
    if pool == "argmax":
        return "highest"
    if pool == "eos":
        return int(tower.eos_id if hasattr(tower, "eos_id") else tower.text_eos_id)
    return None
