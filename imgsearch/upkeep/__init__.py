"""Looking after a library: what is in it, and whether its parts agree.

inventory.py  status(): counts and sizes
checks.py     doctor(): faults, and the mending of what is derived
"""

from imgsearch.upkeep.checks import Finding, doctor
from imgsearch.upkeep.inventory import (
    EncoderStatus,
    ExportsStatus,
    FaissStatus,
    GenerationStatus,
    LastRun,
    Status,
    status,
)

__all__ = [
    "EncoderStatus",
    "ExportsStatus",
    "FaissStatus",
    "Finding",
    "GenerationStatus",
    "LastRun",
    "Status",
    "doctor",
    "status",
]
