"""Captions made, shown before they are made, brought in and written out: tables and JSON.

In: what the verbs of `imgsearch.describing` give. Out: a table a run, one JSON object a run, a JSON
line a previewed photo, a contact sheet of photos with what would be said of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from imgsearch.display.text import as_json, shown

if TYPE_CHECKING:
    from PIL import Image

    from imgsearch.describing import Began, Exported, Finished, Imported, Preview

COLUMNS = ("captioned", "nothing to say", "own words", "up to date", "by others", "no embedding")
NAMED = 5  # of the texts that do not read
CAPTION_ROWS = 3  # of a caption on a contact sheet
NOTHING = "(nothing to say)"


def finished_page(finished: Finished) -> RenderableType:
    """A row a language: captions made, and photos left alone for each reason; then the pace."""
    grid = Table(box=None, pad_edge=False, header_style="dim")
    grid.add_column("language", no_wrap=True)
    for name in COLUMNS:
        grid.add_column(name, justify="right", no_wrap=True)
    for plan in finished.began.plans:
        counts = (
            finished.captioned.get(plan.language, 0),
            finished.empty.get(plan.language, 0),
            plan.by_people,
            plan.up_to_date,
            sum(plan.by_others.values()),
            plan.unembedded,
        )
        grid.add_row(shown(plan.language), *(f"{count:,}" for count in counts))
    parts: list[RenderableType] = [grid]
    sidecars = finished.began.sidecars
    if sidecars.added or sidecars.dropped or sidecars.unread:
        parts.append(
            Text(
                f"text beside photos: {sidecars.added:,} taken in, {sidecars.dropped:,} dropped, "
                f"{sidecars.unread:,} without a sentence",
                style="dim",
            )
        )
    return Group(*parts, Text(_pace(finished)))


def finished_json(finished: Finished) -> str:
    """One JSON object: counts for each language, of sidecars, and seconds."""
    began = finished.began
    languages = {
        plan.language: {
            "captioned": finished.captioned.get(plan.language, 0),
            "empty": finished.empty.get(plan.language, 0),
            **{
                name: getattr(plan, name)
                for name in ("by_people", "up_to_date", "by_others", "unembedded")
            },
        }
        for plan in began.plans
    }
    counts = {name: getattr(began.sidecars, name) for name in ("added", "dropped", "unread")}
    document = {
        "captioner": began.captioner,
        "encoder": began.encoder,
        "languages": languages,
        "sidecars": counts,
        "seconds": round(finished.seconds, 3),
    }
    return as_json(document) + "\n"


def left_lines(began: Began) -> list[str]:
    """What a person must not miss: photos that were not captioned and could be, and how."""
    lines = []
    unembedded = max((plan.unembedded for plan in began.plans), default=0)
    if unembedded:
        lines.append(
            f"{unembedded:,} photos are not captioned: {began.encoder} has not embedded them. "
            f"This does that: {began.embed_command}"
        )
    if broken := began.sidecars.unreadable_files:
        named = "".join(f"\n  {shown(name)}" for name in broken[:NAMED])
        rest = f"\n  and {len(broken) - NAMED:,} more" if len(broken) > NAMED else ""
        lines.append(
            f"{len(broken):,} texts beside photos do not read (save them as UTF-8). What they said "
            f"is kept, and their photos are captioned with --all alone:{named}{rest}"
        )
    names = dict.fromkeys(name for plan in began.plans for name in plan.by_others)
    for name in names:
        count = sum(plan.by_others.get(name, 0) for plan in began.plans)
        how = " in another way" if name == began.captioner else ""
        lines.append(
            f"{count:,} captions that {name} made{how} are left as they are; --recaption {name} "
            "makes them anew"
        )
    return lines


def previews_table(previews: Sequence[Preview]) -> RenderableType:
    """A block a photo: its path, then a row a language with the caption and its mean
    log-probability."""
    parts: list[RenderableType] = []
    for each in previews:
        parts.append(Text(shown(each.path), style="bold"))
        grid = Table.grid(padding=(0, 2))
        for language, caption in each.captions.items():
            text = shown(caption.text) or NOTHING
            grid.add_row(f"  {language}", f"{caption.log_probability:.2f}", Text(text))
        parts.append(grid)
    return Group(*parts)


def previews_json(previews: Sequence[Preview]) -> str:
    """One JSON object a line: photo_id, path, captions by language."""
    rows = [
        {
            "photo_id": each.photo_id,
            "path": str(each.path),
            "captions": {
                language: dataclasses.asdict(caption) for language, caption in each.captions.items()
            },
        }
        for each in previews
    ]
    return "".join(as_json(row) + "\n" for row in rows)


def previews_sheet(previews: Sequence[Preview], title: str) -> Image.Image:
    """The photos with their captions below, and their names."""
    from imgsearch.display import contact_sheet as sheets

    cells = [
        sheets.Cell(
            each.path,
            [
                *(
                    (shown(caption.text) or NOTHING, sheets.INK, CAPTION_ROWS)
                    for caption in each.captions.values()
                ),
                (sheets.name_of(each.path), sheets.FAINT, 1),
            ],
        )
        for each in previews
    ]
    return sheets.sheet(cells, title)


def imported_page(imported: Imported) -> RenderableType:
    """What came in and what did not, a line each; nothing of what did not occur."""
    lines = [
        f"{imported.added:,} captions taken in, {imported.known:,} were there already",
        *_counted(imported.dropped, "dropped: they are gone from beside and inside their photos"),
        *_counted(
            imported.generated,
            "left out: a captioner made them, and no person; `imgsearch caption` makes its own",
        ),
        *_counted(imported.unread, "texts say nothing, do not read, or have no picture"),
    ]
    parts = [Text(line) for line in lines]
    if imported.unread_names:
        named = "".join(f"\n  {shown(name)}" for name in imported.unread_names)
        line = f"these texts beside photos do not read, and dropped nothing:{named}"
        parts.append(Text(line, style="yellow"))
    if imported.unknown:
        named = "".join(f"\n  {shown(name)}" for name in imported.unknown_names)
        more = imported.unknown - len(imported.unknown_names)
        rest = f"\n  and {more:,} more" if more else ""
        line = f"{imported.unknown:,} pictures are not in the library:{named}{rest}"
        parts.append(Text(line, style="yellow"))
    return Group(*parts)


def exported_page(exported: Exported, where: str) -> RenderableType:
    """What was written, and which photos were left out."""
    lines = [
        f"{exported.captions:,} captions of {exported.photos:,} photos written to {shown(where)}",
        *_counted(exported.kept, "photos have text beside them already, which stays as it is"),
        *_counted(exported.shared, "photos differ from another by their ending alone: no text"),
        *_counted(exported.absent, "photos are not on the disk now"),
        *_counted(
            exported.generated,
            "photos have generated captions alone: no text, which would pass for a person's; "
            "--export OUT.csv or OUT.jsonl has those",
        ),
    ]
    return Group(*map(Text, lines))


def counts_json(counts: Imported | Exported) -> str:
    """One JSON object of counts."""
    return as_json(dataclasses.asdict(counts)) + "\n"


def _counted(count: int, what: str) -> list[str]:
    return [f"{count:,} {what}"] if count else []


def _pace(finished: Finished) -> str:
    made = sum(finished.captioned.values())
    pace = f"{finished.seconds:.1f} s"
    if not made or not finished.seconds:
        return pace
    return f"{made:,} captions in {pace}, {60 * made / finished.seconds:,.0f} a minute"
