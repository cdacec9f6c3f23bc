"""The bar of a training run, on stderr: photos, rate, loss, time left; a line for every
evaluation."""

from __future__ import annotations

import sys

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from imgsearch.cli import frame
from imgsearch.display.finetuning import began_lines, evaluated_line
from imgsearch.training.events import Began, Evaluated, Event, Stepped


class TrainingProgress:
    """A context manager; `show` draws what the run tells."""

    def __init__(self, *, is_quiet: bool) -> None:
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
        self._task = self._bar.add_task("measuring before", total=None, rate="", loss="")

    def __enter__(self) -> TrainingProgress:
        self._bar.start()
        return self

    def __exit__(self, *_raised: object) -> None:
        self._bar.stop()

    def show(self, event: Event) -> None:
        """Move the bar, or say how good the encoder is by now."""
        if isinstance(event, Began):
            for line in [] if self._is_quiet else began_lines(event):
                self._stderr.print(line)
        elif isinstance(event, Stepped):
            if not self._is_training:  # the pace so far is that of measuring, or of another run
                self._bar.reset(self._task, total=event.total, completed=event.photos)
                self._is_training = True
            self._bar.update(
                self._task,
                description="training",
                total=event.total,
                completed=event.photos,
                rate=f"{event.photos_per_second:,.0f} photos/s",
                loss=f"loss {event.loss:.3f}",
            )
        elif isinstance(event, Evaluated):
            self._bar.update(self._task, description="training")
            if not self._is_quiet:
                self._stderr.print(evaluated_line(event))
