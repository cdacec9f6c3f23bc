"""Lists without a header, a picture's id and a caption a line: Flickr's and Flickr30k-CN's.

A file goes in, rows come out. The id is a file's name, with or without its ending, and may carry
the number of the caption behind its last `#`. Chinese lists are cut into words, some with each
word's part of speech (`word:pos`); the words are put together again as they are written.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from imgsearch.errors import UsageError
from imgsearch.pairs.places import normal
from imgsearch.pairs.rows import Row
from imgsearch.pairs.texts import numbered_lines
from imgsearch.prompts import language_of

LOOKED_AT = 20  # lines that decide whether a file is such a list
TAGGED_SHARE = 0.9  # of the lines: a stray line does not make a tagged file a plain one

_NUMBER = r"(?:#[a-z]{2,4})?#\d+"  # #0 or #zhc#0; any other # is the file name's own
_LINE = re.compile(rf"(?P<name>[^\t]+?)(?:{_NUMBER})?\t(?P<caption>.*)")
_SPACED = re.compile(rf"(?P<name>\S[^\t]*?){_NUMBER} +(?P<caption>.*)")
_TAGGED = re.compile(r"(.+):[A-Za-z]+")


def is_caption_list(lines: Sequence[str]) -> bool:
    """Whether the first lines of a file all are an id and a caption."""
    some = [line for line in lines if line.strip()][:LOOKED_AT]
    return bool(some) and all(map(_match, some))


def listed_names(lines: Iterable[str]) -> set[str]:
    """The pictures that lines name, as far as they name any."""
    return {normal(found["name"]) for line in lines if (found := _match(line))}


def caption_rows(path: Path) -> list[Row]:
    """The rows of such a list. Raises UsageError naming file and line for one of another shape."""
    found = []
    for place, line in numbered_lines(path):
        match = _match(line)
        if match is None:
            raise UsageError(f"{path}, line {place} is no id, a tab and a caption: {line[:60]!r}")
        found.append((place, normal(match["name"]), match["caption"].strip()))
    filled = [caption.split() for _, _, caption in found if caption]
    tagged = sum(all(map(_TAGGED.fullmatch, words)) for words in filled)
    is_tagged = bool(filled) and tagged >= TAGGED_SHARE * len(filled)
    return [Row(name, written(caption, is_tagged), place) for place, name, caption in found]


def written(caption: str, is_tagged: bool) -> str:
    """A caption as it is written: Chinese without the spaces between its words, no word's tag."""
    words = caption.split()
    if is_tagged:
        words = [match[1] if (match := _TAGGED.fullmatch(word)) else word for word in words]
    elif language_of(caption) != "zh":
        return caption
    text = ""
    for word in words:
        is_han = not text or language_of(text[-1] + word[0]) == "zh"
        text += word if is_han else f" {word}"
    return text


def _match(line: str) -> re.Match[str] | None:
    return _LINE.fullmatch(line) or _SPACED.fullmatch(line)
