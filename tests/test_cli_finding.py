"""`imgsearch search` beyond plain words: sums, conditions, several queries, relevance, reasons."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from commands import Run, hits
from conftest import ColourEncoder, draw
from imgsearch.indexing import index
from imgsearch.library import open_library

pytest_plugins = "commands"


@pytest.fixture
def colours(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """A library of six coloured photos, which only the toy encoder has embedded."""
    toy = ColourEncoder()
    for number, colour in enumerate(("red", "lime", "blue", "yellow", "fuchsia", "white")):
        path = draw(tmp_path / "photos" / f"{number}-{colour}.jpg", colour)
        exif = Image.Exif()
        exif[0x0110] = "Toy 5" if number % 2 else "Brick 1"  # the model of the camera
        exif[0x0132] = f"{2018 + number}:07:14 12:00:00"
        with Image.open(path) as picture:
            picture.save(path, exif=exif)
    with open_library(tmp_path / "library") as library:
        list(index(library, tmp_path / "photos", encoder=toy))
    monkeypatch.setattr("imgsearch.library.Library.load_encoder", lambda *_, **__: toy)
    yield run


def names(run: Run, *arguments: object) -> list[str]:
    found = hits(run("search", *arguments, "--json"))
    return [Path(hit["path"]).stem.split("-")[1] for hit in found]


def test_terms_are_added_and_subtracted_in_the_query_and_by_options(colours: Run) -> None:
    both = names(colours, "red + blue", "--all", "-k", 1)
    assert both == names(colours, "red", "+", "blue", "--all", "-k", 1) == ["fuchsia"]
    assert both == names(colours, "red", "--add", "blue", "--all", "-k", 1)
    assert names(colours, "red + green - blue", "--all", "-k", 1) == ["yellow"]
    assert names(colours, "red + 绿", "--subtract", "blue", "--all", "-k", 1) == ["yellow"]
    assert names(colours, "4:red + blue", "--all")[0] == "red"


def test_a_picture_is_one_term_of_a_sum(colours: Run, tmp_path: Path) -> None:
    picture = draw(tmp_path / "asked.png", "blue")
    assert names(colours, picture, "+", "red", "-k", 1) == ["fuchsia"]
    refused = colours("search", picture, "red")
    assert refused.exit_code == 2 and "put a + or a - between them" in refused.stderr
    refused = colours("search", "http://example.org/a.jpg")
    assert refused.exit_code == 2 and "--allow-url" in refused.stderr


def test_conditions_bound_a_search_in_the_query_and_as_options(colours: Run) -> None:
    brick = {"red", "blue", "fuchsia"}
    assert set(names(colours, "red", "camera:brick*", "--all")) == brick
    assert set(names(colours, "red", "--camera", "brick*", "--all")) == brick
    assert set(names(colours, "red", "camera:Brick 1", "--all")) == brick  # quoted for the shell
    assert names(colours, "red", "year:2019-2021", "--camera", "toy*", "--all") == [
        "yellow",
        "lime",
    ]
    assert colours("search", "red", "year:1999", "--all").exit_code == 1
    unknown = colours("search", "red", "colour:blue")
    assert unknown.exit_code == 2
    assert "no key colour:" in unknown.stderr and "camera:" in unknown.stderr


def test_conditions_alone_list_photos_newest_first(colours: Run) -> None:
    found = hits(colours("search", "camera:toy*", "--json"))
    assert [Path(hit["path"]).stem for hit in found] == ["5-white", "3-yellow", "1-lime"]
    assert {hit["score"] for hit in found} == {None}
    refused = colours("search", "camera:toy*", "--min-score", "0.1")
    assert refused.exit_code == 2 and "no score" in refused.stderr


def test_filters_alone_list_photos_newest_first(colours: Run, tmp_path: Path) -> None:
    assert names(colours, "--camera", "toy*") == ["white", "yellow", "lime"]
    assert names(colours, "--year", "2019", "--year", "2021") == ["yellow", "lime"]
    assert names(colours, "--landscape", "-k", 1) == names(colours, "landscape:yes", "-k", 1)
    assert len(names(colours, "--path", tmp_path / "photos")) == 6
    colours("search", "--year", "2019", "--not-square", "--html", tmp_path / "x.html")
    assert "<title>year:2019 square:no</title>" in (tmp_path / "x.html").read_text("utf-8")
    refused = colours("search", "--year", "2019", "--min-score", "0.1")
    assert refused.exit_code == 2 and "no score" in refused.stderr
    assert "no query was given" in colours("search", "--all").stderr


def test_an_error_in_a_file_of_queries_names_the_line(colours: Run, tmp_path: Path) -> None:
    queries = tmp_path / "q.txt"
    queries.write_text("red\n\ncolour:blue\n", "utf-8")
    said = " ".join(colours("search", "--queries", queries).stderr.split())
    assert "line 3 of" in said and "no key colour:" in said
    said = colours("search", "--queries", tmp_path / "none.txt").stderr
    assert "No such file" in " ".join(said.split()) and "Errno" not in said


def test_hits_are_sorted_by_date_and_by_path(colours: Run) -> None:
    by_date = names(colours, "red", "-k", 3, "--all", "--sort", "date")
    assert by_date == ["fuchsia", "yellow", "red"]
    assert names(colours, "red", "-k", 3, "--all", "--sort", "path") == by_date[::-1]
    assert colours("search", "red", "--sort", "size").exit_code == 2


def test_unlike_photos_come_before_alike_ones_where_that_is_asked(
    colours: Run, tmp_path: Path
) -> None:
    for number in range(5):  # a burst
        draw(tmp_path / "photos" / f"9-burst{number}.png", (255, number, number))
    with open_library(tmp_path / "library") as library:
        list(index(library, tmp_path / "photos", encoder=ColourEncoder()))
    alike = names(colours, "red", "--all", "-k", 4)
    apart = names(colours, "red", "--all", "-k", 4, "--diverse")
    assert alike[0] == apart[0] and all("burst" in name or name == "red" for name in alike)
    assert not all("burst" in name or name == "red" for name in apart[:3])


def test_several_queries_of_a_file_have_a_block_each(colours: Run, tmp_path: Path) -> None:
    queries = tmp_path / "queries.txt"
    queries.write_text("red\n\n蓝\n", "utf-8")
    plain = colours("search", "--queries", queries, "-k", 1, "--all").stdout.splitlines()
    assert plain[0] == "red" and plain[2] == "蓝" and len(plain) == 4
    assert "0-red.jpg" in plain[1] and "2-blue.jpg" in plain[3]
    found = hits(colours("search", "--queries", "-", "-k", 1, "--all", "--json", stdin="red\nblue"))
    assert [(hit["query"], hit["photo_id"]) for hit in found] == [("red", 1), ("blue", 3)]
    refused = colours("search", "--queries", queries, "--html", tmp_path / "page.html")
    assert refused.exit_code == 2 and "one query" in refused.stderr
    assert colours("search").exit_code == 2
    assert "holds no query" in colours("search", "--queries", "-", stdin="\n").stderr


def test_a_query_of_several_without_a_hit_is_told_of_where_results_cannot_say(
    colours: Run, tmp_path: Path
) -> None:
    queries = tmp_path / "queries.txt"
    queries.write_text("red\nred year:1999\n", "utf-8")
    for form in ("--json", "--paths", "--null"):
        result = colours("search", "--queries", queries, "-k", 1, "--all", form)
        assert result.exit_code == 0 and "red.jpg" in result.stdout
        assert "1999" not in result.stdout and "red year:1999: nothing" in result.stderr
    plain = colours("search", "--queries", queries, "-k", 1, "--all")
    assert "red year:1999: nothing" in plain.stdout and "nothing" not in plain.stderr


def test_what_is_not_written_for_want_of_hits_is_named(colours: Run, tmp_path: Path) -> None:
    page, sheet = tmp_path / "x.html", tmp_path / "x.png"
    page.write_text("of an earlier search", "utf-8")
    drawn = ("--html", page, "--contact-sheet", sheet)
    result = colours("search", "red", "year:1999", *drawn)
    assert result.exit_code == 1
    said = "".join(result.stderr.split())  # however it was wrapped
    assert f"nothingwrittento{page}" in said and f"nothingwrittento{sheet}" in said
    assert page.read_text("utf-8") == "of an earlier search" and not sheet.exists()


def test_a_sheet_that_cannot_be_written_says_why_in_words(colours: Run, tmp_path: Path) -> None:
    refused = colours("search", "red", "--contact-sheet", tmp_path / "no" / "x.png")
    assert refused.exit_code == 2 and "No such file or directory" in " ".join(
        refused.stderr.split()
    )
    assert "Errno" not in refused.stderr


def test_what_words_keep_says_so_where_a_percentage_would_deny_it(colours: Run) -> None:
    asked = ("search", "blue and red", "--mode", "hybrid")
    kept = hits(colours(*asked, "--json"))
    assert [hit["is_written"] for hit in kept] == [True, True, False]
    assert max(hit["relevance"] for hit in kept[:2]) < 0.15 < kept[2]["relevance"]
    lines = colours(*asked).stdout.splitlines()
    assert [line.split()[2] for line in lines] == ["words", "words", f"{kept[2]['relevance']:.0%}"]
    assert "0-red" in lines[0] and "2-blue" in lines[1] and "4-fuchsia" in lines[2]


def test_what_is_not_relevant_is_left_out_unless_all_is_asked_for(colours: Run) -> None:
    everything = hits(colours("search", "red", "--all", "--json"))
    cut = colours("search", "red", "--json")
    kept = [json.loads(line) for line in cut.stdout.splitlines()]
    assert kept == [hit for hit in everything if hit["relevance"] >= 0.15]
    assert 0 < len(kept) < len(everything)


def test_nothing_relevant_is_exit_code_1_and_says_so(indexed: Run) -> None:
    result = indexed("search", "月亮")  # an encoder of random weights
    assert (result.exit_code, result.stdout) == (1, "")
    assert "nothing relevant found: the nearest photo" in result.stderr
    assert "--all shows" in result.stderr
    assert len(hits(indexed("search", "a", "cat", "--all", "--json"))) == 3


def test_an_explanation_says_what_of_a_query_carried_a_hit(colours: Run, tmp_path: Path) -> None:
    (hit,) = hits(colours("search", "red + blue", "-k", 1, "--all", "--explain", "--json"))
    parts = {part["text"]: part["share"] for part in hit["explanation"]["parts"]}
    assert parts.keys() == {"red", "blue"}
    assert sum(parts.values()) == pytest.approx(hit["score"], abs=1e-6)
    (hit,) = hits(colours("search", "something red", "-k", 1, "--all", "--explain", "--json"))
    first, second = hit["explanation"]["parts"]
    assert (first["text"], second["text"]) == ("red", "something")
    assert first["share"] > 0.3 > abs(second["share"])
    told = colours("search", "something red", "-k", 1, "--all", "--explain").stdout
    assert "red +0." in told
    refused = colours("search", "red", "--explain", "--mode", "text")
    assert refused.exit_code == 2 or refused.exit_code == 1


def test_a_heat_map_is_drawn_into_the_contact_sheet(indexed: Run, tmp_path: Path) -> None:
    plain, warm = tmp_path / "plain.png", tmp_path / "warm.png"
    indexed("search", "cat", "--all", "--contact-sheet", plain)
    assert indexed("search", "cat", "--all", "--contact-sheet", warm, "--explain").exit_code == 0
    with Image.open(plain) as one, Image.open(warm) as other:
        assert one.width == other.width and one.height < other.height  # by what a map means
        photos = (0, one.height - 200, one.width, one.height)
        added = other.height - one.height
        moved = other.crop((0, photos[1] + added, one.width, other.height))
        assert one.crop(photos).tobytes() != moved.tobytes()
