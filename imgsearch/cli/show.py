"""`imgsearch show`: all that is known of photos."""

from __future__ import annotations

from typing import Annotated

import typer

from imgsearch.cli import frame, showing


def show(
    context: typer.Context,
    photos: Annotated[
        list[str],
        typer.Argument(metavar="PHOTO", help="Photos by path, or by id as in id:7."),
    ],
    json: frame.JsonOption = False,
    library: frame.LibraryOption = None,
) -> None:
    """Show all that is known of a photo: files, size, date, camera, place, captions, encoders.

    \b
    imgsearch show holiday/0001.jpg
    imgsearch show id:7 id:8 --json | jq .captions
    """
    with showing.status("loading"):
        from imgsearch.describing import look_up
        from imgsearch.display.known_photos import known_json, known_page

    with frame.existing_library(context, library) as opened:
        known = [look_up(opened, showing.photo_asked_for(photo)) for photo in photos]
    if json:
        frame.write(known_json(known))
    else:
        frame.show(known_page(known))
