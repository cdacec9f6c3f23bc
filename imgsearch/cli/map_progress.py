"""The bar of a map or of groups in the making, on stderr: what is done, how far, time left."""

from __future__ import annotations

import sys

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from imgsearch.cli import frame


class MapProgress:
    """A context manager; `doing` says what begins, `count` how far it is."""

    def __init__(self, doing: str, *, is_quiet: bool) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=frame.stderr(),
            transient=True,
            disable=is_quiet or not sys.stderr.isatty(),
        )
        self._task = self._bar.add_task(doing, total=None)

    def __enter__(self) -> MapProgress:
        self._bar.start()
        return self

    def __exit__(self, *_raised: object) -> None:
        self._bar.stop()

    def doing(self, what: str) -> None:
        """Something begins of which nobody knows yet how long it takes."""
        self._bar.update(self._task, description=what, completed=0, total=None)

    def count(self, done: int, total: int) -> None:
        """Move the bar."""
        self._bar.update(self._task, completed=done, total=total)
