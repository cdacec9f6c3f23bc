"""Tokenizers give the ids of the packages they stand for, and load none of them.

The packages are the oracle, over texts drawn from all that people and files contain.
"""

import gzip
import html
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import cn_clip.clip
import ftfy
import numpy as np
import open_clip
import pytest
from cn_clip.training.data import _preprocess_text
from open_clip.tokenizer import HFTokenizer, SimpleTokenizer

from imgsearch.encoders import tokenizers
from imgsearch.encoders.tokenizers import cleaning, padded
from imgsearch.encoders.tokenizers.byte_pairs import BytePairs
from imgsearch.encoders.tokenizers.hugging_face import FromFolder
from imgsearch.encoders.tokenizers.word_pieces import WordPieces
from imgsearch.errors import QueryError, UsageError
from small_encoders import hugging_face_folder

RANGES = [
    (0x20, 0x7E),
    (0x61, 0x7A),
    (0x00, 0xFF),
    (0x100, 0x6FF),  # accents, Greek, Cyrillic, Hebrew, Arabic
    (0x2000, 0x2BFF),  # punctuation, signs, arrows
    (0x3000, 0x30FF),
    (0x4E00, 0x9FA5),
    (0xAC00, 0xD7A3),
    (0xD800, 0xDFFF),  # halves of characters
    (0xE000, 0xFFFF),  # private use, compatibility, full width
    (0x1F300, 0x1FAFF),
    (0x20000, 0x2FFFF),
    (0x0, 0x10FFFF),
]
BITS = [
    *("&amp;", "&lt;b&gt;", "&EACUTE;", "&#x2019;", "&amp;amp;", "&nbsp;", "&hellip", "<b>"),
    *("<start_of_text>", "<END_OF_TEXT>", "'s", "'LL", "don't", "’s", "“金鱼”", "[MASK]", "##ing"),
    *("Ã©", "â€™", "ＡＢＣ", "İ", "ſ", "K", "Σς", "ß", "é", "ﬁ", "👩‍👩‍👧", "½", "Ⅷ", "１２"),
    *("a photo of a dog", "一只在海滩上奔跑的狗", "T恤", "，", "3.14", "x" * 210, "ab" * 60),
    *("\t", "\r\n", "\n", "\0", "\x1b[31m", "\x1c", "\x85", "\u2028", "\ufeff", "___", "-"),
]


def drawn_texts(count: int) -> list[str]:
    """Texts of every script, half of them of one or two alphabets; the empty one is among them."""
    draw = random.Random(7)
    texts = [""]
    while len(texts) < count:
        alphabets = draw.choices(RANGES, k=draw.randint(1, 3))
        parts = [
            draw.choice(BITS)
            if draw.random() < 0.3
            else "".join(
                chr(draw.randint(*draw.choice(alphabets))) for _ in range(draw.randint(1, 6))
            )
            for _ in range(draw.randint(1, 12))
        ]
        texts.append(draw.choice(["", " "]).join(parts))
    return texts


@pytest.mark.parametrize("clean", ["lower", "whitespace", "canonicalize"])
def test_byte_pairs_are_the_packages_on_any_text(clean: str) -> None:
    mine = BytePairs({"tokenizer_kwargs": {"clean": clean}})
    theirs = SimpleTokenizer(clean=clean)
    for text in drawn_texts(300):
        expected = (theirs.sot_token_id, *theirs.encode(text), theirs.eot_token_id)
        assert mine.ids(text) == expected, ascii(text)


def test_further_special_tokens_are_the_packages() -> None:
    text_config = {
        "vocab_size": 49410,
        "tokenizer_kwargs": {"additional_special_tokens": ["<mask>", "<two words>"]},
    }
    mine = BytePairs(text_config)
    theirs = SimpleTokenizer(additional_special_tokens=["<mask>", "<two words>"])
    for text in ("a <mask> on a mask", "<two words>", "Ein <MASK> für <start_of_text>"):
        assert mine.ids(text)[1:-1] == tuple(theirs.encode(text))
    assert 49408 in mine.ids("a <mask>")


@pytest.mark.parametrize(
    "lines",
    [
        "#version: 0.2",
        "#version: 0.2\na t</w>\nc at</w>\n",
        "#version: 0.2\r\na t</w>\r\nc  at</w>\r\na b c\r\n",
        "t\nb c\na b\na bc\nab c\nabc d</w>",  # one piece made in two ways
    ],
)
def test_any_file_of_merges_is_read_as_the_package_reads_it(lines: str, tmp_path: Path) -> None:
    path = tmp_path / "bpe.gz"
    path.write_bytes(gzip.compress(lines.encode()))
    mine, theirs = BytePairs({}, path), SimpleTokenizer(bpe_path=str(path))
    for text in ("a cat sat", "abcd abc bcd ab", "bcbc 金鱼"):
        expected = (theirs.sot_token_id, *theirs.encode(text), theirs.eot_token_id)
        assert mine.ids(text) == expected


def test_a_plain_text_is_one_that_mending_leaves_alone() -> None:
    texts = [text for text in drawn_texts(3000) if cleaning.is_plain(text)]
    texts += [chr(code) * 2 for code in range(0x3000, 0xA000) if cleaning.is_plain(chr(code))]
    assert len(texts) > 20_000
    for text in ("".join(texts[start : start + 50]) for start in range(0, len(texts), 50)):
        assert html.unescape(ftfy.fix_text(text)) == text
    assert not any(map(cleaning.is_plain, ("café", "a &amp; b", "a\tb", "\x1b[0m", "金，鱼")))


def test_word_pieces_are_the_packages_behind_its_training_preprocessing() -> None:
    mine, theirs = WordPieces(), cn_clip.clip._tokenizer
    for text in drawn_texts(600):
        expected = theirs.convert_tokens_to_ids(theirs.tokenize(_preprocess_text(text)))
        assert mine.ids(text) == (101, *expected, 102), ascii(text)


HUGGING_FACE: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"tokenizer_kwargs": {"clean": "canonicalize", "strip_sep_token": True}}, {}),
    ({"tokenizer_mode": "clips"}, {}),
    ({}, {"padding_side": "left"}),
]


@pytest.mark.parametrize(("text_config", "options"), HUGGING_FACE)
def test_a_hugging_face_tokenizer_is_the_packages_and_stays_so_when_saved(
    text_config: dict[str, Any], options: dict[str, Any], tmp_path: Path
) -> None:
    pytest.importorskip("transformers")
    folder = hugging_face_folder(tmp_path / "found", **options)
    (tmp_path / "saved").mkdir()
    theirs = HFTokenizer(
        str(folder),
        context_length=12,
        tokenizer_mode=text_config.get("tokenizer_mode"),
        **text_config.get("tokenizer_kwargs", {}),
    )
    mine = FromFolder.read({"context_length": 12, **text_config}, folder)
    saved = tokenizers.load(mine.save(tmp_path / "saved"), tmp_path / "saved")
    texts = ["a dog", "Dogs_cats  a &amp; b", "", "金 金\n. café"]
    for tokenizer in (mine, saved):
        rows = tokenizer.rows(texts)
        assert np.array_equal(padded(rows, 12, tokenizer.padding), theirs(texts))
    long = "a dog " * 9
    assert mine.length(long) == saved.length(long) > 12
    with pytest.raises(QueryError, match="reads at most 12"):
        saved.rows([long])


def test_saved_tokenizers_give_the_same_ids(tmp_path: Path) -> None:
    bpe = tmp_path / "bpe.txt.gz"
    bpe.write_bytes(gzip.compress(b"#version: 0.2\na t</w>\nc at</w>"))
    small: dict[str, Any] = {"context_length": 20, "vocab_size": 516}
    for place, tokenizer in enumerate(
        (BytePairs({}), BytePairs(small, bpe, han=True), WordPieces())
    ):
        folder = tmp_path / str(place)
        folder.mkdir()
        again = tokenizers.load(tokenizer.save(folder), folder)
        assert again.context == tokenizer.context
        for text in ("A cat, 金鱼", "café"):
            assert again.ids(text) == tokenizer.ids(text)


def test_what_cannot_be_used_says_why(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="reduction_mask"):
        BytePairs({"tokenizer_kwargs": {"reduction_mask": "simple"}})
    with pytest.raises(UsageError, match="'upper'; give one of lower"):
        BytePairs({"tokenizer_kwargs": {"clean": "upper"}})
    (tmp_path / "vocab.txt").write_text("a\nb\n", "utf-8")
    with pytest.raises(UsageError, match=r"no \[CLS\] and no \[SEP\]"):
        WordPieces(tmp_path / "vocab.txt")
    with pytest.raises(UsageError, match="cannot be read"):
        WordPieces(tmp_path / "gone.txt")
    with pytest.raises(UsageError, match="the kind 'bytes'"):
        tokenizers.load({"kind": "bytes"}, tmp_path)


def test_reading_a_plain_text_loads_no_package() -> None:
    code = """
import sys
from imgsearch.encoders.tokenizers import byte_pairs, hugging_face, word_pieces
import imgsearch.encoders.pixels
byte_pairs.BytePairs({}).rows(["a dog", "金鱼"])
word_pieces.WordPieces().rows(["金鱼，café"])
heavy = {"torch", "torchvision", "open_clip", "cn_clip", "transformers", "ftfy", "regex"}
assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_published_merges_are_the_packages_file() -> None:
    assert str(BytePairs({}).merges) == open_clip.tokenizer.default_bpe()
