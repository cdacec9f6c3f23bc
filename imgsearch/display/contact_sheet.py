"""Photos as one picture: thumbnails with a few lines below, to look instead of read.

Pillow carries a font for Latin letters alone. Text it lacks is drawn in a font of this system that
has every letter of it; where there is none the letters come out escaped, since an empty box tells
nobody anything.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont, ImageOps

from imgsearch.display.heat import warmed
from imgsearch.display.hits import figures
from imgsearch.display.text import shown
from imgsearch.errors import PictureError
from imgsearch.images import place_of, read

if TYPE_CHECKING:
    from imgsearch.encoders.heat import Heat
    from imgsearch.searching import Hit

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

CELL = 240  # pixels on a thumbnail's side
GAP = 16
LINE = 20
TEXT_SIZE = 14
TITLE_SIZE = 22
LEGEND = "bright and orange: carried the score; dark and grey: did not"
PAPER, MISSING = (255, 255, 255), (224, 224, 224)
INK, FAINT = (24, 24, 24), (120, 120, 120)
SYSTEM_FONTS = (  # by file name, as Pillow looks them up in the font folders of each system
    *("NotoSansCJK-Regular.ttc", "NotoSansSC-Regular.otf", "NotoSansCJKsc-Regular.otf"),
    *("SourceHanSansSC-Regular.otf", "wqy-microhei.ttc", "wqy-zenhei.ttc"),
    *("DroidSansFallbackFull.ttf", "DroidSansFallback.ttf", "uming.ttc"),
    *("PingFang.ttc", "Hiragino Sans GB.ttc", "STHeiti Medium.ttc", "Arial Unicode.ttf"),
    *("msyh.ttc", "simhei.ttf", "simsun.ttc", "YuGothM.ttc", "malgun.ttf"),
    *("DejaVuSans.ttf", "Arial.ttf", "segoeui.ttf"),
)


@dataclass(frozen=True)
class Cell:
    """A photo on a sheet, and the lines below it: each with its ink, and how many rows it may take.

    What does not fit is cut in the middle. A heat map is laid over the photo.
    """

    path: Path
    lines: Sequence[tuple[str, tuple[int, int, int], int]]
    heat: Heat | None = None


def contact_sheet(
    hits: Sequence[Hit],
    title: str,
    columns: int = 5,
    heats: Mapping[int, Heat] = MappingProxyType({}),
) -> Image.Image:
    """RGB picture of the hits with rank, score, relevance, file name, and the captions there are.

    `heats` are maps to lay over photos, by their ids; a line below the title says how to read them.
    """
    cells = []
    for hit in hits:
        lines = [(figures(hit), INK, 1), (name_of(hit.path), FAINT, 1)]
        if hit.caption is not None:
            lines.append((shown(hit.caption), INK, 2))
        cells.append(Cell(hit.path, lines, heats.get(hit.photo_id)))
    return sheet(cells, title, columns, legend=LEGEND if heats else "")


def name_of(path: Path) -> str:
    """A photo's name, and that of the file it lies in: "holiday.zip/1.jpg", "film.mp4 00:15"."""
    place = place_of(path)
    if place.member is None:
        return shown(path.name)
    within = f"/{path.name}" if place.seconds is None else f" {_clock(place.seconds)}"
    return shown(place.container.name + within)


def sheet(cells: Sequence[Cell], title: str, columns: int = 5, *, legend: str = "") -> Image.Image:
    """RGB picture of photos in reading order, `columns` to a row, below the title and a legend.

    A photo that can no longer be decoded leaves a grey cell that says why.
    """
    columns = max(1, min(columns, len(cells)))
    rows = -(-len(cells) // columns)
    width = GAP + columns * (CELL + GAP)
    said = _folded(legend, width - 2 * GAP, 2) if legend else []
    top = 2 * GAP + TITLE_SIZE + len(said) * LINE
    below = LINE * max((sum(line[2] for line in cell.lines) for cell in cells), default=0)
    drawn = Image.new("RGB", (width, top + rows * (CELL + below + GAP)), PAPER)
    brush = ImageDraw.Draw(drawn)
    _write(brush, (GAP, GAP), shown(title), TITLE_SIZE, INK, width - 2 * GAP)
    for number, line in enumerate(said):
        below_title = GAP + TITLE_SIZE + GAP // 2 + number * LINE
        _write(brush, (GAP, below_title), line, TEXT_SIZE, FAINT, width - 2 * GAP)
    for place, cell in enumerate(cells):
        left = GAP + place % columns * (CELL + GAP)
        upper = top + place // columns * (CELL + below + GAP)
        _draw(drawn, cell, left, upper)
        row = upper + CELL + 4
        for text, ink, most in cell.lines:
            for line in _folded(text, CELL, most):
                _write(brush, (left, row), line, TEXT_SIZE, ink, CELL)
                row += LINE
    return drawn


def drawable(text: str, size: int, system_fonts: Sequence[str] = SYSTEM_FONTS) -> tuple[str, Font]:
    """The text and a font with every letter of it: Pillow's own, one of the system, or escaped."""
    letters = frozenset(text)
    own = _own_font(size)
    if not _lacking(own, letters):
        return text, own
    for name in system_fonts:
        font = _system_font(name, size)
        if font is not None and not _lacking(font, letters):
            return text, font
    lacking = _lacking(own, letters)
    return "".join(_escaped(c) if c in lacking else c for c in text), own


def _draw(sheet: Image.Image, cell: Cell, left: int, upper: int) -> None:
    try:
        photo, _ = read(cell.path, short_side=CELL)
        if cell.heat is not None:
            photo = warmed(photo, cell.heat)
        thumbnail = ImageOps.contain(photo, (CELL, CELL))
    except PictureError as error:
        thumbnail = Image.new("RGB", (CELL, CELL), MISSING)
        brush = ImageDraw.Draw(thumbnail)
        for number, line in enumerate(textwrap.wrap(shown(str(error)), 30)):
            _write(brush, (8, 8 + number * LINE), line, TEXT_SIZE, FAINT, CELL - 16)
    beside, above = (CELL - thumbnail.width) // 2, CELL - thumbnail.height
    sheet.paste(thumbnail, (left + beside, upper + above))


def _write(
    brush: ImageDraw.ImageDraw,
    place: tuple[int, int],
    text: str,
    size: int,
    ink: tuple[int, int, int],
    width: int,
) -> None:
    text, font = drawable(text, size)
    brush.text(place, _shortened(text, font, width), fill=ink, font=font)


def _folded(text: str, width: int, rows: int) -> list[str]:
    """The text in as many rows, broken at spaces, or after any letter of a long word or Chinese;
    the last has all that is left.
    """
    text, font = drawable(text, TEXT_SIZE)
    lines: list[str] = []
    while len(lines) < rows - 1 and font.getlength(text) > width:
        fitting = next(n for n in range(len(text), 0, -1) if font.getlength(text[:n]) <= width)
        space = text.rfind(" ", 0, fitting + 1)
        place = space if space > fitting // 2 else fitting
        lines.append(text[:place].rstrip())
        text = text[place:].lstrip()
    return [*lines, text]


def _shortened(text: str, font: Font, width: int) -> str:
    """Cut in the middle to fit: the end of a file name tells as much as its start."""
    if font.getlength(text) <= width:
        return text
    kept = len(text) - 1
    while kept > 1 and font.getlength(_cut(text, kept)) > width:
        kept -= max(1, kept // 10)
    return _cut(text, max(kept, 1))


def _cut(text: str, kept: int) -> str:
    head = (kept + 1) // 2
    return f"{text[:head]}...{text[len(text) - (kept - head) :]}"


def _clock(seconds: float) -> str:
    """A moment as players show it, to the second unless it lies between two: "1:02:03.5"."""
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    rest = f"{milliseconds / 1000:06.3f}".rstrip("0").rstrip(".")
    return f"{hours}:{minutes:02}:{rest}" if hours else f"{minutes:02}:{rest}"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _lacking(font: Font, letters: frozenset[str]) -> frozenset[str]:
    """The letters a font has no shape for: they are drawn as the shape of no letter at all."""
    nothing = _shape(font, "\uffff")
    return frozenset(c for c in letters if not c.isspace() and _shape(font, c) == nothing)


def _shape(font: Font, character: str) -> bytes:
    mask = font.getmask(character)
    return bytes(mask) + repr(mask.size).encode()


@lru_cache(maxsize=8)
def _own_font(size: int) -> Font:
    return ImageFont.load_default(size)


@lru_cache(maxsize=64)
def _system_font(name: str, size: int) -> ImageFont.FreeTypeFont | None:
    try:
        return ImageFont.truetype(name, size)
    except OSError:  # not on this system
        return None
