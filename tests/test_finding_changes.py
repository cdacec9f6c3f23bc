"""Looking again at what has changed: the same files as a whole walk tells, and no others."""

from pathlib import Path

import pytest

from conftest import draw
from imgsearch.images import ContainerFile, PhotoFile, find, find_changed


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path.resolve() / "photos"
    for name in ("a.png", "b.png", "trip/c.png", "trip/day/d.png", ".hidden/e.png", "x/f.png"):
        draw(root / name, "red")
    (root / "trip/notes.txt").write_text("a trip")
    (root / "film.mp4").write_bytes(b"film")
    return root


def found(root: Path, *names: str, exclude: tuple[str, ...] = ()) -> list[str]:
    findings = find_changed([root / name for name in names], [root], exclude)
    return [each.path.relative_to(root).as_posix() for each in findings]


def test_everything_that_changed_is_told_as_a_whole_walk_tells_it(root: Path) -> None:
    every = list(find([root]))
    assert len(every) == 6
    changed = [each.path for each in every]
    assert sorted(find_changed(changed, [root]), key=str) == sorted(every, key=str)
    assert list(find_changed([root], [root])) == every


def test_only_what_changed_is_told(root: Path) -> None:
    assert found(root, "b.png") == ["b.png"]
    assert found(root, "trip") == ["trip/c.png", "trip/day/d.png"]
    assert found(root, "trip/c.png", "trip/day", "trip", "a.png") == [
        *("a.png", "trip/c.png", "trip/day/d.png")
    ]
    (container,) = find_changed([root / "film.mp4"], [root])
    assert isinstance(container, ContainerFile)


def test_what_a_walk_leaves_out_is_left_out(root: Path) -> None:
    assert found(root, ".hidden/e.png", ".hidden", "trip/notes.txt", "gone.png", "gone/x.png") == []
    assert found(root, "x/f.png", "trip/day/d.png", exclude=("day",)) == ["x/f.png"]
    assert found(root, "trip/day", exclude=("trip/day",)) == []
    assert list(find_changed([root.parent / "elsewhere.png"], [root])) == []


def test_the_root_of_a_file_is_the_outermost_that_was_given(root: Path) -> None:
    (finding,) = find_changed([root / "trip/c.png"], [root / "trip", root])
    assert isinstance(finding, PhotoFile) and finding.root == root


def test_a_folder_behind_a_link_is_looked_into_by_its_own_name(root: Path, tmp_path: Path) -> None:
    draw(tmp_path / "elsewhere/g.png", "blue")
    (root / "link").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert found(root, "link") == ["link/g.png"]
    assert found(root, "a.png") == ["a.png"]


def test_a_raw_photo_beside_the_jpeg_of_its_shot_is_that_shot(root: Path) -> None:
    (root / "IMG_1.CR2").write_bytes(b"raw")
    draw(root / "img_1.jpg", "red")
    assert found(root, "IMG_1.CR2") == []
    assert found(root, "IMG_1.CR2", "img_1.jpg") == ["img_1.jpg"]
