"""Previews: what terminals of every kind are sent is read back, and shows the photo.

The commands run in a terminal of their own, which answers as kitty, iTerm2, foot, tmux ... would.
"""

import base64
import io
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from rich.cells import cell_len

from commands import environment
from conftest import ColourEncoder
from imgsearch.display.terminal import PROTOCOLS, Replies, Screen, choose, previews
from imgsearch.display.terminal.kitty import MARKS, PLACEHOLDER
from imgsearch.indexing import index
from imgsearch.library import open_library
from imgsearch.searching import Hit
from terminals import OURS, Run, Terminal, ours, replies, through_tmux

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no ptys")

Pixels = npt.NDArray[np.uint8]
CELL = (10, 20)
BLOCK = 10  # pixels of one colour: what half a letter shows
COLUMNS, ROWS = 12, 8  # of blocks
COLOUR = r"2;\d+;\d+;\d+|5;\d+"


def blocks() -> Pixels:
    """(8, 12, 3): 96 colours, all different."""
    return np.random.default_rng(3).integers(0, 256, (ROWS, COLUMNS, 3), np.uint8)


def picture() -> Pixels:
    """The same as a picture of 120 x 80 pixels."""
    return blocks().repeat(BLOCK, 0).repeat(BLOCK, 1)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library with one photo, the picture of blocks."""
    folder = tmp_path_factory.mktemp("previews")
    (folder / "photos").mkdir()
    Image.fromarray(picture()).save(folder / "photos" / "blocks.png")
    with open_library(folder / "library") as opened:
        list(index(opened, [folder / "photos"], encoder=ColourEncoder()))
    return folder / "library"


def previewed(library: Path, terminal: Terminal, **variables: str) -> Run:
    ran = terminal.run(ours("--library", library, "random", "-p"), variables)
    assert ran.exit_code == 0, ran.written
    assert ran.left == b"" and ran.echoes, "replies are left for the prompt of the shell"
    return ran


def png(coded: bytes) -> Pixels:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(coded, validate=True))))


def kitty_picture(written: bytes) -> tuple[dict[str, str], Pixels]:
    """The settings and the pixels of the one picture sent by Kitty's protocol."""
    pieces = re.findall(rb"\x1b_G([^;\x1b]*);([^\x1b]*)\x1b\\", written)
    pieces = [(head, piece) for head, piece in pieces if b"a=q" not in head]
    assert [head[-3:] for head, _ in pieces] == [b"m=1"] * (len(pieces) - 1) + [b"m=0"]
    assert all(len(piece) <= 4096 for _, piece in pieces)
    settings = dict(each.split("=") for each in pieces[0][0].decode().split(","))
    return settings, png(b"".join(piece for _, piece in pieces))


def unwrapped(written: bytes) -> bytes:
    """What tmux would hand on."""
    parts = re.findall(rb"\x1bPtmux;((?:[^\x1b]|\x1b\x1b)*)\x1b\\", written)
    return b"".join(parts).replace(b"\x1b\x1b", b"\x1b")


def sixel_picture(written: bytes) -> Pixels:
    """A small decoder of sixels: colours, repeats, bands."""
    (found,) = re.findall(rb"\x1bP0;1;0q\"1;1;([0-9]+);([0-9]+)([^\x1b]*)\x1b\\", written)
    width, height, body = int(found[0]), int(found[1]), found[2].decode()
    drawn = np.zeros((height + 6, width, 3), np.uint8)
    palette: dict[int, list[int]] = {}
    colour = column = top = 0
    for token in re.finditer(r"#(\d+)(?:;2;(\d+);(\d+);(\d+))?|!(\d+)(.)|([?-~])|([$-])", body):
        if token[1]:
            colour = int(token[1])
            if token[2]:
                palette[colour] = [round(int(token[part]) * 2.55) for part in (2, 3, 4)]
        elif token[8]:
            column, top = 0, top + (6 if token[8] == "-" else 0)
        else:
            times, letter = int(token[5] or 1), token[6] or token[7]
            for bit in range(6):
                if (ord(letter) - ord("?")) >> bit & 1:
                    drawn[top + bit, column : column + times] = palette[colour]
            column += times
    return drawn[:height]


def half_block_colours(written: bytes) -> list[list[tuple[str, str]]]:
    """Rows of (ink, ground) of the half blocks."""
    rows = [
        re.findall(rf"\x1b\[38;({COLOUR});48;({COLOUR})m▀", line)
        for line in written.decode().splitlines()
    ]
    return [row for row in rows if row]


def test_kitty_is_sent_the_photo_pixel_by_pixel(library: Path) -> None:
    ran = previewed(library, Terminal(replies("kitty(0.35.2)", graphics=True)))
    settings, pixels = kitty_picture(ran.written)
    assert np.array_equal(pixels, picture())
    assert settings["a"] == "T" and settings["C"] == "1" and settings["q"] == "2"
    assert b"blocks.png" in ran.written


@pytest.mark.parametrize("name", ["iTerm2 3.5.0", "mintty 3.7.0"])
def test_iterm2_is_sent_the_photo_with_its_size_in_cells(library: Path, name: str) -> None:
    written = previewed(library, Terminal(replies(name, sixels=True))).written
    (found,) = re.findall(rb"\x1b\]1337;File=([^:]*):([^\x07]*)\x07", written)
    assert np.array_equal(png(found[1]), picture())
    assert b"width=12;height=4;" in found[0] and b"inline=1;" in found[0]
    assert f"size={len(base64.b64decode(found[1]))};".encode() in found[0]


def test_a_terminal_with_sixels_is_sent_the_colours_as_near_as_sixels_tell(library: Path) -> None:
    written = previewed(library, Terminal(replies("foot(1.20.2)", sixels=True))).written
    pixels = sixel_picture(written)
    assert pixels.shape == picture().shape
    assert np.abs(pixels.astype(int) - picture()).max() <= 3  # colours in hundredths, of 256


def test_any_other_terminal_shows_two_pixels_a_letter(library: Path) -> None:
    rows = half_block_colours(previewed(library, Terminal(replies())).written)
    colours = [[[pair[half] for pair in row] for half in (0, 1)] for row in rows]
    seen = [[each.split(";") for each in line] for pair in colours for line in pair]
    assert all(part[0] == "2" for line in seen for part in line)
    assert np.array_equal(np.array([[part[1:] for part in line] for line in seen], int), blocks())


def test_with_256_colours_the_nearest_of_those_no_theme_changes_is_taken(library: Path) -> None:
    ran = previewed(library, Terminal(replies()), COLORTERM="")
    steps = [0, 95, 135, 175, 215, 255]
    cube = [(r, g, b) for r in steps for g in steps for b in steps]
    palette = np.array([*cube, *((8 + 10 * grey,) * 3 for grey in range(24))])
    rows = half_block_colours(ran.written)
    seen = [[pair[half] for pair in row] for row in rows for half in (0, 1)]
    for line, wanted in zip(seen, blocks(), strict=True):
        for colour, pixel in zip(line, wanted, strict=True):
            kind, number = colour.split(";")
            away = ((palette - pixel) ** 2).sum(1)
            assert kind == "5" and away[int(number) - 16] == away.min()


def test_a_terminal_that_answers_nothing_gets_letters_and_is_not_waited_for_twice(
    library: Path,
) -> None:
    ran = previewed(library, Terminal({}))
    assert half_block_colours(ran.written)
    assert ran.written.startswith(b"\x1b[>q\x1b[c") and b"a=q" not in ran.written


def test_kitty_behind_tmux_shows_placeholders_that_tmux_moves_like_text(library: Path) -> None:
    answered = through_tmux(replies("kitty(0.35.2)", graphics=True))
    written = previewed(library, Terminal(answered)).written
    settings, pixels = kitty_picture(unwrapped(written))
    assert np.array_equal(pixels, picture())
    assert (settings["U"], settings["c"], settings["r"]) == ("1", "12", "4")
    number = int(settings["i"])
    for row in range(4):
        expected = f"\x1b[38;5;{number & 0xFF}m" + "".join(
            PLACEHOLDER + chr(MARKS[row]) + chr(MARKS[column]) + chr(MARKS[number >> 24])
            for column in range(12)
        )
        assert expected.encode() in written


def test_iterm2_and_sixels_behind_tmux_are_handed_on_once_tmux_has_drawn_the_text(
    library: Path,
) -> None:
    written = previewed(library, Terminal(through_tmux(replies("WezTerm 2025")))).written
    (found,) = re.findall(rb"\x1b\]1337;File=[^:]*:([^\x07]*)\x07", unwrapped(written))
    assert np.array_equal(png(found), picture())
    before = written[: written.index(b"\x1bPtmux;\x1b\x1b]1337")]
    assert before.endswith(b"A\r\x1b[c"), "it asks tmux something, and waits for the answer"
    written = previewed(library, Terminal(through_tmux(replies("foot", sixels=True)))).written
    assert sixel_picture(unwrapped(written)).shape == picture().shape


def test_a_tmux_that_hands_nothing_on_gets_letters(library: Path) -> None:
    assert half_block_colours(previewed(library, Terminal(through_tmux({}))).written)


@pytest.mark.skipif(shutil.which("tmux") is None, reason="there is no tmux here")
@pytest.mark.parametrize(
    ("name", "sign"), [("kitty(0.35.2)", b"\x1b_Ga=T,U=1"), ("WezTerm 2025", b"\x1b]1337;File=")]
)
def test_a_real_tmux_hands_pictures_on(
    library: Path, tmp_path: Path, name: str, sign: bytes
) -> None:
    (tmp_path / "conf").write_text("set -g allow-passthrough on\nset -g status off\n")
    command = [sys.executable, "-m", "imgsearch.cli", "--library", str(library), "random", "-p"]
    start = ["tmux", "-S", str(tmp_path / "socket"), "-f", str(tmp_path / "conf")]
    outer = Terminal(replies(name, graphics=name.startswith("kitty")))
    ran = outer.run([*start, "new-session", *command], {"SHELL": "/bin/sh"})
    assert sign in ran.written and b"allow-passthrough" not in ran.written
    if name.startswith("kitty"):
        assert np.array_equal(kitty_picture(ran.written)[1], picture())
        assert PLACEHOLDER.encode() in ran.written
    else:  # tmux has put the cursor where the picture belongs
        assert ran.written[: ran.written.index(sign)].endswith(b"\x1b[H")


@pytest.mark.parametrize(
    ("variables", "reason"),
    [({"NO_COLOR": "1"}, "NO_COLOR"), ({"TERM": "dumb"}, "TERM=dumb")],
)
def test_where_colours_are_unwanted_there_is_the_table_and_a_line_says_why(
    library: Path, variables: dict[str, str], reason: str
) -> None:
    code = "import sys; sys.stderr = sys.stdout; "
    command = [sys.executable, "-c", code + OURS, "--library", str(library), "random", "-p"]
    ran = Terminal(replies("kitty", graphics=True)).run(command, variables)
    assert b"no previews: " in ran.written and reason.encode() in ran.written
    assert b"blocks.png" in ran.written and b"\x1b[>q" not in ran.written


def in_a_pipe(library: Path, *words: str) -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, "-m", "imgsearch.cli", "--library", str(library), "random", *words]
    return subprocess.run(command, capture_output=True, env=environment())


def test_a_pipe_is_asked_nothing_and_gets_lines(library: Path) -> None:
    ran = in_a_pipe(library, "-p")
    assert ran.returncode == 0 and b"\x1b" not in ran.stdout
    assert b"no previews: stdout is no terminal" in ran.stderr


def test_a_protocol_that_is_named_is_written_even_to_a_pipe(library: Path) -> None:
    ran = in_a_pipe(library, "--preview-as", "sixel")
    assert sixel_picture(ran.stdout).shape == picture().shape
    wrong = in_a_pipe(library, "--preview-as", "gif")
    assert wrong.returncode == 2 and b"kitty, iterm2, sixel, half-blocks" in wrong.stderr


def test_the_variable_names_a_protocol_as_the_option_does(library: Path) -> None:
    ran = previewed(library, Terminal(replies()), IMGSEARCH_PREVIEW="kitty")
    assert np.array_equal(kitty_picture(ran.written)[1], picture())


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_broken_photo_is_a_line_and_the_next_one_is_shown(tmp_path: Path, protocol: str) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    Image.fromarray(picture()).save(tmp_path / "good.png")
    hits = [Hit(1, 0.5, 1, tmp_path / "broken.png"), Hit(2, 0.4, 2, tmp_path / "good.png")]
    screen = Screen(protocol, cell=CELL)  # type: ignore[arg-type]
    first, second = previews(hits, screen)
    assert b"no picture: it is not a picture" in first.text and not first.picture
    assert b"good.png" in second.text


def test_a_large_photo_keeps_its_shape_within_the_box(tmp_path: Path) -> None:
    for name, size, expected in (
        ("wide", (4000, 1000), (240, 60)),
        ("high", (500, 2000), (40, 160)),
        ("small", (30, 10), (30, 10)),
    ):
        Image.new("RGB", size, "teal").save(tmp_path / f"{name}.jpg")
        hits = [Hit(1, 0.5, 1, tmp_path / f"{name}.jpg")]
        (preview,) = previews(hits, Screen("kitty", 100, 40, CELL))
        height, width = kitty_picture(preview.picture)[1].shape[:2]
        assert (width, height) == expected


def test_text_beside_a_picture_is_no_wider_than_the_screen(tmp_path: Path) -> None:
    Image.fromarray(picture()).save(tmp_path / "a.png")
    hit = Hit(1, 0.5, 1, tmp_path / "a.png", "一只狗在海滩上奔跑" * 9, ("海滩",))
    for columns in (60, 100):
        (preview,) = previews([hit], Screen("sixel", columns, 40, CELL))
        lines = re.sub(r"\x1b\[[0-9;]*m", "", preview.text.decode()).splitlines()
        assert max(map(cell_len, lines)) <= columns
        assert "".join(line.strip() for line in lines).count("海滩") == 9


def test_a_control_code_in_a_name_or_caption_reaches_no_terminal(tmp_path: Path) -> None:
    hit = Hit(1, 0.5, 1, tmp_path / "a\x1b]0;owned\x07.png", "b\x1b[2Jc")
    (preview,) = previews([hit], Screen("half-blocks"))
    assert b"\x1b]0" not in preview.text and b"\x1b[2J" not in preview.text


def test_the_best_a_terminal_says_it_draws_is_chosen() -> None:
    plain, tmux = Replies(), Replies(name="tmux 3.5a")
    assert choose(plain) == ("half-blocks", False)
    assert choose(Replies("Konsole", has_kitty_graphics=True, has_sixels=True)) == ("kitty", False)
    assert choose(Replies("WezTerm", has_sixels=True)) == ("iterm2", False)
    assert choose(Replies("", has_sixels=True)) == ("sixel", False)
    assert choose(tmux, None) == ("half-blocks", False)
    assert choose(tmux, Replies("ghostty 1.2", has_kitty_graphics=True)) == ("kitty", True)
    assert choose(tmux, Replies("WezTerm", has_kitty_graphics=True)) == ("iterm2", True)
    own_sixels = Replies(name="tmux 3.5a", has_sixels=True)
    assert choose(own_sixels, Replies("foot", has_sixels=True)) == ("sixel", False)


def test_replies_are_read_among_what_a_person_typed() -> None:
    received = b"ls\x1b[A\x1bP>|kitty(0.35)\x1b\\x\x1b_Gi=31;OK\x1b\\\x1b[6;20;10t\x1b[?62;4;22cq"
    assert Replies.read(received) == Replies("kitty(0.35)", True, True, (10, 20))
    refused = b"\x1b_Gi=31;ENOTSUPPORTED\x1b\\\x1b[?64;1c"
    assert Replies.read(refused) == Replies()
