"""The library: made where nothing is, found by default, locked by one writer, read without us."""

import contextlib
import errno
import gc
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from conftest import ColourEncoder, draw
from imgsearch.errors import (
    LibraryDamagedError,
    LibraryError,
    LibraryLockedError,
    NoEncoderError,
    NoLibraryError,
    UsageError,
)
from imgsearch.indexing import BuildingGeneration, Embedding, Notice, index, rebuild, reindex
from imgsearch.library import MARKER, default_path, open_library
from imgsearch.searching import search

pytest_plugins = ["commands"]

ROOT = Path(__file__).parent.parent
HOLD = """
import sys, time
from imgsearch.library import open_library
with open_library(sys.argv[1]) as library, library.lock():
    print("held", flush=True)
    time.sleep(60)
"""


def holder(path: Path) -> "subprocess.Popen[str]":
    """Another process that holds the library's lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def end(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def test_a_library_is_made_where_nothing_is_and_opened_again(tmp_path: Path) -> None:
    with open_library(tmp_path / "deep" / "library") as library:
        assert library.catalog.encoders() == []
    assert (tmp_path / "deep" / "library" / "library.db").is_file()
    assert (tmp_path / "deep" / "library" / "README.md").read_text("utf-8").startswith(MARKER)
    with open_library(str(tmp_path / "deep" / "library"), create=False) as library:
        assert library.path == tmp_path / "deep" / "library"


def test_a_library_that_must_exist_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(NoLibraryError, match="imgsearch index PATH"):
        open_library(tmp_path / "none", create=False)
    assert not (tmp_path / "none").exists()


def test_a_file_is_no_library(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    with pytest.raises(UsageError, match="is a file"):
        open_library(tmp_path / "file")


def test_an_existing_readme_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    open_library(tmp_path).close()
    assert (tmp_path / "README.md").read_text() == "mine"


def test_the_default_is_a_marked_index_folder_then_the_users_own(tmp_path: Path) -> None:
    own = default_path(tmp_path)
    assert own.name == "library" and "imgsearch" in str(own)
    (tmp_path / "index").mkdir()
    assert default_path(tmp_path) == own  # somebody else's index folder
    (tmp_path / "index" / "README.md").write_text(f"{MARKER}\n# A library\n")
    assert default_path(tmp_path) == tmp_path / "index"
    (tmp_path / "index" / "README.md").unlink()
    open_library(tmp_path / "index").close()
    assert default_path(tmp_path) == tmp_path / "index"


def test_a_checkout_has_its_library_in_index(tmp_path: Path) -> None:
    assert default_path(ROOT) == ROOT / "index"


def test_another_process_is_refused_at_once_with_the_holders_pid_and_time(tmp_path: Path) -> None:
    process = holder(tmp_path)
    try:
        with open_library(tmp_path) as library:
            started = time.monotonic()
            with pytest.raises(LibraryLockedError) as caught, library.lock():
                pass
            assert time.monotonic() - started < 1
            assert str(process.pid) in str(caught.value)
            assert re.search(r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d", str(caught.value))
            assert library.catalog.encoders() == []  # reading needs no lock
    finally:
        end(process)


def test_a_killed_holder_leaves_no_lock_behind(tmp_path: Path) -> None:
    end(holder(tmp_path))
    assert (tmp_path / "library.lock").read_text() != ""  # the file stays; the lock is gone
    with open_library(tmp_path) as library, library.lock():
        pass


def test_waiting_for_the_lock_ends_when_its_holder_does(tmp_path: Path) -> None:
    process = holder(tmp_path)
    waiting = subprocess.Popen(
        [sys.executable, "-c", HOLD.replace("lock()", "lock(wait=True)"), str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        time.sleep(0.3)
        assert waiting.poll() is None
        end(process)
        assert waiting.stdout is not None and waiting.stdout.readline() == "held\n"
    finally:
        end(process) if process.poll() is None else None
        end(waiting)


def test_the_lock_is_reentrant_and_a_second_library_object_is_refused(tmp_path: Path) -> None:
    with open_library(tmp_path) as library, open_library(tmp_path) as other:
        with library.lock():
            with library.lock():
                pass
            with pytest.raises(LibraryLockedError, match=str(os.getpid())), other.lock():
                pass
        with other.lock():
            pass


def test_two_processes_may_make_one_library_at_the_same_time(tmp_path: Path) -> None:
    code = "import sys; from imgsearch.library import open_library; open_library(sys.argv[1])"
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "library")]) for _ in range(2)
    ]
    assert [process.wait() for process in processes] == [0, 0]


def test_an_encoder_passed_as_an_object_is_known_while_the_library_is_open(
    tmp_path: Path, photos: Path, colour_encoder: ColourEncoder
) -> None:
    with open_library(tmp_path / "library") as library:
        list(index(library, photos, encoder=colour_encoder))
        row = library.catalog.encoders()[0]
        assert library.load_encoder(row) is colour_encoder
    with (
        open_library(tmp_path / "library") as library,
        pytest.raises(NoEncoderError, match="toy/colour"),
    ):
        library.load_encoder(row)


def test_an_index_is_mapped_once_and_followed_to_the_next_generation(
    tmp_path: Path, photos: Path, colour_encoder: ColourEncoder
) -> None:
    with open_library(tmp_path / "library") as library:
        list(index(library, photos, encoder=colour_encoder))
        encoder_id = library.catalog.encoders()[0].id
        first = library.catalog.current_generation(encoder_id)
        assert first is not None
        assert library.index_of(first) is library.index_of(first)
        second = reindex(library)[0].generation
        assert library.index_of(second) is not library.index_of(first)
        shutil.rmtree(library.generations_folder / second.folder)
    with open_library(tmp_path / "library") as library, pytest.raises(LibraryDamagedError):
        library.index_of(second)


def variant(encoder: Path, folder: Path, factor: float) -> str:
    """Another encoder: the folder's, its text projection times a factor."""
    shutil.copytree(encoder, folder)
    weights = load_file(folder / "open_clip_model.safetensors")
    weights["text_projection"] *= factor
    save_file(weights, folder / "open_clip_model.safetensors")
    return str(folder)


def test_a_long_lived_process_lets_go_of_what_answers_no_more(
    tmp_path: Path, photos: Path, encoder: Path
) -> None:
    names = [variant(encoder, tmp_path / f"{factor}", factor) for factor in (-1.0, 2.0, -2.0)]
    with open_library(tmp_path / "library") as writing, open_library(writing.path) as reading:
        list(index(writing, photos, encoder=str(encoder)))
        loaded: list[weakref.ref[object]] = []
        mapped: list[weakref.ref[object]] = []
        for number, name in enumerate([None, *names]):
            if name is not None:
                rebuild(writing, name)
            assert len(search(reading, f"red {number}", prompt="raw")) == 3
            row = reading.catalog.active_encoders()["en"]
            generation = reading.catalog.current_generation(row.id)
            assert generation is not None
            loaded.append(weakref.ref(reading.load_encoder(row)))
            mapped.append(weakref.ref(reading.index_of(generation)))
        gc.collect()
        assert [each() is not None for each in loaded] == [False, False, False, True]
        assert [each() is not None for each in mapped] == [False, False, False, True]
        assert loaded[-1]() is reading.load_encoder(row)


def test_a_rebuild_loads_each_encoder_once(tmp_path: Path, photos: Path, encoder: Path) -> None:
    (photos / "red.txt").write_text("red", "utf-8")
    name = variant(encoder, tmp_path / "second", -1.0)
    with open_library(tmp_path / "library") as library:
        list(index(library, photos, encoder=str(encoder)))
    with open_library(tmp_path / "library") as library:  # which has not loaded the old one yet
        seen: list[object] = []

        def look(notice: Notice) -> None:
            if isinstance(notice, Embedding | BuildingGeneration):
                row = library.catalog.encoders()[-1]
                seen.append(library.load_encoder(row))

        rebuilt = rebuild(library, name, notify=look)
        assert len(rebuilt.before) == len(rebuilt.after) == 1
        search(library, "red", prompt="raw")
        row = library.catalog.active_encoders()["en"]
        assert len(seen) >= 2
        assert all(each is library.load_encoder(row) for each in seen)


def test_the_format_page_reads_a_library_without_us(
    tmp_path: Path, photos: Path, colour_encoder: ColourEncoder
) -> None:
    library_path = tmp_path / "library"
    with open_library(library_path) as library:
        list(index(library, photos, encoder=colour_encoder))
        expected = {hit.path: hit.score for hit in search(library, "red", prompt="raw")}
    page = (ROOT / "index" / "README.md").read_text("utf-8")
    assert page.startswith(MARKER)
    code = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert code is not None and code[1].count("\n") <= 10 and "imgsearch" not in code[1]
    names: dict[str, object] = {}
    text = code[1].replace('"index"', repr(str(library_path)))
    exec(text, names)  # it is our own page
    paths, vectors = names["paths"], names["vectors"]
    red = colour_encoder.embed_texts(["red"])[0]
    scores = dict(zip((Path(path) for path in paths), vectors @ red, strict=True))  # type: ignore
    assert scores == pytest.approx(expected, abs=1e-5)


def test_the_library_of_format_1_opens_and_finds_its_photos(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "tests" / "data" / "library-v1", tmp_path / "library")
    with open_library(tmp_path / "library", create=False) as library:
        library.keep_encoder(ColourEncoder())
        hits = search(library, "red", k=2)
        assert hits[0].path == Path("/photos/red.png") and hits[0].score > 0.99
        assert [hit.path for hit in search(library, "蓝", k=1)] == [Path("/photos/blue.png")]
        paths = library.catalog.live_paths(range(1, 10))
        assert set(paths.values()) == {Path(f"/photos/{c}.png") for c in ("red", "green", "blue")}
        # and it can still be written to
        draw(tmp_path / "more" / "yellow.png", "yellow")
        list(index(library, tmp_path / "more", encoder=ColourEncoder()))
        assert len(search(library, "red", k=9)) == 4


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Take the right to write from everybody; root has none to lose, and becomes a nobody."""
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)


@pytest.mark.skipif(sys.platform == "win32", reason="needs folders that may not be written to")
def test_a_read_only_library_is_searched_and_says_why_it_cannot_change(
    photos: Path, colour_encoder: ColourEncoder
) -> None:
    with tempfile.TemporaryDirectory() as temporary:  # tmp_path lies where only its owner may look
        os.chmod(temporary, 0o755)
        path = Path(temporary) / "library"
        with open_library(path) as library:
            list(index(library, photos, encoder=colour_encoder))
        with read_only(path), open_library(path, create=False) as library:
            library.keep_encoder(colour_encoder)
            assert search(library, "red", k=1)[0].path == photos / "red.png"
            with pytest.raises(LibraryError, match="--library"):
                reindex(library)
            with pytest.raises(LibraryError, match=r"cannot be locked .*[^\n]--library\.$"):
                list(index(library, photos, encoder=colour_encoder))
            with (
                pytest.raises(LibraryError, match="read-only"),
                library.catalog.write() as writer,
            ):
                writer.start_run("index")
        with open_library(path) as library:
            reindex(library)


def test_a_library_in_a_place_that_cannot_be_looked_at_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="--library"):
        open_library(tmp_path / ("x" * 5000))
    assert default_path(tmp_path / ("x" * 5000)) == default_path(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="the lock is another one there")
def test_a_disk_that_cannot_lock_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    with open_library(tmp_path) as library:
        monkeypatch.setattr(fcntl, "flock", refuse)  # no disk here refuses
        with pytest.raises(LibraryError, match=os.strerror(errno.ENOLCK)), library.lock():
            pass
        monkeypatch.undo()
        with library.lock():
            pass


def test_an_encoder_is_found_by_the_path_it_was_added_from(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch, colour_encoder: ColourEncoder
) -> None:
    colour_encoder.source = str(tmp_path / "weights.pt")  # type: ignore[attr-defined]
    monkeypatch.chdir(tmp_path)
    with open_library(tmp_path / "library") as library:
        list(index(library, photos, encoder=colour_encoder))
        found = [library.find_encoder(each) for each in ("./weights.pt", colour_encoder)]
        assert [row and row.name for row in found] == ["toy/colour"] * 2
        assert library.find_encoder("other.pt") is None


def test_advice_names_the_library_and_can_be_pasted(tmp_path: Path) -> None:
    with open_library(tmp_path / "my library") as library:
        words = shlex.split(library.command("index", Path("a b")).replace("\\", "\\\\"))
    assert words == ["imgsearch", "index", "--library", str(tmp_path / "my library"), "a b"]
