"""Labels as tables, JSON and CSV: what a run gave, what a library has.

In: what the verbs of `imgsearch.organising` and the catalog give. Out: a row a label.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from imgsearch.display.text import as_json, shown

if TYPE_CHECKING:
    from imgsearch.catalog import LabelRow, LabelTally
    from imgsearch.organising import LabelsFinished

EXPORTED = ("path", "label", "source", "confidence", "encoder")


def finished_page(finished: LabelsFinished) -> RenderableType:
    """A row a label: photos given it now, all that have it, the surest by name; then the rest."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("label", overflow="fold")
    table.add_column("given now", justify="right", no_wrap=True)
    table.add_column("photos", justify="right", no_wrap=True)
    table.add_column("the surest", overflow="fold")
    for each in finished.labels:
        examples = ", ".join(
            shown(path.name) + ("" if confidence is None else f" {confidence:.2f}")
            for path, confidence in each.examples
        )
        table.add_row(Text(shown(each.name)), f"{each.given:,}", f"{each.photos:,}", Text(examples))
    labelled = finished.looked_at - finished.none
    rate = finished.looked_at / max(finished.seconds, 1e-3)
    summary = (
        f"{labelled:,} of {finished.looked_at:,} photos got a label, {finished.none:,} none of "
        f"these, in {finished.seconds:.1f} s, {rate:,.0f} photos/s"
        if finished.looked_at
        else "every photo was labelled so before; --relabel does it again"
    )
    return Group(table, Text(summary))


def finished_json(finished: LabelsFinished) -> str:
    """One JSON object: labels with counts and examples, photos looked at, those that got none."""
    document = {
        "labels": [
            {
                "label": each.name,
                "given": each.given,
                "photos": each.photos,
                "examples": [
                    {"path": str(path), "confidence": confidence}
                    for path, confidence in each.examples
                ],
            }
            for each in finished.labels
        ],
        "looked_at": finished.looked_at,
        "none": finished.none,
        "seconds": round(finished.seconds, 3),
    }
    return as_json(document) + "\n"


def tallies_table(tallies: Sequence[LabelTally]) -> RenderableType:
    """A row a label of the library, with its photos, from people and from encoders."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("label", overflow="fold")
    for name in ("photos", "by people", "by encoders"):
        table.add_column(name, justify="right", no_wrap=True)
    for each in tallies:
        counts = (each.photos, each.by_people, each.by_encoders)
        table.add_row(Text(shown(each.name)), *(f"{count:,}" for count in counts))
    return table


def tallies_json(tallies: Sequence[LabelTally]) -> str:
    """One JSON object a line: label, photos, by_people, by_encoders."""
    return "".join(
        as_json({"label": name, **counts}) + "\n"
        for name, counts in ((each.name, _counts(each)) for each in tallies)
    )


def labels_csv(rows: Iterable[tuple[Path, LabelRow]]) -> str:
    """A CSV table: path, label, source, confidence, encoder."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(EXPORTED)
    for path, row in rows:
        confidence = "" if row.confidence is None else f"{row.confidence:.4f}"
        table.writerow((str(path), row.name, row.source, confidence, row.encoder or ""))
    return out.getvalue()


def labels_line(rows: Sequence[LabelRow]) -> str:
    """The labels of one photo: a person's as they stand, an encoder's with its confidence."""
    return ", ".join(
        shown(row.name) + ("" if row.confidence is None else f" ({row.confidence:.2f})")
        for row in rows
    )


def _counts(tally: LabelTally) -> dict[str, int]:
    return {name: getattr(tally, name) for name in ("photos", "by_people", "by_encoders")}
