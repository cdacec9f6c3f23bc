"""Where a model computes: the one place that knows cpu, cuda and mps apart.

In: the word a person typed (`auto`, `cpu`, `cuda`, `cuda:1`, `mps`). Out: a torch device, how many
photos at once suit it, and the number format to compute in. Weights stay float32 everywhere; only
CUDA computes its matrix products in half the bits, because only there is that both faster and as
good for search. A CPU or an Apple GPU computes in float32, so what it embeds agrees with the
reference packages to the last digits.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import platform
import re
import runpy
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from imgsearch.errors import UsageError

if TYPE_CHECKING:
    import torch

AMD_DRIVER = "/dev/kfd"


def is_cpu(name: str) -> bool:
    """Whether the word for a device comes to the CPU, told without loading torch."""
    return name == "cpu" or (name == "auto" and not has_gpu())


def has_gpu() -> bool:
    """Whether this machine has a GPU that the torch installed here was built for: an Apple one, or
    one that a driver new enough for it counts. Torch is not loaded."""
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    cuda, rocm = _torch_is_built_for()
    if rocm is not None:  # such a torch is found by those alone who look for it
        return sys.platform == "win32" or os.path.exists(AMD_DRIVER)
    if cuda is None:
        return False
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:  # no driver, no GPU
        return False
    version, count = ctypes.c_int(0), ctypes.c_int(0)
    is_well = driver.cuInit(0) == 0 and driver.cuDriverGetVersion(ctypes.byref(version)) == 0
    is_new = version.value // 1000 >= int(cuda.split(".")[0])  # 12040 is 12.4
    is_counted = driver.cuDeviceGetCount(ctypes.byref(count)) == 0
    return is_well and is_new and is_counted and count.value > 0


def _torch_is_built_for() -> tuple[str | None, str | None]:
    """The versions of CUDA and of ROCm that the installed torch computes with, as `version.py` in
    it says; None for one it cannot."""
    torch = importlib.util.find_spec("torch")
    if torch is None or torch.origin is None:
        return None, None
    versions = runpy.run_path(str(Path(torch.origin).with_name("version.py")))
    return versions.get("cuda"), versions.get("hip")


def choose(name: str = "auto") -> torch.device:
    """The device for `auto`, `cpu`, `cuda`, `cuda:N` or `mps`; `auto` takes the fastest one there
    is.

    Raises UsageError where the device is unknown or not on this machine.
    """
    import torch

    if name == "auto":
        if has_gpu() and torch.cuda.is_available():
            return torch.device("cuda:0")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    words = re.fullmatch(r"cpu|mps|cuda(?::([0-9]{1,9}))?", name)
    if words is None:
        raise UsageError(f"no device is called {name!r}; use auto, cpu, cuda, cuda:N or mps")
    if name == "mps" and not torch.backends.mps.is_available():
        raise UsageError(
            f"--device {name}: this machine has no Apple GPU; use --device auto or cpu"
        )
    if name.startswith("cuda"):
        index = int(words[1] or 0)  # compared before torch sees it, whose own limit is a byte
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if index >= count:
            seen = f"{count} CUDA device{'s' if count > 1 else ''}" if count else "no CUDA device"
            raise UsageError(f"--device {name}: torch sees {seen} here; use --device auto or cpu")
        return torch.device("cuda", index)
    return torch.device(name)


def batch_size(device: torch.device) -> int:
    """How many photos at once keep the device busy without filling it.

    A batch that proves too large for a GPU is halved while it runs, so this may be generous.
    """
    if device.type == "cuda":
        import torch

        total_bytes = torch.cuda.get_device_properties(device).total_memory
        return 256 if total_bytes >= 12 * 2**30 else 64
    return 64 if device.type == "mps" else 32


def autocast(device: torch.device) -> AbstractContextManager[object]:
    """Mixed precision on CUDA (bfloat16 where it is native, else float16), nothing elsewhere."""
    if device.type != "cuda":
        return nullcontext()
    import torch

    return torch.autocast("cuda", dtype=torch.bfloat16 if has_bfloat16(device) else torch.float16)


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies in bfloat16 itself: CUDA from 8.0 on, CPUs with AVX512-BF16."""
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    ask = getattr(torch.cpu, "_is_avx512_bf16_supported", None)  # torch has it since 2.6
    return device.type == "cpu" and ask is not None and bool(ask())
