"""`imgsearch encoders` lists what can be used."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from imgsearch.cli import frame

if TYPE_CHECKING:
    from imgsearch.display.encoders import LibraryEncoder


def encoders(
    context: typer.Context,
    json: frame.JsonOption = False,
    library: frame.LibraryOption = None,
) -> None:
    """List the encoders that can be used, and which ones this library has.

    \b
    imgsearch encoders
    imgsearch encoders --json | jq -r 'select(.photos).name'

    Any other name of open_clip's works as well, as do a checkpoint file and a folder of weights.
    """
    from imgsearch.display import encoders as forms
    from imgsearch.encoders import known

    here = _of_library(context, library)
    if json:
        frame.write(forms.encoders_json(known(), here))
    else:
        frame.show(forms.encoders_table(known(), here))


def _of_library(context: typer.Context, given: Path | None) -> list[LibraryEncoder]:
    """What the library does with each of its encoders; empty without a library."""
    from imgsearch.display.encoders import LibraryEncoder
    from imgsearch.errors import NoLibraryError

    try:
        opened = frame.existing_library(context, given)
    except NoLibraryError:
        return []
    with opened:
        catalog = opened.catalog
        active = catalog.active_encoders()
        return [
            LibraryEncoder(
                row.name,
                row.languages,
                row.dim,
                catalog.photo_count(row.id),
                tuple(language for language, each in active.items() if each.id == row.id),
            )
            for row in catalog.encoders()
        ]
