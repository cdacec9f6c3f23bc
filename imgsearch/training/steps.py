"""One step: the gradient of the loss of a whole batch, however many pieces it is computed in.

A batch larger than memory passes through the towers in pieces, first without gradients to get every
embedding, then again piece by piece with the loss's gradient at its embeddings: the gradient of the
whole batch exactly, where adding up the losses of pieces would contrast each photo with its own
piece alone (Gao et al. 2021, GradCache; open_clip's and Chinese-CLIP's accumulation). Chance inside
the towers (dropout) is seeded by piece, so both passes see the same. In one piece the second pass
is saved.
"""

import contextlib
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn

from imgsearch.errors import UsageError
from imgsearch.training.batches import Batch
from imgsearch.training.objective import loss_of
from imgsearch.training.ranks import Ranks
from imgsearch.training.recipe import Recipe
from imgsearch.training.towers import Towers

Token: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class Computed:
    """A step's loss, and what its towers made of the batch: (b, d) photos, (u, d) texts."""

    loss: float
    images: Tensor
    texts: Tensor


@dataclass(frozen=True)
class Piece:
    """Part of a batch for one tower, and the seed of the chance inside it."""

    embed: Callable[[], Tensor]
    seed: int


class Stepper:
    """Computes gradients for a run. `scaler` keeps float16 from vanishing; off for others."""

    def __init__(
        self,
        towers: Towers,
        recipe: Recipe,
        ranks: Ranks,
        device: torch.device,
        scaler: torch.amp.GradScaler,
    ) -> None:
        self.towers = towers
        self.recipe = recipe
        self.ranks = ranks
        self.device = device
        self.dtype = compute_type(recipe.precision, device)
        self.scaler = scaler

    def gradients(self, step: int, batch: Batch) -> Computed:
        """Leave the gradient of this batch in the parameters, scaled by `scaler`.

        Raises UsageError where a step does not fit the memory of the device.
        """
        try:
            return self._gradients(step, batch)
        except torch.OutOfMemoryError as error:
            raise UsageError(
                f"a step of {batch.count} photos does not fit the memory of {self.device}; run the "
                "same command with --micro-batch, --gradient-checkpointing, or a smaller "
                "--batch-size"
            ) from error

    def _gradients(self, step: int, batch: Batch) -> Computed:
        rng = random.Random(f"{self.recipe.seed}/{step}/towers")
        tokens = [self._shortened(self.towers.tokens(text), rng) for text in batch.texts]
        mine = self.ranks.share(len(tokens))
        pictures = self._image_pieces(batch.views, rng)
        texts = self._text_pieces(tokens[mine.start : mine.stop], rng)
        is_whole = len(pictures) <= 1 and len(texts) <= 1
        with _no_statistics(self.towers.model, unless=is_whole):
            image_vectors = self._embed(pictures, with_gradient=is_whole)
            text_vectors = self._embed(texts, with_gradient=is_whole)
        images = self._gathered(image_vectors, batch.count, batch.mine)
        sentences = self._gathered(text_vectors, len(tokens), mine)
        loss = batch_loss(self.towers, self.recipe, batch, images, sentences)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self._scale_is_shared()
        assert images.grad is not None and sentences.grad is not None
        for tower, pieces, vectors, gradient in (
            ("image", pictures, image_vectors, images.grad[batch.mine]),
            ("text", texts, text_vectors, sentences.grad[list(mine)]),
        ):
            if self.towers.learns(tower):  # a locked one is not computed again
                self._backward(pieces, vectors if is_whole else None, gradient)
        self.ranks.sum_gradients(self.towers.model.parameters())
        return Computed(loss.item(), images.detach(), sentences.detach())

    def _image_pieces(self, views: Tensor, rng: random.Random) -> list[Piece]:
        size = self.recipe.micro_batch or max(len(views), 1)

        def piece(part: Tensor) -> Callable[[], Tensor]:
            return lambda: self.towers.image_vectors(
                self.towers.pixels(part.to(self.device, non_blocking=True))
            )

        return [
            Piece(piece(part), rng.getrandbits(63))
            for part in torch.split(views, size)
            if len(part)
        ]

    def _text_pieces(self, tokens: Sequence[Token], rng: random.Random) -> list[Piece]:
        size = self.recipe.micro_batch or max(len(tokens), 1)

        def piece(part: Sequence[Token]) -> Callable[[], Tensor]:
            return lambda: self.towers.text_vectors(part)

        parts = [tokens[start : start + size] for start in range(0, len(tokens), size)]
        return [Piece(piece(part), rng.getrandbits(63)) for part in parts]

    def _shortened(self, tokens: Token, rng: random.Random) -> Token:
        """Some tokens of every other sentence left out, never the first and last, and none of a
        short text."""
        share = self.recipe.variation.token_drop
        if not share or len(tokens) < 8 or rng.random() < 0.5:
            return tokens
        kept = [token for token in tokens[1:-1] if rng.random() >= share]
        return (tokens[0], *kept, tokens[-1])

    def _embed(self, pieces: Sequence[Piece], *, with_gradient: bool) -> Tensor:
        rows = []
        for piece in pieces:
            with torch.set_grad_enabled(with_gradient):
                rows.append(self._run(piece))
        empty = torch.zeros((0, self.towers.encoder.dim), device=self.device)
        return torch.cat(rows) if rows else empty

    def _run(self, piece: Piece) -> Tensor:
        devices = [self.device] if self.device.type == "cuda" else []
        with (
            torch.random.fork_rng(devices=devices),
            torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32),
        ):
            torch.manual_seed(piece.seed)
            return piece.embed()

    def _gathered(self, vectors: Tensor, n: int, mine: Sequence[int]) -> Tensor:
        """The vectors of all processes, (n, d) float32, as a leaf that takes the loss's
        gradient."""
        return self.ranks.gathered(vectors.detach().float(), n, mine).requires_grad_()

    def _backward(self, pieces: Sequence[Piece], vectors: Tensor | None, gradient: Tensor) -> None:
        start = 0
        for piece in pieces:
            rows = vectors if vectors is not None else self._embed([piece], with_gradient=True)
            part = self.scaler.scale(gradient[start : start + len(rows)])
            if rows.requires_grad:
                torch.autograd.backward([rows], [part.to(rows.dtype)])
            start += len(rows)

    def _scale_is_shared(self) -> None:
        """Every process has the whole gradient of the scale: each keeps its part of it, scaled."""
        for parameter in (self.towers.logit_scale, self.towers.logit_bias):
            if parameter is not None and parameter.grad is not None:
                parameter.grad = self.scaler.scale(parameter.grad) / self.ranks.count


def batch_loss(
    towers: Towers, recipe: Recipe, batch: Batch, images: Tensor, texts: Tensor
) -> Tensor:
    """The loss of all photos (b, d) and texts (u, d) of a batch, in float32; its sets and languages
    weighted by photos."""
    scale = towers.logit_scale.exp()
    total = 0 * (images.sum() + texts.sum())  # a batch without any text has a gradient as well
    start = 0
    for each in batch.contrasts:
        stop = start + len(each.drawn.texts)
        rows = images[each.rows.to(images.device)]
        part = loss_of(recipe.objective, rows, texts[start:stop], each, scale, towers.logit_bias)
        total = total + each.weight * part
        start = stop
    return total


def compute_type(precision: str, device: torch.device) -> torch.dtype:
    """What the towers compute in: as asked, or by default what the device is made for.

    `auto` is float32 but on CUDA, where it is bfloat16 if native and float16 if not.
    """
    named = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    if precision in named:
        return named[precision]
    if device.type != "cuda":
        return torch.float32
    is_native = torch.cuda.get_device_capability(device) >= (8, 0)
    return torch.bfloat16 if is_native else torch.float16


@contextlib.contextmanager
def _no_statistics(model: nn.Module, *, unless: bool) -> Iterator[None]:
    """Batch statistics are taken up once a step, not once a pass."""
    norms = [each for each in model.modules() if isinstance(each, nn.modules.batchnorm._BatchNorm)]
    momentum = [each.momentum for each in norms]
    try:
        if not unless:
            for each in norms:
                each.momentum = 0.0
        yield
    finally:
        for each, value in zip(norms, momentum, strict=True):
            each.momentum = value
