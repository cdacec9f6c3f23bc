"""Taking photos out: copies and links into a folder, where nothing is ever replaced."""

import os
import signal
import zipfile
from pathlib import Path

import pytest

from archives import zipped
from conftest import draw
from imgsearch.errors import UsageError
from imgsearch.organising.taking_out import LeftOut, TakenOut, take_out


@pytest.fixture
def same_names(tmp_path: Path) -> list[Path]:
    """Three photos called a.png, of three folders and three colours."""
    return [draw(tmp_path / each / "a.png", each) for each in ("red", "green", "blue")]


def test_copies_have_the_bytes_and_times_of_their_photos(photos: Path, tmp_path: Path) -> None:
    os.utime(photos / "red.png", (1_000_000_000, 1_000_000_000))
    (outcome,) = take_out([photos / "red.png"], tmp_path / "out")
    assert outcome == TakenOut(photos / "red.png", tmp_path / "out" / "red.png")
    assert outcome.target.read_bytes() == (photos / "red.png").read_bytes()
    assert outcome.target.stat().st_mtime == 1_000_000_000


def test_equal_names_get_numbers_and_nothing_is_replaced(
    same_names: list[Path], tmp_path: Path
) -> None:
    mine = draw(tmp_path / "out" / "a.png", "white")
    before = mine.read_bytes()
    targets = [each.target for each in take_out(same_names, tmp_path / "out")]  # type: ignore[union-attr]
    assert [each.name for each in targets] == ["a-2.png", "a-3.png", "a-4.png"]
    assert mine.read_bytes() == before
    assert [each.read_bytes() for each in targets] == [each.read_bytes() for each in same_names]


@pytest.mark.parametrize("how", ["copy", "hardlink", "symlink"])
def test_a_second_run_adds_nothing(same_names: list[Path], tmp_path: Path, how: str) -> None:
    first = list(take_out(same_names, tmp_path / "out", how))  # type: ignore[arg-type]
    second = list(take_out(same_names, tmp_path / "out", how))  # type: ignore[arg-type]
    assert [each.target for each in second] == [each.target for each in first]  # type: ignore[union-attr]
    assert all(each.was_there for each in second)  # type: ignore[union-attr]
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_links_lead_to_the_photos(photos: Path, tmp_path: Path) -> None:
    red = photos / "red.png"
    (soft,) = take_out([red], tmp_path / "soft", "symlink")
    (hard,) = take_out([red], tmp_path / "hard", "hardlink")
    assert isinstance(soft, TakenOut) and isinstance(hard, TakenOut)
    assert os.readlink(soft.target) == str(red)
    assert hard.target.samefile(red) and not hard.target.is_symlink()


def test_a_dry_run_says_the_same_and_makes_nothing(same_names: list[Path], tmp_path: Path) -> None:
    promised = list(take_out(same_names, tmp_path / "out", dry_run=True))
    assert not (tmp_path / "out").exists()
    assert promised == list(take_out(same_names, tmp_path / "out"))


def test_a_photo_that_is_gone_is_left_out_and_the_rest_are_taken(
    photos: Path, tmp_path: Path
) -> None:
    wanted = [photos / "gone.png", photos / "blue.png"]
    for how in ("copy", "hardlink", "symlink"):
        first, second = take_out(wanted, tmp_path / how, how)  # type: ignore[arg-type]
        assert first == LeftOut(wanted[0], "No such file or directory")
        assert isinstance(second, TakenOut)
        assert [each.name for each in (tmp_path / how).iterdir()] == ["blue.png"]


def test_a_photo_inside_an_archive_is_written_out_however_it_is_taken(
    photos: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.write(photos / "red.png", "beach/red.png")
    inside = tmp_path / "all.zip" / "beach" / "red.png"
    for how in ("copy", "symlink", "hardlink"):
        (outcome,) = take_out([inside], tmp_path / how, how)  # type: ignore[arg-type]
        assert outcome == TakenOut(inside, tmp_path / how / "red.png")
        assert outcome.target.read_bytes() == (photos / "red.png").read_bytes()
        assert not outcome.target.is_symlink()


@pytest.mark.parametrize("is_archived", [False, True])
def test_half_a_photo_never_has_a_photos_name(tmp_path: Path, is_archived: bool) -> None:
    resource = pytest.importorskip("resource")  # Windows has no bound on the size of a file
    content = os.urandom(50_000)
    photo = tmp_path / "a.png"
    photo.write_bytes(content)
    if is_archived:
        photo = zipped(tmp_path / "all.zip", {"a.png": content}) / "a.png"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        (outcome,) = take_out([photo], tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert outcome == LeftOut(photo, "File too large")
    assert list((tmp_path / "out").iterdir()) == []
    (outcome,) = take_out([photo], tmp_path / "out")
    assert isinstance(outcome, TakenOut)
    assert (outcome.target.name, outcome.target.read_bytes()) == ("a.png", content)
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["a.png"]


def test_without_links_a_copy_still_replaces_nothing(
    same_names: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(*_: object) -> None:
        raise PermissionError("as FAT answers")

    monkeypatch.setattr(os, "link", link)
    targets = [each.target for each in take_out(same_names, tmp_path / "out")]  # type: ignore[union-attr]
    assert [each.read_bytes() for each in targets] == [each.read_bytes() for each in same_names]
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_a_file_is_no_folder_to_take_photos_to(photos: Path) -> None:
    for dry_run in (False, True):
        with pytest.raises(UsageError, match="is a file"):
            list(take_out([photos / "red.png"], photos / "blue.png", dry_run=dry_run))
