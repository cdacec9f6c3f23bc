"""Albums: a table, or a JSON line each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from imgsearch.display.text import as_json, shown

if TYPE_CHECKING:
    from imgsearch.catalog import AlbumRow


def albums_table(rows: Sequence[AlbumRow]) -> Table:
    """A row an album: its name, how many photos, and the search that it may be."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("album", overflow="fold")
    table.add_column("photos", justify="right")
    table.add_column("saved search", overflow="fold")
    for row in rows:
        photos = "" if row.photos is None else f"{row.photos:,}"
        table.add_row(Text(shown(row.name)), photos, Text(shown(row.query or "")))
    return table


def albums_json(rows: Sequence[AlbumRow]) -> str:
    """One JSON object a line; `query` is null for an album that was made by hand."""
    return "".join(as_json(row._asdict()) + "\n" for row in rows)
