"""The library of format 4, as it was written once, is found by all that it came to hold."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import ColourEncoder
from imgsearch.library import Library, open_library
from imgsearch.searching import search


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    shutil.copytree(Path(__file__).parent / "data" / "library-v4", tmp_path / "library")
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
def test_what_format_4_holds_is_found(library: Library, query: str, paths: set[str]) -> None:
    found = {hit.path.relative_to("/photos").as_posix() for hit in search(library, query)}
    assert found == paths
