"""Running a tower over many inputs: batches in, unit rows out.

In: any list (pictures, token rows), a function that makes one batch tensor of a part of it, and the
tower. Out: (n, d) float32 unit rows on the CPU. A batch too large for the GPU is cut in half and
tried again, and the smaller size is kept for the rest of the call: guessing a GPU's free memory
beforehand is guessing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import torch

from imgsearch.errors import UsageError
from imgsearch.vectors import Vectors, normalise
from imgsearch.weights import device as devices

Input = TypeVar("Input")


def embed(
    inputs: Sequence[Input],
    prepare: Callable[[Sequence[Input]], torch.Tensor],
    tower: Callable[[torch.Tensor], torch.Tensor],
    device: torch.device,
    batch_size: int,
    length: Callable[[Input], int] = lambda _: 0,
) -> Vectors:
    """One unit row an input, in order: (n, d) float32. Needs at least one input.

    Inputs of like `length` share a batch, where a batch is as long as the longest in it. Raises
    UsageError where not even a single input fits the GPU.
    """
    order = sorted(range(len(inputs)), key=lambda index: length(inputs[index]))  # stable
    rows: list[Vectors] = []
    start = 0
    while start < len(inputs):
        batch = [inputs[index] for index in order[start : start + batch_size]]
        try:
            rows.append(_run(prepare(batch), tower, device))
        except torch.OutOfMemoryError as error:
            if batch_size == 1:
                raise UsageError(
                    f"{device} has not the memory for this encoder; use --device cpu or a smaller "
                    "encoder"
                ) from error
            batch_size = max(1, min(batch_size, len(batch)) // 2)
        else:
            start += len(batch)
    return normalise(np.concatenate(rows)[np.argsort(order)])


def _run(
    batch: torch.Tensor, tower: Callable[[torch.Tensor], torch.Tensor], device: torch.device
) -> Vectors:
    with torch.inference_mode(), devices.autocast(device):
        batch = batch.to(device, non_blocking=True)
        if batch.ndim == 4 and device.type == "cuda":  # (b, 3, h, w)
            batch = batch.contiguous(memory_format=torch.channels_last)
        vectors: Vectors = tower(batch).float().cpu().numpy()  # (b, d)
    return vectors


def place(model: torch.nn.Module, device: torch.device) -> torch.nn.Module:
    """The model in eval mode on the device, laid out as that device likes it."""
    model = model.eval().requires_grad_(False)
    if device.type == "cuda":
        return model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
    return model.to(device)
