"""status() and doctor(): numbers that can be counted by hand, and one fault at a time."""

import io
import json
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from conftest import ColourEncoder, draw
from imgsearch.catalog import HEAD
from imgsearch.display.status import status_page
from imgsearch.encoders.exports import cache
from imgsearch.errors import LibraryLockedError
from imgsearch.indexing import index, reindex
from imgsearch.library import Library, open_library
from imgsearch.searching import search
from imgsearch.upkeep import Finding, doctor, status


@pytest.fixture
def library(tmp_path: Path, photos: Path) -> Iterator[Library]:
    """Three photos, one of them missing since, one broken file, one copy, one photo beside."""
    shutil.copy(photos / "red.png", photos / "copy.png")
    (photos / "broken.png").write_bytes(b"no picture")
    with open_library(tmp_path / "library") as opened:
        list(index(opened, photos, encoder=ColourEncoder()))
        (photos / "green.png").unlink()
        draw(photos / "later.png", "yellow")
        list(index(opened, photos, encoder=ColourEncoder()))
        yield opened


def execute(library: Library, statement: str, *values: object) -> None:
    """Change the catalog behind our back, as another program would."""
    connection = sqlite3.connect(library.path / "library.db")
    connection.execute(statement, values)
    connection.commit()
    connection.close()


def whats(library: Library, *, repair: bool = True) -> list[str]:
    return [finding.what for finding in doctor(library, repair=repair)]


def found_paths(library: Library) -> list[str]:
    return [hit.path.name for hit in search(library, "red", k=9, prompt="raw")]


def test_status_counts_photos_files_encoders_and_bytes(library: Library, photos: Path) -> None:
    found = status(library)
    assert found.photos == {"live": 3, "missing": 1}
    assert found.files == {"live": 4, "missing": 1, "skipped": 1}
    assert found.roots == (photos,) and found.revision == HEAD
    (encoder,) = found.encoders
    assert (encoder.name, encoder.photos, encoder.active_for) == ("toy/colour", 4, ("en", "zh"))
    assert encoder.generation is not None
    assert (encoder.generation.folder, encoder.generation.kind) == ("0001", "flat")
    assert (encoder.generation.count, encoder.generation.beside) == (3, 1)
    assert encoder.generation.asked == {"kind": "auto", "recall": 0.99}
    assert encoder.generation.recall is None and encoder.generation.trained_on == 3
    assert "faiss" in "".join(found.faiss.distributions)
    assert found.exports.folder == cache.folder()
    folder = library.generations_folder / "0001"
    assert encoder.generation.size_bytes == found.size_bytes["generations"]
    assert found.size_bytes["generations"] == sum(f.stat().st_size for f in folder.iterdir())
    assert found.size_bytes["catalog"] > 0 and found.size_bytes["backups"] == 0
    assert found.last_run is not None and found.last_run.ended == "done"
    counted = {"unchanged": 3, "added": 1, "missing": 1, "skipped": 1}
    assert counted.items() <= found.last_run.outcome.items()


def test_status_counts_captions_of_live_photos_by_language_and_source(library: Library) -> None:
    assert status(library).captions == {}
    ids = {
        path.name: photo_id for photo_id, path in library.catalog.live_paths([1, 2, 3, 4]).items()
    }
    gone = ({1, 2, 3, 4} - set(ids.values())).pop()
    with library.catalog.write() as writer:
        writer.add_captions(ids["blue.png"], ["a blue square", "all blue"], "en", "user")
        writer.add_captions(gone, ["it was green"], "en", "sidecar")
        captioner_id = writer.add_captioner("builtin/1", "of those weights")
        writer.put_generated_captions(captioner_id, "zh", [(ids["blue.png"], "蓝色。", -1.0)])
    assert status(library).captions == {
        "en": {"user": 2, "sidecar": 0, "generated": 0},
        "zh": {"user": 0, "sidecar": 0, "generated": 1},
    }


def test_status_is_ready_for_json(library: Library, photos: Path) -> None:
    plain = json.loads(json.dumps(status(library).as_dict()))
    assert plain["roots"] == [str(photos)]
    assert plain["encoders"][0]["generation"]["built_at"].endswith("+00:00")


def test_status_of_a_new_library_is_empty(tmp_path: Path) -> None:
    with open_library(tmp_path / "new") as library:
        found = status(library)
        assert found.photos == {"live": 0, "missing": 0} and found.encoders == ()
        assert found.last_run is None and list(doctor(library)) == []


def test_a_killed_run_has_no_end_in_the_status(library: Library) -> None:
    execute(library, "UPDATE runs SET finished_at = NULL, outcome = NULL")
    last = status(library).last_run
    assert last is not None and last.ended is None and last.finished_at is None


def test_status_says_what_an_approximate_index_was_measured_to_find(library: Library) -> None:
    reindex(library, kind="ivf-sq8", recall=0.9)
    found = status(library)
    generation = found.encoders[0].generation
    assert generation is not None and generation.asked == {"kind": "ivf-sq8", "recall": 0.9}
    assert generation.parameters == {"nlist": 1, "nprobe": 1, "code_bytes": 3}
    assert generation.recall is not None and generation.recall["photos"] == 1
    console = Console(width=200, file=io.StringIO())
    console.print(status_page(found))
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert "nlist 1, nprobe 1, code_bytes 3, finds of the 10 nearest: of photos 1.0" in shown
    assert "asked for: ivf-sq8, 0.9" in shown and "GPU" in shown


def test_status_of_an_index_that_does_not_read_says_the_rest(library: Library) -> None:
    library.close()
    (library.generations_folder / "0001" / "manifest.json").write_text("{")
    with open_library(library.path) as opened:
        generation = status(opened).encoders[0].generation
    assert generation is not None and (generation.kind, generation.asked) == ("flat", None)


def test_a_sound_library_has_no_findings(library: Library) -> None:
    assert list(doctor(library)) == []


@pytest.mark.parametrize("fault", ["gone", "cut", "flipped byte", "manifest"])
def test_a_generation_that_does_not_read_is_built_again(library: Library, fault: str) -> None:
    before = found_paths(library)
    folder = library.generations_folder / "0001"
    content = bytearray((folder / "index.faiss").read_bytes())
    library.close()  # a mapped file cannot be replaced everywhere
    if fault == "gone":
        shutil.rmtree(folder)
    elif fault == "manifest":
        (folder / "manifest.json").write_text("{")
    else:
        content[-5] ^= 0xFF
        (folder / "index.faiss").write_bytes(content if fault != "cut" else content[:-20])
    with open_library(library.path) as opened:
        opened.keep_encoder(ColourEncoder())
        assert [each.is_repaired for each in doctor(opened, repair=False)] == [False]
        assert [each.is_repaired for each in doctor(opened)] == [True]
        assert list(doctor(opened)) == []
        current = opened.catalog.current_generation(1)
        assert current is not None and current.count == 4
        assert found_paths(opened) == before


def test_a_generation_of_other_photos_than_the_catalogs_is_built_again(library: Library) -> None:
    execute(library, "DELETE FROM embeddings WHERE photo_id = 1")
    assert whats(library) == ["generations/0001 holds other photos than the catalog"]
    assert whats(library) == []


def test_what_a_killed_run_left_is_deleted_and_no_fault(library: Library) -> None:
    own = [library.generations_folder / name for name in (".DS_Store", "0007 copy", "notes")]
    for name in ("0002.tmp", "0007"):
        (library.generations_folder / name).mkdir()
    (library.models_folder / "builtin-1.tmp").mkdir(parents=True)
    for path in own:
        path.touch()
    assert whats(library, repair=False) == [] == whats(library)
    there = sorted(path.name for path in library.generations_folder.iterdir())
    assert there == [".DS_Store", "0001", "0007 copy", "notes"]
    assert list(library.models_folder.iterdir()) == []


def test_the_next_run_deletes_what_a_killed_one_left(library: Library, photos: Path) -> None:
    (library.generations_folder / "0002.tmp").mkdir()
    list(index(library, photos, encoder=ColourEncoder()))
    assert [path.name for path in library.generations_folder.iterdir()] == ["0001"]


@pytest.mark.parametrize(
    ("vector", "says"),
    [
        (b"short", "of 5 bytes where 12 or 6 are right"),
        (np.array([np.nan, 0, 0], "<f4").tobytes(), "not finite"),
        (np.array([3, 4, 0], "<f4").tobytes(), "of length 5.000 instead of 1"),
        (np.zeros(3, "<f4").tobytes(), "of length 0.000 instead of 1"),
    ],
    ids=["too short", "not finite", "too long", "zero"],
)
def test_an_embedding_no_search_can_use_is_dropped_and_made_again(
    library: Library, photos: Path, vector: bytes, says: str
) -> None:
    execute(library, "UPDATE embeddings SET vector = ? WHERE photo_id = 1", vector)
    findings = list(doctor(library))
    assert says in findings[0].what and findings[0].is_repaired
    assert list(doctor(library)) == []
    assert library.catalog.photo_count(1) == 3
    list(index(library, photos, encoder=ColourEncoder()))
    assert library.catalog.photo_count(1) == 4 and list(doctor(library)) == []


def test_words_that_are_not_those_of_the_catalog_are_made_anew(library: Library) -> None:
    execute(library, "DELETE FROM photo_words")
    assert library.catalog.match_words([("red",)], limit=9) == []
    (finding,) = doctor(library, repair=False)
    assert "words" in finding.what and "imgsearch doctor" in finding.remedy
    (finding,) = doctor(library)
    assert finding.is_repaired
    assert len(library.catalog.match_words([("red",)], limit=9)) == 1
    assert whats(library) == []


def test_embeddings_of_unknown_photos_are_dropped(library: Library) -> None:
    vector = np.array([1, 0, 0], "<f4").tobytes()
    execute(
        library, "INSERT INTO embeddings (photo_id, encoder_id, vector) VALUES (99, 1, ?)", vector
    )
    assert whats(library) == ["1 embeddings of an unknown photo"]
    assert whats(library) == []


def test_a_photo_that_left_the_disk_is_reported_and_nothing_changed(
    library: Library, photos: Path
) -> None:
    (photos / "blue.png").unlink()
    command = library.command("index", photos, "--accept-missing")
    expected = Finding(
        f"1 files of {photos} are not on disk",
        is_repaired=False,
        remedy=f"Mount its drive, or say that they are gone: {command}",
        is_fault=False,
    )
    assert list(doctor(library)) == [expected] == list(doctor(library))


def test_a_damaged_catalog_is_reported_and_left_alone(library: Library) -> None:
    with library.catalog.write() as writer:  # enough pages to hurt one that is not the schema's
        for number in range(300):
            writer.start_run(f"verb {number} " + "x" * 200)
    library.close()
    path = library.path / "library.db"
    content = bytearray(path.read_bytes())
    content[-12_288:] = b"\xff" * 12_288
    path.write_bytes(content)
    with open_library(library.path) as opened:
        findings = list(doctor(opened))
    assert findings and not any(finding.is_repaired for finding in findings)
    assert "library.db" in findings[0].what and "backups" in findings[0].remedy
    assert path.read_bytes()[-12_288:] == b"\xff" * 12_288


def test_doctor_does_not_run_beside_a_writer(library: Library) -> None:
    with open_library(library.path) as other, other.lock():
        with pytest.raises(LibraryLockedError):
            list(doctor(library))
        assert status(library).photos["live"] == 3


def test_a_bundled_model_that_is_gone_or_damaged_is_copied_again(
    tmp_path: Path, photos: Path
) -> None:
    with open_library(tmp_path / "bundled") as library:
        list(index(library, photos, encoder="builtin"))
        assert list(doctor(library)) == []
        (copy,) = library.models_folder.iterdir()
        weights = (copy / "open_clip_model.safetensors").read_bytes()
        (copy / "open_clip_model.safetensors").write_bytes(weights[:1000])
        assert ["is damaged" in what for what in whats(library)] == [True]
        assert (copy / "open_clip_model.safetensors").read_bytes() == weights
        shutil.rmtree(copy)
        assert ["is gone" in what for what in whats(library)] == [True]
        assert whats(library) == []
