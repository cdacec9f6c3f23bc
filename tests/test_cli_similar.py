"""`imgsearch similar` and `random`: photos like one, and photos by chance."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from commands import Run, hits
from conftest import ColourEncoder, draw
from imgsearch.errors import PictureError, QueryError, UsageError
from imgsearch.indexing import index
from imgsearch.library import Library, open_library
from imgsearch.searching import Filters
from imgsearch.searching.random_photos import random_photos
from imgsearch.searching.similar import similar

pytest_plugins = "commands"


@pytest.fixture
def reds(tmp_path: Path) -> Path:
    """Photos from red to yellow, and a blue one."""
    folder = tmp_path / "photos"
    for green in (0, 60, 120, 240):
        draw(folder / f"{green}.png", (240, green, 0))
    draw(folder / "blue.png", "blue")
    return folder


@pytest.fixture
def library(reds: Path, tmp_path: Path) -> Library:
    opened = open_library(tmp_path / "library")
    list(index(opened, [reds], encoder=ColourEncoder()))
    return opened


def names(found: list[object]) -> list[str]:
    return [hit.path.name for hit in found]  # type: ignore[attr-defined]


def test_the_nearest_photos_come_first_and_the_photo_itself_never(
    library: Library, reds: Path
) -> None:
    found = similar(library, reds / "60.png", 3)
    assert names(found) == ["120.png", "0.png", "240.png"]
    unit = [np.array([240, green, 0.255]) for green in (60, 120)]
    cosine = unit[0] @ unit[1] / np.prod([np.linalg.norm(each) for each in unit])
    assert found[0].score == pytest.approx(cosine, abs=1e-4)
    assert [hit.rank for hit in found] == [1, 2, 3]


def test_a_photo_of_the_library_is_answered_without_an_encoder(
    library: Library, reds: Path
) -> None:
    library.close()
    with open_library(library.path) as cold:  # the encoder was an object, and nobody passes it
        wanted = names(similar(cold, reds / "0.png", 2))
        assert wanted == ["60.png", "120.png"]
        copy = shutil.copy(reds / "0.png", reds.parent / "copy.png")  # the same bytes elsewhere
        assert names(similar(cold, Path(copy), 2)) == wanted
        (reds / "0.png").unlink()
        assert names(similar(cold, reds / "0.png", 2)) == wanted


def test_any_other_picture_is_embedded(library: Library, tmp_path: Path) -> None:
    orange = draw(tmp_path / "orange.png", (240, 110, 0))
    found = similar(library, orange, 5, encoder=ColourEncoder())
    assert names(found)[0] == "120.png" and len(found) == 5


def test_filters_bound_it_and_what_cannot_be_asked_says_so(library: Library, reds: Path) -> None:
    only = Filters(path=reds / "blue.png")
    assert names(similar(library, reds / "0.png", 5, filters=only)) == ["blue.png"]
    with pytest.raises(QueryError, match="no photo 99"):
        similar(library, 99)
    with pytest.raises(UsageError, match="k must be"):
        similar(library, 1, 0)
    with pytest.raises(PictureError):
        similar(library, reds / "nowhere.png", encoder=ColourEncoder())


def test_chance_draws_different_photos_and_a_seed_the_same_again(library: Library) -> None:
    for seed in range(5):
        drawn = names(random_photos(library, 3, seed=seed))
        assert len(set(drawn)) == 3 and drawn == names(random_photos(library, 3, seed=seed))
    seen = {name for seed in range(40) for name in names(random_photos(library, 1, seed=seed))}
    assert seen == {"0.png", "60.png", "120.png", "240.png", "blue.png"}
    assert len(random_photos(library, 99)) == 5


def test_chance_draws_from_what_filters_leave(library: Library, reds: Path) -> None:
    only = Filters(path=reds / "blue.png")
    assert names(random_photos(library, 5, filters=only)) == ["blue.png"]
    with pytest.raises(UsageError, match="no score"):
        random_photos(library, filters=Filters(min_score=0.2))
    with pytest.raises(UsageError, match="no relevance"):
        random_photos(library, filters=Filters(min_relevance=0.2))
    with pytest.raises(UsageError, match="by its score alone"):
        similar(library, 1, filters=Filters(min_relevance=0.2))


def test_similar_on_the_command_line(indexed: Run, photos: Path) -> None:
    by_path = hits(indexed("similar", photos / "red.png", "-k", "2", "--json"))
    assert len(by_path) == 2 and all(hit["path"] != str(photos / "red.png") for hit in by_path)
    (red,) = {1, 2, 3} - {hit["photo_id"] for hit in by_path}
    assert hits(indexed("similar", f"id:{red}", "--json")) == by_path
    plain = indexed("similar", f"id:{red}", "-k", "1")
    assert plain.stdout.split() == ["1", f"{by_path[0]['score']:.3f}", by_path[0]["path"]]
    nothing = indexed("similar", f"id:{red}", "--min-score", "1.5")
    assert nothing.exit_code == 1 and "nothing found" in nothing.stderr
    assert "satisfies year:" in indexed("similar", f"id:{red}", "--year", "1999").stderr
    assert indexed("similar", "id:99").exit_code == 2
    word = indexed("similar", "dog")
    assert word.exit_code == 2 and "imgsearch search dog" in " ".join(word.stderr.split())


def test_random_on_the_command_line(indexed: Run, photos: Path) -> None:
    lines = indexed("random", "-k", "2", "--seed", "4").stdout.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["1", "2"]
    row = json.loads(indexed("random", "-k", "1", "--seed", "4", "--json").stdout)
    assert row["score"] is None and lines[0] == f"1  {row['path']}"
    assert indexed("random", "--year", "1999").exit_code == 1
    assert indexed("random", "--path", "/nowhere").exit_code == 2
