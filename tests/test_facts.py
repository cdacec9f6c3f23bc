"""What a photo says of itself, and that nonsense in its EXIF is never believed and never fatal."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image
from PIL.ExifTags import IFD, Base

from imgsearch.images import Exposure, Facts, read, read_exposure


def shoot(path: Path, base: dict[int, object], ifds: dict[int, dict[int, object]]) -> Facts:
    """Save a picture with the EXIF given and read its facts back."""
    exif = Image.Exif()
    for tag, value in base.items():
        exif[tag] = value
    for ifd, tags in ifds.items():
        exif.get_ifd(ifd).update(tags)
    Image.new("RGB", (16, 12), "red").save(path, exif=exif.tobytes())
    os.utime(path, (1_600_000_000, 1_600_000_000))
    return read(path)[1]


FILE_TIME = datetime.fromtimestamp(1_600_000_000, UTC)


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    if not hasattr(time, "tzset"):
        pytest.skip("Windows takes its zone from the system alone")
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()


@pytest.fixture(autouse=True)
def _zone_back(monkeypatch: pytest.MonkeyPatch) -> object:
    yield
    import time

    monkeypatch.undo()
    if hasattr(time, "tzset"):
        time.tzset()


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tiff", "heic", "avif"])
def test_every_fact_is_read_from_every_format_that_carries_it(tmp_path: Path, ending: str) -> None:
    facts = shoot(
        tmp_path / f"a.{ending}",
        {Base.Make: "Canon", Base.Model: "Canon EOS 5D"},
        {
            IFD.Exif: {0x9003: "2021:05:06 07:08:09", 0x9011: "+02:00"},
            IFD.GPSInfo: {1: "S", 2: (33.0, 51.0, 24.84), 3: "E", 4: (151.0, 12.0, 54.0)},
        },
    )
    assert facts.taken_at == datetime(2021, 5, 6, 5, 8, 9, tzinfo=UTC)
    assert facts.camera == "Canon EOS 5D"
    assert facts.latitude == pytest.approx(-33.8569, abs=1e-6)
    assert facts.longitude == pytest.approx(151.215, abs=1e-6)
    assert (facts.width, facts.height) == (16, 12)
    assert facts.size_bytes == (tmp_path / f"a.{ending}").stat().st_size
    assert facts.format == {"jpg": "JPEG", "heic": "HEIF"}.get(ending, ending.upper())


def test_without_exif_the_file_time_stands_in_and_the_rest_is_unknown(tmp_path: Path) -> None:
    facts = shoot(tmp_path / "a.png", {}, {})
    assert facts.taken_at == FILE_TIME
    assert (facts.camera, facts.latitude, facts.longitude) == (None, None, None)


@pytest.mark.usefixtures("berlin")
def test_a_time_without_an_offset_is_this_machines_own(tmp_path: Path) -> None:
    facts = shoot(tmp_path / "a.jpg", {}, {IFD.Exif: {0x9003: "2021:07:01 12:00:00"}})
    assert facts.taken_at == datetime(2021, 7, 1, 10, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("offset", "hour"), [("-05:30", 17), ("+0000", 12), ("Z", 12), ("+14:00", 22)]
)
def test_an_offset_is_the_truth(tmp_path: Path, offset: str, hour: int) -> None:
    detail = {0x9003: "2021:07:02 12:00:00", 0x9011: offset}
    taken = shoot(tmp_path / "a.jpg", {}, {IFD.Exif: detail}).taken_at
    assert taken.hour == hour
    assert taken.utcoffset() == datetime.now(UTC).utcoffset()


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize("offset", ["+99:00", "summer", "", "   :  "])
def test_a_nonsense_offset_is_none(tmp_path: Path, offset: str) -> None:
    detail = {0x9003: "2021:01:02 12:00:00", 0x9011: offset}
    taken = shoot(tmp_path / "a.jpg", {}, {IFD.Exif: detail}).taken_at
    assert taken == datetime(2021, 1, 2, 11, tzinfo=UTC)


def test_the_time_falls_back_from_original_to_digitised_to_changed(tmp_path: Path) -> None:
    digitised = {IFD.Exif: {0x9003: "0000:00:00 00:00:00", 0x9004: "2001:02:03 04:05:06"}}
    digitised[IFD.Exif][0x9012] = "+00:00"
    changed = {Base.DateTime: "2011:02:03 04:05:06"}
    offset = {IFD.Exif: {0x9010: "+00:00"}}
    assert shoot(tmp_path / "a.jpg", changed, digitised).taken_at.year == 2001
    assert shoot(tmp_path / "b.jpg", changed, offset).taken_at.year == 2011


@pytest.mark.parametrize(
    "written",
    [
        *("", "    :  :     :  :  ", "0000:00:00 00:00:00", "2021:13:45 99:99:99", "yesterday"),
        *("2021:02:30 12:00:00", "1066:10:14 09:00:00", "\x00\x00\x00", "9999:99"),
    ],
)
def test_a_nonsense_time_is_not_believed(tmp_path: Path, written: str) -> None:
    assert shoot(tmp_path / "a.jpg", {}, {IFD.Exif: {0x9003: written}}).taken_at == FILE_TIME


@pytest.mark.parametrize(
    "written", ["2021-05-06T07:08:09", "2021/05/06 07:08", "2021:05:06 07:08:60\x00\x00"]
)
def test_times_written_in_other_ways_are_read(tmp_path: Path, written: str) -> None:
    taken = shoot(tmp_path / "a.jpg", {}, {IFD.Exif: {0x9003: written, 0x9011: "+00:00"}}).taken_at
    assert (taken.date().isoformat(), taken.hour, taken.minute) == ("2021-05-06", 7, 8)


@pytest.mark.parametrize(
    ("make", "model", "camera"),
    [
        ("Canon", "Canon EOS 5D Mark IV", "Canon EOS 5D Mark IV"),
        ("NIKON CORPORATION", "NIKON D90", "NIKON D90"),
        ("OLYMPUS IMAGING CORP.", "E-M10", "OLYMPUS E-M10"),
        ("Apple", "iPhone 15 Pro", "Apple iPhone 15 Pro"),
        ("SONY  ", " ILCE-7M3\x00junk", "SONY ILCE-7M3"),
        ("FUJIFILM", "", "FUJIFILM"),
        ("", "X100V", "X100V"),
        ("", "", None),
        ("\x01\x02", "\t", None),
        ("小米", "小米 14", "小米 14"),
    ],
)
def test_the_camera_reads_as_a_person_would_say_it(
    tmp_path: Path, make: str, model: str, camera: str | None
) -> None:
    # in bytes, as cameras write text that is not ASCII
    base: dict[int, object] = {Base.Make: make.encode(), Base.Model: model.encode()}
    if (make + model).isascii():
        base = {Base.Make: make, Base.Model: model}
    assert shoot(tmp_path / "a.png", base, {}).camera == camera


@pytest.mark.parametrize(
    "gps",
    [
        {1: "N", 2: (0.0, 0.0, 0.0), 3: "E", 4: (0.0, 0.0, 0.0)},
        {1: "N", 2: (91.0, 0.0, 0.0), 3: "E", 4: (10.0, 0.0, 0.0)},
        {1: "N", 2: (45.0, 0.0, 0.0), 3: "E", 4: (181.0, 0.0, 0.0)},
        {1: "X", 2: (45.0, 0.0, 0.0), 3: "E", 4: (10.0, 0.0, 0.0)},
        {1: "N", 2: (45.0, 0.0, 0.0)},
        {1: "N", 3: "E"},
    ],
)
def test_a_nonsense_position_is_not_believed(tmp_path: Path, gps: dict[int, object]) -> None:
    facts = shoot(tmp_path / "a.jpg", {}, {IFD.GPSInfo: gps})
    assert (facts.latitude, facts.longitude) == (None, None)


def test_degrees_alone_are_a_position_and_west_is_negative(tmp_path: Path) -> None:
    gps = {1: "N", 2: (40.5,), 3: "W", 4: (73.25,)}
    facts = shoot(tmp_path / "a.jpg", {}, {IFD.GPSInfo: gps})
    assert (facts.latitude, facts.longitude) == (40.5, -73.25)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's remarks on the garbage
@pytest.mark.parametrize(
    "block",
    [
        b"Exif\0\0garbage that is no TIFF header at all",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01\x03\0\xff\xff\xff\xff\0\0\0\x01" * 40,
        b"Exif\0\0MM\0*\0\0\0\x08\0\x02\x87\x69\0\x04\0\0\0\x01\0\0\0\x08\x88\x25\0\x04\0\0\0\x01",
        b"Exif\0\0II*\0\x08\0\0\0" + b"\0" * 65_000,
    ],
)
def test_garbage_exif_is_never_fatal(tmp_path: Path, block: bytes) -> None:
    Image.new("RGB", (8, 8), "red").save(tmp_path / "a.jpg", exif=block[:65_533])
    image, facts = read(tmp_path / "a.jpg")
    assert image.size == (8, 8)
    assert facts.camera is None


def test_a_huge_maker_note_is_never_fatal(tmp_path: Path) -> None:
    facts = shoot(
        tmp_path / "a.png", {Base.Make: "A" * 5000}, {IFD.Exif: {0x927C: b"\7" * 900_000}}
    )
    assert facts.camera == "A" * 100


def test_what_the_camera_was_set_to_is_read(tmp_path: Path) -> None:
    detail: dict[int, object] = {0x8827: 400, 0x829D: 1.8, 0x920A: 4.25, 0xA434: "iPhone 15 lens"}
    path = tmp_path / "a.jpg"
    facts = shoot(path, {}, {IFD.Exif: detail})
    assert facts.exposure == Exposure("iPhone 15 lens", 400, 1.8, 4.25)
    assert read_exposure(path) == facts.exposure


def test_an_iso_beyond_16_bits_is_in_another_tag(tmp_path: Path) -> None:
    detail: dict[int, object] = {0x8827: 65_535, 0x8832: 102_400}
    assert shoot(tmp_path / "a.jpg", {}, {IFD.Exif: detail}).exposure.iso == 102_400


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        *((0x8827, 0), (0x8827, 65_535)),
        *((0x829D, 0.0), (0x829D, 5000.0), (0x920A, 0.0), (0x920A, 100_000.0)),
        *((0xA434, "----"), (0xA434, "0.0 mm f/0.0"), (0xA434, "  \0\0"), (0xA434, "Unknown")),
    ],
)
def test_a_nonsense_setting_is_not_believed(tmp_path: Path, tag: int, value: object) -> None:
    assert shoot(tmp_path / "a.jpg", {}, {IFD.Exif: {tag: value}}).exposure == Exposure()
