"""`imgsearch open`: hits of the last search in the system's own viewer."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from imgsearch.cli import frame


def open_hit(
    context: typer.Context,
    numbers: Annotated[
        list[str],
        typer.Argument(metavar="N", help="Hits of the last search: 3, or several: 1 4 6-8."),
    ],
    only_print: Annotated[
        bool, typer.Option("--print", help="Print what would be run, and open nothing.")
    ] = False,
    library: frame.LibraryOption = None,
) -> None:
    """Open hits of the last search with the viewer of this system.

    A photo inside an archive or a film is written to a temporary folder, and opened there.

    \b
    imgsearch search a dog on the beach
    imgsearch open 3
    imgsearch open 1 4 6-8
    """
    from imgsearch.cli.numbers import chosen
    from imgsearch.library.last_search import last_search

    with frame.existing_library(context, library) as opened:
        paths = chosen(last_search(opened), numbers)
    for path in map(_on_disk, paths):
        if only_print:
            frame.write(f"{shlex.join(_command(path))}\n")
        else:
            _open(path)


def _command(path: Path) -> list[str]:
    """The words that open a file here; Windows has no program for it, but a function."""
    opener = {"darwin": "open", "win32": "start"}.get(sys.platform, "xdg-open")
    return [opener, os.path.abspath(path)]  # absolute: a name that begins with a dash is no option


def _on_disk(path: Path) -> Path:
    """The file of a photo: of one inside a container, a copy in a new temporary folder."""
    from imgsearch.errors import PictureError, UsageError
    from imgsearch.images import place_of, stat
    from imgsearch.organising.taking_out import write_out

    try:
        if place_of(path).member is not None:
            return write_out(path, Path(tempfile.mkdtemp(prefix="imgsearch-")))
        stat(path)
    except (OSError, PictureError) as error:
        raise UsageError(
            f"{str(path)!r} cannot be opened: {getattr(error, 'strerror', None) or error}"
        ) from error
    return path


def _open(path: Path) -> None:
    from imgsearch.errors import UsageError

    if sys.platform == "win32":
        os.startfile(path)
        return
    command = _command(path)
    try:
        result = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
    except FileNotFoundError as error:
        raise UsageError(
            f"this system has no {command[0]}, which opens files with their viewer; "
            f"the photo is {str(path)!r}"
        ) from error
    if result.returncode:
        said = result.stderr.decode(errors="replace").strip() or f"exit code {result.returncode}"
        raise UsageError(f"{command[0]} could not open {str(path)!r}: {said}")
