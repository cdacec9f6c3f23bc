"""The bar of a captioning run, on stderr: captions, rate, time left."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from imgsearch.cli import frame
from imgsearch.display.text import shown

if TYPE_CHECKING:  # it brings torch, and an export counts without
    from imgsearch.describing import Event


class CaptionProgress:
    """A context manager; `show` draws what the run tells, `count` how far an import is."""

    def __init__(self, doing: str, *, is_quiet: bool) -> None:
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
        self._task = self._bar.add_task(doing, total=None, rate="")
        self._started = time.perf_counter()

    def __enter__(self) -> CaptionProgress:
        self._bar.start()
        return self

    def __exit__(self, *_raised: object) -> None:
        self._bar.stop()

    def show(self, event: Event) -> None:
        """Move the bar by a batch."""
        from imgsearch.describing import Began, Captioned

        if isinstance(event, Began):
            self._started = time.perf_counter()
            doing = f"captioning with {shown(event.captioner)}"
            self._bar.update(self._task, description=doing, total=event.total)
        elif isinstance(event, Captioned):
            seconds = time.perf_counter() - self._started
            rate = f"{60 * event.done / seconds:,.0f} a minute" if seconds > 1 else ""
            self._bar.update(self._task, completed=event.done, rate=rate)

    def count(self, done: int, total: int) -> None:
        """Move the bar to where an import is."""
        self._bar.update(self._task, completed=done, total=total)
