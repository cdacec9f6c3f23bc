"""The group of commands: each is imported and made when it is asked for, none for the help of all.

A name goes in, a command comes out. Making the options of all thirty takes ten times as long as
making those of one, and the help of the group shows none of them, nor does a TAB after `imgsearch`.
An ImgsearchError becomes a red line on stderr and the exit code of its class, here and nowhere
else.
"""

from __future__ import annotations

import inspect
import os
import sys
import warnings
from collections.abc import Callable, Iterator, MutableMapping
from importlib import import_module
from typing import Annotated, Any, TypeAlias, cast

import typer
from typer.core import TyperCommand, TyperGroup

import imgsearch
from imgsearch.cli import frame
from imgsearch.cli.filter_options import Filtered
from imgsearch.errors import ImgsearchError

Command: TypeAlias = TyperCommand | TyperGroup
Home: TypeAlias = typer.Typer | Callable[..., None]

INTERRUPTED = 130
# Where each command is: the module, and the function or the group of commands in it.
HOMES = {
    "index": "index.index",
    "watch": "watch.watch",
    "search": "search.search",
    "similar": "similar.similar",
    "random": "random_photos.random_photos",
    "open": "open_hit.open_hit",
    "copy": "take_out.copy",
    "link": "take_out.link",
    "show": "show.show",
    "caption": "caption.caption",
    "label": "label.label",
    "album": "album.app",
    "cluster": "map.cluster",
    "map": "map.draw_map",
    "duplicates": "duplicates.duplicates",
    "export": "exchange.export",
    "import": "exchange.import_",
    "status": "upkeep.status",
    "doctor": "upkeep.doctor",
    "encoders": "encoders.encoders",
    "eval": "evaluating.evaluate",
    "score": "evaluating.score",
    "explain-prefix": "explain_prefix.explain_prefix",
    "finetune": "finetune.finetune",
    "train-captioner": "train_captioner.train_captioner",
    "rebuild": "rebuilding.rebuild",
    "switch": "upkeep.switch",
    "rollback": "upkeep.rollback",
    "prune": "upkeep.prune",
}
# Commands with an option for every key of conditions.
FILTERED = {
    *("search", "similar", "random", "copy", "link", "caption", "label"),
    *("cluster", "map", "duplicates", "export"),
}
# Commands that go on where they were.
WRITING = (
    *("index", "watch", "import", "caption", "label", "duplicates"),
    *("rebuild", "finetune", "train-captioner"),
)


class Commands(TyperGroup):
    """The group of commands, and the one place where an error becomes a line and an exit code."""

    def __init__(self, *, commands: dict[str, Command], **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = cast("MutableMapping[str, Any]", _Known(commands))

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of all commands, in the order of the help."""
        return list(self.commands)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help of the group."""
        self._sketched().format_help(ctx, formatter)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """What a TAB offers: commands, and options of the group."""
        ctx.command = self._sketched()  # it is asked for the commands, not the group itself
        return ctx.command.shell_complete(ctx, incomplete)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        _settle_streams()
        try:
            return super().invoke(ctx)
        except ImgsearchError as error:
            frame.complain(str(error))
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt as error:
            is_kept = ctx.invoked_subcommand in WRITING
            kept = ": what was committed is kept; run the same command to continue"
            frame.complain("interrupted" + (kept if is_kept else ""), style="yellow")
            raise typer.Exit(INTERRUPTED) from error
        except BrokenPipeError as error:  # `| head` has read enough
            frame.abandon_stdout()
            raise typer.Exit(0) from error

    def _sketched(self) -> TyperGroup:
        """The same group, of each command no more than its name and its help."""
        return TyperGroup(
            name=self.name,
            commands=[TyperCommand(name, help=_help(name)) for name in self.commands],
            params=self.params,
            help=self.help,
            rich_markup_mode=self.rich_markup_mode,
        )


class _Known(MutableMapping[str, Command]):
    """Commands by name, each made when it is first asked for."""

    def __init__(self, made: dict[str, Command]) -> None:
        self._made = made

    def __getitem__(self, name: str) -> Command:
        if name not in self._made:
            self._made[name] = _command(name)  # raises KeyError for a name that is none
        return self._made[name]

    def __setitem__(self, name: str, command: Command) -> None:
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        del self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*HOMES, *self._made)))

    def __len__(self) -> int:
        return len({*HOMES, *self._made})


def _command(name: str) -> Command:
    found = _found(name)
    if isinstance(found, typer.Typer):
        app = found
    else:
        app = typer.Typer(add_completion=False, rich_markup_mode="rich")
        app.command(name, cls=Filtered if name in FILTERED else TyperCommand)(found)
    command: Any = typer.main.get_command(app)
    command.name = name
    made: Command = command
    return made


def _help(name: str) -> str | None:
    found = _found(name)
    callback = found.registered_callback if isinstance(found, typer.Typer) else None
    return inspect.getdoc(found if callback is None else callback.callback)


def _found(name: str) -> Home:
    module, _, member = HOMES[name].partition(".")
    found: Home = getattr(import_module(f"imgsearch.cli.{module}"), member)
    return found


def _settle_streams() -> None:
    """A file name never stops us from printing, and remarks of Pillow on a photo stay its own."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A pipe on Windows is in the system's old code page otherwise, which scripts do not
            # expect.
            is_piped = os.name == "nt" and not stream.isatty()
            stream.reconfigure(
                errors="backslashreplace", **({"encoding": "utf-8"} if is_piped else {})
            )
    warnings.filterwarnings("ignore", module=r"PIL\.")


app = typer.Typer(
    name="imgsearch",
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(is_asked: bool) -> None:
    if is_asked:
        frame.write(f"imgsearch {imgsearch.__version__}\n")
        raise typer.Exit


@app.callback()
def imgsearch_command(
    context: typer.Context,
    library: frame.LibraryOption = None,
    quiet: frame.QuietOption = False,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Search your own photos by what is in them, in English or Chinese, on your own machine.

    \b
    imgsearch index ~/Pictures            find the photos and learn what is in them
    imgsearch search a dog on the beach   show the photos that fit best
    imgsearch search 一杯咖啡              the same in Chinese
    imgsearch search ./cat.jpg            photos like this one
    """
    context.obj = frame.Settings(library, quiet)
