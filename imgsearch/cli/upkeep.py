"""`imgsearch status`, `doctor`, `rebuild`: what a library holds, whether it agrees with itself."""

from __future__ import annotations

import typer

from imgsearch.cli import frame


def status(
    context: typer.Context, json: frame.JsonOption = False, library: frame.LibraryOption = None
) -> None:
    """Say what is in the library: photos, encoders, indexes, size, the last run."""
    raise NotImplementedError


def doctor(
    context: typer.Context, json: frame.JsonOption = False, library: frame.LibraryOption = None
) -> None:
    """Check that catalog, indexes and files agree; repair what can be built again."""
    raise NotImplementedError


def rebuild(context: typer.Context, library: frame.LibraryOption = None) -> None:
    """Build the search index again from the stored embeddings; searching goes on meanwhile."""
    raise NotImplementedError
