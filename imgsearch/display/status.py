"""What a library holds and what is off in it: a page for a person, JSON for a script."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from imgsearch.display.text import as_json, readable_size, shown

if TYPE_CHECKING:
    from imgsearch.upkeep import EncoderStatus, FaissStatus, Finding, LastRun, Status


def status_page(status: Status) -> RenderableType:
    """Photos and files by state, captions, roots, sizes and the last run; below, the encoders."""
    sizes = {part: size for part, size in status.size_bytes.items() if size}
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    grid.add_row("library", Text(shown(status.path)))
    grid.add_row("photos", _listed(status.photos))
    grid.add_row("files", _listed(status.files))
    for number, (language, sources) in enumerate(status.captions.items()):
        there = {source: count for source, count in sources.items() if count}
        grid.add_row("" if number else "captions", f"{language}: {_listed(there)}")
    for number, root in enumerate(status.roots):
        grid.add_row("" if number else "folders", Text(shown(root)))
    parts = ", ".join(f"{part} {readable_size(size)}" for part, size in sizes.items())
    grid.add_row("size", f"{readable_size(sum(sizes.values()))} ({parts})" if sizes else "")
    if status.exports.size_bytes:
        exported = readable_size(status.exports.size_bytes)
        grid.add_row("exports", Text(f"{exported} of encoders in {shown(status.exports.folder)}"))
    grid.add_row("faiss", _faiss(status.faiss))
    grid.add_row("last run", "none" if status.last_run is None else _run(status.last_run))
    indexes = [_index_line(each) for each in status.encoders if each.generation is not None]
    return Group(grid, Text(), _encoders(status.encoders), *([Text(), *indexes] if indexes else []))


def status_json(status: Status) -> str:
    """One JSON object; times in ISO 8601, sizes in bytes."""
    return as_json(status.as_dict()) + "\n"


def finding_line(finding: Finding) -> Text:
    """One finding on one line: green when mended, red when not, yellow when it is no fault."""
    if finding.is_repaired:
        mark, style = "repaired", "green"
    else:
        mark, style = ("fault", "red") if finding.is_fault else ("note", "yellow")
    line = Text.assemble((f"{mark}: ", style), shown(finding.what))
    return line.append(f". {shown(finding.remedy)}" if finding.remedy else "")


def finding_json(finding: Finding) -> str:
    """One line of JSON: what, is_repaired, remedy, is_fault."""
    return as_json(dataclasses.asdict(finding)) + "\n"


def _encoders(encoders: Sequence[EncoderStatus]) -> Table:
    grid = Table(box=None, pad_edge=False, header_style="dim")
    grid.add_column("encoder", overflow="fold")
    for heading in ("answers", "dim", "photos", "index", "in it", "beside it", "built"):
        grid.add_column(heading, no_wrap=True)
    for each in encoders:
        answers = ", ".join(each.active_for) or "no language"
        row = [shown(each.name), answers, str(each.dim), f"{each.photos:,}"]
        if (index := each.generation) is not None:
            row += [f"{index.kind} {index.folder}", f"{index.count:,}", f"{index.beside:,}"]
            row.append(_when(index.built_at))
        grid.add_row(*row)
    return grid


def _index_line(encoder: EncoderStatus) -> Text:
    """The index of an encoder: what it is, what it was measured to find, what was asked of it."""
    index = encoder.generation
    assert index is not None
    said = [index.kind, readable_size(index.size_bytes)]
    said += [f"{name} {value:,}" for name, value in (index.parameters or {}).items()]
    if index.kind == "flat":
        said.append("exact")
    if index.recall is not None:
        said.append(_recall(index.recall))
    if index.asked is not None:
        said.append(f"asked for: {index.asked['kind']}, {index.asked['recall']}")
    return Text(f"{shown(encoder.name)}: {', '.join(said)}", style="dim")


def _recall(recall: Mapping[str, object]) -> str:
    texts = "" if recall["texts"] is None else f", of texts {recall['texts']}"
    return f"finds of the {recall['k']} nearest: of photos {recall['photos']}{texts}"


def _faiss(faiss: FaissStatus) -> str:
    sees = f"sees {faiss.gpus} GPUs" if faiss.gpus else "sees no GPU"
    return f"{', '.join(faiss.distributions) or 'installed by other means'}, {sees}"


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items()) or "none"


def _run(run: LastRun) -> Text:
    ended = run.ended or ("running, or killed" if run.finished_at is None else "ended")
    counts = {name: count for name, count in run.outcome.items() if isinstance(count, int)}
    said = f": {_listed(counts)}" if counts else ""
    line = f"{run.verb} on {_when(run.started_at)}, {ended}{said} (process {run.pid})"
    return Text(line, style="" if run.ended == "done" else "yellow")


def _when(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"
