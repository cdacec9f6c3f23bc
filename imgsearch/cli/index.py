"""`imgsearch index`: the outcomes of a run drawn as a bar on stderr and counted into a summary."""

from __future__ import annotations

import os
import sys
import time
from codecs import BOM_UTF8
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imgsearch.cli import frame
from imgsearch.errors import UsageError

if TYPE_CHECKING:
    from imgsearch.catalog import Catalog


def index(
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
    listing: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="LIST",
            parser=frame.expanded,
            help="A text file of paths, one a line or NUL between them; - is standard input.",
            show_default=False,
        ),
    ] = None,
    archives: Annotated[
        bool,
        typer.Option(
            "--archives",
            help="Take in the photos in zip, tar and parquet files of folders too.",
        ),
    ] = False,
    every: Annotated[
        float | None,
        typer.Option(
            "--every",
            metavar="SECONDS",
            min=0.04,
            help="How far apart the frames of videos are: as when last told, at first 10. Told,"
            " animated pictures are taken apart too.",
            show_default=False,
        ),
    ] = None,
    encoder: frame.EncodersOption = None,
    precision: frame.PrecisionOption = None,
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
    imgsearch index holiday.zip shards/*.tar        photos inside, captions beside them
    imgsearch index ~/Videos --every 5              a frame every five seconds
    find . -name '*.jpg' | imgsearch index --from -
    imgsearch index --encoder cn_clip/ViT-B-16      add an encoder, here for Chinese
    imgsearch index --encoder flowers-v2 --precision int8    faster on a CPU
    imgsearch index ~/Pictures --json > run.json
    """
    from imgsearch.cli.progress import Progress
    from imgsearch.display.summary import Summary
    from imgsearch.images import DEFAULT_MAX_PIXELS, find
    from imgsearch.indexing import Intake
    from imgsearch.indexing import index as index_photos
    from imgsearch.library import CATALOG_FILE, open_library

    named = frame.in_precision(encoder, precision, context, library)
    is_quiet = quiet or frame.settings(context).is_quiet
    intake = Intake(
        exclude=tuple(exclude or ()),
        max_pixels=max_pixels or DEFAULT_MAX_PIXELS,
        accept_missing=accept_missing,
        archives=archives,
        every_seconds=every,
        listed=() if listing is None else _listed(listing),
    )
    given = paths or []
    folder = frame.library_path(context, library)
    if not os.path.isfile(folder / CATALOG_FILE):
        find(given)  # refuses a path that is not there before a library is made for it
    started = time.perf_counter()
    summary = Summary()
    with (
        open_library(folder, create=bool(given or intake.listed)) as opened,
        opened.lock(wait=wait),
        Progress(is_quiet=is_quiet) as progress,
    ):
        opened.preparing = frame.preparing_if_wrong if is_quiet else frame.preparing
        before = embedded_photos(opened.catalog)
        for outcome in index_photos(
            opened,
            given,
            encoder=named or None,
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


def _listed(listing: Path) -> tuple[Path, ...]:
    """The paths of a list, made absolute; a list that is empty is one that says nothing."""
    name = "standard input" if listing == Path("-") else f"{str(listing)!r}"
    try:
        content = sys.stdin.buffer.read() if listing == Path("-") else listing.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{name} cannot be read: {error.strerror}; give a file of paths"
        ) from error
    content = content.removeprefix(BOM_UTF8)
    names = content.split(b"\0") if b"\0" in content else content.splitlines()
    listed = tuple(Path.cwd() / os.fsdecode(each) for each in names if each.strip())
    if not listed:
        raise UsageError(f"{name} names no path; give one a line")
    return listed


def embedded_photos(catalog: Catalog) -> Counter[int]:
    """How many photos each encoder has embedded, by its id."""
    return Counter({row.id: catalog.photo_count(row.id) for row in catalog.encoders()})
