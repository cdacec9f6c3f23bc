"""`imgsearch copy` and `imgsearch link`: hits into a folder."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imgsearch.cli import filter_options, frame, showing

if TYPE_CHECKING:
    from imgsearch.library import Library
    from imgsearch.organising.taking_out import How, LeftOut, TakenOut

NOTHING_FOUND = 1

FolderArgument = Annotated[
    Path,
    typer.Argument(metavar="FOLDER", parser=frame.expanded, help="Where to; made if need be."),
]
NumbersArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[N]...", help="Hits of the last search, as in 1 3 5-8; else all of them."
    ),
]
QueryOption = Annotated[
    str | None,
    typer.Option(
        "--query", metavar="QUERY", help="The hits of this query instead.", show_default=False
    ),
]
KOption = Annotated[
    int, typer.Option("-k", "--k", "-t", "--top", metavar="N", min=1, help="How many, of --query.")
]
AllOption = Annotated[
    bool, typer.Option("--all", help="Also hits of --query that are not relevant.")
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]


def copy(
    context: typer.Context,
    folder: FolderArgument,
    numbers: NumbersArgument = None,
    query: QueryOption = None,
    k: KOption = 10,
    everything: AllOption = False,
    path: showing.PathOption = None,
    dry_run: DryRunOption = False,
    json: frame.JsonOption = False,
    library: frame.LibraryOption = None,
) -> None:
    """Copy hits into a folder; nothing there is ever replaced.

    A name that is taken gets a number behind it. A photo inside an archive or a film is written
    out.

    \b
    imgsearch search receipt -k 50
    imgsearch copy ~/receipts
    imgsearch copy ~/receipts 1 3 5-8
    imgsearch copy ~/cats --query "a cat" -k 100 --year 2023 --dry-run
    """
    with frame.existing_library(context, library) as opened:
        paths = _paths(context, opened, numbers, _Asked(query, k, everything, path))
    _take(paths, folder, "copy", is_json=json, dry_run=dry_run)


def link(
    context: typer.Context,
    folder: FolderArgument,
    numbers: NumbersArgument = None,
    hard: Annotated[
        bool,
        typer.Option(
            "--hard/--symbolic",
            help="Make hard links, which outlive a move of the photo on the same disk.",
        ),
    ] = False,
    query: QueryOption = None,
    k: KOption = 10,
    everything: AllOption = False,
    path: showing.PathOption = None,
    dry_run: DryRunOption = False,
    json: frame.JsonOption = False,
    library: frame.LibraryOption = None,
) -> None:
    """Link hits into a folder, which takes no room; nothing there is ever replaced.

    A photo inside an archive or a film, to which nothing can link, is written out.

    \b
    imgsearch link ~/best 1 3 5-8
    imgsearch link ~/beach --query "a beach at sunset" -k 200 --hard
    """
    with frame.existing_library(context, library) as opened:
        paths = _paths(context, opened, numbers, _Asked(query, k, everything, path))
    _take(paths, folder, "hardlink" if hard else "symlink", is_json=json, dry_run=dry_run)


@dataclass(frozen=True)
class _Asked:
    """The search that --query makes: its text, how many hits, relevant or not, and where."""

    query: str | None
    k: int
    everything: bool
    path: Path | None


def _paths(
    context: typer.Context, library: Library, numbers: list[str] | None, asked: _Asked
) -> list[Path]:
    """The photos that were meant, and no search that nobody asked for."""
    from imgsearch.cli.numbers import chosen
    from imgsearch.cli.queries import asked_for, hits_of, nothing_found, text_of
    from imgsearch.errors import UsageError
    from imgsearch.library.last_search import last_search

    if asked.query is None:
        filter_options.check_unused(context, asked.path, "the last search is done: give --query")
        if asked.everything:
            raise UsageError("--all is about a search, and the last one is done: give --query")
        return chosen(last_search(library), numbers or ())
    if numbers:
        raise UsageError(
            "numbers are those of the last search, and --query makes another: give one"
        )
    from imgsearch.searching import Filters, Manner

    manner = Manner(filters=Filters(asked.path, conditions=filter_options.conditions(context)))
    query, is_cut = asked_for(text_of([asked.query])), not asked.everything
    with showing.status(f"searching {asked.query}"):
        (hits,) = hits_of(library, [query], asked.k, manner, is_cut=is_cut)
    if not hits:
        frame.complain(nothing_found(library, query, manner, is_cut=is_cut), style="yellow")
        raise typer.Exit(NOTHING_FOUND)
    return [hit.path for hit in hits]


def _take(paths: list[Path], folder: Path, how: How, *, is_json: bool, dry_run: bool) -> None:
    from rich.progress import track

    from imgsearch.display.taken_out import taken_out_json, taken_out_line, taken_out_summary
    from imgsearch.organising.taking_out import TakenOut, take_out

    outcomes: Iterable[TakenOut | LeftOut] = track(
        take_out(paths, folder, how, dry_run=dry_run),
        "copying" if how == "copy" else "linking",
        total=len(paths),
        console=frame.stderr(),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    seen = []
    for outcome in outcomes:
        seen.append(outcome)
        if is_json:
            frame.write(taken_out_json(outcome))
        else:
            frame.write(taken_out_line(outcome))
    frame.complain(taken_out_summary(seen, folder, how, dry_run=dry_run), style="dim")
    if not any(isinstance(each, TakenOut) for each in seen):
        raise typer.Exit(NOTHING_FOUND)
