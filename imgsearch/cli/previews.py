"""Hits with their pictures in the terminal: `-p`, on every command that shows hits.

The terminal is asked what it draws; `--preview-as` and $IMGSEARCH_PREVIEW overrule it. The flag
takes no value of its own, since in `search -p a dog` it would swallow a word of the query.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from imgsearch.cli import completion, frame

if TYPE_CHECKING:
    from imgsearch.cli.asking import Terminal
    from imgsearch.display.terminal import Protocol, Screen
    from imgsearch.searching import Hit

VARIABLE = "IMGSEARCH_PREVIEW"

PreviewOption = Annotated[
    bool, typer.Option("-p", "--preview", help="Show the photos in the terminal.")
]
PreviewAsOption = Annotated[
    str | None,
    typer.Option(
        "--preview-as",
        metavar="PROTOCOL",
        help="Show them as kitty, iterm2, sixel or half-blocks; else $IMGSEARCH_PREVIEW, or the "
        "best the terminal says it draws.",
        autocompletion=completion.choices(completion.PREVIEWS),
        show_default=False,
    ),
]


def show_previews(hits: Sequence[Hit], protocol: str | None) -> bool:
    """Write the hits with their pictures to stdout; False, and a line that says why, where the
    terminal shows none.

    Raises UsageError for a protocol that does not exist.
    """
    from imgsearch.cli.asking import opened_terminal
    from imgsearch.display.terminal import previews

    chosen = _named(protocol or os.environ.get(VARIABLE) or None)
    reason = None if chosen else _reason_for_none()
    if reason is not None:
        frame.complain(f"no previews: {reason}", style="yellow")
        return False
    terminal = opened_terminal()
    screen = _screen(terminal, chosen)
    for preview in previews(hits, screen):
        frame.write(preview.text)
        if preview.picture and terminal is not None and screen.is_tmux:
            sys.stdout.flush()
            terminal.settle()
        frame.write(preview.picture)
    return True


def _named(protocol: str | None) -> Protocol | None:
    from imgsearch.display.terminal import PROTOCOLS
    from imgsearch.errors import UsageError

    for known in PROTOCOLS:
        if protocol == known:
            return known
    if protocol is None:
        return None
    raise UsageError(
        f"no preview is called {protocol!r}; there are {', '.join(PROTOCOLS)}. Without a name the "
        "terminal is asked"
    )


def _reason_for_none() -> str | None:
    """Why nothing can be shown, where nobody said how."""
    if not sys.stdout.isatty():
        return "stdout is no terminal; --preview-as NAME writes them all the same"
    if os.environ.get("NO_COLOR"):
        return "NO_COLOR is set; --preview-as NAME shows them all the same"
    if os.environ.get("TERM", "dumb" if os.name == "posix" else "") == "dumb":
        return "the terminal says that it shows text alone (TERM=dumb)"
    return None


def _screen(terminal: Terminal | None, chosen: Protocol | None) -> Screen:
    """What the terminal draws, and how large it is, as far as it tells."""
    from rich.console import Console

    from imgsearch.display.terminal import Replies, Screen, choose

    own, behind = (Replies(), None) if terminal is None else terminal.ask()
    protocol, is_handed_on = choose(own, behind)
    if chosen is not None:
        protocol = chosen
        is_handed_on = own.is_tmux and not (chosen == "sixel" and own.has_sixels)
    elif protocol == "half-blocks" and own.is_tmux and behind is None:
        frame.complain(
            "tmux hands no pictures on; this lets it: tmux set -g allow-passthrough on", style="dim"
        )
    size = shutil.get_terminal_size()
    told = (behind or own).cell or (None if terminal is None else terminal.cell())
    return Screen(
        protocol,
        columns=size.columns,
        rows=size.lines,
        cell=told or Screen.cell,
        has_all_colours=Console().color_system == "truecolor",
        is_tmux=is_handed_on,
    )
