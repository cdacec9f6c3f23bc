"""GPUs: which FAISS is installed, whether it sees one, and indexes moved there and back.

An index of FAISS goes in, one on the first GPU comes out. faiss-gpu has the interface of faiss-cpu
and runs without a GPU too, as it does; both install the same module, so that whoever uninstalls one
breaks the other.
"""

import warnings
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import faiss

# FAISS leaves the others on the CPU, silently; but ivf-pq, whose codes may have 96 bytes there, and
# have 128.
KINDS_ON_GPU = ("flat", "ivf", "ivf-sq8")
MOST_FETCHED = MOST_PROBED = 2048  # by one search on a GPU

_DISTRIBUTIONS = ("faiss-cpu", "faiss-gpu")
_INSTALL = "pip uninstall -y faiss-cpu faiss-gpu && pip install faiss-gpu"


@dataclass(frozen=True)
class Installed:
    """The `distributions` of FAISS that are installed, like "faiss-cpu 1.15.1", and how many GPUs
    it sees."""

    distributions: tuple[str, ...]
    gpus: int

    @property
    def conflict(self) -> str:
        """What is wrong with several being installed; nothing where one is."""
        if len(self.distributions) < 2:
            return ""
        several = " and ".join(self.distributions)
        return f"{several} write the same files, so that uninstalling one breaks the other"

    @property
    def remedy(self) -> str:
        """The line that leaves one of several."""
        return f"Keep one: {_INSTALL} (or faiss-cpu)"


def installed() -> Installed:
    """Look at what is installed."""
    found = []
    for name in _DISTRIBUTIONS:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return Installed(tuple(found), faiss.get_num_gpus())


def why_not(kind: str) -> str:
    """Why an index of a kind cannot be on a GPU, and what to type; nothing where it can."""
    if kind not in KINDS_ON_GPU:
        return f"FAISS has no {kind} index like ours for a GPU, only {', '.join(KINDS_ON_GPU)}"
    return why_none()


def why_none() -> str:
    """Why FAISS has no GPU, and what to type; nothing where it has."""
    if not hasattr(faiss, "StandardGpuResources"):
        return f"this FAISS is made for the CPU alone; to change that: {_INSTALL}"
    return "" if faiss.get_num_gpus() else "faiss-gpu sees no GPU on this machine"


def moved(index: Any) -> Any | None:
    """The index on the first GPU; None, after a warning, where it has no room there."""
    try:
        return faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, index)
    except RuntimeError as error:
        warnings.warn(f"the index stays on the CPU: {error}", stacklevel=2)
        return None


def returned(index: Any) -> Any:
    """An index from a GPU, on the CPU."""
    return faiss.index_gpu_to_cpu(index)


def centroids(dim: int) -> Any:
    """Where k-means finds the nearest centroids, on the first GPU."""
    return faiss.GpuIndexFlatIP(faiss.StandardGpuResources(), dim)
