"""What all commands share: options, the library that is meant, where to write.

The environment is read here and nowhere else.
"""

from __future__ import annotations

import functools
import io
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imgsearch.errors import NoLibraryError, UsageError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from imgsearch.library import Library, Preparing


def expanded(path: str) -> Path:
    """A path as a person types it: a leading `~` or `~name` is a home folder, if it is a user's.

    An empty one is refused, since it would be the working folder: `index "$UNSET"` means no such.
    """
    if not path:
        raise typer.BadParameter("the path is empty; write . for the folder you are in")
    return Path(os.path.expanduser(path))


def languages(given: Iterable[str] | None) -> list[str]:
    """Languages as a person types them, "en, ZH" or one at a time: each once, in their order.

    A code is in small letters; the name of a set of sentences, such as zh_translated, stays as it
    is. Raises UsageError where nothing is named: `--language "$UNSET"` means no such.
    """
    if given is None:
        return []
    parts = [part.strip() for each in given for part in each.split(",")]
    if not all(parts):
        raise UsageError("--language names no language between its commas: give en, zh or en,zh")
    return list(dict.fromkeys(part.lower() if len(part) == 2 else part for part in parts))


LibraryOption = Annotated[
    Path | None,
    typer.Option(
        "--library",
        metavar="FOLDER",
        parser=expanded,
        help="The library; else $IMGSEARCH_LIBRARY, ./index if one, or your user data folder.",
        show_default=False,
    ),
]
EncodersOption = Annotated[
    list[str] | None,
    typer.Option(
        "--encoder",
        metavar="NAME",
        help="An encoder by name or path; repeatable. `imgsearch encoders` lists the names.",
        show_default=False,
    ),
]
PrecisionOption = Annotated[
    str | None,
    typer.Option(
        "--precision",
        metavar="FORMAT",
        help="What encoders compute photos in, those named or else those that answer: float32, or "
        "int8, faster on a CPU and as an encoder of its own, NAME@int8.",
        show_default="float32",
    ),
]
DeviceOption = Annotated[
    str, typer.Option("--device", metavar="DEVICE", help="auto, cpu, cuda, cuda:1 or mps.")
]
TokenizerOption = Annotated[
    Path | None,
    typer.Option(
        "--tokenizer",
        metavar="PATH",
        parser=expanded,
        help="The words of published weights: a folder or file; else beside the weights.",
        show_default=False,
    ),
]
WaitOption = Annotated[
    bool, typer.Option("--wait", help="Wait for another run on this library to end.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="No progress bar and no summary; errors still show.")
]


@dataclass(frozen=True)
class Settings:
    """Options given before the command; one given after it wins."""

    library: Path | None = None
    is_quiet: bool = False


def in_precision(
    encoders: list[str] | None, precision: str | None, context: typer.Context, library: Path | None
) -> list[str] | None:
    """The names of encoders with that precision behind them; without any, of those that answer in
    the library. Raises UsageError where there is no such precision, or nothing that could have it.
    """
    if precision not in (None, "float32", "int8"):
        raise UsageError(f"no precision is called {precision!r}; it is float32 or int8")
    if precision is None:
        return encoders
    from imgsearch.encoders.exports import INT8, parted

    wholes = [parted(name)[0] for name in encoders or _answering(context, library)]
    if not wholes:
        raise UsageError(
            f"--precision {precision} is of an encoder, and no library has one that can be loaded "
            "by its name: name it as well, --encoder NAME; `imgsearch encoders` lists the names"
        )
    if precision == "int8":
        return [whole + INT8 for whole in wholes]
    for name, whole in zip(encoders or wholes, wholes, strict=True):
        if name != whole:
            raise UsageError(
                f"--precision float32: {name} computes in int8; name {whole}, or leave --precision "
                "out"
            )
    return wholes


def _answering(context: typer.Context, library: Path | None) -> list[str]:
    """What loads the encoders that answer in the library, each once; none where no library is."""
    try:
        with existing_library(context, library) as opened:
            rows = opened.catalog.active_encoders().values()
    except NoLibraryError:  # `index` makes one
        return []
    return list(dict.fromkeys(row.source for row in rows if row.source is not None))


def settings(context: typer.Context) -> Settings:
    """The options given before the command."""
    return context.obj if isinstance(context.obj, Settings) else Settings()


def library_path(context: typer.Context, given: Path | None) -> Path:
    """Where the library is: the option, the environment, ./index, the user data folder."""
    from imgsearch.library import default_path

    named = given or settings(context).library
    if named is None and (variable := os.environ.get("IMGSEARCH_LIBRARY")):
        named = expanded(variable)
    return named or default_path()


def existing_library(context: typer.Context, given: Path | None) -> Library:
    """Open the library that must be there; it says when it prepares an encoder. Raises
    NoLibraryError, LibraryError."""
    from imgsearch.library import open_library

    library = open_library(library_path(context, given), create=False)
    library.preparing = preparing_if_wrong if settings(context).is_quiet else preparing
    return library


def preparing(notice: Preparing) -> None:
    """Say on stderr why a command takes its time."""
    complain(str(notice), style="bold yellow" if notice.problem else "dim")


def preparing_if_wrong(notice: Preparing) -> None:
    """As `preparing`, for those who want to hear of problems alone."""
    if notice.problem:
        preparing(notice)


def write(content: str | bytes) -> None:
    """A result, to stdout as it is: no wrapping, no markup. Raises UsageError on a full disk."""
    try:
        typer.echo(content, nl=False)
    except BrokenPipeError:
        raise
    except OSError as error:
        abandon_stdout()
        raise UsageError(
            f"the result cannot be written: {error.strerror}; send it somewhere else"
        ) from error


def show(result: RenderableType) -> None:
    """A result as Rich draws it, to stdout; in a pipe nothing is coloured, folded or padded."""
    from rich.console import Console

    if sys.stdout.isatty():
        Console(highlight=False).print(result)
        return
    console = Console(file=io.StringIO(), width=1000, color_system=None, highlight=False)
    with console.capture() as captured:
        console.print(result)
    write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


@functools.cache
def stderr() -> Console:
    """Where everything goes that is not a result; one, so that a line pushes its spinner down."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def complain(message: str, style: str = "red", console: Console | None = None) -> None:
    """One coloured line on stderr; what a terminal would obey is shown escaped."""
    from rich.text import Text

    from imgsearch.display.text import shown

    lines = "\n".join(shown(line) for line in message.splitlines())
    (console or stderr()).print(Text(lines, style=style))


def abandon_stdout() -> None:
    """Write to it no more: Python flushes stdout once more on leaving, and would complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
