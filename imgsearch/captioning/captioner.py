"""Captioner: embeddings of one encoder in, sentences out.

A ClipCap on a device, with its tokenizer and what it was trained on. An encoder's embeddings mean
nothing to a captioner that was trained on another's, and nothing in the numbers shows it: so a
captioner knows whose it reads, and refuses others by name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from imgsearch.captioning.decoding import Decoded, Decoding, Ends, decode
from imgsearch.captioning.model import ClipCap
from imgsearch.captioning.tokenizers import Tokenizer
from imgsearch.errors import NoEncoderError, UsageError
from imgsearch.vectors import Vectors
from imgsearch.weights import device as devices

BATCH_SIZE = {"cpu": 128, "mps": 256, "cuda": 1024}  # photos decoded at once


@dataclass(frozen=True)
class Caption:
    """A sentence, "" where the language model ends at once, and the mean log-probability of its
    tokens, the one that ends it included: what ClipCap's beam search ranks by."""

    text: str
    log_probability: float


@dataclass(frozen=True)
class TrainedOn:
    """Whose embeddings a captioner reads.

    `encoders` are names; `identity` is the encoder's, None where the weights do not tell. `norm` is
    how long embeddings were in training: 1 as a library stores them, other where a published
    captioner was trained before normalisation.
    """

    encoders: tuple[str, ...]
    identity: str | None
    dim: int
    norm: float = 1.0


@dataclass(frozen=True)
class Speech:
    """How a captioner speaks: what opens a caption in each language and what closes it, in tokens,
    what it never says, and how many tokens are enough."""

    openings: Mapping[str, tuple[int, ...]]
    stop: tuple[int, ...]
    barred: tuple[int, ...] = ()
    longest: int = 67


class Captioner:
    """Made by `load`; `source` is what loads it again, None for one that was made in memory."""

    def __init__(
        self,
        model: ClipCap,
        tokenizer: Tokenizer,
        speech: Speech,
        trained_on: TrainedOn,
        *,
        name: str,
        identity: str,
        source: str | None = None,
        device: str = "auto",
    ) -> None:
        self.name, self.identity, self.source = name, identity, source
        self.device = devices.choose(device)
        self.model = model.to(self.device).eval()
        self.tokenizer = tokenizer
        self.speech = speech
        self.trained_on = trained_on
        self.batch_size = BATCH_SIZE[self.device.type]

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages it speaks."""
        return tuple(self.speech.openings)

    def reads(self, encoder: str, identity: str, dim: int) -> bool:
        """Whether it was trained on embeddings of this encoder.

        Published weights do not tell their encoder's identity; it is known by its name.
        """
        trained = self.trained_on
        is_named = trained.identity is None and encoder in trained.encoders
        return dim == trained.dim and (is_named or trained.identity == identity)

    def check(self, encoder: str, identity: str, dim: int) -> None:
        """Raises NoEncoderError unless it reads embeddings of this encoder."""
        trained = self.trained_on
        if not self.reads(encoder, identity, dim):
            raise NoEncoderError(
                f"the captioner {self.name} reads embeddings of {' or '.join(trained.encoders)} "
                f"({trained.dim} numbers), not of {encoder} ({dim}); use that encoder "
                f"(imgsearch index --encoder {trained.encoders[0]} adds it to a library), or "
                "train a captioner of its own: imgsearch train-captioner"
            )

    def caption(
        self,
        vectors: Vectors,
        language: str,
        decoding: Decoding = Decoding(),  # noqa: B008
    ) -> list[Caption]:
        """One sentence for each embedding: (n, d) unit rows of the encoder it was trained on.

        What a photo gets does not depend on the others. Raises UsageError for a language it does
        not speak, for vectors of another width and for a row that is not finite.
        """
        if language not in self.speech.openings:
            raise UsageError(
                f"the captioner {self.name} speaks {' and '.join(self.languages)}, not "
                f"{language!r}; use another --language or --captioner"
            )
        self._check_rows(vectors)
        decoding = self._resolved(decoding, language)
        captions: list[Caption] = []
        for start in range(0, len(vectors), self.batch_size):
            part = vectors[start : start + self.batch_size]
            captions += map(self._caption, self._decoded(part, language, decoding))
        return captions

    def prefix(self, vectors: Vectors) -> torch.Tensor:
        """What the language model reads in place of words: (n, d) -> (n, k, n_embd) on the CPU.

        Raises UsageError as `caption` does.
        """
        self._check_rows(vectors)
        with torch.inference_mode():
            return self.model.prefix(self._on_device(vectors)).float().cpu()

    def _check_rows(self, vectors: Vectors) -> None:
        if vectors.ndim != 2 or vectors.shape[1] != self.trained_on.dim:
            raise UsageError(
                f"the captioner {self.name} reads embeddings of {self.trained_on.dim} numbers; "
                f"these are {vectors.shape}"
            )
        bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        if len(bad):
            raise UsageError(
                f"row {bad[0]} of the embeddings is not finite, and no photo looks like that; "
                "embed it anew"
            )

    def _decoded(self, vectors: Vectors, language: str, decoding: Decoding) -> list[Decoded]:
        ends = Ends(self.speech.openings[language], self.speech.stop, self.speech.barred)
        generators = []
        if decoding.method == "sample":  # by the photo itself, so that its neighbours do not matter
            generators = [_generator(decoding.seed, row.tobytes()) for row in vectors]
        with devices.autocast(self.device):
            return decode(self.model, self._on_device(vectors), ends, decoding, generators)

    def _on_device(self, vectors: Vectors) -> torch.Tensor:
        ours = np.require(
            vectors, requirements=("C", "W")
        )  # a copy only where torch takes no other
        rows = torch.from_numpy(ours).to(self.device, torch.float32)
        return rows * self.trained_on.norm

    def _resolved(self, decoding: Decoding, language: str) -> Decoding:
        room = self.model.longest - len(self.speech.openings[language])
        longest = decoding.longest or min(self.speech.longest, room)
        if longest > room:
            raise UsageError(
                f"the captioner {self.name} has room for {room} tokens, not {longest}; "
                f"use --longest {room} or less"
            )
        return replace(decoding, longest=longest)

    def _caption(self, decoded: Decoded) -> Caption:
        is_empty = decoded.tokens[0] in self.speech.stop  # a full stop alone says nothing
        text = "" if is_empty else self.tokenizer.decode(decoded.tokens)
        return Caption(text, decoded.log_probability if text else 0.0)


def _generator(seed: int, row: bytes) -> torch.Generator:
    digest = hashlib.sha256(seed.to_bytes(16, "little", signed=True) + row).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little"))


@dataclass(frozen=True)
class NearWord:
    """A token as it is written, and the cosine of its embedding and a vector of a prefix."""

    word: str
    score: float


def explained(captioner: Captioner, vectors: Vectors, k: int = 3) -> list[list[list[NearWord]]]:
    """The k tokens nearest to each vector of each photo's prefix, by cosine, nearest first.

    What a mapper passes on is no text, but words lie near it (ClipCap, section 4.3).
    """
    table = captioner.model.language_model.transformer.wte.weight.float().cpu()
    table = torch.nn.functional.normalize(table, dim=-1)
    prefix = torch.nn.functional.normalize(captioner.prefix(vectors), dim=-1)  # (n, k, d)
    with torch.inference_mode():
        scores, tokens = (prefix @ table.T).topk(min(k, len(table)), dim=-1)
    written = captioner.tokenizer.written
    return [
        [
            [NearWord(written(token), score) for token, score in zip(*near, strict=True)]
            for near in zip(*row, strict=True)
        ]
        for row in zip(tokens.tolist(), scores.tolist(), strict=True)
    ]
