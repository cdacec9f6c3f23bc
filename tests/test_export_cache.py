"""The cache of exports: what is believed of it, for how long, and where there can be none.

No encoder is exported here but the bundled one, once for all of a run.
"""

import contextlib
import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from conftest import CACHE
from imgsearch import encoders
from imgsearch.catalog import EncoderRow
from imgsearch.encoders.exports import cache, making, sessions
from imgsearch.encoders.exports.cache import Export
from imgsearch.encoders.exports.exported import Exported
from imgsearch.errors import NoEncoderError, UsageError
from imgsearch.library import Preparing, open_library
from imgsearch.library.preparing import prepared


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Export:
    """The export of the bundled encoder in a cache of its own."""
    exported: Any = encoders.export(encoders.load("builtin", device="cpu"))
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    shutil.copytree(exported.export.folder, cache.folder() / exported.identity)
    found = cache.find(exported.identity)
    assert found is not None
    return found


def test_what_cannot_be_exported_is_tried_again_after_a_week_or_by_other_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE, str(tmp_path))
    tried: list[Path] = []

    def write(folder: Path) -> Export:
        tried.append(folder)
        raise UsageError("torch cannot export it: why")

    for _ in range(2):
        with pytest.raises(UsageError, match="torch cannot export it: why"):
            making._made("identity", write)
    assert len(tried) == 1 and making.is_known("identity")
    (file,) = (cache.folder() / cache.FAILED).iterdir()
    os.utime(file, times=(0, 0))
    assert not making.is_known("identity")
    cache.keep_failure("identity", {**making.versions(), "torch": "1"}, "long ago")
    assert not making.is_known("identity")


@contextlib.contextmanager
def full_disk() -> Iterator[None]:
    """No file grows beyond 100 kB for the block: what a write then meets is as on a full disk."""
    resource = pytest.importorskip("resource")  # Windows has no limit on the size of a file
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_met_each_time_and_not_remembered(made: Export) -> None:
    def by_python(folder: Path) -> Export:
        (folder / "image.onnx").write_bytes(bytes(200_000))
        return made

    def by_onnx_runtime(folder: Path) -> Export:
        sessions.optimise(made.folder / "image.onnx", folder / "image.onnx")
        return made

    for write in (by_python, by_onnx_runtime, by_onnx_runtime):
        with full_disk(), pytest.raises(OSError, match=r"File too large|cannot write image.onnx"):
            making._made("other", write)
        assert not making.is_known("other")
        assert not list(cache.folder().glob("*.tmp"))


@pytest.mark.slow
def test_a_full_disk_is_told_and_searched_with_torch_until_there_is_room(made: Export) -> None:
    encoder = encoders.load("builtin", device="cpu", runtime="torch")
    cache.remove(encoder.identity)
    told: list[Preparing] = []
    with full_disk():
        assert prepared(encoder, told.append) is encoder
    assert [bool(each.problem) for each in told] == [False, True]
    assert "cannot be kept" in str(told[1]) and "make room there" in str(told[1])
    assert isinstance(prepared(encoder, told.append), Exported)


def test_what_a_killed_run_has_left_is_deleted_and_what_is_being_written_is_not(
    made: Export,
) -> None:
    folder = cache.folder()
    for name in ("killed", "at it"):
        (folder / f"{name}.tmp" / "new").mkdir(parents=True)

    def write(into: Path) -> Export:
        shutil.copytree(made.folder, into, dirs_exist_ok=True)
        replace(made.manifest, identity="other").save(into)
        return made

    with FileLock(folder / "at it.lock"):
        making._made("other", write)
    assert sorted(path.name for path in folder.glob("*.tmp")) == ["at it.tmp"]


def test_where_no_export_can_be_kept_none_is_made_and_it_is_said_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = encoders.load("builtin", device="cpu", runtime="torch")
    (tmp_path / "file").touch()
    monkeypatch.setenv(CACHE, str(tmp_path / "file"))
    told: list[Preparing] = []
    for count in (1, 2):
        assert prepared(encoder, told.append) is encoder
        assert len(told) == count and "cannot be kept" in told[-1].problem


def test_an_export_of_a_later_onnx_runtime_is_as_good_as_none(made: Export) -> None:
    ours = made.manifest.versions["onnxruntime"]
    for version, is_found in (("1.19.2", True), (ours, True), ("99.0", False)):
        versions = {**made.manifest.versions, "onnxruntime": version}
        replace(made.manifest, versions=versions).save(made.folder)
        assert (cache.find(made.manifest.identity) is not None) == is_found


def test_a_cache_that_cannot_be_looked_at_holds_no_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE, str(tmp_path / ("x" * 300)))  # as good as one of another user
    assert cache.find("identity") is None and cache.find_source("builtin/1") is None
    assert list(cache.damages("identity")) == [] and cache.size_bytes() == 0


def test_an_open_library_goes_on_when_an_export_is_deleted(made: Export, tmp_path: Path) -> None:
    with open_library(tmp_path / "library") as library:
        row = EncoderRow(1, made.manifest.identity, "builtin", 512, ("en",), "builtin")
        exported = library.load_encoder(row, "cpu")
        assert isinstance(exported, Exported) and library.load_encoder(row, "cpu") is exported
        cache.remove(made.manifest.identity)
        assert not isinstance(library.load_encoder(row, "cpu"), Exported)


def test_weights_that_changed_are_refused_before_they_are_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    told: list[Preparing] = []
    with open_library(tmp_path / "library") as library:
        library.preparing = told.append
        row = EncoderRow(1, "of other weights", "builtin", 512, ("en",), "builtin")
        with pytest.raises(NoEncoderError, match="has other weights now"):
            library.load_encoder(row, "cpu")
    assert told == []


def test_of_two_threads_that_need_one_export_the_second_waits_for_the_first(made: Export) -> None:
    written: list[Path] = []
    is_under_way = threading.Event()
    whole = shutil.copytree(made.folder, made.folder.parent / "whole")
    (made.folder / "image.onnx").unlink()  # damaged, so it is made anew, in its place

    def write(folder: Path) -> Export:
        written.append(folder)
        is_under_way.wait(1)
        shutil.copytree(whole, folder, dirs_exist_ok=True)
        return made

    found: list[Export] = []
    threads = [
        threading.Thread(target=lambda: found.append(making._made(made.manifest.identity, write)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    is_under_way.set()
    for thread in threads:
        thread.join()
    assert len(written) == 1 and found == [made, made]
    assert not list(cache.folder().glob("*.tmp"))
