"""Screen: what a terminal can draw, and how large a picture may be there."""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

Protocol: TypeAlias = Literal["kitty", "iterm2", "sixel", "half-blocks"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)

ESCAPE = b"\x1b"


@dataclass(frozen=True)
class Screen:
    """A terminal of `columns` x `rows` cells, each `cell` pixels wide and high.

    The cell of a terminal that does not tell is taken for a small one: a picture then leaves room
    at its side, where one too large would cover the text. `is_tmux`: the pictures have to travel
    through tmux to the terminal, which draws them. `has_all_colours`: 24 bits of them, else 256.
    """

    protocol: Protocol
    columns: int = 80
    rows: int = 24
    cell: tuple[int, int] = (8, 16)
    has_all_colours: bool = True
    is_tmux: bool = False

    def fitting(self, size: tuple[int, int], box: tuple[int, int]) -> tuple[int, int]:
        """The (width, height) in pixels of a picture of that size in a box of (columns, rows).

        As large as its shape allows, never above its own size.
        """
        scale = min(1.0, box[0] * self.cell[0] / size[0], box[1] * self.cell[1] / size[1])
        return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))

    def cells(self, size: tuple[int, int]) -> tuple[int, int]:
        """How many (columns, rows) a picture of that many pixels covers, begun ones included."""
        return -(-size[0] // self.cell[0]), -(-size[1] // self.cell[1])


def through_tmux(sequence: bytes) -> bytes:
    """A control sequence wrapped for tmux to hand on, which it does with `allow-passthrough on`."""
    return b"\x1bPtmux;" + sequence.replace(ESCAPE, 2 * ESCAPE) + b"\x1b\\"
