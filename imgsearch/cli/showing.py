"""How commands show hits, and the options for it: table, lines, JSON, pictures, a page."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from imgsearch.cli import frame

if TYPE_CHECKING:
    from PIL.Image import Image

    from imgsearch.encoders.heat import Heat
    from imgsearch.library import Library
    from imgsearch.searching import Hit

Thing = TypeVar("Thing")

KOption = Annotated[
    int, typer.Option("-k", "--k", "-t", "--top", metavar="N", min=1, help="How many hits.")
]
PathOption = Annotated[
    Path | None,
    typer.Option(
        "--path", metavar="PATH", parser=frame.expanded, help="Only photos at or under PATH."
    ),
]
HtmlOption = Annotated[
    Path | None,
    typer.Option(
        "--html",
        metavar="PAGE.html",
        parser=frame.expanded,
        help="Write the hits as one page for a browser, pictures included.",
    ),
]


@dataclass(frozen=True)
class Shown:
    """What a person asked to see the hits as."""

    json: bool = False
    preview: bool = False
    preview_as: str | None = None
    html: Path | None = None
    paths_only: bool = False
    null: bool = False
    contact_sheet: Path | None = None


def show_hits(library: Library, hits: Sequence[Hit], asked: str, shown: Shown) -> None:
    """Show hits in the form that was asked for, and remember them for `open` and `copy`."""
    show_answers(library, [(asked, hits)], shown)


def show_answers(
    library: Library,
    answers: Sequence[tuple[str, Sequence[Hit]]],
    shown: Shown,
    heats: Mapping[int, Heat] = MappingProxyType({}),
) -> None:
    """Show the hits of each query, with the query above where there are several; remember the last.

    `heats` are maps for a contact sheet, by the ids of photos. Raises UsageError where several
    queries were to make one picture or page.
    """
    from imgsearch.errors import UsageError
    from imgsearch.library.last_search import remember_search

    is_drawn = shown.contact_sheet is not None or shown.html is not None
    if len(answers) > 1 and is_drawn:
        raise UsageError(
            f"a page or a contact sheet shows one query, and there are {len(answers)}; leave it "
            "out, or ask them one at a time"
        )
    asked, last = answers[-1]
    remember_search(library, asked, [hit.path for hit in last])
    for asked, hits in answers:
        if not hits:
            _leave_as_it_is(shown)
        if hits and shown.html is not None:
            save_page(library, shown.html, hits, asked)
        if hits and shown.contact_sheet is not None:
            from imgsearch.display.contact_sheet import contact_sheet

            save_sheet(shown.contact_sheet, contact_sheet(hits, asked, heats=heats))
        _write(hits, asked if len(answers) > 1 else None, shown)


def _leave_as_it_is(shown: Shown) -> None:
    """Say of which files nothing was made: one of an earlier search would pass for this one's."""
    for target in filter(None, (shown.html, shown.contact_sheet)):
        frame.complain(f"nothing written to {target}", style="yellow")


def _write(hits: Sequence[Hit], heading: str | None, shown: Shown) -> None:
    from imgsearch.cli.previews import show_previews
    from imgsearch.display import hits as forms

    if heading is not None and not hits and (shown.json or shown.null or shown.paths_only):
        frame.complain(forms.heading(heading, 0), style="yellow")  # where it has no line of its own
    elif shown.json:
        frame.write(forms.json_lines(hits, heading))
    elif shown.null or shown.paths_only:
        frame.write(forms.paths(hits, end=b"\0" if shown.null else b"\n"))
    else:
        if heading is not None:
            frame.write(forms.heading(heading, len(hits)))
        if not hits or (
            (shown.preview or shown.preview_as) and show_previews(hits, shown.preview_as)
        ):
            return
        if sys.stdout.isatty():
            frame.show(forms.table(hits))
        else:
            frame.write(forms.lines(hits))


def save_sheet(target: Path, sheet: Image, of_what: str = "") -> None:
    """Write a contact sheet, and say where. Raises UsageError where it cannot be written."""
    from imgsearch.errors import UsageError

    try:
        sheet.save(target)
    except (OSError, ValueError) as error:  # ValueError: an ending Pillow cannot write
        reason = getattr(error, "strerror", None) or error
        raise UsageError(
            f"the contact sheet cannot be written to {str(target)!r} ({reason}); "
            "give a path ending in .png in a folder that exists"
        ) from error
    frame.complain(f"contact sheet: {target}{of_what}", style="dim")


def save_page(library: Library, target: Path, hits: Sequence[Hit], asked: str) -> None:
    """Write the gallery page of hits. Raises UsageError where it cannot be written."""
    from rich.progress import track

    from imgsearch.catalog import facts
    from imgsearch.display.gallery_page import gallery_page
    from imgsearch.errors import UsageError

    known = facts.of_photos(library.catalog, [hit.photo_id for hit in hits])
    seen = track(
        hits,
        "drawing the page",
        console=frame.stderr(),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    try:
        with open(target, "w", encoding="utf-8", newline="\n") as file:
            file.writelines(gallery_page(seen, asked, known))
    except OSError as error:
        raise UsageError(
            f"the page cannot be written to {str(target)!r} ({error.strerror}); give a file in a "
            "folder that exists"
        ) from error
    frame.complain(f"page: {target}", style="dim")


@contextlib.contextmanager
def status(doing: str) -> Iterator[None]:
    """A spinner on stderr while something takes long; nothing where nobody looks."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.text import Text

    from imgsearch.display.text import shown

    with frame.stderr().status(Text(shown(doing), style="dim")):
        yield


def awaited(things: Iterable[Thing], doing: str) -> Iterator[Thing]:
    """The same things, with a spinner while one is waited for, and none while it is shown."""
    following = iter(things)
    while True:
        with status(doing):
            thing = next(following, None)
        if thing is None:
            return
        yield thing


def photo_asked_for(photo: str) -> Path | int:
    """A photo as a person names it: by path, or by id as in id:7."""
    found = re.fullmatch(r"id:([0-9]+)", photo.strip())
    # of thousands of digits Python reads none; no photo has them
    return int(found[1][:100]) if found else frame.expanded(photo)
