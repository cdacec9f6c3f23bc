"""A terminal to test on: a pty whose other end answers as a terminal of some kind would.

`Terminal.run` runs a command of ours in it and gives what the terminal was sent. What the command
leaves unread, which a shell would show on its prompt, is kept as well.
"""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from commands import environment

DEVICE, NAME, CELL_SIZE = b"\x1b[c", b"\x1b[>q", b"\x1b[16t"
OTHER_DEVICE, STATUS = b"\x1b[>c", b"\x1b[5n"
GRAPHICS = b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\"
# A session of its own, with the pty for its terminal: what a shell gives its commands.
START = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
OURS = START + "from imgsearch.cli import main; main()"


def replies(name: str = "", graphics: bool = False, sixels: bool = False) -> dict[bytes, bytes]:
    """Question -> reply of a terminal with cells of 10 x 20 pixels."""
    answered = {DEVICE: b"\x1b[?62;4;22c" if sixels else b"\x1b[?62;22c"}
    answered |= {OTHER_DEVICE: b"\x1b[>1;4000;1c", STATUS: b"\x1b[0n"}
    answered[CELL_SIZE] = b"\x1b[6;20;10t"
    if name:
        answered[NAME] = f"\x1bP>|{name}\x1b\\".encode()
    if graphics:
        answered[GRAPHICS] = b"\x1b_Gi=31;OK\x1b\\"
    return answered


def through_tmux(answered: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """The same of the terminal behind a tmux that hands on; tmux's own replies stand for itself."""
    own = {DEVICE: b"\x1b[?1;2c", NAME: b"\x1bP>|tmux 3.5a\x1b\\"}
    wrapped = {
        b"\x1bPtmux;" + question.replace(b"\x1b", b"\x1b\x1b") + b"\x1b\\": reply
        for question, reply in answered.items()
    }
    return {**own, **wrapped}


@dataclass(frozen=True)
class Run:
    """What was written to a terminal, what was left for its prompt, and how its keyboard is."""

    written: bytes
    left: bytes
    echoes: bool
    exit_code: int


class Terminal:
    """A terminal of 100 x 40 cells that replies to the questions it knows."""

    def __init__(self, answered: Mapping[bytes, bytes]) -> None:
        self._answered = answered
        questions = sorted(answered, key=len, reverse=True)  # a wrapped one holds a plain one
        self._questions = re.compile(b"|".join(map(re.escape, questions)) or b"(?!)")

    def run(
        self, command: Sequence[str], variables: Mapping[str, str] | None = None, limit: float = 60
    ) -> Run:
        """Run a command of a process with this terminal, until it ends."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=subprocess.DEVNULL,
            env={**_surroundings(), **(variables or {})},
            start_new_session=True,
        )
        try:
            written = self._serve(ours, process, limit)
            os.set_blocking(theirs, False)
            settings = termios.tcgetattr(theirs)
            settings[3] &= ~termios.ICANON
            echoes = bool(settings[3] & termios.ECHO)
            termios.tcsetattr(theirs, termios.TCSANOW, settings)
            left = os.read(theirs, 4096) if select.select([theirs], [], [], 0.05)[0] else b""
        finally:
            process.kill()
            exit_code = process.wait()
            os.close(ours)
            os.close(theirs)
        return Run(written, left, echoes, exit_code)

    def _serve(self, ours: int, process: "subprocess.Popen[bytes]", limit: float) -> bytes:
        written, answered_to, deadline = b"", 0, time.monotonic() + limit
        while True:
            assert time.monotonic() < deadline, f"it still runs; so far it wrote {written!r}"
            if select.select([ours], [], [], 0.05)[0]:
                written += os.read(ours, 65536)
            elif process.poll() is not None:
                return written
            for question in self._questions.finditer(written, answered_to):
                os.write(ours, self._answered[question[0]])
                answered_to = question.end()


def ours(*words: object) -> list[str]:
    """A command of ours, for a terminal of its own."""
    return [sys.executable, "-c", OURS, *map(str, words)]


def _surroundings() -> dict[str, str]:
    kept = environment()
    for name in ("NO_COLOR", "TMUX", "IMGSEARCH_PREVIEW", "COLUMNS", "LINES", "FORCE_COLOR"):
        kept.pop(name, None)
    return {**kept, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
