"""`imgsearch rebuild`: a bar on stderr while it runs, old against new on stdout when it is done."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imgsearch.cli import frame

if TYPE_CHECKING:
    from imgsearch.indexing import Rebuilt
    from imgsearch.library import Library
    from imgsearch.pairs import CaptionedPhotos


def rebuild(
    context: typer.Context,
    encoder: frame.EncodersOption = None,
    precision: frame.PrecisionOption = None,
    add: Annotated[
        bool, typer.Option("--add", help="Let it answer only languages that nobody answers yet.")
    ] = False,
    no_switch: Annotated[
        bool,
        typer.Option("--no-switch", help="Build and wait; `imgsearch switch` lets it answer."),
    ] = False,
    pairs: Annotated[
        list[Path] | None,
        typer.Option(
            "--pairs",
            metavar="PATH",
            parser=frame.expanded,
            help="Compare on these photos with captions, else on text beside photos; repeatable.",
            show_default=False,
        ),
    ] = None,
    index_kind: Annotated[
        str | None,
        typer.Option(
            "--index-kind",
            metavar="KIND",
            help="auto (by size), flat (exact), sq8, hnsw, ivf, ivf-sq8 or ivf-pq; it is kept to "
            "until another is given.",
            show_default=False,
        ),
    ] = None,
    recall: Annotated[
        float | None,
        typer.Option(
            "--recall",
            metavar="SHARE",
            help="Tune the index to find this share of the ten nearest; 0.99 until one is given.",
            show_default=False,
        ),
    ] = None,
    wait: frame.WaitOption = False,
    device: frame.DeviceOption = "auto",
    json: frame.JsonOption = False,
    quiet: frame.QuietOption = False,
    library: frame.LibraryOption = None,
) -> None:
    """Embed all photos with another encoder and let it answer; searching goes on meanwhile.

    Without an encoder: build the search indexes again from what is stored.

    \b
    imgsearch rebuild --encoder models/flowers-v2       then it answers
    imgsearch rebuild --encoder flowers-v2 --no-switch  build and compare only
    imgsearch rebuild --encoder cn_clip/ViT-B-16 --add  Chinese as well
    imgsearch rebuild --encoder flowers-v2 --pairs captions.txt
    imgsearch rebuild --index-kind hnsw                 another kind of index
    imgsearch rebuild --index-kind auto --recall 0.995  what suits its size, more exact

    Interrupted, the same command goes on where it was.
    """
    from imgsearch.cli.progress import Progress
    from imgsearch.display import rebuilding as forms
    from imgsearch.errors import UsageError
    from imgsearch.indexing import Handover
    from imgsearch.indexing import rebuild as build
    from imgsearch.indexing import reindex as build_indexes

    encoder = frame.in_precision(encoder, precision, context, library)
    if not encoder and (add or no_switch or pairs):
        raise UsageError("say which encoder is to be added, to wait or compared: --encoder NAME")
    if add and no_switch:
        raise UsageError("an encoder is added to those that answer (--add), or waits: not both")
    handover = Handover("free" if add else "nothing" if no_switch else "all", _captioned(pairs))
    is_quiet = quiet or frame.settings(context).is_quiet
    with frame.existing_library(context, library) as opened, opened.lock(wait=wait):
        if not encoder:
            with Progress(is_quiet=is_quiet, doing="building") as progress:
                built = build_indexes(
                    opened, kind=index_kind, recall=recall, notify=progress.notice
                )
            for each in built:
                if json:
                    frame.write(forms.plain_json(each))
                elif not is_quiet:
                    frame.write(forms.index_line(each) + "\n")
        for name in encoder or ():
            with Progress(is_quiet=is_quiet, doing="loading the encoder") as progress:
                rebuilt = build(
                    opened,
                    name,
                    handover=handover,
                    kind=index_kind,
                    recall=recall,
                    device=device,
                    notify=progress.notice,
                )
            if json:
                frame.write(forms.plain_json(rebuilt))
            elif not is_quiet:
                frame.show(forms.rebuilt_page(rebuilt, _next(opened, rebuilt, add=add)))


def _captioned(paths: list[Path] | None) -> CaptionedPhotos | None:
    from imgsearch.errors import UsageError
    from imgsearch.pairs import CaptionedPhotos, read_pairs

    if not paths:
        return None
    pairs = read_pairs(paths)
    if not isinstance(pairs, CaptionedPhotos):
        raise UsageError(
            f"{paths[0]} holds photos with classes; encoders are compared on photos with captions"
        )
    return pairs


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
