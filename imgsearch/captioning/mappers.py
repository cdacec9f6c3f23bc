"""Mappers: from one CLIP embedding to a prefix of vectors in the language model's space.

(b, p) goes in, (b, k, d) comes out: k vectors that the language model reads as if they were words.
Three published ones, tensor for tensor under their published names: ClipCap's MLP and Transformer
(Mokady, Hertz, Bermano 2021) and the BERT of ClipCap-Chinese, plus the single linear map that
ClipCap's inference code builds for long prefixes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imgsearch.errors import UsageError

Kind: TypeAlias = Literal["mlp", "linear", "transformer", "bert"]


@dataclass(frozen=True)
class MapperConfig:
    """The shape of a mapper; defaults as published.

    `constants` is how many learnt vectors stand beside the embedding in a Transformer or BERT: a
    prefix of that length is what comes out of the former; the latter has as many as the prefix.
    """

    kind: Kind = "mlp"
    embedding_dim: int = 512
    prefix_length: int = 10
    width: int = 768  # the language model's n_embd
    clip_length: int = 10  # vectors made of the embedding, for a Transformer; a BERT: the prefix's
    layers: int = 8
    heads: int = 8
    ratio: int | None = None  # of a layer's inner width; 2 in a Transformer, 4 in a BERT
    positions: int = 512  # bert only, as the next
    dropout: float = 0.1


def make_mapper(config: MapperConfig) -> nn.Module:
    """A mapper with random weights, as the published training code begins.

    Raises UsageError for a kind that there is not.
    """
    if config.kind == "mlp":
        return MlpMapper(config)
    if config.kind == "linear":
        return LinearMapper(config)
    if config.kind == "transformer":
        return TransformerMapper(config)
    if config.kind == "bert":
        return BertMapper(config)
    raise UsageError(
        f"a mapper of kind {config.kind!r} is unknown; it is {', '.join(get_args(Kind))}"
    )


class MlpMapper(nn.Module):
    """Two linear maps with a tanh between: the mapper for a language model that learns as well."""

    def __init__(self, config: MapperConfig) -> None:
        super().__init__()
        self.width = config.width
        size = config.width * config.prefix_length
        self.model = nn.Sequential(
            nn.Linear(config.embedding_dim, size // 2), nn.Tanh(), nn.Linear(size // 2, size)
        )

    def forward(self, vectors: Tensor) -> Tensor:
        mapped: Tensor = self.model(vectors)
        return mapped.view(len(vectors), -1, self.width)  # (b, k, d)


class LinearMapper(nn.Linear):
    """One linear map."""

    def __init__(self, config: MapperConfig) -> None:
        super().__init__(config.embedding_dim, config.width * config.prefix_length)
        self.width = config.width

    def forward(self, vectors: Tensor) -> Tensor:
        return super().forward(vectors).view(len(vectors), -1, self.width)  # (b, k, d)


class TransformerMapper(nn.Module):
    """Learnt constants that attend to the embedding: the mapper for a frozen language model."""

    def __init__(self, config: MapperConfig) -> None:
        super().__init__()
        self.clip_length, self.width = config.clip_length, config.width
        self.linear = nn.Linear(config.embedding_dim, config.clip_length * config.width)
        self.prefix_const = nn.Parameter(torch.randn(config.prefix_length, config.width))
        self.transformer = nn.ModuleDict(
            {"layers": nn.ModuleList(PreNormLayer(config) for _ in range(config.layers))}
        )

    def forward(self, vectors: Tensor) -> Tensor:
        h = self.linear(vectors).view(len(vectors), self.clip_length, self.width)
        h = torch.cat([h, self.prefix_const.expand(len(vectors), -1, -1)], dim=1)
        for layer in self.transformer["layers"].children():
            h = layer(h)
        prefix: Tensor = h[:, self.clip_length :]  # (b, k, d): what became of the constants
        return prefix


class PreNormLayer(nn.Module):
    """ClipCap's layer: normed before, ReLU, keys and values in one map without a bias."""

    def __init__(self, config: MapperConfig) -> None:
        super().__init__()
        d = config.width
        self.norm1 = nn.LayerNorm(d)
        self.attn = PrefixAttention(d, config.heads)
        self.norm2 = nn.LayerNorm(d)
        inner = (config.ratio or 2) * d
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(d, inner), "fc2": nn.Linear(inner, d)})

    def forward(self, h: Tensor) -> Tensor:
        h = h + self.attn(self.norm1(h))
        y: Tensor = h + self.mlp["fc2"](F.relu(self.mlp["fc1"](self.norm2(h))))
        return y


class PrefixAttention(nn.Module):
    """Everything attends to everything."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_queries = nn.Linear(width, width, bias=False)
        self.to_keys_values = nn.Linear(width, 2 * width, bias=False)  # keys first
        self.project = nn.Linear(width, width)

    def forward(self, h: Tensor) -> Tensor:
        keys, values = self.to_keys_values(h).chunk(2, dim=-1)
        y: Tensor = self.project(attend(self.to_queries(h), keys, values, self.heads))
        return y


class BertMapper(nn.Module):
    """The mapper of ClipCap-Chinese: constants beside the embedding through a BERT that starts from
    nothing."""

    def __init__(self, config: MapperConfig) -> None:
        super().__init__()
        self.prefix_length, self.width = config.prefix_length, config.width
        self.linear = nn.Linear(config.embedding_dim, config.prefix_length * config.width)
        self.prefix_const = nn.Parameter(torch.randn(config.prefix_length, config.width))
        self.bert = nn.ModuleDict({"embeddings": BertPlaces(config), "encoder": BertLayers(config)})
        for module in self.bert.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)

    def forward(self, vectors: Tensor) -> Tensor:
        h = self.linear(vectors).view(len(vectors), self.prefix_length, self.width)
        h = torch.cat([h, self.prefix_const.expand(len(vectors), -1, -1)], dim=1)
        h = self.bert["encoder"](self.bert["embeddings"](h))
        prefix: Tensor = h[:, self.prefix_length :]  # (b, k, d)
        return prefix


class BertPlaces(nn.Module):
    """What BERT adds to its input: where a vector stands, and that there is one text only."""

    def __init__(self, config: MapperConfig) -> None:
        super().__init__()
        self.position_embeddings = nn.Embedding(config.positions, config.width)
        self.token_type_embeddings = nn.Embedding(2, config.width)
        self.LayerNorm = nn.LayerNorm(config.width, eps=1e-12)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, h: Tensor) -> Tensor:
        places = self.position_embeddings.weight[: h.shape[1]]
        y: Tensor = self.dropout(self.LayerNorm(h + places + self.token_type_embeddings.weight[0]))
        return y


class BertLayers(nn.Module):
    """BERT's encoder; its parts are named as in `transformers`."""

    def __init__(self, config: MapperConfig) -> None:
        super().__init__()
        self.layer = nn.ModuleList(BertLayer(config) for _ in range(config.layers))

    def forward(self, h: Tensor) -> Tensor:
        for layer in self.layer:
            h = layer(h)
        return h


class BertAttention(nn.Module):
    """BERT's attention, added to what it looked at and normed."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = nn.Dropout(dropout)
        parts = {name: nn.Linear(width, width) for name in ("query", "key", "value")}
        self.self = nn.ModuleDict(parts)
        self.output = _dense_and_norm(width, width)

    def forward(self, h: Tensor) -> Tensor:
        queries, keys, values = (self.self[name](h) for name in ("query", "key", "value"))
        dropout = self.dropout.p if self.training else 0.0
        seen = self.output["dense"](attend(queries, keys, values, self.heads, dropout))
        y: Tensor = self.output["LayerNorm"](h + self.dropout(seen))
        return y


class BertLayer(nn.Module):
    """BERT's layer: normed after, GELU in its exact form."""

    def __init__(self, config: MapperConfig) -> None:
        super().__init__()
        d = config.width
        self.dropout = nn.Dropout(config.dropout)
        self.attention = BertAttention(d, config.heads, config.dropout)
        inner = (config.ratio or 4) * d
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(d, inner)})
        self.output = _dense_and_norm(inner, d)

    def forward(self, h: Tensor) -> Tensor:
        h = self.attention(h)
        wide = F.gelu(self.intermediate["dense"](h))
        y: Tensor = self.output["LayerNorm"](h + self.dropout(self.output["dense"](wide)))
        return y


def attend(
    queries: Tensor, keys: Tensor, values: Tensor, heads: int, dropout: float = 0.0
) -> Tensor:
    """Attention of every vector to every vector: (b, t, d) each -> (b, t, d)."""
    b, t, d = queries.shape
    q, k, v = (each.view(b, t, heads, -1).transpose(1, 2) for each in (queries, keys, values))
    seen = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout)  # (b, h, t, e)
    return seen.transpose(1, 2).reshape(b, t, d)


def _dense_and_norm(n_in: int, n_out: int) -> nn.ModuleDict:
    return nn.ModuleDict(
        {"dense": nn.Linear(n_in, n_out), "LayerNorm": nn.LayerNorm(n_out, eps=1e-12)}
    )
