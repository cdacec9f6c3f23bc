"""The vocabulary learnt from texts, against counting all over again for every merge."""

from itertools import pairwise
from pathlib import Path

from open_clip.tokenizer import bytes_to_unicode

from imgsearch.training.vocabulary import learn_merges, learn_vocabulary


def test_merges_are_those_that_counting_all_over_again_gives() -> None:
    texts = ["banana bandana band", "anagram banana", "aaa aaaa aa", "狗狗 狗"] * 2
    expected = []
    words = [[*map(ascii_letter, word.encode())] for text in texts for word in text.split()]
    for word in words:
        word[-1] += "</w>"
    while True:
        counts: dict[tuple[str, str], int] = {}
        for word in words:
            for pair in pairwise(word):
                counts[pair] = counts.get(pair, 0) + 1
        if not counts or max(counts.values()) < 2:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        expected.append(best)
        for word in words:
            index = 0
            while index < len(word) - 1:
                if (word[index], word[index + 1]) == best:
                    word[index : index + 2] = ["".join(best)]
                index += 1
    assert len(expected) > 15
    assert learn_merges(texts, most=1000) == expected


def ascii_letter(byte: int) -> str:
    letter: str = bytes_to_unicode()[byte]
    return letter


def test_a_vocabulary_of_the_same_texts_is_kept_and_one_of_others_replaced(
    tmp_path: Path,
) -> None:
    path = tmp_path / "bpe.txt.gz"
    first = learn_vocabulary(["a red cat"] * 5, path)
    written = path.stat().st_mtime_ns
    assert learn_vocabulary(["a red cat"] * 5, path).size == first.size
    assert path.stat().st_mtime_ns == written
    other = learn_vocabulary(["a dog"] * 5, path)
    assert other.size != first.size
    path.write_bytes(b"cut off")
    assert learn_vocabulary(["a dog"] * 5, path).tokenize("dog") == other.tokenize("dog")
    assert [file.name for file in tmp_path.iterdir()] == ["bpe.txt.gz"]
