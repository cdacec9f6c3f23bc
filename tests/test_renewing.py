"""Photos of earlier libraries: the next index reads what it would say of them today."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import text

from commands import Run
from conftest import ColourEncoder
from imgsearch.catalog import facts
from imgsearch.indexing import Notice, Renewing, index
from imgsearch.library import Library, open_library

pytest_plugins = "commands"

SHOT = {0x8827: 400, 0x829D: 1.8, 0x920A: 35.0, 0xA434: "Planar T* 35mm"}
PARIS = {1: "N", 2: (48.0, 51.0, 36.0), 3: "E", 4: (2.0, 20.0, 24.0)}


def shoot(path: Path, colour: str) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769).update(SHOT)
    exif.get_ifd(0x8825).update(PARIS)
    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", (12, 8), colour).save(path, exif=exif)


def as_of_old(library: Library) -> None:
    """The rows as revision 0003 left them."""
    with library.catalog.write() as writer:
        writer.connection.execute(
            text(
                "UPDATE photos SET lens = NULL, iso = NULL, f_number = NULL, place_id = NULL, "
                "focal_length_mm = NULL, facts_revision = 0"
            )
        )


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for number, colour in enumerate(("red", "green", "blue", "white"), 1):
        shoot(folder / f"{number}.jpg", colour)
    return folder


def test_the_next_index_reads_old_photos_anew_without_embedding(
    tmp_path: Path, photos: Path
) -> None:
    with open_library(tmp_path / "library") as library:
        list(index(library, photos, encoder=ColourEncoder()))
        fresh = facts.of_photos(library.catalog, [1, 2, 3, 4])
        assert (fresh[1].iso, fresh[1].f_number, fresh[1].lens) == (400, 1.8, "Planar T* 35mm")
        as_of_old(library)
        notices: list[Notice] = []
        blind = ColourEncoder()
        blind.embed_images = None  # type: ignore[assignment]  # to call it would raise
        list(index(library, photos, encoder=blind, notify=notices.append))
        assert Renewing(0, 4) in notices
        assert facts.of_photos(library.catalog, [1, 2, 3, 4]) == fresh
        place = facts.place_of(library.catalog, 1)
        assert place is not None and (place.name, place.country) == ("Paris", "FR")
        notices.clear()
        list(index(library, photos, encoder=blind, notify=notices.append))
        assert not [each for each in notices if isinstance(each, Renewing)]


def test_a_run_that_is_stopped_is_continued_by_the_next(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imgsearch.indexing.renewing.PHOTOS_AT_ONCE", 1)

    def stop_at_two(notice: Notice) -> None:
        if isinstance(notice, Renewing) and notice.done == 2:
            raise KeyboardInterrupt

    with open_library(tmp_path / "library") as library:
        list(index(library, photos, encoder=ColourEncoder()))
        as_of_old(library)
        with pytest.raises(KeyboardInterrupt):
            list(index(library, photos, encoder=ColourEncoder(), notify=stop_at_two))
        assert [row.photo_id for row in library.catalog.photos_with_old_facts()] == [3, 4]
        list(index(library, photos, encoder=ColourEncoder()))
        assert library.catalog.photos_with_old_facts() == []


def test_a_photo_without_its_file_waits_until_it_comes_back(tmp_path: Path, photos: Path) -> None:
    with open_library(tmp_path / "library") as library:
        list(index(library, photos, encoder=ColourEncoder()))
        as_of_old(library)
        shutil.move(photos / "2.jpg", tmp_path / "2.jpg")
        list(index(library, photos, encoder=ColourEncoder()))
        assert facts.of_photos(library.catalog, [2])[2].iso is None
        shutil.move(tmp_path / "2.jpg", photos / "2.jpg")
        list(index(library, photos, encoder=ColourEncoder()))
        assert facts.of_photos(library.catalog, [2])[2].iso == 400


def test_show_tells_lens_exposure_and_place(run: Run, encoder: Path, photos: Path) -> None:
    assert run("index", photos, "--encoder", encoder, "--quiet").exit_code == 0
    page = run("show", "id:1").stdout
    for said in ("Planar T* 35mm", "35 mm, f/1.8, ISO 400", "Paris, France", "48.86000, 2.34000"):
        assert said in page
    told = json.loads(run("show", "id:1", "--json").stdout)
    assert (told["city"], told["country"], told["iso"]) == ("Paris", "FR", 400)
