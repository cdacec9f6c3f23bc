"""`imgsearch status`, `doctor`, `switch`, `rollback`, `prune`: what a library holds, who answers in
it, and what it may lose."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from imgsearch.cli import frame, showing

if TYPE_CHECKING:
    from imgsearch.library import Library

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
    wait: frame.WaitOption = False,
    json: frame.JsonOption = False,
    library: frame.LibraryOption = None,
) -> None:
    """Check that catalog, indexes and files agree; repair what can be built again.

    Ends with exit code 4 when a fault is left that a person must see to. The library must be
    writable, with --no-repair too, so that nobody changes it meanwhile; of one on a read-only disk,
    check a copy.

    \b
    imgsearch doctor
    imgsearch doctor --no-repair --json
    """
    from imgsearch.display.status import finding_json, finding_line
    from imgsearch.upkeep import doctor as check

    found = []
    with frame.existing_library(context, library) as opened, opened.lock(wait=wait):
        # shown as they come: a check may take long
        for finding in showing.awaited(check(opened, repair=repair), "checking"):
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


def switch(
    context: typer.Context,
    encoder: Annotated[
        str, typer.Argument(metavar="NAME", help="An encoder that has photos in this library.")
    ],
    wait: frame.WaitOption = False,
    library: frame.LibraryOption = None,
) -> None:
    """Let another encoder of the library answer the queries of its languages.

    \b
    imgsearch index --encoder cn_clip/ViT-L-14      embed the photos with it first
    imgsearch switch cn_clip/ViT-L-14
    """

    with showing.status("loading"):
        from imgsearch.indexing import switch as activate
    with frame.existing_library(context, library) as opened, opened.lock(wait=wait):
        row = activate(opened, encoder)
        photos = opened.catalog.live_photo_count(row.id)
        frame.write(f"{row.name} answers {' and '.join(row.languages)} now: {photos:,} photos\n")
        _say_what_is_lacking(opened)


def rollback(
    context: typer.Context, wait: frame.WaitOption = False, library: frame.LibraryOption = None
) -> None:
    """Take back the last switch: who answered before answers again, at once.

    Undoes `switch`, `rebuild --encoder`, and an encoder that took over at the end of `index`.
    Again, it goes one further back.

    \b
    imgsearch rebuild --encoder flowers-v2
    imgsearch rollback                              as if it had never been
    """
    from imgsearch.display.rebuilding import answers_lines

    with showing.status("loading"):
        from imgsearch.indexing import rollback as take_back
    with frame.existing_library(context, library) as opened, opened.lock(wait=wait):
        before = opened.catalog.active_encoders()
        answers = take_back(opened)
        frame.write("".join(f"{line}\n" for line in answers_lines(answers, before)))
        _say_what_is_lacking(opened)


def prune(
    context: typer.Context,
    encoder: Annotated[
        list[str] | None,
        typer.Option(
            "--encoder",
            metavar="NAME",
            help="Drop this encoder as well, which has not answered yet; repeatable.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="NAME",
            help="Drop this model of your own from models/ as well; repeatable.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Drop it without asking.")] = False,
    wait: frame.WaitOption = False,
    json: frame.JsonOption = False,
    library: frame.LibraryOption = None,
) -> None:
    """Drop what was made with encoders that answer nothing, after saying what it frees.

    Embeddings, indexes and copies of bundled weights go, and rollback can return to them no more.
    Photos and what answers are never touched; your own models and encoders that wait for `switch`
    only where you name them.

    \b
    imgsearch prune --dry-run
    imgsearch prune
    imgsearch prune --model flowers-v1 --yes
    """
    from imgsearch.display.rebuilding import pruned_json, pruned_page
    from imgsearch.display.text import readable_size

    with showing.status("loading"):
        from imgsearch.indexing import prune as drop

    named = {"encoders": encoder or (), "models": model or ()}
    with frame.existing_library(context, library) as opened, opened.lock(wait=wait):
        with showing.status("looking for what answers nothing"):
            pruned = drop(opened, dry_run=True, **named)
        is_asked = bool(pruned) and not (dry_run or yes)
        if is_asked:
            show = frame.stderr().print if json else frame.show
            show(pruned_page(pruned, is_done=False))
            if not _is_wanted():
                frame.complain("nothing was dropped", style="yellow")
                return
        if not dry_run:
            with showing.status("dropping"):
                pruned = drop(opened, dry_run=False, **named)
    if json:
        frame.write(pruned_json(pruned))
    elif is_asked:
        frame.write(f"{readable_size(pruned.freed_bytes)} freed\n")
    else:
        frame.show(pruned_page(pruned, is_done=not dry_run))


def _is_wanted() -> bool:
    from imgsearch.errors import UsageError

    try:
        return typer.confirm("Drop this for good?", err=True)
    except typer.Abort as error:  # Ctrl-C, or the end of a stdin where nobody types
        if sys.stdin.isatty():
            raise KeyboardInterrupt from error
        raise UsageError("nobody is there to ask: --yes drops it, --dry-run only says") from error


def _say_what_is_lacking(library: Library) -> None:
    """Photos that came while an encoder answered nothing are not among what it finds."""
    from imgsearch.catalog import audit

    live = audit.counts(library.catalog).live_photos
    rows = {row.id: row for row in library.catalog.active_encoders().values()}
    for row in rows.values():
        lacking = live - library.catalog.live_photo_count(row.id)
        if lacking > 0:
            frame.complain(
                f"{row.name} has not embedded {lacking:,} of the photos and does not find them; "
                f"this embeds them: {library.command('index')}",
                style="yellow",
            )
