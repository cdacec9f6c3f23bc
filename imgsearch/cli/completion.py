"""Values a shell completes: of a library its encoders, albums and labels; the names of choices.

A word begun and the command line so far go in, names come out. A TAB loads no encoder and no index
and changes nothing: where there is no library, or an older one, nothing is offered.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import typer

from imgsearch.cli import frame

if TYPE_CHECKING:
    from imgsearch.catalog import Catalog

MODES = ("auto", "vector", "text", "hybrid")
PROMPTS = ("auto", "raw", "photo", "seven", "ensemble")
LANGUAGES = ("en", "zh")
PREVIEWS = ("kitty", "iterm2", "sixel", "half-blocks")


def choices(names: Sequence[str]) -> Callable[[str], list[str]]:
    """What completes to one of these."""

    def completed(incomplete: str) -> list[str]:
        return _begun(names, incomplete)

    return completed


def encoders(ctx: typer.Context, incomplete: str) -> list[str]:
    """The encoders of the library."""
    return _named(ctx, lambda catalog: (row.name for row in catalog.encoders()), incomplete)


def albums(ctx: typer.Context, incomplete: str) -> list[str]:
    """The albums of the library."""
    return _named(ctx, lambda catalog: (row.name for row in catalog.albums()), incomplete)


def labels(ctx: typer.Context, incomplete: str) -> list[str]:
    """The labels of the library."""
    return _named(ctx, lambda catalog: (row.name for row in catalog.label_tallies()), incomplete)


def _named(
    ctx: typer.Context, names: Callable[[Catalog], Iterable[str]], incomplete: str
) -> list[str]:
    from imgsearch.catalog import Catalog, is_up_to_date
    from imgsearch.errors import ImgsearchError
    from imgsearch.library import CATALOG_FILE

    above = None if ctx.parent is None else ctx.parent.params.get("library")
    file = frame.library_path(ctx, ctx.params.get("library") or above) / CATALOG_FILE
    with contextlib.suppress(ImgsearchError):  # a TAB is no place to say what is wrong
        if file.is_file() and is_up_to_date(file):
            catalog = Catalog(file)
            try:
                return _begun(names(catalog), incomplete)
            finally:
                catalog.close()
    return []


def _begun(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete)]
