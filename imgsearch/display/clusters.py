"""Groups of photos that are alike: a table, JSON lines, a contact sheet.

In: what `organising.cluster` gives. Out: a row a group, the largest first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from imgsearch.display.text import as_json, shown

if TYPE_CHECKING:
    from PIL import Image

    from imgsearch.organising import Cluster

NAMED = 3  # photos of a group in the table
ACROSS = 5  # photos of a group on the sheet


def clusters_table(groups: Sequence[Cluster]) -> RenderableType:
    """How many photos, the words nearest to them, how alike they are, the most central ones."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("photos", justify="right", no_wrap=True)
    table.add_column("like", overflow="fold")
    table.add_column("alike", justify="right", no_wrap=True)
    table.add_column("most central", overflow="fold")
    for group in groups:
        central = ", ".join(shown(path.name) for _, path in group.central[:NAMED])
        words = ", ".join(map(shown, group.words))
        count = f"{len(group.photo_ids):,}"
        table.add_row(count, Text(words), f"{group.cohesion:.2f}", Text(central))
    return table


def clusters_json(groups: Sequence[Cluster]) -> str:
    """One JSON object a line: words, photos, cohesion, central photos with paths, photo_ids."""
    rows = [
        {
            "words": group.words,
            "photos": len(group.photo_ids),
            "cohesion": round(group.cohesion, 4),
            "central": [{"photo_id": i, "path": str(path)} for i, path in group.central],
            "photo_ids": group.photo_ids,
        }
        for group in groups
    ]
    return "".join(as_json(row) + "\n" for row in rows)


def clusters_sheet(groups: Sequence[Cluster]) -> Image.Image:
    """The most central photos of each group, under its words."""
    from imgsearch.display import contact_sheet as sheets

    cells = [
        sheets.Cell(
            path,
            [
                (f"{len(group.photo_ids):,}   {', '.join(group.words)}", sheets.INK, 1),
                (sheets.name_of(path), sheets.FAINT, 1),
            ],
        )
        for group in groups
        for _, path in group.central[:ACROSS]
    ]
    return sheets.sheet(cells, f"{len(groups):,} groups", ACROSS)
