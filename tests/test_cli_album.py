"""`imgsearch album`: by hand, from a search, as a saved search; and an edited photo's albums."""

import json
from pathlib import Path

import pytest
from PIL import Image

from commands import Run
from imgsearch.errors import UsageError
from imgsearch.library import open_library
from imgsearch.organising import add_to_album, list_albums, save_album
from imgsearch.queries import parse

pytest_plugins = "commands"


def in_album(library: Path, name: str) -> list[int]:
    with open_library(library) as opened:
        found: list[int] = opened.catalog.photo_ids(parse(f'album:"{name}"').conditions).tolist()
        return found


def test_photos_come_into_an_album_and_go(indexed: Run, photos: Path, tmp_path: Path) -> None:
    library = tmp_path / "library"
    added = indexed("album", "add", "海边 2023", photos / "red.png", "id:2")
    assert added.exit_code == 0 and "2 of 2" in added.stderr
    assert "1 of 2" in indexed("album", "add", "海边 2023", "id:1", "id:2").stderr
    assert in_album(library, "海边 2023") == [1, 2, 3]
    assert indexed("album", "remove", "海边 2023", "id:2").exit_code == 0
    assert in_album(library, "海边 2023") == [1, 3]
    renamed = indexed("album", "rename", "海边 2023", "Meer")
    assert renamed.exit_code == 0 and "海边 2023 is called Meer now" in renamed.stderr
    listed = indexed("album", "list")
    assert listed.stdout.split()[-2:] == ["Meer", "2"]
    rows = [json.loads(line) for line in indexed("album", "list", "--json").stdout.splitlines()]
    assert rows == [{"name": "Meer", "query": None, "photos": 2}]
    assert indexed("album", "delete", "meer").exit_code == 2
    assert indexed("album", "delete", "Meer").exit_code == 0
    assert indexed("album", "list", "--json").stdout == ""


def test_the_best_hits_are_put_in_with_k(indexed: Run, tmp_path: Path) -> None:
    added = indexed("album", "add", "best", "red", "-k", "2")
    assert added.exit_code == 0, added.stderr
    assert len(in_album(tmp_path / "library", "best")) == 2


def test_hits_that_are_not_relevant_are_put_in_only_with_all(indexed: Run, tmp_path: Path) -> None:
    refused = indexed("album", "add", "best", "月亮", "-k", "2")
    assert refused.exit_code == 1 and "nothing relevant found" in refused.stderr
    assert indexed("album", "list", "--json").stdout == ""
    added = indexed("album", "add", "best", "月亮", "-k", "2", "--all")
    assert added.exit_code == 0 and len(in_album(tmp_path / "library", "best")) == 2


def test_a_value_with_spaces_is_saved_as_it_was_meant(indexed: Run, tmp_path: Path) -> None:
    saved = indexed("album", "add", "canons", "--saved", "camera:Canon EOS 5D", "year:2023")
    assert saved.exit_code == 0, saved.stderr
    row = json.loads(indexed("album", "list", "--json").stdout)
    assert row["query"] == 'camera:"Canon EOS 5D" year:2023'


def test_a_saved_search_has_the_photos_that_come_later(
    indexed: Run, photos: Path, tmp_path: Path
) -> None:
    saved = indexed("album", "add", "reds", "--saved", "name:red*")
    assert saved.exit_code == 0 and "1 photos" in saved.stderr, saved.stderr
    Image.new("RGB", (9, 9), "maroon").save(photos / "red-2.png")
    assert indexed("index", photos, "--quiet").exit_code == 0
    assert in_album(tmp_path / "library", "reds") == [3, 4]
    listed = json.loads(indexed("album", "list", "--json").stdout)
    assert listed == {"name": "reds", "query": "name:red*", "photos": 2}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add", "x", "a dog"], "-k N"),
        (["add", "x", "id:99"], "no photo 99"),
        (["add", "x", "--saved", "a dog"], "with -k"),
        (["add", "x", "--saved", "album:x"], "no album 'x'"),
        (["add", "x", "--saved", "-k", "3", "year:2020"], "give one"),
        (["add", "x", "--all", "id:1"], "give -k N"),
        (["add", "a*b", "id:1"], "without"),
        (["add", " ", "id:1"], "one line"),
        (["add", "reds", "id:1"], "is the saved search"),
        (["add", "hand", "--saved", "year:2020"], "by hand"),
        (["remove", "nowhere", "id:1"], "there are 'hand', 'reds'"),
        (["rename", "hand", "reds"], "already"),
        (["rename", "nowhere", "x"], "there are 'hand', 'reds'"),
    ],
)
def test_what_cannot_be_is_said(indexed: Run, arguments: list[str], said: str) -> None:
    assert indexed("album", "add", "reds", "--saved", "name:red*").exit_code == 0
    assert indexed("album", "add", "hand", "id:1").exit_code == 0
    result = indexed("album", *arguments)
    assert result.exit_code == 2 and said in " ".join(result.stderr.split()), result.stderr


def test_an_edited_photo_is_in_the_albums_of_the_one_it_was(
    indexed: Run, photos: Path, tmp_path: Path
) -> None:
    assert indexed("album", "add", "reds", photos / "red.png").exit_code == 0
    Image.new("RGB", (40, 30), "darkred").save(photos / "red.png")
    assert indexed("index", photos, "--quiet").exit_code == 0
    assert in_album(tmp_path / "library", "reds") == [4]


def test_albums_from_python(indexed: Run, tmp_path: Path) -> None:
    with open_library(tmp_path / "library") as library:
        assert add_to_album(library, "two", [1, 2, 2]) == 2
        assert save_album(library, "all", "after:1990") == 3
        rows = list_albums(library)
        assert [(row.name, row.photos) for row in rows] == [("all", 3), ("two", 2)]
        with pytest.raises(UsageError, match="one line"):
            add_to_album(library, "two\nlines", [1])
