"""What copying and linking photos did: a line or a JSON object for each, and a sentence for all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from imgsearch.display.text import as_json, shown
from imgsearch.organising.taking_out import LeftOut, TakenOut

if TYPE_CHECKING:
    from imgsearch.organising.taking_out import How

DONE = {"copy": "copied", "hardlink": "linked", "symlink": "linked"}


def taken_out_line(outcome: TakenOut | LeftOut) -> str:
    """`photo -> target`, or why there is none."""
    if isinstance(outcome, LeftOut):
        return f"{shown(outcome.path)}: left out, {shown(outcome.reason)}\n"
    remark = " (was there)" if outcome.was_there else ""
    return f"{shown(outcome.path)} -> {shown(outcome.target)}{remark}\n"


def taken_out_json(outcome: TakenOut | LeftOut) -> str:
    """One line of JSON: path, target (null where it was left out), was_there, reason."""
    row: dict[str, object] = {"path": str(outcome.path), "target": None, "was_there": False}
    if isinstance(outcome, TakenOut):
        row |= {"target": str(outcome.target), "was_there": outcome.was_there}
    reason = outcome.reason if isinstance(outcome, LeftOut) else None
    return as_json({**row, "reason": reason}) + "\n"


def taken_out_summary(
    outcomes: Sequence[TakenOut | LeftOut], folder: Path, how: How, *, dry_run: bool
) -> str:
    """How many photos are in the folder now, were before, and are not."""
    taken = [each for each in outcomes if isinstance(each, TakenOut)]
    before = sum(each.was_there for each in taken)
    verb = f"would be {DONE[how]}" if dry_run else DONE[how]
    parts = [f"{len(taken) - before:,} {verb} to {shown(folder)}"]
    if before:
        parts.append(f"{before:,} were there")
    if len(taken) < len(outcomes):
        parts.append(f"{len(outcomes) - len(taken):,} left out")
    return ", ".join(parts)
