"""What an export or an import of embeddings came to: a few lines for a person, or one of JSON."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from imgsearch.display.text import as_json, shown

if TYPE_CHECKING:
    from imgsearch.exchanging import Exported, Imported


def exported_json(exported: Exported) -> str:
    """One JSON object: path, format, encoder, identity, count, dim."""
    return as_json({**dataclasses.asdict(exported), "path": str(exported.path)}) + "\n"


def exported_line(exported: Exported) -> RenderableType:
    """What was written, and where to."""
    return Text(
        f"{exported.count:,} embeddings of {exported.dim} values by {shown(exported.encoder)} "
        f"written to {shown(exported.path)} ({exported.format})"
    )


def imported_json(imported: Imported) -> str:
    """One JSON object: encoder, counts, and left_out, a list of {reason, count, names}."""
    return as_json(dataclasses.asdict(imported)) + "\n"


def imported_page(imported: Imported) -> RenderableType:
    """Counts, then the rows left out by reason, with an example each."""
    counts = (
        (imported.added, "embeddings added"),
        (imported.known, "known before"),
        (imported.photos, "photos new to the library"),
        (imported.captions, "captions added"),
        (imported.unread, "texts beside photos not read"),
        (imported.normalised, "vectors made to length 1"),
    )
    told = ", ".join(f"{count:,} {what}" for count, what in counts if count)
    lines = [Text(f"{imported.rows:,} rows of {shown(imported.encoder)}: {told or 'none taken'}")]
    for each in imported.left_out:
        names = ", ".join(map(shown, each.names))
        more = (
            "" if each.count == len(each.names) else f" and {each.count - len(each.names):,} more"
        )
        reason = Text(f"  {each.count:,} left out: {shown(each.reason)}", "yellow")
        lines.append(Text.assemble(reason, (f" ({names}{more})", "dim")))
    return Group(*lines)
