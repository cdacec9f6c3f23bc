"""`imgsearch show`: what is known of photos, as a page and as JSON lines."""

import json
from pathlib import Path

from PIL import Image

from archives import png, zipped
from commands import Run
from imgsearch.library import open_library

pytest_plugins = "commands"


def test_a_photo_is_shown_by_path_and_by_id(indexed: Run, photos: Path) -> None:
    by_path = indexed("show", photos / "red.png")
    assert by_path.exit_code == 0
    photo_id = next(line for line in by_path.stdout.splitlines() if "id:" in line).split()[-1]
    by_id = indexed("show", photo_id)
    assert by_id.stdout == by_path.stdout
    for said in (str(photos / "red.png"), "PNG, 32 x 24 pixels", "toy/tiny", "captions"):
        assert said in by_path.stdout


def test_captions_say_where_they_come_from(indexed: Run, photos: Path, tmp_path: Path) -> None:
    with open_library(tmp_path / "library") as library, library.catalog.write() as writer:
        maker = writer.add_captioner("toy/[bold]", "its identity")
        writer.put_generated_captions(maker, "en", [(1, "a dog", -0.5), (2, "", 0.0)])
        writer.add_captions(1, ["我的 [red]狗[/red]"], "zh", "user")
    result = indexed("show", "id:1", "id:2", "id:3")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    (mine,) = [line for line in lines if "我的 [red]狗[/red]" in line]
    (said,) = [line for line in lines if "a dog" in line]
    assert "user" in mine and "toy/[bold]" in said and "-0.50" in said
    assert lines.index(mine) < lines.index(said)
    assert "(nothing to say)" in result.stdout
    first, second, third = map(
        json.loads, indexed("show", "id:1", "id:2", "id:3", "--json").stdout.splitlines()
    )
    assert [row["source"] for row in first["captions"]] == ["user", "generated"]
    assert first["captions"][1]["log_probability"] == -0.5
    assert second["captions"][0]["text"] == "" and third["captions"] == []
    assert first["encoders"] == ["toy/tiny"] and first["width"] == 32


def test_camera_place_and_every_file_are_shown(run: Run, encoder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Canon", "EOS 5D"
    exif.get_ifd(0x8769)[0x9003] = "2020:05:06 07:08:09"
    gps = exif.get_ifd(0x8825)
    gps.update({1: "N", 2: (52.0, 30.0, 0.0), 3: "E", 4: (13.0, 24.0, 0.0)})
    Image.new("RGB", (8, 6), "red").save(folder / "a.jpg", exif=exif)
    (folder / "b.jpg").write_bytes((folder / "a.jpg").read_bytes())
    assert run("index", folder, "--encoder", encoder, "--quiet").exit_code == 0
    (folder / "a.jpg").unlink()
    assert run("index", folder, "--quiet").exit_code == 0
    result = run("show", folder / "a.jpg")
    assert f"{folder / 'a.jpg'}  (missing)" in result.stdout
    for said in (str(folder / "b.jpg"), "Canon EOS 5D", "52.50000, 13.40000", "2020-05-06 07:08"):
        assert said in result.stdout


def test_a_file_that_holds_photos_names_them(indexed: Run, photos: Path) -> None:
    archive = zipped(
        photos / "box.zip",
        {f"{number:02}.png": png("red", (9, number + 9)) for number in range(12)},
    )
    assert indexed("index", photos, "--archives", "--quiet").exit_code == 0
    for verb in ("show", "similar"):
        result = indexed(verb, archive)
        said = "".join(result.stderr.split())
        assert result.exit_code == 2 and "holds12photos" in said, result.stderr
        assert f"{archive}/00.png," in said and "10.png" not in said and "and2more" in said
    assert indexed("show", archive / "00.png").exit_code == 0
    assert "holds 15 photos" in " ".join(indexed("show", photos).stderr.split())


def test_a_photo_that_is_not_there_is_no_traceback(indexed: Run, photos: Path) -> None:
    for photo, said in (
        ("id:99", "no photo 99"),
        ("id:" + "9" * 5000, "no photo"),
        (photos / "nowhere.png", "id:7"),
    ):
        result = indexed("show", photo)
        assert result.exit_code == 2 and said in result.stderr, result.stderr
    assert indexed("show", "").exit_code == 2
