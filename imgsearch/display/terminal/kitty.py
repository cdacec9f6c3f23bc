"""Kitty's graphics protocol: a picture at the cursor, or placeholders that tmux moves like text.

The picture travels as PNG, in pieces of base64. tmux knows of no pictures; there it is sent to
exist only, and cells with a special letter, coloured with the picture's number, show it wherever
tmux draws them. Row, column and the number's highest byte are marks above that letter.
"""

import base64
import io

from PIL import Image

from imgsearch.display.terminal.screen import through_tmux

PIECE = 4096  # bytes of base64, as the protocol bounds them
PLACEHOLDER = "\U0010eeee"
FIRST_COLOUR = 16  # the 256 colours after those that a terminal's theme changes
MARKS = (  # the beginning of the protocol's table: what a number is written as
    *range(0x0305, 0x0306), *range(0x030D, 0x030F), 0x0310, 0x0312, *range(0x033D, 0x0340),
    0x0346, *range(0x034A, 0x034D), *range(0x0350, 0x0353), 0x0357, 0x035B, *range(0x0363, 0x0370),
    *range(0x0483, 0x0488), *range(0x0592, 0x0596), *range(0x0597, 0x059A), *range(0x059C, 0x05A2),
    0x05A8, 0x05A9, 0x05AB, 0x05AC, 0x05AF, 0x05C4,
)  # fmt: skip


def at_cursor(picture: Image.Image) -> bytes:
    """The picture, its left upper corner at the cursor, which stays where it is."""
    return b"".join(_pieces(picture, "a=T,C=1"))


def number(serial: int) -> int:
    """The picture's number, of which its placeholders can tell: one of 12,960, by the serial."""
    low = FIRST_COLOUR + serial % (256 - FIRST_COLOUR)
    return serial // (256 - FIRST_COLOUR) % len(MARKS) << 24 | low


def through(picture: Image.Image, number: int, cells: tuple[int, int]) -> bytes:
    """The picture for a terminal behind tmux, to be shown in (columns, rows) of placeholders."""
    columns, rows = cells
    control = f"a=T,U=1,i={number},c={columns},r={rows}"
    return b"".join(map(through_tmux, _pieces(picture, control)))


def placeholders(number: int, cells: tuple[int, int]) -> list[str]:
    """The rows of text that show a picture sent with `through`."""
    columns, rows = cells
    colour, highest = f"\x1b[38;5;{number & 0xFF}m", chr(MARKS[number >> 24])
    return [
        colour
        + "".join(
            PLACEHOLDER + chr(MARKS[row]) + chr(MARKS[column]) + highest
            for column in range(columns)
        )
        + "\x1b[39m"
        for row in range(rows)
    ]


def _pieces(picture: Image.Image, control: str) -> list[bytes]:
    file = io.BytesIO()
    picture.save(file, "PNG")
    coded = base64.b64encode(file.getvalue())
    pieces = [coded[start : start + PIECE] for start in range(0, len(coded), PIECE)]
    heads = [f"{control},f=100,q=2,", *[""] * (len(pieces) - 1)]  # q=2: no reply to anybody
    last = len(pieces) - 1
    return [
        f"\x1b_G{head}m={int(place < last)};".encode() + piece + b"\x1b\\"
        for place, (head, piece) in enumerate(zip(heads, pieces, strict=True))
    ]
