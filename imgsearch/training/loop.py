"""The plain training loop of a small CLIP: several sets of photos, two languages, growing pictures.

In: an open_clip model, training sets, a recipe. Out: a checkpoint that goes on where it was, one
line of `metrics.jsonl` every few steps, and the trained model in place. Each set keeps to its own
softmax: sentences about dogs are no negatives of a class called "dog", and a set's look (blurred,
tiny) is no help in telling its texts apart.
"""

import json
import math
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from imgsearch.training.losses import multi_positive_loss
from imgsearch.training.photos import Token, TrainingSet, pad, random_views

LARGEST_SCALE = math.log(100)
TEXT_GROUPS = 6


@dataclass(frozen=True)
class Stage:
    """A stretch of the run at one picture size: `size` in pixels, `photos` to see."""

    size: int
    photos: int


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a run besides its data.

    batch maps a set's name to its photos a step. The rate warms up over the first `warmup` share of
    the photos, stays, and falls to zero linearly over the last `decay` share.
    """

    stages: tuple[Stage, ...]
    batch: dict[str, int]
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.1
    warmup: float = 0.02
    decay: float = 0.4
    token_drop: float = 0.1
    seed: int = 0
    mean: tuple[float, ...] = (0.48145466, 0.4578275, 0.40821073)
    std: tuple[float, ...] = (0.26862954, 0.26130258, 0.27577711)

    @property
    def photos(self) -> int:
        return sum(stage.photos for stage in self.stages)

    def size_at(self, seen: int) -> int:
        for stage in self.stages:
            if seen < stage.photos:
                return stage.size
            seen -= stage.photos
        return self.stages[-1].size

    def rate_at(self, seen: int) -> float:
        done = seen / self.photos
        return self.learning_rate * max(
            min(1.0, done / self.warmup if self.warmup else 1.0, (1 - done) / self.decay), 0.0
        )


@dataclass(frozen=True)
class Progress:
    """What one report says: photos seen of all, mean loss and cosine scale since the last, photos a
    second.
    """

    seen: int
    photos: int
    size: int
    loss: float
    logit_scale: float
    learning_rate: float
    photos_per_second: float


def train(
    model: nn.Module,
    sets: Sequence[TrainingSet],
    recipe: Recipe,
    folder: Path,
    *,
    report_every: int = 50,
    save_every: int = 250,
) -> Iterator[Progress]:
    """Train in place, yielding progress every `report_every` steps; goes on from
    `folder/checkpoint.pt`.

    Weights, optimiser, counters and random streams are in the checkpoint, so an interrupted run
    ends where an uninterrupted one does. The towers run in bfloat16 (twice as fast on a CPU that
    has the units for it), the loss in float32.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model.train().to(memory_format=torch.channels_last)
    logit_scale: Tensor = model.get_parameter("logit_scale")
    torch.manual_seed(recipe.seed)
    run = _Run(
        model,
        torch.optim.AdamW(_groups(model, recipe.weight_decay), betas=(0.9, 0.98), eps=1e-6),
        random.Random(recipe.seed),
        torch.Generator().manual_seed(recipe.seed),
    )
    checkpoint = folder / "checkpoint.pt"
    if checkpoint.exists():
        run.load(checkpoint)
    losses: list[float] = []
    since, started = run.seen, time.perf_counter()
    while run.seen < recipe.photos:
        for group in run.optimiser.param_groups:
            group["lr"] = recipe.rate_at(run.seen)
        size = recipe.size_at(run.seen)
        loss = _step_loss(run, sets, recipe, size)
        run.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        run.optimiser.step()
        with torch.no_grad():
            logit_scale.clamp_(0, LARGEST_SCALE)
        losses.append(loss.item())
        run.seen += sum(recipe.batch.values())
        run.step += 1
        is_last = run.seen >= recipe.photos
        if run.step % save_every == 0 or is_last:
            run.save(checkpoint)
        if run.step % report_every == 0 or is_last:
            progress = Progress(
                run.seen,
                recipe.photos,
                size,
                sum(losses) / len(losses),
                logit_scale.exp().item(),
                recipe.rate_at(run.seen),
                (run.seen - since) / (time.perf_counter() - started),
            )
            with (folder / "metrics.jsonl").open("a") as log:
                log.write(json.dumps(asdict(progress)) + "\n")
            losses, since, started = [], run.seen, time.perf_counter()
            yield progress


def _step_loss(run: "_Run", sets: Sequence[TrainingSet], recipe: Recipe, size: int) -> Tensor:
    """The loss of one step: every set against its own texts, languages averaged, sets weighted by
    photos.
    """
    model: Any = run.model
    rng = run.rng
    batches = [rng.choices(range(len(each)), k=recipe.batch[each.name]) for each in sets]
    views = torch.cat(
        [
            random_views(each.pixels[batch], size, run.generator)
            for each, batch in zip(sets, batches, strict=True)
        ]
    )  # (b, 3, size, size)
    mean, std = (torch.tensor(each).view(1, 3, 1, 1) for each in (recipe.mean, recipe.std))
    pictures = ((views - mean) / std).contiguous(memory_format=torch.channels_last)
    drawn = [
        (index, *each.draw_texts(batch, language, rng))
        for index, (each, batch) in enumerate(zip(sets, batches, strict=True))
        for language in each.texts
    ]
    tokens = [_drop(text, recipe.token_drop, rng) for _, texts, _ in drawn for text in texts]
    with torch.autocast("cpu", torch.bfloat16):
        image_vectors = model.encode_image(pictures)
        text_vectors = _encode_texts(model, tokens)
    images = torch.split(image_vectors.float(), [len(batch) for batch in batches])
    texts = torch.split(text_vectors.float(), [len(each) for _, each, _ in drawn])
    scale = model.logit_scale.exp()
    total = torch.zeros(())
    for (index, _, positives), vectors in zip(drawn, texts, strict=True):
        weight = len(batches[index]) / len(views) / len(sets[index].texts)
        total = total + weight * multi_positive_loss(images[index], vectors, positives, scale)
    return total


def _encode_texts(model: Any, tokens: Sequence[Token]) -> Tensor:
    """Text embeddings (u, d) of texts of mixed length, in groups of like length.

    The causal mask is cut to each group's longest text: a causal tower's answer at the last token
    does not depend on the padding behind it, so this is what the full length gives, at about a
    fifth of its cost.
    """
    order = sorted(range(len(tokens)), key=lambda index: len(tokens[index]))
    per_group = math.ceil(len(order) / TEXT_GROUPS)
    groups = [order[start : start + per_group] for start in range(0, len(order), per_group)]
    full, vectors = model.text.attn_mask, []
    try:
        for group in groups:
            padded = pad([tokens[index] for index in group], model.context_length)  # (u', t)
            model.text.attn_mask = full[: padded.shape[1], : padded.shape[1]]
            vectors.append(model.encode_text(padded))
    finally:
        model.text.attn_mask = full
    return torch.cat(vectors)[torch.tensor(order).argsort()]


def _drop(tokens: tuple[int, ...], share: float, rng: random.Random) -> tuple[int, ...]:
    """Leave out some tokens of a sentence, never the first and last, and none of a short text."""
    if len(tokens) < 8 or rng.random() < 0.5:
        return tokens
    kept = [token for token in tokens[1:-1] if rng.random() >= share]
    return (tokens[0], *kept, tokens[-1])


def _groups(model: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Weight decay on matrices alone: not on norms, biases and the scale."""
    parameters = [each for each in model.parameters() if each.requires_grad]
    return [
        {"params": [each for each in parameters if each.ndim >= 2], "weight_decay": weight_decay},
        {"params": [each for each in parameters if each.ndim < 2], "weight_decay": 0.0},
    ]


@dataclass
class _Run:
    """All that changes while a run goes on, and what an interrupted one needs to go on."""

    model: nn.Module
    optimiser: torch.optim.Optimizer
    rng: random.Random
    generator: torch.Generator
    seen: int = 0
    step: int = 0

    def save(self, path: Path) -> None:
        version, numbers, gauss = self.rng.getstate()
        state = {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "random": [version, list(numbers), gauss],
            "generator": self.generator.get_state(),
            "torch": torch.get_rng_state(),
            "seen": self.seen,
            "step": self.step,
        }
        unfinished = path.with_suffix(".tmp")
        torch.save(state, unfinished)
        unfinished.replace(path)

    def load(self, path: Path) -> None:
        state = torch.load(path, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        version, numbers, gauss = state["random"]
        self.rng.setstate((version, tuple(numbers), gauss))
        self.generator.set_state(state["generator"])
        torch.set_rng_state(state["torch"])
        self.seen, self.step = state["seen"], state["step"]
