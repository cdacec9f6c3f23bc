"""What one run of `index` came to: counted as the outcomes pass by, shown as a table or as JSON."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from imgsearch.display.text import as_json, shown
from imgsearch.indexing import Added, Missing, Moved, Outcome, Skipped, Unchanged

KINDS = {
    Added: "added",
    Unchanged: "unchanged",
    Moved: "moved",
    Missing: "missing",
    Skipped: "skipped",
}
MEANINGS = {
    "added": "",
    "unchanged": "",
    "moved": "kept their embedding",
    "missing": "gone from disk; back for nothing when they return",
    "skipped": "",
}


@dataclass
class Summary:
    """Counts of outcomes by kind, and the path and reason of every file that was skipped.

    `copies` of the unchanged files hold a photo that another file before them held as well.
    """

    counts: Counter[str] = field(default_factory=Counter)
    reasons: list[tuple[Path, str]] = field(default_factory=list)
    copies: int = 0
    _photo_ids: set[int] = field(default_factory=set)

    def add(self, outcome: Outcome) -> None:
        """Count one file."""
        self.counts[KINDS[type(outcome)]] += 1
        if isinstance(outcome, Skipped):
            self.reasons.append((outcome.path, outcome.reason))
        elif not isinstance(outcome, Missing):
            is_copy = isinstance(outcome, Unchanged) and outcome.photo_id in self._photo_ids
            self.copies += is_copy
            self._photo_ids.add(outcome.photo_id)

    def as_json(self, seconds: float) -> str:
        """One JSON object: a count for each kind, seconds, and a list of {path, reason}."""
        counts: dict[str, object] = {kind: self.counts[kind] for kind in KINDS.values()}
        reasons = [{"path": str(path), "reason": reason} for path, reason in self.reasons]
        return as_json({**counts, "seconds": round(seconds, 3), "reasons": reasons}) + "\n"

    def as_line(self) -> str:
        """Counts alone, those that are not zero."""
        counts = [f"{self.counts[kind]:,} {kind}" for kind in KINDS.values() if self.counts[kind]]
        return ", ".join(counts) or "no photos"

    def as_table(self, seconds: float, embedded: int) -> RenderableType:
        """Counts, then skipped files grouped by reason with one example each, then the pace.

        `embedded` photos were shown to an encoder: more than were added, where an encoder is new
        to a library that knew the photos.
        """
        grid = Table.grid(padding=(0, 2))
        grid.add_column(justify="right")
        grid.add_column(justify="right", style="bold")
        grid.add_column(style="dim")
        for kind in KINDS.values():
            count = self.counts[kind]
            grid.add_row(kind, f"{count:,}", self._meaning(kind) if count else "")
        return Group(grid, *self._reasons(), Text(_pace(embedded, seconds)))

    def _meaning(self, kind: str) -> str:
        if kind != "unchanged" or not self.copies:
            return MEANINGS[kind]
        which = "all" if self.copies == self.counts[kind] else f"{self.copies:,} of them"
        return f"{which} second copies of photos that are here"

    def _reasons(self) -> list[Text]:
        groups: dict[str, list[Path]] = {}
        for path, reason in self.reasons:
            groups.setdefault(reason, []).append(path)
        largest_first = sorted(groups.items(), key=lambda group: -len(group[1]))
        return [
            Text.assemble(
                (f"  {len(paths):,} skipped: {shown(reason)}", "yellow"),
                (f" ({_example(paths)})", "dim"),
            )
            for reason, paths in largest_first
        ]


def _example(paths: list[Path]) -> str:
    return shown(paths[0]) if len(paths) == 1 else f"{shown(paths[0])} and {len(paths) - 1:,} more"


def _pace(embedded: int, seconds: float) -> str:
    pace = f"{seconds:.1f} s"
    if not embedded or not seconds:
        return pace
    return f"{embedded:,} embedded in {pace}, {embedded / seconds:,.1f} photos/s"
