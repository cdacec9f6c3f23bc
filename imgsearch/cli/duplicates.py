"""`imgsearch duplicates`: photos that are there more than once, and which copy to keep."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from imgsearch.cli import filter_options, frame, showing

if TYPE_CHECKING:
    from imgsearch.organising.duplicates import Group, Looked, Tier, Unread

NOTHING_FOUND = 1
DOUBT = (
    "NOTE: two shots from a tripod in one second, or two forms that differ in a number, can count "
    "as one picture: look before you delete (--contact-sheet same.png)"
)


def duplicates(
    context: typer.Context,
    tiers: Annotated[
        list[str] | None,
        typer.Option(
            "--tier",
            metavar="TIER",
            help="bytes (the very file), picture (encoded again or resized) or scene (another "
            "shot of it); repeatable. Without it bytes and picture.",
            show_default=False,
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold",
            metavar="S",
            help="The least score of the one tier: of picture the share of equal bits of two "
            "hashes (0.92), of scene a cosine (by the encoder).",
            show_default=False,
        ),
    ] = None,
    path: showing.PathOption = None,
    null: Annotated[
        bool,
        typer.Option(
            "-0", "--null", help="Only the paths not to be kept, ended by NUL; look before."
        ),
    ] = False,
    json: frame.JsonOption = False,
    contact_sheet: Annotated[
        Path | None,
        typer.Option(
            "--contact-sheet",
            metavar="OUT.png",
            parser=frame.expanded,
            help="Draw the groups into a picture, one below the other.",
        ),
    ] = None,
    quiet: frame.QuietOption = False,
    library: frame.LibraryOption = None,
) -> None:
    """Find photos that are there more than once, and say which copy to keep. Deletes nothing.

    With --path, of a photo's files only those there count.

    Kept is the copy of most pixels; then the one that has its EXIF; then any but a GIF; then the
    largest file; then the one the library has known longest. The reason stands beside it. Every
    copy was compared with the one that is kept for it. Links to a file are no copies of it, and
    what lies inside an archive is shown and never among the paths of -0.

    Look before you delete: two shots from a tripod in one second, or two forms that differ in a
    number, can count as one picture. --tier bytes has no such doubt.

    \b
    imgsearch duplicates
    imgsearch duplicates --tier bytes --path ~/Pictures/2023
    imgsearch duplicates --tier scene --contact-sheet bursts.png
    imgsearch duplicates --json | jq .wasted_bytes
    imgsearch duplicates --contact-sheet same.png    look first, then
    imgsearch duplicates -0 | xargs -0 mv -t ~/spare/
    """
    from imgsearch.display.duplicates import SHEET_GROUPS, duplicates_sheet
    from imgsearch.organising.duplicates import SAFE_TIERS, find_duplicates

    asked = cast("list[Tier]", list(dict.fromkeys(tiers or SAFE_TIERS)))
    is_quiet = quiet or frame.settings(context).is_quiet
    with frame.existing_library(context, library) as opened, _Progress(is_quiet) as progress:
        groups = find_duplicates(
            opened,
            asked,
            threshold=threshold,
            folder=path,
            only=filter_options.only(context, opened, path),
            notify=progress.show,
        )
    if not groups:
        frame.complain("no duplicates found", style="yellow")
        raise typer.Exit(NOTHING_FOUND)
    if contact_sheet is not None:
        drawn = f", the first {SHEET_GROUPS} groups" if len(groups) > SHEET_GROUPS else ""
        showing.save_sheet(contact_sheet, duplicates_sheet(groups), drawn)
    _write(groups, json=json, null=null, is_quiet=is_quiet)


def _write(groups: Sequence[Group], *, json: bool, null: bool, is_quiet: bool) -> None:
    from imgsearch.display import duplicates as forms

    if json:
        frame.write(forms.json_lines(groups))
    elif null:
        frame.write(forms.spare_paths(groups))
        if any(group.tier != "bytes" for group in groups):
            frame.complain(DOUBT, style="bold yellow")
    else:
        frame.show(forms.table(groups))
    if not is_quiet:
        frame.complain(forms.summary(groups), style="dim")


class _Progress:
    """A context manager; `show` draws what the search tells."""

    def __init__(self, is_quiet: bool) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

        self._stderr = frame.stderr()
        self._bar = Progress(
            "{task.description}",
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self._stderr,
            transient=True,
            disable=is_quiet or not sys.stderr.isatty(),
        )
        self._task = self._bar.add_task("looking for duplicates", total=None)
        self._doing = ""

    def __enter__(self) -> _Progress:
        self._bar.start()
        return self

    def __exit__(self, *_raised: object) -> None:
        self._bar.stop()

    def show(self, event: Looked | Unread) -> None:
        """Move the bar; say how many photos could not be looked at, however quiet the run is."""
        from imgsearch.organising.duplicates import Unread

        if isinstance(event, Unread):
            frame.complain(f"NOTE: {event}", style="bold yellow", console=self._stderr)
            return
        if event.doing != self._doing:
            self._doing = event.doing
            self._bar.reset(self._task, total=event.total, description=event.doing)
        self._bar.update(self._task, completed=event.done)
