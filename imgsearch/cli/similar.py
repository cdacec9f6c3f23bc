"""`imgsearch similar`: the photos most like one photo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imgsearch.cli import completion, filter_options, frame, showing
from imgsearch.cli.previews import PreviewAsOption, PreviewOption
from imgsearch.errors import UsageError

NOTHING_FOUND = 1


def similar(
    context: typer.Context,
    photo: Annotated[
        str, typer.Argument(metavar="PHOTO", help="A picture, or a photo by id as in id:7.")
    ],
    k: showing.KOption = 10,
    min_score: Annotated[
        float | None, typer.Option("--min-score", metavar="S", help="Leave out lower scores.")
    ] = None,
    path: showing.PathOption = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            "--encoder",
            metavar="NAME",
            help="Compare with this encoder of the library.",
            autocompletion=completion.encoders,
        ),
    ] = None,
    preview: PreviewOption = False,
    preview_as: PreviewAsOption = None,
    html: showing.HtmlOption = None,
    json: frame.JsonOption = False,
    library: frame.LibraryOption = None,
) -> None:
    """Find the photos most like one photo, which is left out itself.

    A photo of the library is compared by what is stored of it; any other picture is embedded.

    \b
    imgsearch similar holiday/0001.jpg
    imgsearch similar id:123 -k 30 --preview
    imgsearch similar ~/Downloads/sofa.png --path ~/Pictures --after 2020
    """
    from imgsearch.searching import Filters
    from imgsearch.searching.filters import why_none
    from imgsearch.searching.similar import similar as find_similar

    asked = showing.photo_asked_for(photo)
    if isinstance(asked, Path):
        _check_is_no_word(asked)
    conditions = filter_options.conditions(context)
    with frame.existing_library(context, library) as opened:
        with showing.status(f"comparing with {photo}"):
            hits = find_similar(
                opened,
                asked,
                k,
                encoder=encoder,
                filters=Filters(path, min_score, conditions=conditions),
            )
        shown = showing.Shown(json=json, preview=preview, preview_as=preview_as, html=html)
        showing.show_hits(opened, hits, f"similar to {photo}", shown)
        if not hits:
            reason = why_none(opened, conditions, path) or "no other photo is in the library"
            frame.complain(f"nothing found: {reason}", style="yellow")
            raise typer.Exit(NOTHING_FOUND)


def _check_is_no_word(path: Path) -> None:
    """Raise UsageError for what is no path of anything: it was meant for `search`."""
    if len(path.parts) == 1 and not path.suffix and not path.exists():
        raise UsageError(
            f"there is no picture {str(path)!r}; photos that fit words are found with "
            f"imgsearch search {path}"
        )
