"""Hits and outcomes made visible: every form checked by its text, its JSON or its pixels."""

import json
import os
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFont
from rich.console import Console, RenderableType

from conftest import draw
from imgsearch.display import hits as forms
from imgsearch.display.contact_sheet import (
    CELL,
    GAP,
    LINE,
    MISSING,
    TITLE_SIZE,
    contact_sheet,
    drawable,
    name_of,
)
from imgsearch.display.encoders import LibraryEncoder, encoders_table
from imgsearch.display.text import as_json, shown
from imgsearch.encoders import KnownEncoder
from imgsearch.encoders.heat import Heat
from imgsearch.searching import Hit
from imgsearch.searching.hits import Explanation

HEAT = Heat(np.array([[0, 1], [0, 0]], np.float32), (0, 0, 1, 1))


def rendered(result: RenderableType, width: int = 100) -> str:
    console = Console(width=width, highlight=False, color_system=None, record=True, file=None)
    with console.capture() as captured:
        console.print(result)
    return captured.get()


@pytest.fixture
def hits(tmp_path: Path) -> list[Hit]:
    """Two hits: a red photo and a photo with a Chinese name."""
    return [
        Hit(1, 0.31234567, 7, draw(tmp_path / "red.png", "red")),
        Hit(2, 0.2, 12, draw(tmp_path / "海滩.png", "blue", (24, 32))),
    ]


def test_a_table_shows_rank_score_and_path(hits: list[Hit]) -> None:
    lines = rendered(forms.table(hits), width=300).splitlines()
    assert lines[0].split() == ["#", "score", "photo"]
    assert lines[1].split() == ["1", "0.312", str(hits[0].path)]
    assert lines[2].split() == ["2", "0.200", str(hits[1].path)]


def test_a_path_in_the_table_is_a_link_to_the_file(hits: list[Hit]) -> None:
    console = Console(width=300, force_terminal=True, color_system="standard", legacy_windows=False)
    with console.capture() as captured:
        console.print(forms.table(hits))
    assert hits[1].path.as_uri() in captured.get()


def test_lines_are_never_wrapped(hits: list[Hit]) -> None:
    long = Hit(1, 0.5, 1, Path("/" + "deep/" * 60 + "a.jpg"))
    assert forms.lines([long]) == f"1  0.500  {long.path}\n"
    assert forms.lines(hits).splitlines()[1] == f"2  0.200  {hits[1].path}"


def test_json_lines_are_one_object_a_hit_with_the_full_score(hits: list[Hit]) -> None:
    first, second = (json.loads(line) for line in forms.json_lines(hits).splitlines())
    assert first == {
        "rank": 1,
        "score": 0.31234567,
        "relevance": None,
        "is_written": False,
        "photo_id": 7,
        "path": str(hits[0].path),
        "container": None,
        "member": None,
        "seconds": None,
        "caption": None,
        "matched": [],
        "vector_rank": None,
        "text_rank": None,
        "text_score": None,
        "explanation": None,
    }
    assert list(first)[:3] == ["rank", "score", "relevance"]
    assert second["path"] == str(hits[1].path)
    assert "海滩.png" in forms.json_lines(hits)  # readable, and good for grep


@pytest.fixture
def told() -> list[Hit]:
    """Hits with captions: one that vector and words found, one by words, one by its vector."""
    dogs, beach = "Two dogs on the beach", "海滩上的日落"
    return [
        Hit(1, 0.25, 7, Path("/p/a.jpg"), dogs, ("dogs", "beach"), 3, 1, 4.5),
        Hit(2, 0.125, 8, Path("/p/海滩.jpg"), beach, ("海滩",), None, 2, 1.25),
        Hit(3, 0.5, 9, Path("/p/c.jpg"), vector_rank=1),
    ]


def test_lines_say_behind_the_path_what_a_photo_shows_and_why_it_is_there(told: list[Hit]) -> None:
    assert forms.lines(told).splitlines() == [
        "1  0.250  /p/a.jpg  Two dogs on the beach  [vector #3; words #1: dogs, beach]",
        "2  0.125  /p/海滩.jpg  海滩上的日落  [words #2: 海滩]",
        "3  0.500  /p/c.jpg",
    ]


def test_the_table_has_captions_below_paths_and_a_column_that_says_why(told: list[Hit]) -> None:
    rows = [line.rstrip() for line in rendered(forms.table(told)).splitlines()]
    assert rows[0].split() == ["#", "score", "photo", "why"]
    assert rows[1].split() == ["1", "0.250", "/p/a.jpg", "vector", "#3"]
    assert rows[2].split("  ")[-1].strip() == "words #1: dogs, beach"
    assert "Two dogs on the beach" in rows[2]
    assert len(rows) == 6


def test_what_was_found_in_a_caption_is_highlighted(told: list[Hit]) -> None:
    console = Console(width=100, force_terminal=True, color_system="standard", legacy_windows=False)
    with console.capture() as captured:
        console.print(forms.table(told))
    bright = re.findall(r"\x1b\[1;33m([^\x1b]*)\x1b", captured.get())
    assert bright == ["dogs", "beach", "海滩"]


def test_where_words_alone_were_asked_the_score_is_bm25() -> None:
    found = [Hit(1, None, 7, Path("/a.jpg"), None, ("dog",), None, 1, 7.25)]
    assert forms.lines(found) == "1  7.250  /a.jpg  [words #1: dog]\n"
    assert rendered(forms.table(found)).split()[:5] == ["#", "BM25", "photo", "why", "1"]
    assert json.loads(forms.json_lines(found))["score"] is None


def test_what_words_keep_says_so_in_place_of_a_percentage() -> None:
    written = Hit(1, 0.2, 7, Path("/a.jpg"), text_rank=1, relevance=0.01, is_written=True)
    near, far = (Hit(2, 0.3, 8, Path("/b.jpg"), relevance=part) for part in (1.0, 0.07))
    assert [forms.relevance(hit) for hit in (written, near, far)] == ["words", "100%", "7%"]
    assert forms.relevance(Hit(1, None, 7, Path("/a.jpg"), is_written=True)) == ""
    heading, first, *_ = rendered(forms.table([written])).splitlines()
    assert heading.split() == ["#", "score", "relevant", "photo", "why"]
    assert first.split()[:4] == ["1", "0.200", "words", "/a.jpg"]
    row = json.loads(forms.json_lines([written]))
    assert (row["relevance"], row["is_written"]) == (0.01, True)


def test_percentages_end_below_each_other() -> None:
    parts = (1.0, 0.5, 0.07)
    found = [Hit(n, 0.3, n, Path("/a.jpg"), relevance=part) for n, part in enumerate(parts, 1)]
    assert forms.lines(found).splitlines() == [
        "1  0.300  100%  /a.jpg",
        "2  0.300   50%  /a.jpg",
        "3  0.300    7%  /a.jpg",
    ]


def test_a_word_that_most_photos_have_still_shows_what_it_scores() -> None:
    for score, expected in (
        (1e-6, "1.0e-06"),
        (0.00049, "4.9e-04"),
        (0.0123, "0.012"),
        (0.0, "0.000"),
    ):
        found = Hit(1, None, 7, Path("/a.jpg"), None, ("dog",), None, 1, score)
        assert forms.score(found) == expected
    assert forms.score(Hit(1, 0.0001, 7, Path("/a.jpg"))) == "0.000"  # a cosine is what it is


def test_a_hostile_caption_is_shown_escaped() -> None:
    hit = Hit(1, 0.5, 1, Path("/a.jpg"), "a \x1b]0;owned\x07 dog", ("dog", "\x1b"), 1, 1, 1.0)
    assert "\x1b" not in forms.lines([hit])
    assert "\x1b" not in rendered(forms.table([hit]))


def test_a_contact_sheet_makes_room_for_captions(told: list[Hit]) -> None:
    assert contact_sheet(told, "x").height > contact_sheet(told[2:], "x").height


def test_a_contact_sheet_says_how_to_read_heat_maps_where_it_has_some(tmp_path: Path) -> None:
    found = [Hit(1, 0.5, 7, draw(tmp_path / "a.png", "red"))]
    plain, warm = contact_sheet(found, "x"), contact_sheet(found, "x", heats={7: HEAT})
    rows = warm.height - plain.height  # two lines, since the sheet is narrow
    assert rows == 2 * LINE
    head = np.asarray(warm)[: 2 * GAP + TITLE_SIZE + rows]
    bare = np.asarray(plain)[: 2 * GAP + TITLE_SIZE]
    assert (head != 255).sum() > 2 * (bare != 255).sum() > 0


def test_the_pictures_of_hits_say_what_keeps_them(tmp_path: Path) -> None:
    path = draw(tmp_path / "a.png", "red")
    bare, near = Hit(1, 0.5, 7, path), Hit(1, 0.5, 7, path, relevance=0.73)
    assert [forms.figures(hit) for hit in (bare, near)] == ["1   0.500", "1   0.500   73%"]
    assert forms.figures(replace(near, is_written=True)) == "1   0.500   words"
    assert forms.figures(Hit(3, None, 7, path)) == "3"
    assert contact_sheet([bare], "x").tobytes() != contact_sheet([near], "x").tobytes()


def test_reasons_leave_out_what_brought_nothing() -> None:
    def why(*parts: tuple[str, float]) -> str:
        hit = Hit(1, 0.5, 1, Path("/a.jpg"), explanation=Explanation(parts))
        assert len(json.loads(forms.json_lines([hit]))["explanation"]["parts"]) == len(parts)
        return forms.lines([hit]).split("  ")[-1]

    assert why(("滑", 0.12), ("雪", 0.005), ("的", 0.0049), ("人", -0.03)) == (
        "[滑 +0.12, 雪 +0.01, 人 -0.03]\n"
    )
    assert why(("a", 0.004), ("的", -0.001)) == "[no part by itself]\n"


def test_json_takes_numbers_of_numpy() -> None:
    hit = Hit(1, np.float32(0.5), np.int64(3), Path("/a.jpg"))  # type: ignore[arg-type]
    assert json.loads(forms.json_lines([hit]))["photo_id"] == 3


def test_paths_come_one_a_line_or_ended_by_nul(hits: list[Hit]) -> None:
    encoded = [os.fsencode(hit.path) for hit in hits]
    assert forms.paths(hits) == encoded[0] + b"\n" + encoded[1] + b"\n"
    assert forms.paths(hits, end=b"\0").split(b"\0") == [*encoded, b""]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows file names are text")
def test_a_path_that_is_not_valid_text_survives_every_form() -> None:
    path = Path(os.fsdecode(b"/photos/caf\xe9.jpg"))
    found = [Hit(1, 0.5, 1, path)]
    assert forms.paths(found) == b"/photos/caf\xe9.jpg\n"
    assert Path(json.loads(forms.json_lines(found))["path"]) == path
    forms.json_lines(found).encode()
    assert "caf\\xe9.jpg" in forms.lines(found)
    assert "caf\\xe9.jpg" in rendered(forms.table(found))


def test_what_a_terminal_would_obey_is_shown_escaped() -> None:
    assert shown("a\x1b[31mb\nc\u202ed\x9b") == "a\\x1b[31mb\\nc\\u202ed\\x9b"
    assert shown("海滩 é.jpg") == "海滩 é.jpg"
    assert as_json({"path": "a\nb"}) == '{"path": "a\\nb"}'
    hostile = [Hit(1, 0.5, 1, Path("/tmp/\x1b]0;owned\x07[red]x[/red].jpg"))]
    assert "\x1b" not in forms.lines(hostile)
    assert "\\x1b]0;owned\\x07[red]x[/red].jpg" in rendered(forms.table(hostile))


def test_a_contact_sheet_holds_each_photo_in_reading_order(tmp_path: Path) -> None:
    colours = [(250, 0, 0), (0, 250, 0), (0, 0, 250)]
    found = [
        Hit(rank, 0.5, rank, draw(tmp_path / f"{rank}.png", colour, (400, 400)))
        for rank, colour in enumerate(colours, 1)
    ]
    sheet = contact_sheet(found, "three", columns=2)
    pixels = np.asarray(sheet)
    assert sheet.width == GAP + 2 * (CELL + GAP)
    areas = [(pixels == colour).all(axis=2) for colour in colours]
    assert [int(area.sum()) for area in areas] == [CELL * CELL] * 3
    (first, second, third) = (np.argwhere(area).mean(axis=0) for area in areas)
    assert first[0] == second[0] < third[0]
    assert first[1] == third[1] < second[1]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("2019/1.jpg", "1.jpg"),
        ("holiday.zip/beach/1.jpg", "holiday.zip/1.jpg"),
        ("film.mp4/00-00-15.000", "film.mp4 00:15"),
        ("film.mp4/01-02-03.500", "film.mp4 1:02:03.5"),
        ("cat.gif/00-00-10.040", "cat.gif 00:10.04"),
        ("猫.tar/\x1b猫.jpg", "猫.tar/\\x1b猫.jpg"),
    ],
)
def test_a_photo_inside_a_file_is_shown_with_that_files_name(
    tmp_path: Path, path: str, expected: str
) -> None:
    assert name_of(tmp_path / path) == expected


def test_a_contact_sheet_keeps_the_shape_of_a_photo(tmp_path: Path) -> None:
    found = [Hit(1, 0.5, 1, draw(tmp_path / "wide.png", (250, 0, 0), (800, 200)))]
    area = (np.asarray(contact_sheet(found, "wide")) == (250, 0, 0)).all(axis=2)
    assert np.ptp(np.argwhere(area), axis=0).tolist() == [CELL // 4 - 1, CELL - 1]


def test_a_photo_that_cannot_be_decoded_leaves_a_cell_that_says_so(tmp_path: Path) -> None:
    sheet = contact_sheet([Hit(1, 0.5, 1, tmp_path / "gone.jpg")], "gone")
    cell = np.asarray(sheet.crop((GAP, sheet.height - CELL - 60, GAP + CELL, sheet.height - 60)))
    assert (cell == MISSING).all(axis=2).mean() > 0.8
    assert (cell != MISSING).any()


def test_text_that_no_font_has_is_drawn_escaped_and_never_as_boxes() -> None:
    text, font = drawable("猫 cat", 14, system_fonts=())
    assert text == "\\u732b cat"
    assert font.getmask("cat").size == ImageFont.load_default(14).getmask("cat").size


def test_text_that_pillows_font_lacks_is_drawn_in_one_of_the_system_that_has_it() -> None:
    try:
        ImageFont.truetype("DejaVuSans.ttf", 14)
    except OSError:
        pytest.skip("no DejaVuSans.ttf on this system: install the DejaVu fonts")
    text, font = drawable("Привет", 14, system_fonts=("no-such-font.ttf", "DejaVuSans.ttf"))
    assert text == "Привет"
    assert isinstance(font, ImageFont.FreeTypeFont)
    assert font.getname()[0] == "DejaVu Sans"
    assert drawable("plain text", 14)[1] is drawable("cat", 14)[1]


def test_a_contact_sheet_takes_long_and_foreign_names_and_no_hits_at_all(tmp_path: Path) -> None:
    name = "金" * 60 + ".png"
    sheet = contact_sheet([Hit(1, 0.5, 1, draw(tmp_path / name, "red"))], "一杯咖啡" * 40)
    assert isinstance(sheet, Image.Image)
    assert sheet.width == GAP + CELL + GAP
    assert contact_sheet([], "nothing").mode == "RGB"


@pytest.mark.parametrize("width", [60, 80])
def test_the_names_of_encoders_have_room_on_a_small_terminal(width: int) -> None:
    known = [KnownEncoder("open_clip/ViT-B-32/laion2b_s34b_b79k", ("en",), 512, 605_000_000, False)]
    here = [LibraryEncoder("builtin/1", ("en", "zh"), 256, 12_345, ("en", "zh"))]
    lines = rendered(encoders_table(known, here), width).splitlines()
    assert lines[1].split()[0] == "builtin/1"
    assert [line[:2] for line in lines].count("op") == 1
    assert "…" not in "".join(lines)
    assert max(len(line.split("  ")[0]) for line in lines[2:]) >= 14 + (width - 60)
