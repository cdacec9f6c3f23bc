"""Flickr's and Flickr30k-CN's lists: an id, a tab, a caption."""

from pathlib import Path

import pytest

from conftest import draw
from imgsearch.errors import UsageError
from imgsearch.pairs import CaptionedPhotos, Unpaired, read_pairs


def captions(*paths: Path) -> tuple[dict[str, dict[str, tuple[str, ...]]], Unpaired]:
    """Picture name -> captions, and what was left over."""
    pairs = read_pairs(paths)
    assert isinstance(pairs, CaptionedPhotos)
    names = [picture.name for picture in pairs.pictures if isinstance(picture, Path)]
    return dict(zip(names, map(dict, pairs.captions), strict=True)), pairs.unpaired


@pytest.fixture
def flickr(tmp_path: Path) -> Path:
    """A folder with two pictures in flickr30k-images."""
    for name in ("1000092795.jpg", "10002456.jpg"):
        draw(tmp_path / "flickr30k" / "flickr30k-images" / name, "red")
    return tmp_path / "flickr30k"


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_flickrs_token_list_gives_every_numbered_caption(ends: str, flickr: Path) -> None:
    lines = [
        "1000092795.jpg#0\tTwo young guys , one shaggy , look at their hands .",
        '1000092795.jpg#1\t" Two " men\u2028outside .',
        "10002456.jpg#0\tSeveral men in hard hats .",
        "10002456.jpg#1\t",
        "2258277193_586949ec62.jpg.1#0\tpeople wait",
    ]
    table = flickr / "results_20130124.token"
    table.write_bytes((ends.join(lines) + ends).encode())
    expected = {
        "1000092795.jpg": {
            "en": (
                "Two young guys , one shaggy , look at their hands .",
                '" Two " men outside .',
            )
        },
        "10002456.jpg": {"en": ("Several men in hard hats .",)},
    }
    assert captions(table) == (expected, Unpaired(texts=2))
    assert captions(flickr) == (expected, Unpaired(texts=2)), "the folder will do"


def test_flickr8ks_files_are_told_apart_in_their_folder(flickr: Path) -> None:
    for name in ("Flickr8k.token.txt", "Flickr8k.lemma.token.txt"):
        (flickr / name).write_text("10002456.jpg#0\tA man .\n", "utf-8")
    (flickr / "readme.txt").write_text("Read me.\n\nThis is\ta readme.\n", "utf-8")
    (flickr / "Flickr_8k.trainImages.txt").write_text("10002456.jpg\n", "utf-8")
    with pytest.raises(
        UsageError, match=r"several sets: give one of .*lemma.token.txt, .*8k\.token"
    ):
        read_pairs([flickr])
    for given in ([flickr / "Flickr8k.token.txt"], [flickr / "Flickr8k.token.txt", flickr]):
        found, _ = captions(*given)
        assert found == {"10002456.jpg": {"en": ("A man .",)}}


def test_flickr8ks_captions_file_has_a_header(flickr: Path) -> None:
    table = flickr / "captions.txt"
    table.write_text("image,caption\n10002456.jpg,A man , a dog .\n", "utf-8")
    expected = ({"10002456.jpg": {"en": ("A man , a dog .",)}}, Unpaired(pictures=1))
    assert captions(table) == expected
    assert captions(flickr) == expected


def test_a_list_in_a_folder_of_its_own_finds_the_pictures_next_door(flickr: Path) -> None:
    table = flickr / "text" / "results.token"
    table.parent.mkdir()
    table.write_text("10002456.jpg#0\tA man .\n", "utf-8")
    assert captions(table)[0] == {"10002456.jpg": {"en": ("A man .",)}}


def test_a_list_far_from_its_pictures_takes_their_folder_beside_it(
    flickr: Path, tmp_path: Path
) -> None:
    table = tmp_path / "far" / "away" / "results.token"
    table.parent.mkdir(parents=True)
    table.write_text("10002456.jpg#0\tA man .\n", "utf-8")
    with pytest.raises(UsageError, match=r"0 pictures without text, 1 texts without picture"):
        read_pairs([table])
    for given in (flickr, flickr / "flickr30k-images"):
        assert captions(table, given) == (
            {"10002456.jpg": {"en": ("A man .",)}},
            Unpaired(pictures=1),
        )


@pytest.mark.parametrize("form", ["10002456", "10002456.jpg", "10002456.jpg#3", "10002456#zh#3"])
@pytest.mark.parametrize(
    ("written", "caption"),
    [
        ("一群男人戴着安全帽。", "一群男人戴着安全帽。"),
        ("一群 男人 戴 着 安全帽 。", "一群男人戴着安全帽。"),
        ("一群:m 男人:n 戴:v 着:uz 安全帽:n 。:w", "一群男人戴着安全帽。"),
        ("男人:NN 穿:VV 着:AS T恤:NN 和:CC Red:NR Sox:NR 帽子:NN", "男人穿着T恤和Red Sox帽子"),
        ("2 个 男人 ， 在 NBA Finals", "2个男人，在NBA Finals"),
        ("10:30 的 火车", "10:30的火车"),
    ],
)
def test_flickr30k_cn_is_put_together_as_it_is_written(
    form: str, written: str, caption: str, flickr: Path
) -> None:
    table = flickr / "flickr30k_cn_test.txt"
    table.write_text(f"{form}\t{written}\n", "utf-8")
    assert captions(table) == ({"10002456.jpg": {"zh": (caption,)}}, Unpaired(pictures=1))


def test_one_untagged_line_does_not_leave_the_tags_of_the_others(flickr: Path) -> None:
    table = flickr / "test.txt"
    lines = ["10002456#0\t人:n 走路:v"] * 19 + ["10002456#19\t人 走路:v"]
    table.write_text("\n".join(lines), "utf-8")
    found, _ = captions(table)
    assert found == {"10002456.jpg": {"zh": ("人走路",) * 20}}


def test_flickr8k_cns_space_for_a_tab_is_read(flickr: Path) -> None:
    table = flickr / "flickr8kzhc.caption.txt"
    table.write_text("10002456.jpg#zhc#0 一个 男人\n10002456.jpg#zhc#1 一只狗\n", "utf-8")
    assert captions(table)[0] == {"10002456.jpg": {"zh": ("一个男人", "一只狗")}}


@pytest.mark.parametrize("between", ["\t", "#0\t", "#zhc#0\t", "#0 ", "#zhc#0 "])
@pytest.mark.parametrize("name", ["IMG#1.jpg", "IMG #1.jpg", "x#ab.jpg", "c#", "#3.jpg"])
def test_a_file_may_have_a_hash_in_its_name(name: str, between: str, flickr: Path) -> None:
    file = name if name.endswith(".jpg") else f"{name}.jpg"
    draw(flickr / "flickr30k-images" / file, "red")
    table = flickr / "results.token"
    table.write_text(f"{name}{between}a #1 dog\n", "utf-8")
    assert captions(table)[0] == {file: {"en": ("a #1 dog",)}}


def test_a_line_without_a_caption_is_named(flickr: Path) -> None:
    table = flickr / "results.token"
    table.write_text("10002456.jpg#0\tA man .\n" * 30 + "10002456.jpg\n", "utf-8")
    with pytest.raises(UsageError, match=r"results\.token, line 31 is no id, a tab and a caption"):
        read_pairs([table])
