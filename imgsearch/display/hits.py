"""Hits in the forms a person or a program asks for; each a pure function of the list of hits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from imgsearch.display.text import as_json, path_bytes, shown

if TYPE_CHECKING:
    from imgsearch.searching import Hit


def table(hits: Sequence[Hit]) -> Table:
    """Rank, score and path for a terminal; a click on the path opens the photo where that works."""
    grid = Table(box=None, pad_edge=False, header_style="dim")
    grid.add_column("#", justify="right", style="dim")
    grid.add_column("score", justify="right", style="cyan")
    grid.add_column("photo", overflow="fold")
    for hit in hits:
        link = Text(shown(hit.path), style=f"link {hit.path.as_uri()}")
        grid.add_row(str(hit.rank), f"{hit.score:.3f}", link)
    return grid


def lines(hits: Sequence[Hit]) -> str:
    """The same as text that nothing wraps or cuts: for a pipe, a log, a file."""
    width = len(str(len(hits)))
    return "".join(f"{hit.rank:>{width}}  {hit.score:.3f}  {shown(hit.path)}\n" for hit in hits)


def json_lines(hits: Sequence[Hit]) -> str:
    """One JSON object a line: rank, score, photo_id, path. Scores are not rounded."""
    return "".join(
        as_json(
            {
                "rank": hit.rank,
                "score": float(hit.score),
                "photo_id": int(hit.photo_id),
                "path": str(hit.path),
            }
        )
        + "\n"
        for hit in hits
    )


def paths(hits: Sequence[Hit], end: bytes = b"\n") -> bytes:
    """Paths alone, in the bytes the file system uses, each followed by `end`."""
    return b"".join(path_bytes(hit.path) + end for hit in hits)
