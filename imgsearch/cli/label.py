"""`imgsearch label`: photos are sorted by words, an encoder's and a person's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imgsearch.cli import filter_options, frame, showing
from imgsearch.errors import UsageError

if TYPE_CHECKING:
    from imgsearch.library import Library
    from imgsearch.organising import LabelEvent, LabelsFinished, LabelText


def label(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="LABEL",
            help="Labels, or text files with a label a line; with --add and --remove, photos.",
            show_default=False,
        ),
    ] = None,
    min_confidence: Annotated[
        float,
        typer.Option("--min-confidence", metavar="P", min=0, max=1, help="Give no label below P."),
    ] = 0.5,
    top: Annotated[
        int, typer.Option("--top", metavar="N", min=1, help="At most N labels a photo.")
    ] = 1,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be given, and keep nothing.")
    ] = False,
    relabel: Annotated[
        bool,
        typer.Option("--relabel", help="Give labels anew, to photos that are up to date as well."),
    ] = False,
    add: Annotated[
        str | None,
        typer.Option("--add", metavar="NAME", help="Give photos this label yourself."),
    ] = None,
    remove: Annotated[
        str | None,
        typer.Option("--remove", metavar="NAME", help="Take this label from photos."),
    ] = None,
    drop: Annotated[
        str | None,
        typer.Option("--drop", metavar="NAME", help="Take this label from all, and forget it."),
    ] = None,
    is_list: Annotated[
        bool, typer.Option("--list", help="List the labels there are, with counts.")
    ] = False,
    export: Annotated[
        Path | None,
        typer.Option(
            "--export",
            metavar="OUT.csv",
            parser=frame.expanded,
            help="Write every label of every photo to a CSV table.",
            show_default=False,
        ),
    ] = None,
    path: showing.PathOption = None,
    wait: frame.WaitOption = False,
    json: frame.JsonOption = False,
    quiet: frame.QuietOption = False,
    library: frame.LibraryOption = None,
) -> None:
    """Give photos labels by what is in them, each with a confidence, or none of these.

    A list has a label a line: `name`, or `name = a text | another` that says what it looks like.
    Labels are searched for by `label:name`. Those you give yourself are never changed by a run, and
    those you take from a photo are not given to it again.

    \b
    imgsearch label cat dog 汽车 --dry-run      look first
    imgsearch label LABELS.txt                 and later again: only for new photos
    imgsearch label LABELS.txt --min-confidence 0.8 --top 3 --path ~/Pictures/2024
    imgsearch label --add family id:7 holiday/0001.jpg
    imgsearch label --remove dog id:7
    imgsearch label --list
    imgsearch label --export labels.csv

    Interrupted, the same command goes on where it was.
    """
    jobs = {
        "--add": add,
        "--remove": remove,
        "--drop": drop,
        "--list": is_list,
        "--export": export,
    }
    named = [name for name, value in jobs.items() if value]
    if len(named) > 1:
        raise UsageError(f"{named[0]} and {named[1]} are two things to do: give one at a time")
    if named:
        filter_options.check_unused(context, path, f"{named[0]} takes none: leave one out")
    given = list(words or ())
    with frame.existing_library(context, library) as opened:
        if add is not None or remove is not None:
            _change(opened, add, remove, given, wait=wait)
        elif drop is not None:
            from imgsearch.organising import drop_label

            with opened.lock(wait=wait):
                drop_label(opened, drop)
        elif is_list:
            _list(opened, is_json=json)
        elif export is not None:
            _export(opened, export)
        else:
            from imgsearch.display import labels as forms
            from imgsearch.organising import Bounds, preview_labels
            from imgsearch.organising import label as label_photos

            only = filter_options.only(context, opened, path)
            bounds = Bounds(top, min_confidence, only)
            is_quiet = quiet or frame.settings(context).is_quiet
            labels = _labels(given)
            if dry_run:
                finished = _finished(preview_labels(opened, labels, bounds=bounds), quiet=is_quiet)
            else:
                with opened.lock(wait=wait):
                    run = label_photos(opened, labels, bounds=bounds, relabel=relabel)
                    finished = _finished(run, quiet=is_quiet)
            if json:
                frame.write(forms.finished_json(finished))
            elif not is_quiet:
                frame.show(forms.finished_page(finished))


def _finished(events: Iterator[LabelEvent], *, quiet: bool) -> LabelsFinished:
    """Follow a run to its end."""
    from imgsearch.cli.label_progress import LabelProgress
    from imgsearch.organising import LabelsFinished

    with LabelProgress(is_quiet=quiet) as progress:
        for event in events:
            progress.show(event)
    assert isinstance(event, LabelsFinished)
    return event


def _labels(given: list[str]) -> tuple[LabelText, ...]:
    """Labels as they were typed; a name that is a file, or ends in .txt, stands for its lines."""
    from imgsearch.organising import parse_labels, read_labels

    lines: list[str] = []
    for word in given:
        path = frame.expanded(word)
        is_file = path.suffix.lower() == ".txt" or path.is_file()
        lines += read_labels(path) if is_file else [word]
    return parse_labels(lines)


def _change(
    library: Library, add: str | None, remove: str | None, photos: list[str], *, wait: bool
) -> None:
    from imgsearch.cli.showing import photo_asked_for
    from imgsearch.describing import look_up
    from imgsearch.organising import add_label, remove_label

    option = "--add" if add is not None else "--remove"
    if not photos:
        raise UsageError(f"{option} names no photo; give paths, or ids as in id:7")
    ids = [look_up(library, photo_asked_for(photo)).photo_id for photo in photos]
    with library.lock(wait=wait):
        if add is not None:
            count, said = add_label(library, add, ids), "got the label"
        else:
            count, said = remove_label(library, str(remove), ids), "lost the label"
    frame.complain(f"{count:,} of {len(set(ids)):,} photos {said}", style="dim")


def _list(library: Library, *, is_json: bool) -> None:
    from imgsearch.display import labels as forms

    tallies = library.catalog.label_tallies()
    if is_json:
        frame.write(forms.tallies_json(tallies))
    elif tallies:
        frame.show(forms.tallies_table(tallies))
    else:
        frame.complain("there are no labels yet: imgsearch label cat dog", style="yellow")


def _export(library: Library, target: Path) -> None:
    from imgsearch.display.labels import labels_csv
    from imgsearch.organising import labelled

    rows = list(labelled(library))
    try:
        target.write_text(labels_csv(rows), "utf-8", "surrogateescape", newline="\n")
    except OSError as error:
        raise UsageError(
            f"the labels cannot be written to {str(target)!r} ({error.strerror}); give a path in a "
            "folder that exists"
        ) from error
    frame.complain(f"{len(rows):,} labels: {target}", style="dim")
