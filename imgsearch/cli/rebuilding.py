"""`imgsearch rebuild`: a bar on stderr while it runs, old against new on stdout when it is done."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from imgsearch.cli import frame

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgsearch.indexing import Rebuilt
    from imgsearch.library import Library


def rebuild(
    context: typer.Context,
    encoder: frame.EncodersOption = None,
    add: Annotated[
        bool, typer.Option("--add", help="Let it answer only languages that nobody answers yet.")
    ] = False,
    no_switch: Annotated[
        bool,
        typer.Option("--no-switch", help="Build and wait; `imgsearch switch` lets it answer."),
    ] = False,
    index_kind: Annotated[
        str | None,
        typer.Option(
            "--index-kind",
            metavar="KIND",
            help="flat (exact), sq8, hnsw, ivf or ivf-sq8; as before unless given.",
            show_default=False,
        ),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for another run on this library to end.")
    ] = False,
    device: frame.DeviceOption = "auto",
    json: frame.JsonOption = False,
    quiet: frame.QuietOption = False,
    library: frame.LibraryOption = None,
) -> None:
    """Embed all photos with another encoder and let it answer; searching goes on meanwhile.

    Without an encoder: build the search index again from what is stored.

    \b
    imgsearch rebuild --encoder models/flowers-v2       then it answers; rollback returns
    imgsearch rebuild --encoder flowers-v2 --no-switch  build, compare, wait for switch
    imgsearch rebuild --encoder cn_clip/ViT-B-16 --add  Chinese as well, English as before
    imgsearch rebuild --index-kind hnsw                 another kind of index

    Interrupted, the same command goes on where it was.
    """
    from imgsearch.cli.progress import Progress
    from imgsearch.display import rebuilding as forms
    from imgsearch.errors import UsageError
    from imgsearch.indexing import rebuild as build

    if not encoder and (add or no_switch):
        raise UsageError("say which encoder is to be added or to wait: --encoder NAME")
    is_quiet = quiet or frame.settings(context).is_quiet
    with frame.existing_library(context, library) as opened, opened.lock(wait=wait):
        for rebuilt in () if encoder else _indexes(opened, index_kind):
            frame.write(forms.rebuilt_json(rebuilt) if json else forms.index_line(rebuilt) + "\n")
        for name in encoder or ():
            with Progress(is_quiet=is_quiet, doing="loading the encoder") as progress:
                rebuilt = build(
                    opened,
                    encoder=name,
                    kind=index_kind,
                    switch=not no_switch,
                    add=add,
                    device=device,
                    notify=progress.notice,
                )
            if json:
                frame.write(forms.rebuilt_json(rebuilt))
            elif not is_quiet:
                frame.show(forms.rebuilt_page(rebuilt, _next(opened, rebuilt, add=add)))


def _indexes(library: Library, kind: str | None) -> Iterator[Rebuilt]:
    """A new index of every encoder that answers."""
    from imgsearch.indexing import Rebuilt
    from imgsearch.indexing import rebuild as build
    from imgsearch.library import generations

    rows = {row.id: row for row in library.catalog.active_encoders().values()}
    if not rows:
        yield build(library, kind=kind)  # raises, saying what is missing
    for row in rows.values():
        started = time.monotonic()
        built = generations.build(library, row, kind)
        yield Rebuilt(row.name, built, seconds=time.monotonic() - started)


def _next(library: Library, rebuilt: Rebuilt, *, add: bool) -> str:
    """What a person may want to type next."""
    if any(each.previous for each in rebuilt.switched):
        return f"take it back: {library.command('rollback')}"
    if rebuilt.switched or rebuilt.withheld:
        return ""
    row = library.find_encoder(rebuilt.encoder)
    active = library.catalog.active_encoders()
    if row is None or all(active.get(each) == row for each in row.languages):
        return ""
    why = "every language it knows is answered already; " if add else ""
    return f"{why}let it answer: {library.command('switch', rebuilt.encoder)}"
