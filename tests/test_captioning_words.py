"""Words: sentences as a person writes them, vocabularies, GPT-2's byte pairs."""

import subprocess
import sys
from pathlib import Path

import pytest
from cn_clip import clip
from cn_clip.clip.bert_tokenizer import BasicTokenizer, FullTokenizer

from imgsearch.captioning.tokenizers import (
    BertVocabulary,
    BytePairs,
    sentence,
    write_vocabulary,
)
from imgsearch.errors import UsageError
from imgsearch.word_pieces import words
from small_captioners import byte_pairs


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ("a dog , run ##ning .", "a dog, running."),
        ("a man ' s hat , isn ' t it ?", "a man's hat, isn't it?"),
        ("two dogs ' toys .", "two dogs' toys."),
        ("a t - shirt and a well - lit room", "a t-shirt and a well-lit room"),
        ('a sign that says " stop " .', 'a sign that says "stop".'),
        ('" stop " and " go "', '"stop" and "go"'),
        ("a dog ( a terrier ) runs", "a dog (a terrier) runs"),
        ("at 10 : 30 , 1 , 000 people", "at 10:30, 1,000 people"),
        ("2 . 5 meters .", "2.5 meters."),
        ("black / white & red", "black/white & red"),
        ("50 % of it ; wow !", "50% of it; wow!"),
        ("a dog . a cat", "a dog. a cat"),
        ("一 只 狗 。", "一只狗。"),
        ("穿 着 t 恤 的 人", "穿着t恤的人"),
        ("一 个 iphone play ##ing 音 乐", "一个iphone playing音乐"),
        ("两 个 人 , 一 只 狗 。", "两个人,一只狗。"),
        ("“ 停 ” 和 “ 走 ”", "“停”和“走”"),
        ("3 个 人", "3个人"),
        ("a 狗 runs", "a狗runs"),
        ("", ""),
    ],
)
def test_a_sentence_is_spaced_as_a_person_does(tokens: str, expected: str) -> None:
    assert sentence(tokens.split()) == expected


def test_a_vocabulary_is_frequent_words_behind_the_special_ones(tmp_path: Path) -> None:
    texts = ["A dog, a Dog", "a dog 一只狗", "a dog T恤", "rare T恤", "T恤", "T恤"]
    write_vocabulary(texts, ["[EN]"], tmp_path / "vocab.txt")
    words = BertVocabulary(tmp_path / "vocab.txt")
    assert words.tokens[:6] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[EN]"]
    assert words.tokens[6:] == ["a", "dog", "t", "恤"]
    assert words.specials == (0, 1, 2, 3, 4, 5)
    assert words.decode(words.encode("a T恤")) == "a t恤"
    assert words.encode("a cat") == [words.id_of("a"), 1]
    assert words.decode([2, 6, 1, 7, 3, 0]) == "a dog"
    assert [words.written(each) for each in (3, 7)] == ["[SEP]", "dog"]
    assert words.decode([6, 10, 7, 4050]) == "a dog"  # a padded table has ids without words
    assert [words.written(each) for each in (10, 4050)] == ["[id 10]", "[id 4050]"]
    assert words.files == (tmp_path / "vocab.txt",)


def test_the_published_chinese_vocabulary_is_read_line_by_line() -> None:
    """One of its tokens is a line separator of Unicode: leaving it out moves all behind it."""
    words = BertVocabulary(Path(clip.__file__).with_name("vocab.txt"))
    assert words.size == 21128
    text = "一个人在海边playing"
    assert words.encode(text) == clip.tokenize(text)[0, 1 : 1 + len(words.encode(text))].tolist()
    assert words.decode(words.encode(text)) == text


@pytest.mark.parametrize(
    "text", ["Où est ΑΣ, \u2028o'clock?", "金鱼 playing—football\x00s", "İ" * 201]
)
def test_sentences_are_cut_as_the_package_cuts_them(text: str) -> None:
    file = Path(clip.__file__).with_name("vocab.txt")
    theirs = FullTokenizer(str(file))
    expected = theirs.convert_tokens_to_ids(theirs.tokenize(text))
    assert BertVocabulary(file).encode(text) == expected
    assert list(words(text)) == BasicTokenizer().tokenize(text)


def test_sentences_are_read_and_written_without_cn_clip(tmp_path: Path) -> None:
    """It brings torchvision along, which takes longer to import than a photo to caption."""
    write_vocabulary(["a dog"] * 4, [], tmp_path / "vocab.txt")
    script = (
        "import sys; from pathlib import Path\n"
        "from imgsearch.captioning.tokenizers import BertVocabulary\n"
        "words = BertVocabulary(Path(sys.argv[1]))\n"
        "print(words.decode(words.encode('A dog')))\n"
        "assert not {'torchvision', 'cn_clip'} & sys.modules.keys(), 'loaded'"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "vocab.txt"], capture_output=True, check=True
    )
    assert done.stdout.split() == [b"a", b"dog"]


def test_a_file_that_is_no_vocabulary_says_so(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("a\nb\n", "utf-8")
    with pytest.raises(UsageError, match=r"has no \[SEP\] and no \[UNK\]"):
        BertVocabulary(tmp_path / "words.txt")
    with pytest.raises(UsageError, match="cannot be read"):
        BertVocabulary(tmp_path / "nothing.txt")


def test_byte_pairs_say_what_gpt2_says(tmp_path: Path) -> None:
    byte_pairs(tmp_path / "tokenizer.json")
    words = BytePairs(tmp_path)
    assert words.size == 97
    assert (words.id_of("!"), words.id_of("."), words.id_of("<|endoftext|>")) == (0, 13, 96)
    ids = words.encode("a dog.")
    assert words.decode([*ids, 96]) == "a dog."
    assert [words.written(each) for each in (ids[1], 96)] == [" dog", "<|endoftext|>"]
    assert words.decode([*ids, 97, 4050]) == "a dog."  # a padded table has ids without words
    assert [words.written(each) for each in (97, 4050)] == ["[id 97]", "[id 4050]"]
    assert words.files == (tmp_path / "tokenizer.json",)


def test_a_folder_without_byte_pairs_says_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"it needs tokenizer\.json, or vocab\.json and merges"):
        BytePairs(tmp_path)
