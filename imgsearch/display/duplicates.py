"""Groups of duplicates as a table, JSON lines, paths to give up, and a contact sheet.

In: `Group`. The copy to keep stands first everywhere but among the paths, where it never is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PIL import Image
from rich.table import Table
from rich.text import Text

from imgsearch.display.contact_sheet import FAINT, INK, PAPER, Cell, name_of, sheet
from imgsearch.display.text import as_json, path_bytes, readable_size, shown

if TYPE_CHECKING:
    from imgsearch.organising.duplicates import Copy, Group

SHEET_GROUPS = 50  # a picture of more is none that a person can look at


def table(groups: Sequence[Group]) -> Table:
    """A row a file: which group, what tells it, how alike; a click on the path opens the photo."""
    grid = Table(box=None, pad_edge=False, header_style="dim")
    grid.add_column("#", justify="right", style="dim", no_wrap=True)
    grid.add_column("same", style="dim", no_wrap=True)
    grid.add_column("", no_wrap=True)
    for name in ("score", "pixels", "size"):
        grid.add_column(name, justify="right", no_wrap=True)
    grid.add_column("format", no_wrap=True)
    grid.add_column("photo", overflow="fold")
    for number, group in enumerate(groups, 1):
        kept = Text.assemble(_linked(group.keeper), (f"  ({group.reason})", "dim"))
        keep = Text("keep", style="bold green")
        grid.add_row(str(number), group.tier, keep, "", *_facts(group.keeper), kept)
        for place, copy in enumerate(group.others, 1):
            is_last = place == len(group.others)
            row = ("", "", "copy", f"{copy.score:.3f}", *_facts(copy), _linked(copy))
            grid.add_row(*row, end_section=is_last)
    return grid


def json_lines(groups: Sequence[Group]) -> str:
    """One JSON object a group."""
    return "".join(
        as_json(
            {
                "tier": group.tier,
                "keeper": _as_dict(group.keeper),
                "reason": group.reason,
                "others": [_as_dict(copy) for copy in group.others],
                "wasted_bytes": group.wasted_bytes,
            }
        )
        + "\n"
        for group in groups
    )


def spare_paths(groups: Sequence[Group], end: bytes = b"\0") -> bytes:
    """The paths of all that can be taken away, each once, in the file system's own bytes."""
    paths = dict.fromkeys(copy.path for group in groups for copy in group.spare)
    return b"".join(path_bytes(path) + end for path in paths)


def summary(groups: Sequence[Group]) -> str:
    """How many groups there are and what the copies take, in a sentence."""
    copies = {copy.path: copy.size_bytes for group in groups for copy in group.spare}
    inside = {copy.path for group in groups for copy in group.others} - copies.keys()
    files = "1 copy" if len(copies) == 1 else f"{len(copies):,} copies"
    number = "1 group" if len(groups) == 1 else f"{len(groups):,} groups"
    taken = readable_size(sum(copies.values()))
    beside = f", and {len(inside):,} inside archives" if inside else ""
    return f"{number}: {files} beside what is kept, {taken}{beside}. Nothing was deleted."


def duplicates_sheet(groups: Sequence[Group]) -> Image.Image:
    """RGB picture of the first 50 groups, one below the other, each with the copy to keep first."""
    drawn = [_drawn(number, group) for number, group in enumerate(groups[:SHEET_GROUPS], 1)]
    width = max(each.width for each in drawn)
    whole = Image.new("RGB", (width, sum(each.height for each in drawn)), PAPER)
    top = 0
    for each in drawn:
        whole.paste(each, (0, top))
        top += each.height
    return whole


def _drawn(number: int, group: Group) -> Image.Image:
    cells = [_cell(group.keeper, f"keep: {group.reason}")]
    cells += [_cell(copy, f"{copy.score:.3f}") for copy in group.others]
    return sheet(cells, f"{number}  same {group.tier}", columns=6)


def _cell(copy: Copy, first: str) -> Cell:
    what = f"{copy.width} x {copy.height}, {readable_size(copy.size_bytes)}, {copy.format}"
    return Cell(copy.path, [(first, INK, 1), (what, FAINT, 1), (name_of(copy.path), FAINT, 1)])


def _facts(copy: Copy) -> tuple[str, str, str]:
    return f"{copy.width} x {copy.height}", readable_size(copy.size_bytes), copy.format


def _linked(copy: Copy) -> Text:
    return Text(shown(copy.path), style=f"link {copy.path.as_uri()}")


def _as_dict(copy: Copy) -> dict[str, object]:
    return {**vars(copy), "path": str(copy.path), "score": round(copy.score, 6)}
