"""The bar of a run, on stderr: photos, rate, time left, skipped. Nothing where nobody looks.

What a person must not miss (another encoder than the usual one, files withheld) is said whether
there is a bar or not, and however quiet the run is.
"""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from imgsearch.cli import frame
from imgsearch.display.text import shown
from imgsearch.indexing import (
    BuildingGeneration,
    Embedded,
    Embedding,
    FellBack,
    Missing,
    Notice,
    Outcome,
    Renewing,
    Scanned,
    Skipped,
    UnreadTexts,
    Weighing,
    Withheld,
)

REDRAWN_SECONDS = 0.05  # an unchanged file takes a fraction of what telling of it would


class Progress:
    """A context manager; `notice` and `outcome` draw what `index` and `rebuild` tell.

    Rate and time left are those of the files that need work: a stat of an unchanged one says
    nothing of how long an encoder takes.
    """

    def __init__(self, *, is_quiet: bool, doing: str = "looking for photos") -> None:
        self._stderr = frame.stderr()
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("[yellow]{task.fields[skipped]}"),
            console=self._stderr,
            transient=True,
            disable=is_quiet or not sys.stderr.isatty(),
        )
        self._task = self._bar.add_task(doing, total=None, rate="", skipped="")
        self._started: float | None = None
        self._drawn = 0.0
        self._done = self._skipped = self._unchanged = 0

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def notice(self, notice: Notice) -> None:
        """Draw what the run is doing now; say what must not be missed."""
        match notice:
            case Scanned(total=total):
                self._bar.update(self._task, description="comparing")
                self._restart(total)
            case Embedding(encoder=name):
                self._bar.update(self._task, description=f"indexing with {shown(name)}")
            case Embedded(done=done, total=total, skipped=skipped):
                if self._started is None:
                    self._restart(total)
                self._done, self._skipped = done, skipped
                self._draw()
            case Renewing(done=done, total=total):
                self._bar.update(self._task, description="reading photos anew")
                self._bar.reset(self._task, total=total, completed=done)
            case Weighing(photos=photos):
                what = f"comparing encoders on {photos:,} photos"
                self._bar.update(self._task, description=what)
            case BuildingGeneration(count=count, doing=doing, done=done):
                what = f"building an index of {count:,}" + (f": {doing}" if doing else "")
                self._bar.update(self._task, description=what)
                if doing == "adding":
                    self._bar.update(self._task, total=count, completed=done)
            case Withheld() | FellBack() | UnreadTexts():
                frame.complain(f"NOTE: {notice}", style="bold yellow", console=self._stderr)

    def outcome(self, outcome: Outcome) -> None:
        """Move the bar by one file; one that is missing was not met by the walk."""
        if isinstance(outcome, Missing):
            return
        self._done += 1
        self._skipped += isinstance(outcome, Skipped)
        if time.perf_counter() - self._drawn > REDRAWN_SECONDS:
            self._draw()

    def _draw(self) -> None:
        self._drawn = time.perf_counter()
        seconds = 0.0 if self._started is None else time.perf_counter() - self._started
        rate = (self._done - self._unchanged) / seconds if seconds > 1 else 0.0
        self._bar.update(
            self._task,
            completed=self._done,
            rate=f"{rate:,.0f} photos/s" if rate else "",
            skipped=f"{self._skipped:,} skipped" if self._skipped else "",
        )

    def _restart(self, total: int) -> None:
        """The unchanged files are through: forget the pace at which they went by."""
        self._started, self._unchanged = time.perf_counter(), self._done
        self._bar.reset(self._task, total=total, completed=self._done)
