"""An option for every key of conditions, in a group of the help, for every command that filters.

A command that is made as one of these has the options, `conditions(context)` what a
person gave, an option given twice being `|` in a query. An option that the command has of its own
stays its own.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from imgsearch.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from imgsearch.catalog import Ids
    from imgsearch.library import Library
    from imgsearch.queries import Condition

PANEL = "Filters (quote what has * < > or |)"  # which shells would read
QUERY_PANEL = "Filters (also in a query, as year:2023; quote what has * < > or |)"
GIVEN = "imgsearch.filters"  # where a context keeps them
CLAIMS = {  # keys without a value
    "portrait": "--portrait/--not-portrait",
    "landscape": "--landscape/--not-landscape",
    "square": "--square/--not-square",
    "captioned": "--captioned/--uncaptioned",
}


class Filtered(TyperCommand):
    """A command with an option for every key that it has none for."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        taken = {name for param in self.params for name in param.opts}
        panel = QUERY_PANEL if "query" in (param.name for param in self.params) else PANEL
        self.params += [option for option in _options(panel) if not taken & set(option.opts)]


def conditions(context: typer.Context) -> tuple[Condition, ...]:
    """The conditions that were given as options. Raises QueryError for a value of no sense."""
    from imgsearch.queries import conditions as conditions_of

    return conditions_of(**context.meta.get(GIVEN, {}))


def written(context: typer.Context, path: Path | None) -> str:
    """The filters that were given, as a query has them: `path:holiday year:2023 portrait:yes`."""
    given = {**({} if path is None else {"path": path}), **context.meta.get(GIVEN, {})}
    said = {True: "yes", False: "no"}
    return " ".join(f"{key}:{said.get(value, value)}" for key, value in given.items())


def only(context: typer.Context, library: Library, path: Path | None) -> Ids | None:
    """The photos at or under a path that the options let through; None where nothing was given.

    Raises QueryError for a path, a label, an album or a country that there is not.
    """
    from imgsearch.library import choose_photos

    return choose_photos(library, path, conditions(context))


def check_unused(context: typer.Context, path: Path | None, reason: str) -> None:
    """Raise UsageError where a filter was given that would bound nothing, for that reason."""
    given = [*(["path"] if path is not None else []), *context.meta.get(GIVEN, {})]
    if given:
        raise UsageError(f"--{given[0]} is a filter, and {reason}")


def _options(panel: str) -> list[Any]:
    """The options, as Typer makes them of the parameters of a function."""
    from imgsearch.queries import KEYS

    def filtered() -> None:
        """Only looked at."""

    parameters = [
        inspect.Parameter(
            key,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[
                bool | None if key in CLAIMS else list[str] | None, _option(key, told, panel)
            ],
        )
        for key, told in KEYS.items()
    ]
    filtered.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    app = typer.Typer(add_completion=False)
    app.command()(filtered)
    return [each for each in typer.main.get_command(app).params if each.name in KEYS]


def _option(key: str, told: str, panel: str) -> Any:
    def keep(context: typer.Context, value: Any) -> None:
        if value is not None and value != []:
            kept = "|".join(value) if isinstance(value, list) else value
            context.meta.setdefault(GIVEN, {})[key] = kept

    return typer.Option(
        CLAIMS.get(key, f"--{key}"),
        metavar=None if key in CLAIMS else "VALUE",
        help=told.replace(": yes or no.", "."),
        rich_help_panel=panel,
        show_default=False,
        expose_value=False,
        callback=keep,
    )
