"""The text beside one picture: a `.txt`, a `.json` or a `.cls` of the same stem.

Bytes go in; sentences per language and a label come out. A `.json` that says a caption (what
img2dataset writes, with the address, size and state of the download around it) is that caption;
one that lists sentences per language is those sentences.
"""

import posixpath
from collections.abc import Mapping
from pathlib import Path

from imgsearch.pairs.texts import as_text, by_language, bytes_of, json_object
from imgsearch.prompts import LANGUAGES

ENDINGS = (".json", ".txt", ".cls")
SENTENCES_SHAPE = "{language: [sentences]}"
CAPTION_KEYS = ("caption", "captions", "text", "texts", "sentence", "sentences", "title", "comment")
LABEL_KEYS = ("label", "class")

Captions = Mapping[str, tuple[str, ...]]


def described_by(sidecars: Mapping[str, tuple[str, bytes]]) -> tuple[Captions, str | None]:
    """Sentences per language and the label that the sidecars of one picture give.

    `sidecars` maps an ending to the file's name, for messages, and its bytes. Where both a `.json`
    and a `.txt` are there, a `.json` that says a caption or lists sentences in a known language
    wins, then the `.txt`, then whatever lists the `.json` has. Raises UsageError naming a sidecar
    that does not read.
    """
    captions: Captions = {}
    others: Captions = {}
    label = None
    if ".json" in sidecars:
        name, content = sidecars[".json"]
        document = json_object(content, name, SENTENCES_SHAPE)
        captions, others = _sentences(document)
        label = next((text for key in LABEL_KEYS if (text := _label(document.get(key)))), None)
    if not captions and ".txt" in sidecars:
        name, content = sidecars[".txt"]
        captions = by_language(as_text(content, name).splitlines())
    if ".cls" in sidecars:
        name, content = sidecars[".cls"]
        label = as_text(content, name).strip() or label
    return captions or others, label


def read_beside(paths: Mapping[str, Path]) -> tuple[Captions, str | None]:
    """As `described_by`, from files: `paths` maps an ending to the sidecar's path."""
    return described_by({ending: (str(path), bytes_of(path)) for ending, path in paths.items()})


def ending(name: str) -> str:
    """The last suffix of a file's name, in small letters."""
    return posixpath.splitext(name)[1].lower()


def stem(name: str) -> str:
    """A name without its last suffix, folders kept: what a picture and its sidecar share."""
    return posixpath.splitext(name)[0]


def _sentences(document: Mapping[str, object]) -> tuple[Captions, Captions]:
    """What surely are captions, and lists that are so only where nothing else is there."""
    lists = {key: texts for key, value in document.items() if (texts := _list_of_texts(value))}
    known = {key: texts for key, texts in lists.items() if key.split("_")[0] in LANGUAGES}
    if known:
        return {key: texts for key, texts in lists.items() if key not in CAPTION_KEYS}, {}
    for key in CAPTION_KEYS:
        value = document.get(key)
        if found := by_language([value] if isinstance(value, str) else list(lists.get(key, ()))):
            return found, {}
    return {}, lists


def _list_of_texts(value: object) -> tuple[str, ...]:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(item for item in value if item.strip())
    return ()


def _label(value: object) -> str:
    return str(value).strip() if isinstance(value, str | int) else ""
