"""`imgsearch album`: photos put together by hand, and searches that are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from imgsearch.cli import frame
from imgsearch.errors import UsageError

if TYPE_CHECKING:
    from imgsearch.library import Library

NOTHING_FOUND = 1

app = typer.Typer(no_args_is_help=True, add_completion=False)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The album.")]
PhotosArgument = Annotated[
    list[str], typer.Argument(metavar="PHOTO", help="Photos by path, or by id as in id:7.")
]


@app.callback()
def album() -> None:
    """Put photos together under a name: by hand, from a search, or as a saved search.

    What is in an album is found with album:NAME in a query, and with --album NAME.
    """


@app.command("add")
def add(
    context: typer.Context,
    name: NameArgument,
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="WHAT",
            help="Photos by path or id, as in id:7; with -k or --saved, a query.",
        ),
    ],
    k: Annotated[
        int | None,
        typer.Option(
            "-k",
            "--k",
            "-t",
            "--top",
            metavar="N",
            min=1,
            help="Put in the N best hits of the query.",
            show_default=False,
        ),
    ] = None,
    saved: Annotated[
        bool,
        typer.Option(
            "--saved",
            help="Keep the query itself: the album is whatever satisfies its conditions, also "
            "photos that come later. Words have no place in it, since they only rank: use -k.",
        ),
    ] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="With -k, also hits that are not relevant.")
    ] = False,
    library: frame.LibraryOption = None,
) -> None:
    """Put photos into an album, which is made if it is new.

    \b
    imgsearch album add holidays beach/1.jpg id:7
    imgsearch album add dogs two dogs playing in snow -k 50
    imgsearch album add "old canons" --saved camera:canon before:2010
    """
    from imgsearch.cli.queries import text_of
    from imgsearch.organising import add_to_album, save_album

    if saved and k is not None:
        raise UsageError("--saved keeps a query and -k puts its hits in: give one of them")
    if everything and k is None:
        raise UsageError("--all is about the hits of a query: give -k N as well")
    with frame.existing_library(context, library) as opened:
        if saved:
            count = save_album(opened, name, text_of(what))
            said = f"{name}: a saved search, of {count:,} photos now"
        else:
            if k is None:
                photo_ids = _photos(opened, what)
            else:
                photo_ids = _best(opened, text_of(what), k, is_cut=not everything)
            count = add_to_album(opened, name, photo_ids)
            said = f"{name}: {count:,} of {len(photo_ids):,} photos were not in it"
    frame.complain(said, style="dim")


@app.command("remove")
def remove(
    context: typer.Context,
    name: NameArgument,
    photos: PhotosArgument,
    library: frame.LibraryOption = None,
) -> None:
    """Take photos out of an album; the photos stay where they are.

    \b
    imgsearch album remove holidays id:7
    """
    from imgsearch.organising import remove_from_album

    with frame.existing_library(context, library) as opened:
        photo_ids = _photos(opened, photos)
        count = remove_from_album(opened, name, photo_ids)
    frame.complain(f"{name}: {count:,} of {len(photo_ids):,} photos were in it", style="dim")


@app.command("list")
def list_albums(
    context: typer.Context,
    json: frame.JsonOption = False,
    library: frame.LibraryOption = None,
) -> None:
    """List the albums, with how many photos are in them now, and the search that one is.

    \b
    imgsearch album list
    imgsearch album list --json | jq -r .name
    """
    from imgsearch.display.albums import albums_json, albums_table
    from imgsearch.organising import list_albums

    with frame.existing_library(context, library) as opened:
        rows = list_albums(opened)
    if json:
        frame.write(albums_json(rows))
    elif rows:
        frame.show(albums_table(rows))
    else:
        frame.complain("no albums yet: imgsearch album add NAME PHOTO", style="yellow")


@app.command("rename")
def rename(
    context: typer.Context,
    name: NameArgument,
    another: Annotated[str, typer.Argument(metavar="NEW", help="What it is to be called.")],
    library: frame.LibraryOption = None,
) -> None:
    """Give an album another name.

    \b
    imgsearch album rename holidays "Holidays 2023"
    """
    from imgsearch.organising import rename_album

    with frame.existing_library(context, library) as opened:
        rename_album(opened, name, another)
    frame.complain(f"{name} is called {another.strip()} now", style="dim")


@app.command("delete")
def delete(context: typer.Context, name: NameArgument, library: frame.LibraryOption = None) -> None:
    """Forget an album; its photos stay where they are.

    \b
    imgsearch album delete holidays
    """
    from imgsearch.organising import drop_album

    with frame.existing_library(context, library) as opened:
        drop_album(opened, name)


def _photos(library: Library, named: Sequence[str]) -> list[int]:
    """The ids of photos by path or id. Raises QueryError, which says how to put in a search."""
    from imgsearch.cli.showing import photo_asked_for
    from imgsearch.describing import look_up
    from imgsearch.errors import QueryError

    try:
        return [look_up(library, photo_asked_for(each)).photo_id for each in named]
    except QueryError as error:
        raise QueryError(
            f"{error}. For the hits of a query give -k N, to keep its conditions --saved"
        ) from error


def _best(library: Library, query: str, k: int, *, is_cut: bool) -> list[int]:
    """The ids of the hits of a query; without any, that is said and all is over."""
    from imgsearch.cli.queries import asked_for, hits_of, nothing_found
    from imgsearch.cli.showing import status
    from imgsearch.searching import ANY_MANNER

    asked = asked_for(query)
    with status(f"searching {query}"):
        (hits,) = hits_of(library, [asked], k, ANY_MANNER, is_cut=is_cut)
    if not hits:
        said = nothing_found(library, asked, ANY_MANNER, is_cut=is_cut)
        frame.complain(said, style="yellow")
        raise typer.Exit(NOTHING_FOUND)
    return [hit.photo_id for hit in hits]
