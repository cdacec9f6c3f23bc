"""Frames of videos and animated pictures: which moment each shows, what it says of itself."""

import random
import struct
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from films import film, turned
from imgsearch import images
from imgsearch.errors import PictureError
from imgsearch.images import ContainerFile, PhotoFile, Unreadable, find, members
from imgsearch.images.containers import films

pytestmark = pytest.mark.filterwarnings("error")
pytest.importorskip("av")


@pytest.fixture(autouse=True)
def nothing_stays_open() -> Iterator[None]:
    yield
    images.let_go()


def listed(path: Path, every: float, **options: frozenset[str]) -> list[str]:
    found = [each for each in find([path], **options) if isinstance(each, ContainerFile)]
    inside = [member for each in found for member in members(each, every)]
    assert all(isinstance(each, PhotoFile) for each in inside), inside
    return [each.path.name for each in inside]


def second(path: Path) -> int:
    """Which second of a test's film a frame shows."""
    grey = np.asarray(images.decode(path))[:, -4:].mean()
    return round(float(grey) / 40)


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        *(("a.mp4", "libx264"), ("a.mov", "libx264"), ("a.mkv", "libx264"), ("a.m4v", "libx264")),
        *(("a.webm", "libvpx-vp9"), ("a.avi", "mpeg4")),
    ],
)
@pytest.mark.parametrize("group", [1, 7, 600])
def test_a_frame_shows_its_moment_in_whatever_order_frames_are_asked_for(
    tmp_path: Path, name: str, codec: str, group: int
) -> None:
    path = film(tmp_path / name, codec=codec, group=group)
    names = listed(path, 0.5)
    assert names[:3] == ["00-00-00.000", "00-00-00.500", "00-00-01.000"]
    assert len(names) == 12
    expected = {each: int(float(each[6:])) for each in names}
    forwards = {each: second(path / each) for each in names}
    assert forwards == expected
    hashes = {each: images.content_hash(path / each) for each in names}
    mixed = [*names, *names]
    random.Random(7).shuffle(mixed)
    for each in mixed:
        assert images.content_hash(path / each) == hashes[each]


def test_a_film_whose_clock_begins_late_begins_at_its_first_frame(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv", 3, seconds_in=100)
    assert [second(path / each) for each in listed(path, 1)] == [0, 1, 2]


@pytest.mark.parametrize(("degrees", "side"), [(90, "top"), (180, "right"), (270, "bottom")])
def test_a_film_that_a_phone_turned_is_upright(tmp_path: Path, degrees: int, side: str) -> None:
    path = turned(film(tmp_path / "a.mp4", 1), degrees)
    picture = images.decode(path / "00-00-00.000")
    assert picture.size == ((64, 48) if degrees == 180 else (48, 64))
    width, height = picture.size
    edges = {
        "top": (width // 2, 2),
        "bottom": (width // 2, height - 3),
        "left": (2, height // 2),
        "right": (width - 3, height // 2),
    }
    red = [name for name, place in edges.items() if picture.getpixel(place)[0] > 150]  # type: ignore[index]
    assert red == [side]


def test_a_frame_says_when_where_and_with_what_it_was_shot(tmp_path: Path) -> None:
    shot = {
        "com.apple.quicktime.creationdate": "2023-07-01T10:00:00+0200",
        "com.apple.quicktime.make": "Apple",
        "com.apple.quicktime.model": "iPhone 14",
        "com.apple.quicktime.location.ISO6709": "+48.8584-002.2945+035/",
    }
    path = film(tmp_path / "a.mov", 3, metadata=shot)
    picture, facts = images.read(path / "00-00-02.000")
    assert facts.taken_at == datetime(2023, 7, 1, 8, 0, 2, tzinfo=UTC)
    assert facts.camera == "Apple iPhone 14"
    assert (facts.latitude, facts.longitude) == (48.8584, -2.2945)
    assert (facts.format, facts.width, facts.size_bytes) == ("MOV", 64, 64 * 48 * 3)
    assert picture.size == (64, 48)


def test_a_frame_without_a_date_has_that_of_its_file(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv", 1)
    _, facts = images.read(path / "00-00-00.000")
    assert facts.taken_at.timestamp() == pytest.approx(path.stat().st_mtime, abs=0.001)
    assert facts.format == "MKV"


def test_a_place_in_a_film_names_its_seconds(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", 1)
    assert images.place_of(path / "01-02-03.500") == (path, "01-02-03.500", 3723.5)
    assert images.is_gone(path / "00-00-01.000") and images.is_gone(path / "nonsense")
    assert not images.is_gone(path / "00-00-00.000")


@pytest.mark.parametrize("content", [b"", b"no film", b"\0" * 5000])
def test_what_is_no_film_is_one_finding(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    (found,) = find([tmp_path])
    assert isinstance(found, ContainerFile)
    (told,) = members(found, 1)
    assert isinstance(told, Unreadable) and "no video" in told.reason


def test_a_film_that_is_cut_short_gives_what_is_left(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv", 6, group=5)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    names = listed(path, 1)
    assert second(path / names[0]) == 0
    for name in names:  # after the damage the last whole frame stays on the screen
        images.content_hash(path / name)


def test_a_sound_file_with_a_cover_is_no_film(tmp_path: Path) -> None:
    import av

    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(PictureError, match="no video"):
        images.content_hash(path / "00-00-00.000")


@pytest.mark.parametrize("ending", ["gif", "webp", "png", "apng"])
def test_animated_pictures_are_taken_apart_after_their_first_frame(
    tmp_path: Path, ending: str
) -> None:
    path = tmp_path / f"a.{ending}"
    frames = [Image.new("RGB", (16, 16), (40 * n, 40 * n, 40 * n)) for n in range(5)]
    frames[0].save(
        path,
        format="PNG" if ending == "apng" else None,
        save_all=True,
        append_images=frames[1:],
        duration=1000,
        lossless=True,
    )
    assert [type(each) for each in find([path])] == [PhotoFile]
    assert second(path) == 0
    names = listed(path, 2, containers=images.ANIMATED)
    assert names == ["00-00-02.000", "00-00-04.000"]
    assert [second(path / name) for name in names] == [2, 4]
    assert images.read(path / names[0])[1].format == ending.upper()


def test_a_picture_that_stands_still_has_no_frames(tmp_path: Path) -> None:
    Image.new("RGB", (16, 16)).save(tmp_path / "a.gif")
    Image.new("RGB", (16, 16)).save(tmp_path / "b.png")
    assert listed(tmp_path, 0.1, containers=images.ANIMATED) == []


def test_a_film_is_as_long_as_its_frames_and_not_as_it_says(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv", 6)
    content = path.read_bytes()
    told = content.index(b"\x44\x89\x88") + 3  # Duration: eight bytes of a float
    path.write_bytes(content[:told] + struct.pack(">d", 1e15) + content[told + 8 :])
    assert listed(path, 1) == [f"00-00-0{n}.000" for n in range(6)]
    assert images.is_gone(path / "00-00-06.000")


def test_a_film_of_few_frames_is_read_to_its_last(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv", 1, group=600)
    names = listed(path, 0.1)
    assert names == [f"00-00-00.{n}00" for n in range(10)]


def test_of_a_film_with_too_many_frames_the_first_are_taken_and_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(films, "MOST_FRAMES", 4)
    path = film(tmp_path / "a.mp4", 6)
    (found,) = find([path])
    assert isinstance(found, ContainerFile)
    *told, last = members(found, 1)
    assert [each.path.name for each in told] == [f"00-00-0{n}.000" for n in range(4)]
    assert isinstance(last, Unreadable) and last.path == path
    assert "only the first 4 frames were taken" in last.reason
    assert len(list(members(found, 2))) == 3


def test_a_slow_animation_has_no_more_members_than_frames(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    frames = [Image.new("RGB", (16, 16), (10 * n, 0, 0)) for n in range(5)]
    lasting = [65_000, 1_000, 65_000, 1_000, 65_000]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=lasting)
    names = listed(path, 10, containers=images.ANIMATED)
    assert names == ["00-01-10.000", "00-02-20.000"]  # neither of the frames that last a second
    assert [images.decode(path / name).getpixel((0, 0))[0] for name in names] == [20, 40]  # type: ignore[index]
    assert listed(path, 1, containers=images.ANIMATED) == [
        *("00-01-05.000", "00-01-06.000", "00-02-11.000", "00-02-12.000")
    ]
