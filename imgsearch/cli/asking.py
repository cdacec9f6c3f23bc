"""Asking the terminal what it can draw: questions out, replies in, nothing left behind.

The keyboard is silenced while replies come in and is as it was afterwards, whatever happens; what
came too late for that is thrown away, so that no reply ends up on the user's prompt.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import time
from collections.abc import Callable, Iterator

from imgsearch.display.terminal import Replies
from imgsearch.display.terminal.replies import (
    CELL_SIZE,
    DEVICE,
    GRAPHICS,
    NAME,
    STATUS,
    ends_with_device,
    ends_with_status,
)
from imgsearch.display.terminal.screen import through_tmux

WAITS_SECONDS = 1.0  # every terminal answers; some are far away
TMUX_WAITS_SECONDS = 0.5  # on top; a tmux that hands nothing on is silent
ERASE = b"\r\x1b[K"  # a terminal that knows none of this may have shown the question


class Terminal:
    """The terminal of this process, to be asked; made by `opened_terminal`."""

    def __init__(self, keyboard: int, screen: int) -> None:
        self._keyboard, self._screen = keyboard, screen

    def ask(self) -> tuple[Replies, Replies | None]:
        """What the terminal says of itself, and what the one behind tmux says, if it is asked.

        None: there is no tmux, or it hands nothing on.
        """
        with _silenced(self._keyboard):
            own = self._answers(NAME + DEVICE, WAITS_SECONDS, ends_with_device)
            if not ends_with_device(own):
                return Replies(), None
            if not Replies.read(own).is_tmux:
                asked = GRAPHICS + CELL_SIZE + DEVICE
                own += self._answers(asked, WAITS_SECONDS, ends_with_device)
                self.write(ERASE)
                return Replies.read(own), None
            asked = b"".join(map(through_tmux, (NAME, GRAPHICS, CELL_SIZE, DEVICE, STATUS)))
            behind = self._answers(asked, TMUX_WAITS_SECONDS, ends_with_status)
            return Replies.read(own), Replies.read(behind) if ends_with_status(behind) else None

    def cell(self) -> tuple[int, int] | None:
        """The (width, height) of a cell in pixels as the system knows it, if it does."""
        import fcntl
        import struct
        import termios

        answer = fcntl.ioctl(self._screen, termios.TIOCGWINSZ, bytes(8))
        rows, columns, width, height = struct.unpack("HHHH", answer)
        return (width // columns, height // rows) if width and height and columns and rows else None

    def settle(self) -> None:
        """Come back when the terminal, or tmux, has drawn all that was written."""
        with _silenced(self._keyboard):
            self._answers(DEVICE, WAITS_SECONDS, ends_with_device)

    def write(self, content: bytes) -> None:
        """All of it, however slowly it is taken."""
        while content:
            content = content[os.write(self._screen, content) :]

    def _answers(
        self, question: bytes, waits_seconds: float, is_all: Callable[[bytes], bool]
    ) -> bytes:
        self.write(question)
        received = b""
        deadline = time.monotonic() + waits_seconds
        while not is_all(received):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._keyboard], [], [], left)[0]:
                break
            part = os.read(self._keyboard, 4096)
            if not part:
                break
            received += part
        return received


def opened_terminal() -> Terminal | None:
    """The terminal, where somebody sits before it: None in a pipe, in the background, on Windows,
    and where it is one without any graphics.
    """
    if sys.platform == "win32" or os.environ.get("TERM", "dumb") in ("dumb", "linux"):
        return None
    try:
        keyboard, screen = sys.stdin.fileno(), sys.stdout.fileno()
        is_ours = os.isatty(keyboard) and os.isatty(screen)
        is_ours = (
            is_ours and os.tcgetpgrp(keyboard) == os.getpgrp()
        )  # to ask from behind is to halt
    except (OSError, ValueError, AttributeError):  # a stream that is closed, or is no file
        return None
    return Terminal(keyboard, screen) if is_ours else None


@contextlib.contextmanager
def _silenced(keyboard: int) -> Iterator[None]:
    """Typed letters and replies are neither shown nor gathered to lines; Ctrl-C still works."""
    import termios

    before = termios.tcgetattr(keyboard)
    silent = termios.tcgetattr(keyboard)
    silent[3] &= ~(termios.ECHO | termios.ICANON)
    silent[6][termios.VMIN], silent[6][termios.VTIME] = 1, 0
    termios.tcsetattr(keyboard, termios.TCSADRAIN, silent)
    try:
        yield
    finally:
        termios.tcsetattr(keyboard, termios.TCSAFLUSH, before)
