"""Photos in zip and tar files: names are data, bad members are passed by, nothing escapes."""

import hashlib
import io
import os
import struct
import tarfile
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath

import pytest

from archives import png, tarred, zipped
from imgsearch import images
from imgsearch.errors import PictureError, UsageError
from imgsearch.images import ContainerFile, PhotoFile, Unreadable, find, members

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(autouse=True)
def nothing_stays_open() -> Iterator[None]:
    yield
    images.let_go()


def inside(path: Path) -> dict[str, str | None]:
    """Names below the archive, and why one cannot be taken."""
    (found,) = find([path])
    assert isinstance(found, ContainerFile)
    return {
        member.path.relative_to(path).as_posix(): getattr(member, "reason", None)
        for member in members(found, 1)
    }


WRITERS = pytest.mark.parametrize(("write", "ending"), [(zipped, ".zip"), (tarred, ".tar")])


@WRITERS
def test_a_photo_inside_is_the_photo_outside(tmp_path: Path, write, ending: str) -> None:
    alone = tmp_path / "red.png"
    alone.write_bytes(png())
    archive = write(tmp_path / f"all{ending}", {"beach/红.png": png(), "notes.md": b"no"})
    path = archive / "beach" / "红.png"
    assert inside(archive) == {"beach/红.png": None}
    assert images.decode(path).getpixel((0, 0)) == (255, 0, 0)
    assert images.content_hash(path) == images.content_hash(alone)
    picture, facts = images.read(path)
    assert (picture.size, facts.width, facts.size_bytes) == ((32, 24), 32, len(png()))
    assert images.descriptions(path) == {}
    status = images.stat(path)
    assert (status.size_bytes, status.mtime_ns) == (len(png()), archive.stat().st_mtime_ns)
    assert images.place_of(path) == (archive, "beach/红.png", None)
    assert images.place_of(alone) == (alone, None, None)
    assert not images.is_gone(path) and images.is_gone(archive / "beach" / "blue.png")
    archive.unlink()
    assert images.is_gone(path)


@WRITERS
def test_names_never_lead_out_of_the_archive(tmp_path: Path, write, ending: str) -> None:
    outside = tmp_path / "secret.png"
    outside.write_bytes(png("blue"))
    names = ("../../secret.png", "/etc/a.png", "./b//c.png", f"{tmp_path}/secret2.png", "../")
    archive = write(tmp_path / f"bad{ending}", dict.fromkeys(names, png()))
    found = inside(archive)
    inner = tmp_path.relative_to("/").as_posix()
    assert found.keys() == {"secret.png", "etc/a.png", "b/c.png", f"{inner}/secret2.png"}
    for name in found:
        assert images.decode(archive / name).getpixel((0, 0)) == (255, 0, 0)


def test_backslashes_are_folders_in_a_zip_and_letters_in_a_tar(tmp_path: Path) -> None:
    assert inside(zipped(tmp_path / "a.zip", {"x\\y.png": png()})) == {"x/y.png": None}
    assert inside(tarred(tmp_path / "a.tar", {"x\\y.png": png()})) == {"x\\y.png": None}


def test_a_drive_in_a_zip_is_a_folder_on_every_system(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"C:\\win\\x.png": png(), "D:y.png": png()})
    found = inside(path)
    assert found == {"C_/win/x.png": None, "D_y.png": None}
    for name in found:
        assert images.decode(path / name).getpixel((0, 0)) == (255, 0, 0)
        assert (PureWindowsPath("E:/a.zip") / name).is_relative_to("E:/a.zip")


def test_an_archive_that_cannot_be_read_is_looked_into_once(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.png": png()})
    content, status = path.read_bytes(), path.stat()
    for each in (b"x" * len(content), content):
        path.write_bytes(each)  # same size and time: it need not be read again
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert not images.is_gone(path / "a.png") and not images.is_gone(path / "b.png")
        with pytest.raises(PictureError, match="no zip file"):
            images.content_hash(path / "a.png")
    images.let_go()
    assert images.decode(path / "a.png").size == (32, 24) and images.is_gone(path / "b.png")


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_names_that_are_no_text_survive(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    archive = tmp_path / "a.tar"
    with tarfile.open(archive, "w", format=tarfile.GNU_FORMAT, errors="surrogateescape") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(png())
        tar.addfile(entry, io.BytesIO(png()))
    assert inside(archive) == {name: None}
    assert images.decode(archive / name).size == (32, 24)


@pytest.mark.parametrize("encoding", ["utf-8", "gb2312"])
def test_chinese_names_of_a_zip_read_without_the_flag_for_them(
    tmp_path: Path, encoding: str
) -> None:
    path = zipped(tmp_path / "a.zip", {"XXXXXX.png": png()})
    raw = "海滩".encode(encoding)
    content = path.read_bytes().replace(b"XXXXXX", raw.ljust(6, b"x"))
    path.write_bytes(content)
    assert inside(path) == {"海滩" + "x" * (6 - len(raw)) + ".png": None}


@WRITERS
def test_of_two_members_of_one_name_the_later_counts(tmp_path: Path, write, ending: str) -> None:
    archive = write(tmp_path / f"a{ending}", {"a.png": png("red"), "./a.png": png("blue")})
    assert inside(archive) == {"a.png": None}
    assert images.decode(archive / "a.png").getpixel((0, 0)) == (0, 0, 255)


@WRITERS
def test_hidden_members_are_left_out_and_archives_inside_are_told(
    tmp_path: Path, write, ending: str
) -> None:
    names = (".hidden.png", "__MACOSX/a.png", "a/.b/c.png", "in.zip", "in.tar.gz", "film.mp4")
    found = inside(write(tmp_path / f"a{ending}", dict.fromkeys(names, b"x")))
    assert found.keys() == {"in.zip", "in.tar.gz", "film.mp4"}
    assert all("unpack it first" in str(reason) for reason in found.values())


def test_links_and_devices_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as tar:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
            entry = tarfile.TarInfo(f"{kind!r}.png")
            entry.type, entry.linkname = kind, "/etc/passwd"
            tar.addfile(entry)
    assert inside(path) == {}
    link = zipfile.ZipInfo("a.png")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    assert inside(tmp_path / "a.zip") == {}


def test_an_encrypted_member_is_told(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.png": png(), "b.png": png("blue")})
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    path.write_bytes(content)
    found = inside(path)
    assert "encrypted" in str(found["a.png"]) and found["b.png"] is None
    with pytest.raises(PictureError, match="encrypted"):
        images.content_hash(path / "a.png")


def test_a_bomb_is_refused_by_the_size_it_admits(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.png": png()})
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, content.index(b"PK\x01\x02") + 24, 2**32 - 2)
    path.write_bytes(content)
    assert "4,294,967,294 bytes are more" in str(inside(path)["a.png"])


def test_a_bomb_that_admits_less_than_it_holds_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", b"\0" * 10**7)
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", content, content.index(signature) + offset, 1000)
    path.write_bytes(content)
    with pytest.raises(PictureError, match="damaged"):
        images.content_hash(path / "a.png")


@WRITERS
def test_a_large_member_is_hashed_without_being_held(tmp_path: Path, write, ending: str) -> None:
    content = bytes(range(256)) * (1 << 17)  # 33 million
    path = write(tmp_path / f"a{ending}", {"a.png": content})
    images.stat(path / "a.png")
    tracemalloc.start()
    try:
        found = images.content_hash(path / "a.png")
        assert tracemalloc.get_traced_memory()[1] < len(content) / 4
    finally:
        tracemalloc.stop()
    assert found == hashlib.sha256(content).hexdigest()


def test_pixels_are_capped_inside_as_outside(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.png": png(size=(100, 100))})
    with pytest.raises(PictureError, match="more than the cap of 9,999"):
        images.read(path / "a.png", max_pixels=9_999)


@pytest.mark.parametrize("ending", [".zip", ".tar", ".tar.gz"])
@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04" + b"\0" * 600])
def test_what_is_no_archive_is_one_finding(tmp_path: Path, ending: str, content: bytes) -> None:
    path = tmp_path / f"a{ending}"
    path.write_bytes(content)
    (found,) = find([path])
    assert isinstance(found, ContainerFile)
    (told,) = members(found, 1)
    assert isinstance(told, Unreadable) and told.path == path and told.reason


def test_of_a_tar_that_is_cut_short_the_photos_before_are_taken(tmp_path: Path) -> None:
    path = tarred(tmp_path / "a.tar", {f"{n}.png": png() for n in range(3)})
    with tarfile.open(path) as tar:
        last = tar.getmembers()[-1]
    path.write_bytes(path.read_bytes()[: last.offset_data + 10])
    (found,) = find([path])
    assert isinstance(found, ContainerFile)
    told = list(members(found, 1))
    assert [each.path.name for each in told if isinstance(each, PhotoFile)] == ["0.png", "1.png"]
    assert any(isinstance(each, Unreadable) and "cut short" in each.reason for each in told)


def header(name: str, size_bytes: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size, entry.type = size_bytes, kind
    return entry.tobuf(tarfile.GNU_FORMAT)


def pax(**said: str) -> bytes:
    records = b""
    for key, value in said.items():
        text = f" GNU.sparse.{key}={value}\n"
        records += f"{len(text) + 2}{text}".encode()
    return header("x", len(records), tarfile.XHDTYPE) + records.ljust(512, b"\0")


LOOP = header("b.png", -512) + png()
HUGE = header("b.png", 2**62) + png()
CHAIN = (header("././@LongLink", 10, b"L") + b"a.png".ljust(512, b"\0")) * 5000
SPARSE = pax(major="1", minor="0", name="b.png", realsize="abc") + header("b.png", 512)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(LOOP, id="leads back to itself"),
        pytest.param(header("b.png", -1024) + header("c.png", -2048), id="leads back further"),
        pytest.param(header("b.png", -1) + png(), id="less than nothing"),
        pytest.param(HUGE, id="beyond all disks"),
        pytest.param(CHAIN, id="names of names of names"),
        pytest.param(SPARSE + b"zz\n".ljust(512, b"\0"), id="a sparse file of no size"),
        pytest.param(header("b.png", 2**62, b"L"), id="a name longer than memory"),
    ],
)
@pytest.mark.parametrize("is_first", [False, True])
def test_headers_that_lie_end_the_list_and_nothing_else(
    tmp_path: Path, damage: bytes, is_first: bool
) -> None:
    path = tmp_path / "a.tar"
    before = b"" if is_first else header("a.png", len(png())) + png().ljust(512, b"\0")
    path.write_bytes(before + damage + b"\0" * 1024)
    assert len(png()) <= 512
    (found,) = find([path])
    assert isinstance(found, ContainerFile)
    *told, last = members(found, 1)
    assert isinstance(last, Unreadable) and last.path == path and last.reason
    assert [each.path.name for each in told if isinstance(each, PhotoFile)] == (
        [] if is_first else ["a.png"]
    )
    if not is_first:
        assert images.decode(path / "a.png").getpixel((0, 0)) == (255, 0, 0)
    with pytest.raises(PictureError):
        images.content_hash(path / "b.png")


def test_a_damaged_member_spoils_no_other(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.png": png("red"), "b.png": png("blue")})
    content = bytearray(path.read_bytes())
    content[content.index(b"IDAT") + 6] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(PictureError, match="damaged"):
        images.content_hash(path / "a.png")
    assert images.decode(path / "b.png").getpixel((0, 0)) == (0, 0, 255)


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz"])
def test_a_compressed_tar_is_refused_with_what_to_do(tmp_path: Path, kind: str) -> None:
    path = tarred(tmp_path / f"a.tar.{kind}", {"a.png": png()}, f"w:{kind}")
    (found,) = find([path])
    assert isinstance(found, ContainerFile)
    (told,) = members(found, 1)
    assert isinstance(told, Unreadable) and "decompress it" in told.reason


def test_archives_in_a_folder_are_found_when_asked_for(tmp_path: Path) -> None:
    zipped(tmp_path / "a.zip", {"a.png": png()})
    (tmp_path / "b.png").write_bytes(png())
    assert [each.path.name for each in find([tmp_path])] == ["b.png"]
    with_archives = find([tmp_path], containers=images.ARCHIVES)
    assert [(each.path.name, type(each)) for each in with_archives] == [
        ("a.zip", ContainerFile),
        ("b.png", PhotoFile),
    ]


def test_a_folder_called_like_an_archive_is_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "a.zip"
    folder.mkdir()
    (folder / "b.png").write_bytes(png())
    assert [each.path for each in find([tmp_path])] == [folder / "b.png"]
    assert images.place_of(folder / "b.png") == (folder / "b.png", None, None)
    assert images.decode(folder / "b.png").size == (32, 24)


def test_one_photo_of_an_archive_may_be_given(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.png": png(), "b.png": png()})
    (found,) = find([path / "a.png"])
    assert isinstance(found, PhotoFile) and found.path == found.root == path / "a.png"
    with pytest.raises(UsageError, match="cannot be indexed"):
        find([path / "c.png"])


def test_an_archive_that_was_replaced_is_read_anew(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.png": png("red")})
    assert images.decode(path / "a.png").getpixel((0, 0)) == (255, 0, 0)
    zipped(path, {"a.png": png("blue"), "b.png": png()})
    os.utime(path, (1, 1))
    assert images.decode(path / "a.png").getpixel((0, 0)) == (0, 0, 255)


def test_texts_lie_beside_a_photo_of_the_same_stem(tmp_path: Path) -> None:
    path = tarred(tmp_path / "a.tar", {"0.png": png(), "0.txt": b"a dog", "0.cls": b"7"})
    assert images.texts_beside(path / "0.png") == {".txt": b"a dog"}
    assert images.texts_beside(tmp_path / "x.png") == {}
