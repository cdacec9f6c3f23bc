"""`imgsearch index`: the outcomes of a run drawn as a bar on stderr and counted into a summary."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imgsearch.cli import frame

if TYPE_CHECKING:
    from imgsearch.catalog import Catalog


def index(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH",
            parser=frame.expanded,
            help="Folders of photos, or photos; without any, those given before.",
            show_default=False,
        ),
    ] = None,
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
    max_pixels: Annotated[
        int | None,
        typer.Option(
            "--max-pixels",
            metavar="N",
            min=1,
            help="Skip pictures of more pixels than this: 250 million unless told.",
            show_default=False,
        ),
    ] = None,
    accept_missing: Annotated[
        bool,
        typer.Option("--accept-missing", help="Believe it when much of a folder is gone at once."),
    ] = False,
    wait: frame.WaitOption = False,
    device: frame.DeviceOption = "auto",
    json: frame.JsonOption = False,
    quiet: frame.QuietOption = False,
    library: frame.LibraryOption = None,
) -> None:
    """Find the photos under PATH and learn what is in them; a second run does only what is new.

    \b
    imgsearch index ~/Pictures
    imgsearch index ~/Pictures /media/camera --exclude '*.png' --exclude drafts
    imgsearch index                       look again at every folder given before
    imgsearch index --encoder cn_clip/ViT-B-16      add an encoder, here for Chinese
    imgsearch index ~/Pictures --json > run.json
    """
    from imgsearch.cli.progress import Progress
    from imgsearch.display.summary import Summary
    from imgsearch.images import DEFAULT_MAX_PIXELS, find
    from imgsearch.indexing import Intake
    from imgsearch.indexing import index as index_photos
    from imgsearch.library import CATALOG_FILE, open_library

    is_quiet = quiet or frame.settings(context).is_quiet
    intake = Intake(
        exclude=tuple(exclude or ()),
        max_pixels=max_pixels or DEFAULT_MAX_PIXELS,
        accept_missing=accept_missing,
    )
    given = paths or []
    folder = frame.library_path(context, library)
    if not os.path.isfile(folder / CATALOG_FILE):
        find(given)  # refuses a path that is not there before a library is made for it
    started = time.perf_counter()
    summary = Summary()
    with (
        open_library(folder, create=bool(given)) as opened,
        opened.lock(wait=wait),
        Progress(is_quiet=is_quiet) as progress,
    ):
        before = embedded_photos(opened.catalog)
        for outcome in index_photos(
            opened,
            given,
            encoder=encoder or None,
            intake=intake,
            device=device,
            notify=progress.notice,
        ):
            summary.add(outcome)
            progress.outcome(outcome)
        embedded = embedded_photos(opened.catalog) - before
    seconds = time.perf_counter() - started
    if json:
        frame.write(summary.as_json(seconds))
    elif not is_quiet:
        frame.show(summary.as_table(seconds, max(embedded.values(), default=0)))


def embedded_photos(catalog: Catalog) -> Counter[int]:
    """How many photos each encoder has embedded, by its id."""
    return Counter({row.id: catalog.photo_count(row.id) for row in catalog.encoders()})
