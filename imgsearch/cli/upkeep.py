"""`imgsearch status`, `doctor`, `rebuild`, `switch`: what a library holds, and keeping it well."""

from __future__ import annotations

from typing import Annotated

import typer

from imgsearch.cli import frame

DAMAGED = 4

WaitOption = Annotated[
    bool, typer.Option("--wait", help="Wait for another run on this library to end.")
]


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
    wait: WaitOption = False,
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
    with frame.existing_library(context, library) as opened, opened.lock(wait=wait):
        for finding in check(opened, repair=repair):  # shown as they come: a check may take long
            found.append(finding)
            if json:
                frame.write(finding_json(finding))
            else:
                frame.show(finding_line(finding))
    faults = [finding for finding in found if finding.is_fault]
    if not all(fault.is_repaired for fault in faults):
        raise typer.Exit(DAMAGED)
    if not faults and not json:
        frame.write("nothing wrong: catalog, indexes and files agree\n")


def rebuild(
    context: typer.Context,
    encoder: frame.EncodersOption = None,
    index_kind: Annotated[
        str | None,
        typer.Option(
            "--index-kind",
            metavar="KIND",
            help="flat (exact), sq8, hnsw, ivf or ivf-sq8; as before unless given.",
            show_default=False,
        ),
    ] = None,
    wait: WaitOption = False,
    library: frame.LibraryOption = None,
) -> None:
    """Build the search index again from the stored embeddings; searching goes on meanwhile.

    \b
    imgsearch rebuild
    imgsearch rebuild --encoder cn_clip/ViT-B-16 --index-kind hnsw
    """
    from imgsearch.indexing import rebuild as build

    with frame.existing_library(context, library) as opened, opened.lock(wait=wait):
        catalog = opened.catalog
        rows = catalog.encoders()
        names = [row.name for row in rows if catalog.photo_count(row.id)]
        if not (encoder or names):
            build(opened, kind=index_kind)  # raises, saying what is missing
        for name in encoder or names:
            built = build(opened, encoder=name, kind=index_kind)
            frame.write(f"{name}: {built.count:,} photos, {built.kind} index {built.folder}\n")


def switch(
    context: typer.Context,
    encoder: Annotated[
        str, typer.Argument(metavar="NAME", help="An encoder that has photos in this library.")
    ],
    wait: WaitOption = False,
    library: frame.LibraryOption = None,
) -> None:
    """Let another encoder of the library answer the queries of its languages.

    \b
    imgsearch index --encoder cn_clip/ViT-L-14      embed the photos with it first
    imgsearch switch cn_clip/ViT-L-14
    """
    from imgsearch.indexing import switch as activate

    with frame.existing_library(context, library) as opened, opened.lock(wait=wait):
        row = activate(opened, encoder)
        photos = opened.catalog.live_photo_count(row.id)
    frame.write(f"{row.name} answers {' and '.join(row.languages)} now: {photos:,} photos\n")
