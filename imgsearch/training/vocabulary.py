"""A byte-pair vocabulary learnt from one's own texts, in the file format of CLIP's tokenizer.

In: texts. Out: merges, written as the gzip file that `open_clip.SimpleTokenizer(bpe_path=...)`
reads, so the tokenizer itself stays the published one. Bytes are the alphabet, so any text in any
script can be encoded. Han characters are spaced first: each becomes a word of its own and a name
seen in training is found again inside any sentence.
"""

import gzip
import hashlib
import heapq
import os
import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path

from open_clip.tokenizer import SimpleTokenizer, bytes_to_unicode

from imgsearch import prompts

Merge = tuple[str, str]
FIRST_LINE = "#version: 0.2"
WORDS = re.compile(r"[^\W\d_]+")
MERGELESS = (
    514  # the ids before any merge: 256 bytes, each inside and at the end of a word, and two
)


class Vocabulary:
    """Merges in a file, as what turns a text into token ids; `size` counts the ids."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._tokenizer = SimpleTokenizer(bpe_path=str(path))
        self.size: int = self._tokenizer.vocab_size

    def tokenize(self, text: str) -> list[int]:
        """The ids of a text, Han characters apart, between those of start and end."""
        ids = self._tokenizer.encode(prompts.space_han(text))
        return [self._tokenizer.sot_token_id, *ids, self._tokenizer.eot_token_id]


def learn_vocabulary(texts: Iterable[str], path: Path, most: int = 6000) -> Vocabulary:
    """Learn merges from texts, write them to `path`, and read them as a vocabulary.

    A pair that occurs fewer than three times is left as it is. A file that was learnt from these
    very texts is kept as it is: learning again would take a while and give the same.
    """
    texts = list(texts)
    digest = hashlib.sha256(f"{most}".encode())
    for text in texts:
        digest.update(hashlib.sha256(text.encode()).digest())
    origin = digest.hexdigest()
    if not path.exists() or _origin(path) != origin:
        spaced = (prompts.space_han(text) for text in texts)
        save_merges(learn_merges(spaced, most, least_count=3), path, origin)
    return Vocabulary(path)


def learn_merges(texts: Iterable[str], most: int, least_count: int = 2) -> list[Merge]:
    """The byte-pair merges of Sennrich et al. 2016, most frequent first; ties go to the smaller
    pair.

    texts should have passed through the same cleaning as at encoding time (lower case, Han spaced).
    Stops after `most` merges or when the best pair occurs fewer than `least_count` times.
    """
    letters = bytes_to_unicode()
    counts = Counter(word for text in texts for word in WORDS.findall(text.lower()))
    words = []
    for word, count in sorted(counts.items()):
        symbols = [letters[byte] for byte in word.encode()]
        symbols[-1] += "</w>"
        words.append((symbols, count))
    pairs: Counter[Merge] = Counter()
    holders: defaultdict[Merge, set[int]] = defaultdict(set)
    for index, (symbols, count) in enumerate(words):
        for pair in pairwise(symbols):
            pairs[pair] += count
            holders[pair].add(index)
    queue = [(-count, pair) for pair, count in pairs.items()]
    heapq.heapify(queue)
    merges: list[Merge] = []
    while len(merges) < most:
        best = _most_frequent(queue, pairs)
        if best is None or pairs[best] < least_count:
            break
        merges.append(best)
        touched = set()
        for index in list(holders[best]):
            symbols, count = words[index]
            for pair in pairwise(symbols):
                pairs[pair] -= count
                holders[pair].discard(index)
                touched.add(pair)
            symbols[:] = _merged(symbols, best)
            for pair in pairwise(symbols):
                pairs[pair] += count
                holders[pair].add(index)
                touched.add(pair)
        for pair in touched - {best}:
            heapq.heappush(queue, (-pairs[pair], pair))
    return merges


def _most_frequent(queue: list[tuple[int, Merge]], pairs: Mapping[Merge, int]) -> Merge | None:
    """The pair at the head of the queue, past those that were counted again since."""
    while queue:
        count, pair = heapq.heappop(queue)
        if -count == pairs[pair]:
            return pair
    return None


def save_merges(merges: Iterable[Merge], path: Path, origin: str = "") -> None:
    """Write the gzip file that `open_clip.SimpleTokenizer(bpe_path=path)` reads; same merges, same
    bytes.

    `origin` goes into its first line, which no tokenizer reads. The file is whole at any moment, as
    several processes of a run may write it at once.
    """
    lines = [f"{FIRST_LINE} {origin}".rstrip(), *(" ".join(merge) for merge in merges)]
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    unfinished.write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))
    unfinished.replace(path)


def _origin(path: Path) -> str:
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            return file.readline().strip().removeprefix(FIRST_LINE).strip()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError):
        return ""  # no vocabulary at all: it is learnt anew


def _merged(symbols: list[str], pair: Merge) -> list[str]:
    merged: list[str] = []
    index = 0
    while index < len(symbols):
        if tuple(symbols[index : index + 2]) == pair:
            merged.append(symbols[index] + symbols[index + 1])
            index += 2
        else:
            merged.append(symbols[index])
            index += 1
    return merged
