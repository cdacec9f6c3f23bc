"""A filter means the same in every command that goes over photos, and bounds what comes out."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from colour_captioners import write_captioner
from commands import Run, hits
from conftest import draw
from imgsearch.cli import app
from test_cli_caption import TINY

pytest_plugins = "commands"

BEIJING = {1: "N", 2: (39.0, 54.0, 15.0), 3: "E", 4: (116.0, 24.0, 27.0)}


@pytest.fixture(scope="module")
def trips(tmp_path_factory: pytest.TempPathFactory, encoder: Path) -> Iterator[Run]:
    """Four photos: red and blue of 2021 in a/, green and white of 2022 in b/; red and white are
    there twice, and green was taken in Beijing and labelled 猫.
    """
    folder = tmp_path_factory.mktemp("trips")
    for name, year in (("a/red", 2021), ("a/blue", 2021), ("b/green", 2022), ("b/white", 2022)):
        path = draw(folder / "p" / f"{name}.jpg", name.split("/")[1])
        exif = Image.Exif()
        exif[0x0132] = f"{year}:07:14 12:00:00"
        if name == "b/green":
            exif.get_ifd(0x8825).update(BEIJING)
        with Image.open(path) as picture:
            picture.save(path, exif=exif)
    for path in (folder / "p/a/red.jpg", folder / "p/b/white.jpg"):
        path.with_stem(f"{path.stem}_again").write_bytes(path.read_bytes())

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(app, [str(each) for each in arguments])

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("IMGSEARCH_LIBRARY", str(folder / "library"))
        result = run("index", "p", "--encoder", encoder, "--quiet")
        assert result.exit_code == 0, result.stderr
        assert run("label", "--add", "猫", "p/b/green.jpg").exit_code == 0
        yield run


def names(run: Run, *arguments: object) -> set[str]:
    return {Path(hit["path"]).stem for hit in hits(run(*arguments, "--json"))}


def test_photos_drawn_by_chance(trips: Run) -> None:
    assert names(trips, "random", "--year", ">2021") == {"green", "white"}
    assert names(trips, "random", "--country", "中国", "--city", "北京", "--label", "猫") == {
        "green"
    }
    assert names(trips, "random", "--path", "p/a", "--year", "2021-") == {"red", "blue"}


def test_photos_of_a_query_in_chinese(trips: Run) -> None:
    asked = ("search", "country:中国", "city:北京", "label:猫")
    assert names(trips, *asked) == {"green"}
    assert trips(*asked, "year:<2022").exit_code == 1


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["city:Pariss"], "no photo satisfies city:Pariss; most have Beijing"),
        (["dog", "type:video|mp4"], "satisfies type:video|mp4; most have JPEG"),
        (["camera:cannon"], "satisfies camera:cannon, and of none the camera is known"),
        (["path:p/a"], "satisfies path:p/a; path: begins below what was indexed ("),
        (["path:/nowhere"], "satisfies path:/nowhere"),
        (["iso:100"], "no photo satisfies iso:"),
        (["path:a", "year:2022"], "for each condition, and none for all together"),
        (["year:2021", "--path", "p/b"], "for each condition, and none for all together"),
    ],
)
def test_the_condition_that_no_photo_satisfies_is_named(
    trips: Run, asked: list[str], said: str
) -> None:
    result = trips("search", *asked)
    assert result.exit_code == 1 and said in " ".join(result.stderr.split()), result.stderr
    assert ("--path PATH" in result.stderr.replace("\n", " ")) == (asked == ["path:p/a"])


def test_photos_like_another(trips: Run) -> None:
    assert names(trips, "similar", "p/a/red.jpg", "--year", "2022") == {"green", "white"}
    assert names(trips, "similar", "p/a/red.jpg", "--path", "p/a") == {"blue"}


def test_duplicates(trips: Run) -> None:
    def kept(*filters: str) -> set[str]:
        lines = trips("duplicates", "--tier", "bytes", "--json", *filters).stdout.splitlines()
        return {Path(json.loads(line)["keeper"]["path"]).stem for line in lines}

    assert kept() == {"red", "white"}
    assert kept("--year", "2022") == kept("--path", "p/b") == {"white"}


def test_labels(trips: Run) -> None:
    asked = ("label", "red", "blue", "--min-confidence", 0, "--json")
    assert json.loads(trips(*asked, "--path", "p/a", "--dry-run").stdout)["looked_at"] == 2
    assert json.loads(trips(*asked, "--label", "猫").stdout)["looked_at"] == 1
    assert names(trips, "random", "--label", "red|blue") == {"green"}
    refused = trips("label", "--list", "--year", "2021")
    assert refused.exit_code == 2 and "--year is a filter, and --list takes none" in refused.stderr


def test_groups(trips: Run) -> None:
    groups = trips("cluster", "-k", 1, "--json", "--year", "2021").stdout
    assert len(json.loads(groups)["photo_ids"]) == 2
    assert "not 3" in trips("cluster", "-k", 3, "--year", "2021").stderr


def test_a_map(trips: Run) -> None:
    assert "map of 2 photos" in trips("map", "map.html", "--path", "p/b").stderr
    page = Path("map.html").read_text("utf-8")
    assert "green.jpg" in page and "white.jpg" in page and "red.jpg" not in page


def test_copies_and_links(trips: Run) -> None:
    assert trips("copy", "out", "--query", "red", "--all", "--year", "2022").exit_code == 0
    assert {path.stem for path in Path("out").iterdir()} == {"green", "white"}
    assert trips("link", "links", "--query", "red", "--all", "--path", "p/a").exit_code == 0
    assert {path.stem for path in Path("links").iterdir()} == {"red", "blue"}
    refused = trips("copy", "out", "--path", "p/a")
    assert refused.exit_code == 2 and "--path is a filter, and the last search" in refused.stderr


def test_captions(trips: Run) -> None:
    captioner = write_captioner(Path("toy"), trained_on=TINY)
    asked = ("caption", "--captioner", captioner, "--language", "en", "--quiet")
    assert trips(*asked, "--after", "2022").exit_code == 0
    assert names(trips, "random", "--captioned") == {"green", "white"}
    assert trips("caption", "--export", "out.csv", "--label", "猫").exit_code == 0
    rows = Path("out.csv").read_text("utf-8").splitlines()[1:]
    assert len(rows) == 1 and "green.jpg" in rows[0]


def test_embeddings_written_out(trips: Run) -> None:
    assert trips("export", "out.npz", "--year", "2021", "--quiet").exit_code == 0
    with np.load("out.npz") as arrays:
        assert len(arrays["vectors"]) == 2


COMMANDS = {
    "random": (),
    "search": ("red",),
    "similar": ("p/a/red.jpg",),
    "duplicates": (),
    "label": ("red",),
    "cluster": (),
    "map": ("map.html",),
    "copy": ("out", "--query", "red"),
    "link": ("out", "--query", "red"),
    "caption": ("--export", "out.csv"),
    "export": ("out.npz",),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_what_there_is_not_is_said_in_the_same_words_everywhere(trips: Run, command: str) -> None:
    for option, value, message in (
        ("--path", "nowhere", "the library knows no photo at or under 'nowhere'; this takes them"),
        ("--label", "狗", "there is no label '狗'; there are "),
        ("--album", "none", "there is no album 'none'; there are none"),
        ("--country", "Atlantis", "no country is called 'Atlantis'"),
        ("--year", "soon", "year:soon cannot be understood"),
    ):
        result = trips(command, *COMMANDS[command], option, value)
        assert result.exit_code == 2 and message in result.stderr, (option, result.output)
