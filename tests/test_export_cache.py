"""The cache of exports: what is believed of it, for how long, and where there can be none.

No encoder is exported here but the bundled one, once for all of a run.
"""

import os
import shutil
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conftest import CACHE
from imgsearch import encoders
from imgsearch.catalog import EncoderRow
from imgsearch.encoders.exports import cache, making
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


def test_a_failed_export_is_tried_again_after_a_week(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE, str(tmp_path))
    cache.keep_failure("identity", making.versions(), "No space left on device")
    assert making.is_known("identity")
    (file,) = (cache.folder() / cache.FAILED).iterdir()
    os.utime(file, times=(0, 0))
    assert not making.is_known("identity")


def test_a_full_disk_is_remembered_as_a_failure(made: Export) -> None:
    def write(folder: Path) -> Export:
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space left"):
        making._made("other", write)
    with pytest.raises(UsageError, match="No space left"):
        making._made("other", write)
    assert not list(cache.folder().glob("*.tmp"))


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


def test_int8_that_cannot_be_kept_says_where_and_what_to_do(
    made: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(CACHE, str(tmp_path / "file"))
    with pytest.raises(UsageError, match=r"builtin@int8 cannot be kept in .*XDG_CACHE_HOME"):
        encoders.load("builtin@int8", device="cpu")


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
    (made.folder / "image.onnx").unlink()  # damaged, so it is made anew, in its place

    def write(folder: Path) -> Export:
        written.append(folder)
        is_under_way.wait(1)
        shutil.copytree(whole, folder, dirs_exist_ok=True)
        return made

    whole = made.folder.parent / "whole"
    shutil.copytree(made.folder, whole)
    (whole / "image.onnx").write_bytes(bytes(made.manifest.files["image.onnx"][0]))
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
