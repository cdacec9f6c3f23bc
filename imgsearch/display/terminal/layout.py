"""Hits one below another, each beside its picture.

Hits and a `Screen` go in, a `Preview` for each comes out as soon as its photo is decoded. The text
is written first, with room beside it; a picture of pixels is then drawn into that room from below,
with the cursor put back, so that it can neither scroll the screen nor move what follows.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image
from rich.console import Console
from rich.text import Text

from imgsearch.display.hits import highlighted, score
from imgsearch.display.terminal import half_blocks, iterm2, kitty, sixel
from imgsearch.display.terminal.screen import Screen, through_tmux
from imgsearch.display.text import shown
from imgsearch.errors import PictureError
from imgsearch.images import read

if TYPE_CHECKING:
    from imgsearch.searching import Hit

PIXELS_BOX = (24, 8)  # columns and rows of a picture
LETTERS_BOX = (36, 12)  # two pixels a letter: fewer show nothing
GAP = 2


@dataclass(frozen=True)
class Preview:
    """What draws one hit: `text`, then `picture`, which is empty where the text is all.

    Inside tmux both have to reach the terminal in this order; write the picture once tmux has
    drawn the text, which it has when it answers something.
    """

    text: bytes
    picture: bytes = b""


def previews(hits: Iterable[Hit], screen: Screen) -> Iterator[Preview]:
    """A preview for each hit; a photo that cannot be decoded leaves a line that says why."""
    box = _box(screen)
    serial = random.randrange(1 << 20)  # another than those that are still on the screen
    for place, hit in enumerate(hits):
        wanted = 2 * max(box[0] * screen.cell[0], box[1] * screen.cell[1])
        try:
            picture, _ = read(hit.path, short_side=wanted)
        except PictureError as error:
            yield _laid_out(_told(hit, screen, box, str(error)), [], box)
            continue
        size = screen.fitting(picture.size, box)
        picture = picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=2)
        yield _drawn(hit, picture, screen, box, kitty.number(serial + place))


def _drawn(
    hit: Hit, picture: Image.Image, screen: Screen, box: tuple[int, int], number: int
) -> Preview:
    told = _told(hit, screen, box)
    cells = screen.cells(picture.size)
    match screen.protocol, screen.is_tmux:
        case "half-blocks", _:
            rows = half_blocks.rows(picture, cells, screen.has_all_colours)
            return _laid_out(told, rows, box, cells[0])
        case "kitty", True:
            laid_out = _laid_out(told, kitty.placeholders(number, cells), box, cells[0])
            return Preview(kitty.through(picture, number, cells) + laid_out.text)
        case "kitty", False:
            drawn = kitty.at_cursor(picture)
        case "iterm2", _:
            drawn = iterm2.at_cursor(picture, cells)
        case "sixel", _:
            drawn = sixel.at_cursor(picture)
    height = max(len(told), cells[1])
    laid_out = _laid_out(told, [""] * cells[1], box)
    return _over(laid_out.text, drawn, height, screen.is_tmux)


def _over(text: bytes, drawn: bytes, height: int, is_tmux: bool) -> Preview:
    """The text, and a picture over its left side; the cursor ends where the text left it."""
    up, down = f"\x1b[{height + 1}A\r".encode(), f"\x1b[{height + 1}B\r".encode()
    if is_tmux:  # which puts the cursor back itself: it does not know that the picture moved it
        return Preview(text + up, through_tmux(drawn) + down)
    return Preview(text, up + b"\x1b7" + drawn + b"\x1b8" + down)


def _laid_out(told: list[str], picture: list[str], box: tuple[int, int], width: int = 0) -> Preview:
    """Rows of text beside the rows of a picture, which cover `width` columns; a free row below."""
    beside = " " * (box[0] + GAP - width)
    empty = " " * (box[0] + GAP)
    lines = []
    for row in range(max(len(told), len(picture))):
        left = picture[row] + beside if row < len(picture) else empty
        lines.append((left + (told[row] if row < len(told) else "")).rstrip(" "))
    return Preview("".join(f"{line}\n" for line in [*lines, ""]).encode("utf-8", "replace"))


def _told(hit: Hit, screen: Screen, box: tuple[int, int], failed: str | None = None) -> list[str]:
    """What is said of a hit, in rows as wide as the screen leaves beside the picture."""
    parts = [Text.assemble((str(hit.rank), "bold"), "  ", (score(hit), "cyan"))]
    parts.append(Text(shown(hit.path), overflow="fold"))
    if hit.caption is not None:
        parts.append(highlighted(hit.caption, hit.matched))
    if failed is not None:
        parts.append(Text(f"no picture: {shown(failed)}", style="yellow"))
    console = Console(
        width=max(20, screen.columns - box[0] - GAP),
        force_terminal=True,
        color_system="truecolor" if screen.has_all_colours else "256",
        highlight=False,
        legacy_windows=False,
        no_color=False,
    )
    with console.capture() as captured:
        for part in parts:
            console.print(part)
    return captured.get().splitlines()[: max(1, screen.rows - 2)]  # none may leave the screen


def _box(screen: Screen) -> tuple[int, int]:
    """The most columns and rows of a picture: never half of a narrow or low screen."""
    columns, rows = LETTERS_BOX if screen.protocol == "half-blocks" else PIXELS_BOX
    return max(4, min(columns, screen.columns // 2)), max(2, min(rows, screen.rows // 2))
