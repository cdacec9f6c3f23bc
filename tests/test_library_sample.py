"""The photos that stand for all, kept beside an index: gone or damaged, they cost time alone."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from sqlalchemy import event

from imgsearch.library import generations, open_library, sample_of
from imgsearch.library.sample import FILE, MOST_BESIDE, file_of
from imgsearch.searching import Hit
from imgsearch.upkeep import doctor
from stars import DIM, Stars, open_stars, random_vectors

COUNT = 3000


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Stars:
    with open_stars(tmp_path_factory.mktemp("filled")) as opened:
        opened.add(random_vectors(COUNT))
        (row,) = opened.library.catalog.encoders()
        generations.build(opened.library, row, "flat")
    return opened


@pytest.fixture
def stars(filled: Stars, tmp_path: Path) -> Iterator[Stars]:
    """A copy of the library that is filled but once."""
    shutil.copytree(filled.library.path, tmp_path / "stars")
    with open_library(tmp_path / "stars") as library:
        yield replace(filled, library=library, vectors=dict(filled.vectors), live=set(filled.live))


def found(stars: Stars) -> list[Hit]:
    """The hits of a process that has just begun."""
    with open_library(stars.library.path) as library:
        return Stars(library, stars.encoder, stars.encoder_id, {}, set()).search("sun")


def kept(stars: Stars) -> Path:
    (generation,) = stars.library.catalog.generations()
    return file_of(stars.library, generation)


def test_it_is_kept_when_an_index_is_built_and_is_what_the_catalog_says(stars: Stars) -> None:
    (row,) = stars.library.catalog.encoders()
    _, expected, last = stars.library.catalog.sample_embeddings(row.id, 2048)
    assert np.array_equal(vectors_in(kept(stars)), expected)
    sample = sample_of(stars.library, row)
    assert np.array_equal(sample.vectors, expected)
    assert (sample.count, sample.last) == (COUNT, last)


def test_a_search_reads_it_and_no_rows_for_it(stars: Stars) -> None:
    found(stars)
    rows: list[int] = []
    with open_library(stars.library.path) as library:
        event.listen(
            library.catalog.engine,
            "before_cursor_execute",
            lambda *arguments: rows.append(len(arguments[3])),
        )
        Stars(library, stars.encoder, stars.encoder_id, {}, set()).search("sun")
    assert max(rows) < 2048 / 3  # of one statement: it is read in pieces


BAD = {
    "gone": None,
    "empty": b"",
    "no numbers": b"no numbers at all",
    "an archive": b"PK\x03\x04" + bytes(8),
    "cut": np.ones((7, DIM), "<f4").tobytes()[:-1],
    "zeros": bytes(2048 * DIM * 4),
    "not finite": np.full((2048, DIM), np.nan, "<f4").tobytes(),
    "huge": np.full((2048, DIM), 3e38, "<f4").tobytes(),
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD)
def test_where_it_is_gone_or_holds_no_unit_rows_it_is_made_again(
    stars: Stars, content: bytes | None
) -> None:
    before, whole = found(stars), kept(stars).read_bytes()
    kept(stars).unlink()
    if content is not None:
        kept(stars).write_bytes(content)
    assert found(stars) == before
    assert kept(stars).read_bytes() == whole
    assert {file.name for file in kept(stars).parent.iterdir()} == {
        "index.faiss",
        "manifest.json",
        FILE,
    }


def test_one_vector_that_is_no_number_hides_no_other_photo(stars: Stars) -> None:
    before = found(stars)
    damaged = next(iter(stars.vectors.keys() - {hit.photo_id for hit in before}))
    with stars.library.catalog.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE embeddings SET vector = ? WHERE photo_id = ?",
            (np.full(DIM, np.nan, "<f4").tobytes(), damaged),
        )
    kept(stars).unlink()
    assert [hit.photo_id for hit in found(stars)] == [hit.photo_id for hit in before]


def test_it_may_be_read_by_whom_the_index_may(stars: Stars) -> None:
    index = kept(stars).parent / "index.faiss"
    assert kept(stars).stat().st_mode == index.stat().st_mode


def test_where_it_cannot_be_kept_a_search_is_as_good(stars: Stars) -> None:
    before = found(stars)
    kept(stars).unlink()
    kept(stars).mkdir()  # in its place: it can be neither read nor written
    assert found(stars) == before
    assert not list(kept(stars).parent.glob("*.tmp"))


def test_when_the_library_has_grown_all_photos_are_asked_again(stars: Stars) -> None:
    (row,) = stars.library.catalog.encoders()
    stars.add(random_vectors(COUNT // MOST_BESIDE, seed=1))
    before = vectors_in(kept(stars))
    assert np.array_equal(sample_of(stars.library, row).vectors, before)
    assert sample_of(stars.library, row).count == COUNT + COUNT // MOST_BESIDE
    stars.add(random_vectors(1, seed=2))
    _, expected, _ = stars.library.catalog.sample_embeddings(row.id, 2048)
    grown = sample_of(stars.library, row)
    assert np.array_equal(grown.vectors, expected)
    assert grown.count == COUNT + COUNT // MOST_BESIDE + 1


def test_doctor_finds_one_that_has_changed_and_takes_it_away(stars: Stars) -> None:
    changed = vectors_in(kept(stars))[::-1]
    kept(stars).write_bytes(changed.tobytes())
    (finding,) = faults(stars, repair=False)
    assert finding == "generations/0001/sample.f32 has changed"
    assert kept(stars).exists()
    assert faults(stars, repair=True) == [finding]
    assert not kept(stars).exists()
    assert faults(stars, repair=False) == []  # nor is it missed


def test_doctor_says_so_where_it_cannot_take_it_away(stars: Stars) -> None:
    kept(stars).unlink()
    kept(stars).mkdir()
    (finding,) = faults(stars, repair=True)
    assert finding.startswith("generations/0001/sample.f32 has changed, and cannot be removed (")
    assert kept(stars).exists()


def vectors_in(file: Path) -> npt.NDArray[np.float32]:
    return np.fromfile(file, "<f4").reshape(-1, DIM)


def faults(stars: Stars, repair: bool) -> list[str]:
    return [each.what for each in doctor(stars.library, repair=repair) if each.is_fault]
