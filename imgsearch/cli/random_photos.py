"""`imgsearch random`: photos drawn by chance."""

from __future__ import annotations

from typing import Annotated

import typer

from imgsearch.cli import filter_options, frame, showing
from imgsearch.cli.previews import PreviewAsOption, PreviewOption

NOTHING_FOUND = 1


def random_photos(
    context: typer.Context,
    k: showing.KOption = 10,
    seed: Annotated[
        int | None,
        typer.Option("--seed", metavar="N", min=0, help="Draw the same again.", show_default=False),
    ] = None,
    path: showing.PathOption = None,
    preview: PreviewOption = False,
    preview_as: PreviewAsOption = None,
    html: showing.HtmlOption = None,
    json: frame.JsonOption = False,
    library: frame.LibraryOption = None,
) -> None:
    """Show photos of the library drawn by chance.

    \b
    imgsearch random
    imgsearch random -k 3 --preview --path ~/Pictures/2009
    imgsearch random --country 中国 --year 2019-2023
    imgsearch random -k 100 --seed 1 --json | jq -r .path
    """
    from imgsearch.searching import Filters
    from imgsearch.searching.random_photos import random_photos as draw

    with frame.existing_library(context, library) as opened:
        filters = Filters(path, conditions=filter_options.conditions(context))
        hits = draw(opened, k, seed=seed, filters=filters)
        shown = showing.Shown(json=json, preview=preview, preview_as=preview_as, html=html)
        showing.show_hits(opened, hits, "photos drawn at random", shown)
    if not hits:
        frame.complain("nothing found: the library has no such photo", style="yellow")
        raise typer.Exit(NOTHING_FOUND)
