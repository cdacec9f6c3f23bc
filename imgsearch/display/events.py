"""What happened to a photo, as it happens: a line for a person, or a JSON object for a script."""

from __future__ import annotations

from datetime import datetime

from imgsearch.display.summary import KINDS
from imgsearch.display.text import as_json, shown
from imgsearch.indexing import Moved, Outcome, Skipped


def event_line(outcome: Outcome, at: datetime) -> str:
    """`14:03:22 added photo.jpg`: time, what, and where; then where it was before, or why not."""
    what = f"{at:%H:%M:%S} {KINDS[type(outcome)]} {shown(outcome.path)}"
    if isinstance(outcome, Moved):
        return f"{what} (was {shown(outcome.previous)})"
    return f"{what}: {shown(outcome.reason)}" if isinstance(outcome, Skipped) else what


def event_json(outcome: Outcome, at: datetime) -> str:
    """One line: time, event, path, photo_id (null if skipped), previous (if moved), reason (if
    skipped).
    """
    event: dict[str, object] = {
        "time": at.isoformat(timespec="seconds"),
        "event": KINDS[type(outcome)],
        "path": str(outcome.path),
        "photo_id": None if isinstance(outcome, Skipped) else outcome.photo_id,
        "previous": str(outcome.previous) if isinstance(outcome, Moved) else None,
        "reason": outcome.reason if isinstance(outcome, Skipped) else None,
    }
    return as_json(event) + "\n"
