"""`imgsearch status`, `doctor`, `rebuild`: what a library holds, whether it agrees with itself."""

from __future__ import annotations

from typing import Annotated

import typer

from imgsearch.cli import frame

DAMAGED = 4


def status(
    context: typer.Context, json: frame.JsonOption = False, library: frame.LibraryOption = None
) -> None:
    """Say what is in the library: photos, encoders, indexes, size, the last run.

    \b
    imgsearch status
    imgsearch status --json | jq .photos.live
    """
    from imgsearch.display.status import status_json, status_page
    from imgsearch.upkeep import status as look

    with frame.existing_library(context, library) as opened:
        found = look(opened)
    if json:
        frame.write(status_json(found))
    else:
        frame.show(status_page(found))


def doctor(
    context: typer.Context,
    repair: Annotated[
        bool, typer.Option("--repair/--no-repair", help="Repair what can be, or only report.")
    ] = True,
    json: frame.JsonOption = False,
    library: frame.LibraryOption = None,
) -> None:
    """Check that catalog, indexes and files agree; repair what can be built again.

    Ends with exit code 4 when a fault is left that a person must see to.

    \b
    imgsearch doctor
    imgsearch doctor --no-repair --json
    """
    from imgsearch.display.status import finding_json, finding_line
    from imgsearch.upkeep import doctor as check

    found = []
    with frame.existing_library(context, library) as opened:
        for finding in check(opened, repair=repair):  # shown as they come: a check may take long
            found.append(finding)
            if json:
                frame.write(finding_json(finding))
            else:
                frame.show(finding_line(finding))
    if not all(finding.is_repaired for finding in found):
        raise typer.Exit(DAMAGED)
    if not found and not json:
        frame.write("nothing wrong: catalog, indexes and files agree\n")


def rebuild(
    context: typer.Context,
    encoder: frame.EncodersOption = None,
    library: frame.LibraryOption = None,
) -> None:
    """Build the search index again from the stored embeddings; searching goes on meanwhile.

    \b
    imgsearch rebuild
    imgsearch rebuild --encoder cn_clip/ViT-B-16
    """
    from imgsearch.indexing import rebuild as build

    with frame.existing_library(context, library) as opened:
        catalog = opened.catalog
        rows = catalog.encoders()
        names = [row.name for row in rows if catalog.photo_count(row.id)]
        if not (encoder or names):
            build(opened)  # raises, saying what is missing
        for name in encoder or names:
            built = build(opened, encoder=name)
            frame.write(f"{name}: {built.count:,} photos, {built.kind} index {built.folder}\n")
