"""`imgsearch export` and `imgsearch import`: embeddings out of a library, and into one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imgsearch.cli import filter_options, frame
from imgsearch.errors import UsageError

if TYPE_CHECKING:
    from imgsearch.exchanging import Format

NOTHING_TAKEN = 1

FormatOption = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help="clip-retrieval, npz or jsonl; else as the name or the content says.",
        show_default=False,
    ),
]


def export(
    context: typer.Context,
    target: Annotated[
        Path,
        typer.Argument(
            metavar="OUT",
            parser=frame.expanded,
            help="A folder for clip-retrieval, OUT.npz for numpy, OUT.jsonl for Chinese-CLIP.",
        ),
    ],
    path: Annotated[
        Path | None,
        typer.Option(
            "--path",
            metavar="FOLDER",
            parser=frame.expanded,
            help="Only photos at or under this path.",
            show_default=False,
        ),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            "--encoder",
            metavar="NAME",
            help="Whose embeddings, where several encoders have some.",
            show_default=False,
        ),
    ] = None,
    format: FormatOption = None,
    float32: Annotated[
        bool,
        typer.Option(
            "--float32", help="Lose nothing: clip-retrieval itself writes float16, and reads both."
        ),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace an export that is there already.")
    ] = False,
    json: frame.JsonOption = False,
    quiet: frame.QuietOption = False,
    library: frame.LibraryOption = None,
) -> None:
    """Write embeddings, paths and captions for other programs, or for another library.

    \b
    imgsearch export embeddings                 img_emb/*.npy and metadata/*.parquet
    imgsearch export photos.npz                 numpy.load("photos.npz")["vectors"]
    imgsearch export features.jsonl --encoder cn_clip/ViT-B-16
    imgsearch export 2023.npz --path ~/Pictures --year 2023
    """
    from imgsearch.cli.caption_progress import CaptionProgress
    from imgsearch.display.exchange import exported_json, exported_line
    from imgsearch.exchanging import Shape, export_embeddings

    is_quiet = quiet or frame.settings(context).is_quiet
    shape = Shape(_format(format), float32, force)
    with (
        frame.existing_library(context, library) as opened,
        CaptionProgress("writing embeddings", is_quiet=is_quiet) as progress,
    ):
        only = filter_options.only(context, opened, path)
        exported = export_embeddings(
            opened, target, encoder=encoder, only=only, shape=shape, progress=progress.count
        )
    if json:
        frame.write(exported_json(exported))
    elif not is_quiet:
        frame.show(exported_line(exported))


def import_(
    context: typer.Context,
    source: Annotated[
        Path,
        typer.Argument(
            metavar="IN",
            parser=frame.expanded,
            help="A folder of clip-retrieval, an .npz, or features of Chinese-CLIP (.jsonl).",
        ),
    ],
    photos: Annotated[
        Path | None,
        typer.Option(
            "--photos",
            metavar="FOLDER",
            parser=frame.expanded,
            help="Where the photos are that the library does not know: a folder, also of tars.",
            show_default=False,
        ),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            "--encoder",
            metavar="NAME",
            help="What made them, where the file does not say; it is checked on a few photos.",
            show_default=False,
        ),
    ] = None,
    format: FormatOption = None,
    device: frame.DeviceOption = "auto",
    wait: frame.WaitOption = False,
    json: frame.JsonOption = False,
    quiet: frame.QuietOption = False,
    library: frame.LibraryOption = None,
) -> None:
    """Take in embeddings made elsewhere; photos are not embedded again, and not without a file.

    Exit code 1 where not one row is about a photo on this disk.

    \b
    imgsearch import embeddings --photos ~/Pictures --encoder open_clip/ViT-B-32/openai
    imgsearch import photos.npz --photos /media/new-disk    an export of ours, also moved
    imgsearch import valid_imgs.img_feat.jsonl --photos muge/ --encoder cn_clip/ViT-B-16
    """
    from imgsearch.cli.caption_progress import CaptionProgress
    from imgsearch.display.exchange import imported_json, imported_page
    from imgsearch.exchanging import import_embeddings
    from imgsearch.exchanging.formats import open_embeddings
    from imgsearch.library import open_library

    is_quiet = quiet or frame.settings(context).is_quiet
    kind = _format(format)
    folder = frame.library_path(context, library)
    open_embeddings(source, kind)  # refuses what does not read before a library is made for it
    with (
        open_library(folder) as opened,
        opened.lock(wait=wait),
        CaptionProgress("taking embeddings in", is_quiet=is_quiet) as progress,
    ):
        imported = import_embeddings(
            opened,
            source,
            encoder=encoder,
            photos=photos,
            format=kind,
            device=device,
            progress=progress.count,
        )
        switch = opened.command("switch", imported.encoder)
    if json:
        frame.write(imported_json(imported))
    elif not is_quiet:
        frame.show(imported_page(imported))
    if not (imported.added or imported.known):
        raise typer.Exit(NOTHING_TAKEN)
    if not imported.is_answering:
        frame.complain(f"another encoder answers searches; to let this one: {switch}", "yellow")


def _format(name: str | None) -> Format | None:
    from imgsearch.exchanging.formats import FORMATS

    for known in FORMATS:
        if name == known:
            return known
    if name is not None:
        raise UsageError(f"there is no format {name!r}; there are {', '.join(FORMATS)}")
    return None
