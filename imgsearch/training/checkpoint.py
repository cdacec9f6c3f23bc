"""The state of a run on disk: whole or not at all, once a minute, at a twentieth of the time.

Tensors and numbers go in and come back. Nothing random is among them, since a step's chance comes
from its number.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import torch

from imgsearch.errors import LibraryError

State: TypeAlias = dict[str, Any]
Moment: TypeAlias = tuple[int, int]  # the step, and the step that was measured last

CHECKPOINT = "checkpoint.pt"
SAVED_EVERY_SECONDS = 60
SAVING_SHARE = 0.05  # of the time, at most


class Checkpoint:
    """The checkpoint in a run's folder, and when it was last written."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / CHECKPOINT
        self._saved_at = time.monotonic()
        self._moment: Moment = (0, -1)
        self._pause = float(SAVED_EVERY_SECONDS)

    def is_due(self) -> bool:
        """A minute has passed; more where saving takes long."""
        return time.monotonic() - self._saved_at > self._pause

    def save(self, moment: Moment, write: Callable[[Path], None]) -> None:
        """Let `write` put the state in its place, unless that of this very moment is there."""
        if self._moment == moment:
            return
        started = time.monotonic()
        write(self.path)
        self._saved_at, self._moment = time.monotonic(), moment
        self._pause = max(SAVED_EVERY_SECONDS, (self._saved_at - started) / SAVING_SHARE)

    def load(self, device: torch.device) -> State | None:
        """The state that was saved, with its tensors on the device; None where there is none."""
        if not self.path.exists():
            return None
        state: State = torch.load(self.path, weights_only=True, map_location=device)
        self._moment = (state["step"], state["measured_step"])
        return state


def write_state(path: Path, state: State) -> None:
    """Replace a file of tensors. Raises LibraryError where the disk does not take it."""
    unfinished = path.with_suffix(".tmp")
    try:
        torch.save(state, unfinished)
        unfinished.replace(path)
    except (OSError, RuntimeError) as error:  # torch raises the second on a full disk
        raise LibraryError(
            f"{path} cannot be written: {error}; make room and run the same command again"
        ) from error
