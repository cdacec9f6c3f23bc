"""Chinese-CLIP's files: `{split}_imgs.tsv`, a picture's id and its base64, and
`{split}_texts.jsonl`, a text and the ids of the pictures it is about.

A split goes in, captioned photos come out. The pictures stay in the file: the pass over it keeps an
id and a place for each. A split is also a benchmark: its ids are kept, and so are its pictures that
no text is about, since recall is counted among all of them. All its texts are in one language, or
the queries of a Chinese benchmark that are a brand in Latin letters would not be asked.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

from imgsearch.errors import UsageError
from imgsearch.pairs.hidden import is_hidden
from imgsearch.pairs.photos import Described, Found, Ids, Unpaired
from imgsearch.pairs.pictures import Base64Text, Picture
from imgsearch.pairs.texts import json_object, numbered_lines
from imgsearch.prompts import language_of

IMAGES, TEXTS = "_imgs.tsv", "_texts.jsonl"
Sentences: TypeAlias = dict[str, list[tuple[str, str]]]  # picture -> (text id, text)
TEXT_SHAPE = '{"text_id": 1, "text": "...", "image_ids": [1, 2]}'


def split_of(path: Path) -> Path | None:
    """The stem two files of a split share (`folder/train`), None for a file of another name."""
    for end in (IMAGES, TEXTS):
        if path.name.endswith(end):
            return path.with_name(path.name.removesuffix(end))
    return None


def splits_in(folder: Path) -> list[Path]:
    """The splits of which a folder has both files."""
    files = (file for file in sorted(folder.glob(f"*{TEXTS}")) if not is_hidden(file.name))
    stems = (found for file in files if (found := split_of(file)))
    return [stem for stem in stems if _beside(stem, IMAGES).is_file()]


def read_split(stem: Path) -> Found:
    """The photos of a split. Raises UsageError naming file and line for what is no such line."""
    images, texts = _beside(stem, IMAGES), _beside(stem, TEXTS)
    for file, other in ((images, texts), (texts, images)):
        if not file.is_file():
            raise UsageError(f"{file} does not exist: it belongs to {other}; put them side by side")
    pictures = _pictures(images)
    sentences: Sentences = {}
    lonely = 0
    for place, line in numbered_lines(texts):
        text_id, text, image_ids = _text(line, f"{texts}, line {place}")
        known = [each for each in image_ids if each in pictures]
        if not text.strip() or not known:
            lonely += 1
            continue
        for each in known:
            sentences.setdefault(each, []).append((text_id or f"line {place}", text))
    return captioned(str(texts), pictures, sentences, lonely)


def captioned(
    source: str, pictures: Mapping[str, Picture], sentences: Sentences, lonely: int
) -> Found:
    """Photos of the pictures that have sentences, none of them blank; `lonely` texts have no
    picture.

    The sentences are Chinese as soon as one of them is.
    """
    texts = (text for each in sentences.values() for _, text in each)
    language = "zh" if any(language_of(text) == "zh" for text in texts) else "en"
    with_text = [key for key in pictures if key in sentences]
    without = [key for key in pictures if key not in sentences]
    photo_numbers = _numbers(pictures)
    text_numbers = _numbers(text_id for each in sentences.values() for text_id, _ in each)
    return Found(
        source,
        tuple(
            Described(pictures[key], {language: tuple(text.strip() for _, text in sentences[key])})
            for key in with_text
        ),
        Unpaired(len(without), lonely),
        tuple(pictures[key] for key in without),
        Ids(
            tuple(photo_numbers[key] for key in [*with_text, *without]),
            tuple(
                {language: tuple(text_numbers[text_id] for text_id, _ in sentences[key])}
                for key in with_text
            ),
        ),
    )


def _numbers(ids: Iterable[str]) -> dict[str, int]:
    """Each id as the integer it is; where one is none, all of them by their order, from 0."""
    distinct = list(dict.fromkeys(ids))
    if all(each.removeprefix("-").isdecimal() for each in distinct):
        numbers = [int(each) for each in distinct]
        if len(set(numbers)) == len(distinct):
            return dict(zip(distinct, numbers, strict=True))
    return {each: number for number, each in enumerate(distinct)}


def _beside(stem: Path, end: str) -> Path:
    return stem.with_name(stem.name + end)


def _pictures(path: Path) -> dict[str, Picture]:
    pictures: dict[str, Picture] = {}
    offset = 0
    with open(path, "rb") as lines:
        for place, line in enumerate(lines, start=1):
            key, tab, text = line.rstrip(b"\r\n").partition(b"\t")
            if line.strip():
                if not tab or not text or b"\t" in text:
                    raise UsageError(
                        f"{path}, line {place} is no id, a tab and a picture in base64"
                    )
                name = key.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
                pictures[name] = Base64Text(path, offset + len(key) + 1, len(text))
            offset += len(line)
    return pictures


def _text(line: str, where: str) -> tuple[str, str, list[str]]:
    row = json_object(line, where, TEXT_SHAPE)
    text, image_ids = row.get("text"), row.get("image_ids")
    if (
        not isinstance(text, str)
        or not isinstance(image_ids, list)
        or not all(isinstance(each, str | int) for each in image_ids)
    ):
        raise UsageError(f"{where} has no text and image_ids: expected {TEXT_SHAPE}")
    text_id = row.get("text_id", "")
    return str(text_id), text, list(dict.fromkeys(map(str, image_ids)))
