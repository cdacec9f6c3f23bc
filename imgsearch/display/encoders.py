"""What encoders there are, as a table and as JSON lines."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.table import Table

from imgsearch.display.text import as_json, shown

if TYPE_CHECKING:
    from imgsearch.encoders import KnownEncoder

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class LibraryEncoder:
    """An encoder this library has: how many photos it embedded, what languages it answers."""

    name: str
    languages: tuple[str, ...]
    dim: int
    photos: int
    answers: tuple[str, ...]


def encoders_table(known: Sequence[KnownEncoder], here: Sequence[LibraryEncoder]) -> Table:
    """Name, languages, dimension, what to download; those of the library first, and what of it.

    Names are long: the other columns are few and narrow, to leave them room on a small terminal.
    """
    of_library = ("photos", "answers") if here else ()
    grid = _grid("encoder", "languages", "dim", "download", *of_library)
    described = {each.name: each for each in known}
    for own in here:
        languages, download = ", ".join(own.languages), _download(described.get(own.name))
        answers = ", ".join(own.answers) or "no language"
        row = [languages, str(own.dim), download, f"{own.photos:,}", answers]
        grid.add_row(shown(own.name), *row)
    for each in known:
        if each.name not in {own.name for own in here}:
            row = [", ".join(each.languages), str(each.dim), _download(each)]
            grid.add_row(each.name, *row, *("" for _ in of_library))
    return grid


def encoders_json(known: Sequence[KnownEncoder], here: Sequence[LibraryEncoder]) -> str:
    """One JSON object a line: photos and answers are null where this library has it not."""
    owned = {own.name: dataclasses.asdict(own) for own in here}
    described = {each.name: dataclasses.asdict(each) for each in known}
    fields = ("name", "languages", "dim", "size_bytes", "is_cached", "photos", "answers")
    rows = [
        {**dict.fromkeys(fields), **described.get(name, {}), **owned.get(name, {})}
        for name in dict.fromkeys([*owned, *described])
    ]
    return "".join(as_json(row) + "\n" for row in rows)


def _download(known: KnownEncoder | None) -> str:
    """What is to be fetched; weights that are a person's own are here, like those fetched."""
    if known is None or known.is_cached:
        return "is here"
    return f"{known.size_bytes / MEGABYTE:,.0f} MB"


def _grid(first: str, *others: str) -> Table:
    grid = Table(box=None, pad_edge=False, header_style="dim")
    grid.add_column(first, overflow="fold")
    for name in others:
        grid.add_column(name, no_wrap=True)
    return grid
