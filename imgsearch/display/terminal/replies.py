"""What to ask a terminal, and what its replies mean.

Every terminal answers `DEVICE` and `STATUS`, and answers in order: so one of them is asked last,
and what comes before its answer is all there is. tmux may keep the answer to `DEVICE` of the
terminal behind it to itself; there it is `STATUS`. A terminal is asked who it is first: tmux, which
answers for itself, would take the question about graphics for the title of its window.
"""

import re
from dataclasses import dataclass

from imgsearch.display.terminal.screen import Protocol

NAME = b"\x1b[>q"  # XTVERSION
DEVICE = b"\x1b[c"  # DA1; a 4 among the attributes: sixels
STATUS = b"\x1b[5n"  # DSR: is all well?
CELL_SIZE = b"\x1b[16t"
GRAPHICS = b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\"  # Kitty's: could you show this pixel?
_DEVICE_REPLY = re.compile(rb"\x1b\[\?([0-9;]*)c")
_STATUS_REPLY = b"\x1b[0n"
_SIXEL = "4"
_DRAWS_LIKE_ITERM2 = ("iterm2", "wezterm", "mintty")
_KNOWS_PLACEHOLDERS = ("kitty", "ghostty")


@dataclass(frozen=True)
class Replies:
    """What a terminal said of itself. `cell` is (width, height) in pixels, None if not told."""

    name: str = ""
    has_kitty_graphics: bool = False
    has_sixels: bool = False
    cell: tuple[int, int] | None = None

    @classmethod
    def read(cls, received: bytes) -> "Replies":
        """What the bytes say that came from a terminal, whatever else is among them."""
        name = re.search(rb"\x1bP>\|([^\x1b]*)\x1b\\", received)
        device = _DEVICE_REPLY.search(received)
        cell = re.search(rb"\x1b\[6;([1-9][0-9]{0,3});([1-9][0-9]{0,3})t", received)
        return cls(
            name="" if name is None else name[1].decode("ascii", "replace").strip(),
            has_kitty_graphics=re.search(rb"\x1b_Gi=31[^;]*;OK\x1b\\", received) is not None,
            has_sixels=device is not None and _SIXEL in device[1].decode().split(";")[1:],
            cell=None if cell is None else (int(cell[2]), int(cell[1])),
        )

    @property
    def is_tmux(self) -> bool:
        """Whether it is tmux that answers, for the terminal in which it runs."""
        return self.name.lower().startswith("tmux")


def ends_with_device(received: bytes) -> bool:
    """Whether the answer to `DEVICE` has come."""
    return _DEVICE_REPLY.search(received) is not None


def ends_with_status(received: bytes) -> bool:
    """Whether the answer to `STATUS` has come."""
    return _STATUS_REPLY in received


def choose(own: Replies, behind_tmux: Replies | None = None) -> tuple[Protocol, bool]:
    """The best that a terminal draws, and whether it has to be handed on by tmux.

    Behind tmux, Kitty's protocol needs its placeholders, which few terminals know; sixels are left
    to a tmux that draws them itself. A tmux that hands nothing on has nothing `behind_tmux`.
    """
    behind = behind_tmux or Replies()
    if behind.has_kitty_graphics and _is_one_of(behind, _KNOWS_PLACEHOLDERS):
        return "kitty", True
    if own.has_kitty_graphics:
        return "kitty", False
    if _is_one_of(own, _DRAWS_LIKE_ITERM2):
        return "iterm2", False
    if own.has_sixels:
        return "sixel", False
    if _is_one_of(behind, _DRAWS_LIKE_ITERM2):
        return "iterm2", True
    return ("sixel", True) if behind.has_sixels else ("half-blocks", False)


def _is_one_of(replies: Replies, names: tuple[str, ...]) -> bool:
    return replies.name.lower().startswith(names)
