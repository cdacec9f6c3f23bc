"""`imgsearch search`: words, a picture or a photo of the library in, hits out."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from imgsearch.cli import frame

if TYPE_CHECKING:
    from imgsearch.library import Library
    from imgsearch.prompts import Policy
    from imgsearch.searching import Hit, Mode

NOTHING_FOUND = 1
ONLY_A_PATH = r"\.{0,2}[/\\]|~\S*[/\\]|[A-Za-z]:[/\\]"  # what no sentence begins with


def search(
    context: typer.Context,
    query: Annotated[
        list[str],
        typer.Argument(metavar="QUERY", help="Words, a picture (./cat.jpg), or a photo (id:123)."),
    ],
    k: Annotated[
        int, typer.Option("-k", "--k", "-t", "--top", metavar="N", min=1, help="How many hits.")
    ] = 10,
    min_score: Annotated[
        float | None, typer.Option("--min-score", metavar="S", help="Leave out lower scores.")
    ] = None,
    path: Annotated[
        Path | None,
        typer.Option(
            "--path",
            metavar="PATH",
            parser=frame.expanded,
            help="Only photos at or under PATH.",
        ),
    ] = None,
    captioned: Annotated[
        bool | None,
        typer.Option(
            "--captioned/--uncaptioned",
            help="Only photos that have a caption, or have none.",
            show_default=False,
        ),
    ] = None,
    mode: Annotated[
        str,
        typer.Option(
            "--mode",
            metavar="MODE",
            help="Rank by vector, by text (words of captions and file names) or hybrid (both); "
            "auto is hybrid where there are captions.",
        ),
    ] = "auto",
    prompt: Annotated[
        str,
        typer.Option(
            "--prompt",
            metavar="POLICY",
            help="How words become prompts: auto, raw, photo, seven or ensemble.",
        ),
    ] = "auto",
    language: Annotated[
        str | None,
        typer.Option(
            "--language", metavar="LANG", help="en or zh; else by the letters of the query."
        ),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option("--encoder", metavar="NAME", help="Search with this encoder of the library."),
    ] = None,
    device: frame.DeviceOption = "auto",
    paths_only: Annotated[bool, typer.Option("-f", "--paths", help="Print paths alone.")] = False,
    null: Annotated[
        bool, typer.Option("-0", "--null", help="Paths ended by NUL, for xargs -0.")
    ] = False,
    json: frame.JsonOption = False,
    contact_sheet: Annotated[
        Path | None,
        typer.Option(
            "--contact-sheet",
            metavar="OUT.png",
            parser=frame.expanded,
            help="Draw the hits into a picture.",
        ),
    ] = None,
    library: frame.LibraryOption = None,
) -> None:
    """Find the photos that fit words or a picture best.

    \b
    imgsearch search two dogs playing in snow
    imgsearch search 日落时的海滩 -k 20 --min-score 0.2
    imgsearch search ./cat.jpg --path ~/Pictures/2023
    imgsearch search grandma --mode text --captioned
    imgsearch search id:123 --contact-sheet like-123.png
    imgsearch search receipt -0 | xargs -0 cp -t receipts/
    """
    from imgsearch.searching import Filters
    from imgsearch.searching import search as find_hits

    asked = asked_for(query)
    with frame.existing_library(context, library) as opened:
        if device != "auto" and mode != "text":
            _load_on(device, opened, asked, encoder or language)
        hits = find_hits(
            opened,
            asked,
            k,
            mode=cast("Mode", mode),
            language=language,
            prompt=cast("Policy", prompt),
            encoder=encoder,
            filters=Filters(path=path, min_score=min_score, captioned=captioned),
        )
    if not hits:
        where = "" if path is None else f" at or under {path}"
        frame.complain(f"nothing found{where}", style="yellow")
        raise typer.Exit(NOTHING_FOUND)
    if contact_sheet is not None:
        _save_sheet(contact_sheet, hits, " ".join(query))
    _write(hits, json=json, null=null, paths_only=paths_only)


def asked_for(words: Sequence[str]) -> str | Path | int:
    """What the words of a query mean: text, the path of a picture, or the id of a photo.

    A picture is a path with a separator, or the name of a picture file that exists; everything else
    is text, with its words joined by spaces. Raises QueryError for a path with no picture at it.
    """
    text = " ".join(words)
    if photo := re.fullmatch(r"id:([0-9]+)", text.strip()):
        return int(photo[1][:100])  # of thousands of digits Python reads none; no photo has them
    candidates = {text, *words}
    pictures = [each for each in candidates if _is_picture(each)]
    if not pictures:
        return text
    if pictures != [text]:
        from imgsearch.errors import QueryError

        raise QueryError(
            f"{pictures[0]!r} is a picture and the query holds other words as well; "
            "search with the picture alone, or with words alone"
        )
    return frame.expanded(text)


def _is_picture(word: str) -> bool:
    """Whether a word names a picture. Raises QueryError where it can only mean one not there."""
    from imgsearch.errors import QueryError
    from imgsearch.images import ENDINGS

    if not word or "\0" in word:
        return False
    path = frame.expanded(word)
    has_ending = path.suffix.lower() in ENDINGS
    has_separator = "/" in word or (sys.platform == "win32" and "\\" in word)
    if not (has_separator or has_ending):
        return False
    try:
        if path.is_file():
            return True
        what = "is a folder" if path.is_dir() else "is no file"
        what = what if path.exists() else "does not exist"
    except OSError as error:  # for one, too long: which a sentence with a slash may be
        what = f"cannot be looked at ({error.strerror})"
    if has_separator and (has_ending or re.match(ONLY_A_PATH, word)):
        raise QueryError(f"{word!r} {what}: give a picture file, or words without a path")
    return False


def _load_on(device: str, library: Library, asked: str | Path | int, chosen: str | None) -> None:
    """Load the encoders that may answer onto a device; `search` then finds them loaded."""
    from imgsearch.prompts import language_of

    active = library.catalog.active_encoders()
    if chosen is None and isinstance(asked, str):
        chosen = language_of(asked)
    if chosen is not None:
        row = active.get(chosen) or library.catalog.encoder_named(chosen)
        active = {} if row is None else {chosen: row}  # None: `search` says what there is
    for row in active.values():
        library.keep_encoder(library.load_encoder(row, device))


def _save_sheet(target: Path, hits: Sequence[Hit], title: str) -> None:
    from imgsearch.display.contact_sheet import contact_sheet
    from imgsearch.errors import UsageError

    try:
        contact_sheet(hits, title).save(target)
    except (OSError, ValueError) as error:  # ValueError: an ending Pillow cannot write
        raise UsageError(
            f"the contact sheet cannot be written to {str(target)!r} ({error}); "
            "give a path ending in .png in a folder that exists"
        ) from error
    frame.complain(f"contact sheet: {target}", style="dim")


def _write(hits: Sequence[Hit], *, json: bool, null: bool, paths_only: bool) -> None:
    from imgsearch.display import hits as forms

    if json:
        frame.write(forms.json_lines(hits))
    elif null:
        frame.write(forms.paths(hits, end=b"\0"))
    elif paths_only:
        frame.write(forms.paths(hits))
    elif sys.stdout.isatty():
        frame.show(forms.table(hits))
    else:
        frame.write(forms.lines(hits))
