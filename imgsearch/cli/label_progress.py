"""The bar of a labelling run, on stderr: photos, rate, time left."""

from __future__ import annotations

import sys
import time

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from imgsearch.cli import frame
from imgsearch.display.text import shown
from imgsearch.organising import LabelEvent, Labelled, LabelsBegan


class LabelProgress:
    """A context manager; `show` draws what the run tells."""

    def __init__(self, *, is_quiet: bool) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=frame.stderr(),
            transient=True,
            disable=is_quiet or not sys.stderr.isatty(),
        )
        self._task = self._bar.add_task("reading labels", total=None, rate="")
        self._started = time.perf_counter()
        self._total = 0

    def __enter__(self) -> LabelProgress:
        self._bar.start()
        return self

    def __exit__(self, *_raised: object) -> None:
        self._bar.stop()

    def show(self, event: LabelEvent) -> None:
        """Move the bar by a batch."""
        if isinstance(event, LabelsBegan):
            self._total += event.photos
            doing = f"labelling with {shown(event.encoder)}"
            self._bar.update(self._task, description=doing, total=self._total)
        elif isinstance(event, Labelled):
            seconds = time.perf_counter() - self._started
            rate = f"{event.done / seconds:,.0f} photos/s" if seconds > 1 else ""
            self._bar.update(self._task, completed=event.done, rate=rate)
