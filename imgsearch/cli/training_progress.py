"""The bar of a training run, on stderr: how much was seen, rate, loss, time left; a line for every
evaluation."""

from __future__ import annotations

import sys
from typing import Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from imgsearch.cli import frame
from imgsearch.display.finetuning import began_lines, evaluated_line
from imgsearch.training.events import Began, Evaluated, Event, Stepped


class TrainingBar:
    """A context manager; what runs have in common, whatever they train.

    `before` is what happens until the first step.
    """

    def __init__(self, before: str, *, is_quiet: bool) -> None:
        self._stderr = frame.stderr()
        self._is_quiet = is_quiet
        self._is_training = False
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TextColumn("{task.fields[loss]}"),
            TimeRemainingColumn(),
            console=self._stderr,
            transient=True,
            disable=is_quiet or not sys.stderr.isatty(),
        )
        self._task = self._bar.add_task(before, total=None, rate="", loss="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_raised: object) -> None:
        self._bar.stop()

    def say(self, *lines: str) -> None:
        """Print above the bar."""
        for line in [] if self._is_quiet else lines:
            self._stderr.print(line)

    def prepare(self, what: str, done: int, total: int) -> None:
        """Something goes on before the training."""
        self._is_training = False
        self._bar.update(self._task, description=what, total=total, completed=done)

    def step(self, done: int, total: int, rate: str, loss: float) -> None:
        """The training has come so far."""
        if not self._is_training:  # the pace so far is that of measuring, or of another run
            self._bar.reset(self._task, total=total, completed=done)
            self._is_training = True
        self._bar.update(
            self._task,
            description="training",
            total=total,
            completed=done,
            rate=rate,
            loss=f"loss {loss:.3f}",
        )


class TrainingProgress(TrainingBar):
    """Of an encoder; `show` draws what the run tells."""

    def __init__(self, *, is_quiet: bool) -> None:
        super().__init__("measuring before", is_quiet=is_quiet)

    def show(self, event: Event) -> None:
        """Move the bar, or say how good the encoder is by now."""
        if isinstance(event, Began):
            self.say(*began_lines(event))
        elif isinstance(event, Stepped):
            rate = f"{event.photos_per_second:,.0f} photos/s"
            self.step(event.photos, event.total, rate, event.loss)
        elif isinstance(event, Evaluated):
            self._bar.update(self._task, description="training")
            self.say(evaluated_line(event))
