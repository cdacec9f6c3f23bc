"""`imgsearch watch`: a line for everything that happens to a photo, until Ctrl-C."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imgsearch.cli import frame

if TYPE_CHECKING:
    from imgsearch.indexing import Notice, Outcome


def watch(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH",
            parser=frame.expanded,
            help="Folders of photos, photos, archives or videos; without any, those given before.",
            show_default=False,
        ),
    ] = None,
    poll: Annotated[
        float | None,
        typer.Option(
            "--poll",
            metavar="SECONDS",
            min=0.05,
            help="Look through the folders this often: for network drives, which tell of nothing.",
            show_default=False,
        ),
    ] = None,
    settle: Annotated[
        float,
        typer.Option(
            "--settle",
            metavar="SECONDS",
            min=0.0,
            help="Take a file in when it was left alone for so long: it may still be copied.",
        ),
    ] = 2.0,
    archives: Annotated[
        bool,
        typer.Option(
            "--archives",
            help="Take in the photos in zip, tar and parquet files of folders too.",
        ),
    ] = False,
    encoder: frame.EncodersOption = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            "--exclude",
            metavar="GLOB",
            help="Leave out files and folders by name or path below PATH; repeatable.",
            show_default=False,
        ),
    ] = None,
    accept_missing: Annotated[
        bool,
        typer.Option("--accept-missing", help="Believe it when much of a folder is gone at once."),
    ] = False,
    device: frame.DeviceOption = "auto",
    json: frame.JsonOption = False,
    quiet: frame.QuietOption = False,
    library: frame.LibraryOption = None,
) -> None:
    """Index PATH, then keep up with every photo that comes, changes, moves or goes.

    One line an event on stderr; with --json one JSON object an event on stdout. Searches and other
    commands have their turn in between. Ctrl-C ends it, with exit code 130.

    \b
    imgsearch watch ~/Pictures
    imgsearch watch                       every folder given before
    imgsearch watch /mnt/nas --poll 60
    imgsearch watch ~/Pictures --json | jq -r 'select(.event == "added").path'
    """
    from imgsearch.images import find
    from imgsearch.indexing import Attention, Intake
    from imgsearch.indexing import watch as watch_photos
    from imgsearch.library import CATALOG_FILE, open_library

    intake = Intake(tuple(exclude or ()), accept_missing=accept_missing, archives=archives)
    given = paths or []
    folder = frame.library_path(context, library)
    if not os.path.isfile(folder / CATALOG_FILE):
        find(given)  # refuses a path that is not there before a library is made for it
    is_quiet = quiet or frame.settings(context).is_quiet
    with (
        open_library(folder, create=bool(given)) as opened,
        _Follower(is_quiet=is_quiet, is_json=json) as follower,
    ):
        for outcome in watch_photos(
            opened,
            given,
            encoder=encoder or None,
            intake=intake,
            device=device,
            attention=Attention(settle, poll),
            notify=follower.notice,
        ):
            follower.outcome(outcome)


class _Follower:
    """Draws the first run as a bar, and tells of what happens after it line by line."""

    def __init__(self, *, is_quiet: bool, is_json: bool) -> None:
        from imgsearch.cli.progress import Progress
        from imgsearch.display.summary import Summary

        self._is_quiet, self._is_json = is_quiet, is_json
        self._bar = Progress(is_quiet=is_quiet)
        self._summary = Summary()
        self._is_following = False

    def __enter__(self) -> _Follower:
        self._bar.__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        self._bar.__exit__(*raised)

    def notice(self, notice: Notice) -> None:
        """Show what the run does, and the end of the first one."""
        from imgsearch.indexing import Watching

        if not isinstance(notice, Watching):
            self._bar.notice(notice)
            return
        self._is_following = True
        self._bar.__exit__(None, None, None)
        roots = ", ".join(map(str, notice.roots))
        self._say(f"{self._summary.as_line()}; watching {roots} (Ctrl-C ends)")

    def outcome(self, outcome: Outcome) -> None:
        """Tell of one photo; those that the first run found as they were are no event."""
        from imgsearch.display.events import event_json, event_line
        from imgsearch.indexing import Unchanged

        at = datetime.now().astimezone()
        if self._is_json and (self._is_following or not isinstance(outcome, Unchanged)):
            frame.write(event_json(outcome, at))
        if not self._is_following:
            self._summary.add(outcome)
            self._bar.outcome(outcome)
        elif not self._is_json:
            self._say(event_line(outcome, at))

    def _say(self, line: str) -> None:
        if not self._is_quiet:
            frame.complain(line, style="dim")
