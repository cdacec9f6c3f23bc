"""`imgsearch map` and `imgsearch cluster`: a library as a whole, to look at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imgsearch.cli import filter_options, frame, showing
from imgsearch.errors import UsageError

if TYPE_CHECKING:
    from imgsearch.cli.map_progress import MapProgress
    from imgsearch.organising import PhotoMap

PAGES, PICTURES = (".html", ".htm"), (".png",)


def draw_map(
    context: typer.Context,
    target: Annotated[
        Path,
        typer.Argument(
            metavar="OUT.png|OUT.html", parser=frame.expanded, help="A picture, or a page."
        ),
    ],
    most: Annotated[
        int, typer.Option("--most", metavar="N", min=1, help="Lay out at most N photos.")
    ] = 5_000,
    path: showing.PathOption = None,
    quiet: frame.QuietOption = False,
    library: frame.LibraryOption = None,
) -> None:
    """Draw all photos on a map, those that are alike side by side.

    A page (.html) is one file that needs nothing else: zoom, move, point at a photo, search in
    names, captions and labels. The same library gives the same map.

    \b
    imgsearch map map.png
    imgsearch map map.html --most 2000 --year 2023
    """
    from imgsearch.cli.map_progress import MapProgress
    from imgsearch.display.text import readable_size
    from imgsearch.organising import draw_map as lay_out

    if target.suffix.lower() not in PAGES + PICTURES:
        raise UsageError(
            f"the map cannot be written to {str(target)!r}; give a path ending in .png or .html"
        )
    is_quiet = quiet or frame.settings(context).is_quiet
    with (
        frame.existing_library(context, library) as opened,
        MapProgress("laying out", is_quiet=is_quiet) as progress,
    ):
        only = filter_options.only(context, opened, path)
        photos = lay_out(opened, most=most, only=only)
        progress.doing("drawing")
        try:
            if target.suffix.lower() in PAGES:
                _write_page(photos, target, progress)
            else:
                _save_picture(photos, target, progress)
        except OSError as error:
            raise UsageError(
                f"the map cannot be written to {str(target)!r} ({error.strerror}); give a file in "
                "a folder that exists"
            ) from error
    shown = len(photos.points)
    if shown < photos.total:
        frame.complain(
            f"{shown:,} of {photos.total:,} photos are on the map, evenly chosen; --most "
            f"{photos.total} lays out all, in more time",
            style="yellow",
        )
    size = readable_size(target.stat().st_size)
    frame.complain(f"map of {shown:,} photos: {target}, {size}", style="dim")


def cluster(
    context: typer.Context,
    k: Annotated[
        int | None,
        typer.Option(
            "-k",
            "--groups",
            metavar="N",
            min=1,
            help="How many groups; else as many as the photos fall into.",
            show_default=False,
        ),
    ] = None,
    language: Annotated[
        str, typer.Option("--language", metavar="LANG", help="Name the groups in en or zh.")
    ] = "en",
    path: showing.PathOption = None,
    json: frame.JsonOption = False,
    contact_sheet: Annotated[
        Path | None,
        typer.Option(
            "--contact-sheet",
            metavar="OUT.png",
            parser=frame.expanded,
            help="Draw the most central photos of each group into a picture.",
        ),
    ] = None,
    quiet: frame.QuietOption = False,
    library: frame.LibraryOption = None,
) -> None:
    """Sort all photos into groups that are alike, each with the words nearest to it.

    Nothing is kept: what a group is called is a guess, and `imgsearch label` gives names that are
    searched for.

    \b
    imgsearch cluster
    imgsearch cluster -k 12 --language zh --contact-sheet groups.png
    imgsearch cluster --album holidays
    imgsearch cluster --json | jq -r '.words[0]'
    """
    from imgsearch.cli.map_progress import MapProgress
    from imgsearch.display import clusters as forms
    from imgsearch.organising import cluster as find_groups

    is_quiet = quiet or frame.settings(context).is_quiet
    with (
        frame.existing_library(context, library) as opened,
        MapProgress("finding groups", is_quiet=is_quiet) as progress,
    ):
        only = filter_options.only(context, opened, path)
        groups = find_groups(opened, k, language=language, only=only, progress=progress.count)
    if json:
        frame.write(forms.clusters_json(groups))
    else:
        frame.show(forms.clusters_table(groups))
    if contact_sheet is not None:
        showing.save_sheet(contact_sheet, forms.clusters_sheet(groups))


def _write_page(photos: PhotoMap, target: Path, progress: MapProgress) -> None:
    from imgsearch.display.map_page import map_page

    with open(target, "w", encoding="utf-8", newline="\n") as file:
        file.writelines(map_page(photos, f"{len(photos.points):,} photos", progress.count))


def _save_picture(photos: PhotoMap, target: Path, progress: MapProgress) -> None:
    from imgsearch.display.map_picture import map_picture

    map_picture(photos, progress.count).save(target)
