"""The walk: which files count as photos, what is left out, and that nothing comes twice."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from conftest import draw
from imgsearch.errors import UsageError
from imgsearch.images import ENDINGS, PhotoFile, Unreadable, find


def names(*roots: Path, exclude: tuple[str, ...] = ()) -> list[str]:
    return [finding.path.name for finding in find(roots, exclude)]


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_every_ending_is_found_in_any_letter_case(tmp_path: Path) -> None:
    for number, ending in enumerate(sorted(ENDINGS)):
        touch(tmp_path / f"lower{number}{ending}", tmp_path / f"upper{number}{ending.upper()}")
    touch(tmp_path / "notes.txt", tmp_path / "jpg", tmp_path / "photo.jpg.part")
    assert len(ENDINGS) == 23
    assert len(names(tmp_path)) == 46


def test_a_photo_comes_with_its_root_size_and_time(photos: Path) -> None:
    first = next(find([photos]))
    assert isinstance(first, PhotoFile)
    status = (photos / "blue.png").stat()
    assert first == PhotoFile(
        photos.resolve() / "blue.png", photos.resolve(), status.st_size, status.st_mtime_ns
    )


def test_the_order_is_files_by_name_then_folders_by_name(tmp_path: Path) -> None:
    touch(tmp_path / "b" / "2.jpg", tmp_path / "a" / "3.jpg", tmp_path / "z.jpg")
    touch(tmp_path / "b" / "1.jpg", tmp_path / "b" / "a" / "0.jpg", tmp_path / "c.jpg")
    assert names(tmp_path) == ["c.jpg", "z.jpg", "3.jpg", "1.jpg", "2.jpg", "0.jpg"]


def test_hidden_and_system_folders_and_hidden_files_are_left_out(tmp_path: Path) -> None:
    for folder in (
        *(".git", ".Trash-1000", ".thumbnails", "@eaDir", "node_modules", "__MACOSX"),
        *("$RECYCLE.BIN", "System Volume Information", "lost+found", "#recycle", "@EADIR"),
    ):
        touch(tmp_path / folder / "no.jpg", tmp_path / "deep" / folder / "sub" / "no.jpg")
    touch(tmp_path / "._yes.jpg", tmp_path / ".hidden.png", tmp_path / "deep" / "yes.jpg")
    assert names(tmp_path) == ["yes.jpg"]


def test_a_hidden_folder_given_by_name_is_walked(tmp_path: Path) -> None:
    touch(tmp_path / ".secret" / "a.jpg")
    assert names(tmp_path / ".secret") == ["a.jpg"]


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        ("*.png", ["a.jpg", "c.jpg", "d.jpg"]),
        ("*.PNG", ["a.jpg", "c.jpg", "d.jpg"]),
        ("drafts", ["a.jpg", "b.png", "d.jpg"]),
        ("drafts/", ["a.jpg", "b.png", "d.jpg"]),
        ("2019/drafts", ["a.jpg", "b.png", "d.jpg"]),
        ("./2019/drafts", ["a.jpg", "b.png", "d.jpg"]),
        ("2019/*", ["a.jpg", "b.png"]),
        ("[ab].*", ["d.jpg", "c.jpg"]),
        ("", ["a.jpg", "b.png", "d.jpg", "c.jpg"]),
    ],
)
def test_exclude_globs_match_names_and_relative_paths(
    tmp_path: Path, pattern: str, left: list[str]
) -> None:
    touch(tmp_path / "a.jpg", tmp_path / "b.png", tmp_path / "2019" / "drafts" / "c.jpg")
    touch(tmp_path / "2019" / "d.jpg")
    assert sorted(names(tmp_path, exclude=(pattern,))) == sorted(left)


def test_an_absolute_exclude_names_one_folder(tmp_path: Path) -> None:
    touch(tmp_path / "keep" / "a.jpg", tmp_path / "private" / "b.jpg")
    assert names(tmp_path, exclude=(str(tmp_path.resolve() / "private"),)) == ["a.jpg"]


def test_several_excludes_add_up(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg", tmp_path / "b.png", tmp_path / "c.gif")
    assert names(tmp_path, exclude=("*.png", "c.*")) == ["a.jpg"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
def test_a_folder_is_met_under_its_own_name_before_a_link_to_it(tmp_path: Path) -> None:
    touch(tmp_path / "z" / "x.png", tmp_path / "b.png")
    (tmp_path / "a").symlink_to(tmp_path / "z", target_is_directory=True)
    found = [
        finding.path.relative_to(tmp_path.resolve()).as_posix() for finding in find([tmp_path])
    ]
    assert found == ["b.png", "z/x.png"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with a name are for POSIX")
def test_a_pipe_given_as_a_photo_is_reported_and_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (finding,) = find([tmp_path / "pipe.jpg"])
    assert isinstance(finding, Unreadable)
    assert "pipe" in finding.reason


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
def test_a_folder_given_is_met_as_itself_before_a_link_to_it_in_another(tmp_path: Path) -> None:
    touch(tmp_path / "a" / "1.jpg", tmp_path / "b" / "deep" / "2.jpg")
    (tmp_path / "a" / "link").symlink_to(tmp_path / "b" / "deep", target_is_directory=True)
    last = list(find([tmp_path / "a", tmp_path / "b"]))[-1]
    assert isinstance(last, PhotoFile)
    assert last.path == tmp_path.resolve() / "b" / "deep" / "2.jpg"
    assert last.root == tmp_path.resolve() / "b"


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
def test_folders_that_a_drive_does_not_number_are_told_apart_by_their_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path / "a" / "1.jpg", tmp_path / "b" / "2.jpg")
    (tmp_path / "b" / "up").symlink_to(tmp_path, target_is_directory=True)
    stat = os.stat

    def unnumbered(*arguments: Any, **options: Any) -> os.stat_result:
        status = stat(*arguments, **options)
        return os.stat_result((status[0], 0, *status[2:]))

    monkeypatch.setattr(os, "stat", unnumbered)
    assert names(tmp_path) == ["1.jpg", "2.jpg"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
def test_a_loop_of_folder_links_is_walked_once(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg", tmp_path / "sub" / "b.jpg")
    (tmp_path / "sub" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "also").symlink_to(tmp_path / "sub", target_is_directory=True)
    assert sorted(names(tmp_path)) == ["a.jpg", "b.jpg"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
def test_a_link_to_a_folder_elsewhere_is_followed(tmp_path: Path) -> None:
    touch(tmp_path / "elsewhere" / "a.jpg")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "link").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (found,) = find([tmp_path / "photos"])
    assert found.path == tmp_path.resolve() / "photos" / "link" / "a.jpg"


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
def test_a_broken_link_with_a_photos_name_is_reported(tmp_path: Path) -> None:
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (tmp_path / "self.png").symlink_to(tmp_path / "self.png")
    (tmp_path / "lock").symlink_to(tmp_path / "nowhere")
    findings = list(find([tmp_path]))
    assert [finding.path.name for finding in findings] == ["gone.jpg", "self.png"]
    assert all(isinstance(finding, Unreadable) for finding in findings)


@pytest.mark.skipif(sys.platform == "win32", reason="no named pipes in a folder")
def test_a_pipe_named_like_a_photo_is_no_photo(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    assert names(tmp_path) == []


def test_overlapping_paths_give_each_file_once_under_the_outer_one(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg", tmp_path / "sub" / "b.jpg")
    findings = list(find([tmp_path / "sub", tmp_path / "sub" / "b.jpg", tmp_path, tmp_path]))
    assert [finding.path.name for finding in findings] == ["a.jpg", "b.jpg"]
    assert {f.root for f in findings if isinstance(f, PhotoFile)} == {tmp_path.resolve()}


def test_a_file_given_is_its_own_root_whatever_its_ending(tmp_path: Path) -> None:
    path = draw(tmp_path / "a.png", "red").rename(tmp_path / "scan")
    (found,) = find([path])
    assert isinstance(found, PhotoFile)
    assert found.root == found.path == path.resolve()


def test_a_path_that_does_not_exist_is_refused_before_anything_is_walked(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere.*no such file"):
        find([tmp_path, tmp_path / "nowhere"])


def test_a_folder_that_cannot_be_read_is_reported_and_the_walk_goes_on(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg", tmp_path / "b" / "lost.jpg", tmp_path / "c" / "d.jpg")
    walk = find([tmp_path])
    assert next(walk).path.name == "a.jpg"
    (tmp_path / "b" / "lost.jpg").unlink()  # the folder goes while the walk is under way
    (tmp_path / "b").rmdir()
    unreadable, last = walk
    assert isinstance(unreadable, Unreadable)
    assert unreadable.path.name == "b"
    assert "the folder cannot be read" in unreadable.reason
    assert last.path.name == "d.jpg"


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="needs a user whom permissions bind"
)
def test_a_folder_without_permission_is_reported(tmp_path: Path) -> None:
    touch(tmp_path / "shut" / "a.jpg", tmp_path / "open.jpg")
    (tmp_path / "shut").chmod(0)
    try:
        findings = list(find([tmp_path]))
    finally:
        (tmp_path / "shut").chmod(0o700)
    assert [type(finding) for finding in findings] == [PhotoFile, Unreadable]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux file systems hold such names")
def test_a_name_that_is_not_valid_text_survives(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/caf\xe9.jpg"
    with open(raw, "wb") as stream:
        stream.write(b"x")
    (found,) = find([tmp_path], exclude=("*.png",))
    assert os.fsencode(found.path) == os.fsencode(tmp_path.resolve()) + b"/caf\xe9.jpg"
    assert found.path.exists()


def test_twenty_thousand_files_in_many_folders_each_come_once(tmp_path: Path) -> None:
    for folder in range(20):
        (tmp_path / str(folder)).mkdir()
        for number in range(1000):
            os.close(os.open(tmp_path / str(folder) / f"{number}.jpg", os.O_CREAT))
    found = [finding.path for finding in find([tmp_path])]
    assert len(found) == len(set(found)) == 20_000
