"""Running a tower over many inputs: batches in, unit rows out.

In: any list (pictures, token rows), a function that makes one batch tensor of a part of it, and the
tower. Out: (n, d) float32 unit rows on the CPU. While a GPU computes a batch, the next one is
prepared and sent. A batch too large for the GPU is cut in half and tried again, and the smaller
size is kept for the rest of the call: guessing a GPU's free memory beforehand is guessing.

Pictures are made as large as the tower wants by several threads, travel as bytes and become floats
where the tower is: a quarter of the way's work, and none of the processor's.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import torch
from PIL import Image

from imgsearch.encoders.pixels import Preprocessing
from imgsearch.errors import UsageError
from imgsearch.vectors import Vectors, normalise
from imgsearch.weights import device as devices

Input = TypeVar("Input")
MAX_THREADS = 16


def embed_images(
    images: Sequence[Image.Image],
    preprocessing: Preprocessing,
    tower: Callable[[torch.Tensor], torch.Tensor],
    device: torch.device,
    batch_size: int,
) -> Vectors:
    """Upright RGB pictures, at least one -> (n, d) float32 unit rows; as `embed` otherwise.

    The tower sees what `preprocessing.pixels` makes of them, to the bit on a CPU.
    """

    def seen(levels: torch.Tensor) -> torch.Tensor:
        return tower(scaled(levels, preprocessing))

    with ThreadPoolExecutor(min(MAX_THREADS, os.cpu_count() or 1), "imgsearch-fit") as pool:

        def prepare(part: Sequence[Image.Image]) -> torch.Tensor:
            # Pinned where a GPU fetches it: nobody waits for the way, and nothing is copied twice.
            shape = (len(part), *preprocessing.size, 3)
            levels = torch.empty(shape, dtype=torch.uint8, pin_memory=device.type == "cuda")
            for row, fitted in zip(
                levels.numpy(), pool.map(preprocessing.fitted, part), strict=True
            ):
                row[:] = np.asarray(fitted)
            return levels

        return embed(images, prepare, seen, device, batch_size)


def scaled(levels: torch.Tensor, preprocessing: Preprocessing) -> torch.Tensor:
    """(n, h, w, 3) uint8 -> (n, 3, h, w) float32 on the same device: / 255, - mean, / std."""
    pixels = levels.permute(0, 3, 1, 2)  # in memory channels last, as CUDA likes it
    if levels.device.type != "cuda":
        pixels = pixels.contiguous()
    # Tensors all: CUDA multiplies by the inverse of a plain number, which is not the same bits.
    divisor, mean, std = (
        torch.from_numpy(each.copy()).to(levels.device) for each in preprocessing.scaling
    )
    return pixels.float().div_(divisor).sub_(mean).div_(std)


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
    rows: list[torch.Tensor] = []
    start = 0
    while start < len(inputs):
        batch = [inputs[index] for index in order[start : start + batch_size]]
        try:
            rows.append(_begun(prepare(batch), tower, device))
        except torch.OutOfMemoryError as error:
            if batch_size == 1:
                raise UsageError(
                    f"{device} has not the memory for this encoder; use --device cpu or a smaller "
                    "encoder"
                ) from error
            batch_size = max(1, min(batch_size, len(batch)) // 2)
        else:
            start += len(batch)
            if len(rows) > 1:  # waited for only now that the device has the next batch to do
                rows[-2] = rows[-2].cpu()
    found: Vectors = torch.cat([each.cpu() for each in rows]).numpy()
    return normalise(found[np.argsort(order)])


def _begun(
    batch: torch.Tensor, tower: Callable[[torch.Tensor], torch.Tensor], device: torch.device
) -> torch.Tensor:
    """(b, d) float32 on the device; a GPU may still be at it."""
    with torch.inference_mode(), devices.autocast(device):
        return tower(batch.to(device, non_blocking=True)).float()


def place(model: torch.nn.Module, device: torch.device) -> torch.nn.Module:
    """The model in eval mode on the device, laid out as that device likes it."""
    model = model.eval().requires_grad_(False)
    if device.type == "cuda":
        return model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
    return model.to(device)
