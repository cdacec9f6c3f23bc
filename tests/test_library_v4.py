"""Libraries of formats 4 and 5, as they were written once, are found by all that they hold."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import ColourEncoder
from imgsearch.library import Library, open_library
from imgsearch.searching import search


@pytest.fixture(params=["library-v4", "library-v5"])
def library(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Library]:
    shutil.copytree(Path(__file__).parent / "data" / request.param, tmp_path / "library")
    with open_library(tmp_path / "library", create=False) as opened:
        opened.keep_encoder(ColourEncoder())
        yield opened


@pytest.mark.parametrize(
    ("query", "paths"),
    [
        ("red", {"red.png", "green.png", "blue.png", "holiday.zip/beach/yellow.png"}),
        ("red city:Paris", {"red.png"}),
        ("红 city:巴黎", {"red.png"}),
        ("country:FR", {"red.png"}),
        ("label:tomato", {"red.png"}),
        ("album:holiday", {"green.png", "holiday.zip/beach/yellow.png"}),
        ("album:paris", {"red.png"}),
        ("captioned:no", {"green.png", "blue.png", "holiday.zip/beach/yellow.png"}),
    ],
)
def test_what_an_older_format_holds_is_found(library: Library, query: str, paths: set[str]) -> None:
    found = {hit.path.relative_to("/photos").as_posix() for hit in search(library, query)}
    assert found == paths
