"""When the picture of a run is drawn: at most once a minute while it goes on, and at its end.

Drawing takes 0.4 s: of a run with short evaluations it was half. What draws goes in; nothing comes
out.
"""

from __future__ import annotations

import time
from collections.abc import Callable

SECONDS_APART = 60.0


class Drawing:
    """A context manager, for also of a run that is stopped, or collapses, one wants to see how.

    `is_behind` says that there is something to be seen already.
    """

    def __init__(self, draw: Callable[[], None], *, is_behind: bool = False) -> None:
        self._draw = draw
        self._drawn_at = time.monotonic()
        self._is_behind = is_behind

    def __enter__(self) -> Drawing:
        return self

    def __exit__(self, _kind: object, raised: BaseException | None, _trace: object) -> None:
        if not self._is_behind:
            return
        try:
            self._draw()
        except OSError as error:
            if raised is None:
                raise
            raised.add_note(f"nor could its curves be drawn: {error}")  # the lesser trouble

    def update(self) -> None:
        """There is more to be seen."""
        self._is_behind = time.monotonic() - self._drawn_at < SECONDS_APART
        if not self._is_behind:
            self._draw()
            self._drawn_at = time.monotonic()
