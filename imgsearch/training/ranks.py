"""Several processes as one: what torchrun started, or a process alone.

Every process draws the same batch and computes its own slice of it; embeddings are gathered, so the
loss is that of the whole batch, and gradients are summed. Alone, all of this is the identity.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

WAIT_HOURS = 12  # for the first process to measure, while the others wait


@dataclass(frozen=True)
class Ranks:
    """This process is number `rank` of `count`."""

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def share(self, n: int) -> range:
        """This process's part of n things: contiguous, and as large as the others' give or take
        one."""
        return range(n * self.rank // self.count, n * (self.rank + 1) // self.count)

    def gathered(self, rows: Tensor, n: int, mine: Sequence[int]) -> Tensor:
        """All (n, ...) rows, from this process's at the places `mine`; without a gradient."""
        if self.count == 1:
            return rows
        everything = torch.zeros((n, *rows.shape[1:]), dtype=rows.dtype, device=rows.device)
        everything[list(mine)] = rows
        dist.all_reduce(everything)
        return everything

    def sum_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Add up the gradients of all processes, in place."""
        if self.count == 1:
            return
        for parameter in parameters:
            if parameter.requires_grad:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                dist.all_reduce(parameter.grad)

    def of_first(self, value: float) -> float:
        """The number that the first process has."""
        if self.count == 1:
            return value
        told = torch.tensor(value if self.is_first else 0.0, dtype=torch.float64)
        dist.all_reduce(told)
        return float(told)

    def leave(self) -> None:
        """Let the others go; nothing can be gathered afterwards."""
        if self.count > 1:
            dist.barrier()
            dist.destroy_process_group()

    def wait(self) -> None:
        """Go on once all processes have come here."""
        if self.count > 1:
            dist.barrier()


def own_device(name: str) -> str:
    """The device of this process: under torchrun, `auto` and `cuda` are a GPU for each."""
    if name in ("auto", "cuda") and is_launched() and torch.cuda.is_available():
        return f"cuda:{os.environ['LOCAL_RANK']}"  # which is how torchrun tells its processes apart
    return name


def is_launched() -> bool:
    """Whether torchrun started this process."""
    return dist.is_available() and dist.is_torchelastic_launched()


def join_ranks(device: torch.device) -> Ranks:
    """Join the processes that torchrun started; alone without it."""
    if not is_launched():
        return Ranks()
    if not dist.is_initialized():
        if device.type == "cuda":
            torch.cuda.set_device(device)
        backends = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
        dist.init_process_group(backends, timeout=timedelta(hours=WAIT_HOURS))
    return Ranks(dist.get_rank(), dist.get_world_size())
