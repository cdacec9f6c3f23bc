"""Options for every key of conditions, given to a command by its class alone."""

import typer
from typer.testing import CliRunner

from imgsearch.cli import filter_options
from imgsearch.queries import KEYS, Condition, parse

asked: list[tuple[Condition, ...]] = []
app = typer.Typer()


@app.callback()
def group() -> None:
    """Makes `look` a command of a group."""


@app.command("look", cls=filter_options.Filtered)
def look(context: typer.Context, path: str = typer.Option("", help="Its own.")) -> None:
    """A command that filters, with an option of its own."""
    asked.append(filter_options.conditions(context))


def run(*arguments: str) -> tuple[Condition, ...]:
    result = CliRunner().invoke(app, ["look", *arguments])
    assert result.exit_code == 0, result.output
    return asked.pop()


def test_an_option_means_what_the_key_means_in_a_query() -> None:
    given = run("--camera", "canon", "--year", "2021-2023", "--country", "FR|中国", "--f", "1.8")
    assert set(given) == set(parse("camera:canon year:2021-2023 country:FR|中国 f:1.8").conditions)
    assert run("--lat", "48.86", "--lng", "2.35") == parse("lat:48.86 lng:2.35").conditions
    assert run() == ()


def test_an_option_given_twice_lets_either_through() -> None:
    assert run("--year", "2021", "--year", "2023") == parse("year:2021|2023").conditions
    assert run("--city", "Paris|Rome", "--city", "北京") == parse("city:Paris|Rome|北京").conditions


def test_claims_have_no_value() -> None:
    assert run("--portrait") == parse("portrait:yes").conditions
    assert run("--not-square") == parse("square:no").conditions
    assert run("--uncaptioned") == parse("captioned:no").conditions


def test_every_key_is_an_option_unless_the_command_has_one_of_its_own() -> None:
    shown = CliRunner().invoke(app, ["look", "--help"], terminal_width=200).output
    assert all(f"--{key}" in shown for key in KEYS)
    assert filter_options.PANEL in shown and "Its own." in shown and KEYS["path"] not in shown
    assert run("--path", "x") == ()


def test_the_help_speaks_of_queries_where_a_command_takes_one() -> None:
    app = typer.Typer()

    @app.callback()
    def group() -> None:
        """Makes `find` a command of a group."""

    @app.command("find", cls=filter_options.Filtered)
    def find(query: str) -> None:
        """Takes a query."""

    shown = CliRunner().invoke(app, ["find", "--help"], terminal_width=200).output
    assert filter_options.QUERY_PANEL in shown
