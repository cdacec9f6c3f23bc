"""Photos with text, from the shapes people keep them in: what training learns from and `eval`
measures on.

In: a WebDataset tar (`<id>.jpg` beside `<id>.json` or `<id>.txt`), a folder laid out the same way,
a tar or folder of class folders (`<label>/<file>.jpg`), or several of one kind. Out: one
`CaptionedPhotos` or `LabelledPhotos`. Pictures stay encoded bytes or paths: who needs pixels
decodes them, so a set of a million costs what its index costs.
"""

import json
import lzma
import tarfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from imgsearch.errors import UsageError

PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
SIDECARS = {".json", ".txt"}
CLASSES = "classes.json"
SENTENCES_SHAPE = "{language: [sentences]}"
NAMES_SHAPE = '{label: {"en": [names], "zh": [names]}}'


@dataclass(frozen=True)
class CaptionedPhotos:
    """Photos with sentences: `captions[i]` maps a language (or a named set of sentences) to photo
    i's sentences.
    """

    pictures: tuple[bytes | Path, ...]
    captions: tuple[Mapping[str, tuple[str, ...]], ...]

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def languages(self) -> tuple[str, ...]:
        """Every name some photo has sentences under, in order of first appearance."""
        return tuple(dict.fromkeys(name for photo in self.captions for name in photo))


@dataclass(frozen=True)
class LabelledPhotos:
    """Photos with a class: `labels[i]` is photo i's label, `names` gives each label's names per
    language.
    """

    pictures: tuple[bytes | Path, ...]
    labels: tuple[str, ...]
    names: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages in which every label has a name."""
        labels = [self.names[label] for label in sorted(set(self.labels))]
        first: Mapping[str, tuple[str, ...]] = labels[0] if labels else {}
        return tuple(language for language in first if all(language in label for label in labels))


def read_pairs(paths: Sequence[Path]) -> CaptionedPhotos | LabelledPhotos:
    """Read one set from tars or folders of one kind, in the order given.

    Class names come from a `classes.json` beside the tar or inside the folder (`{label: {"en":
    [names], "zh": [names]}}`, first name first); without one, a label's English name is the label
    with underscores as spaces.

    Raises UsageError for a path that does not exist, cannot be read, or holds no photo with text.
    """
    members: dict[str, bytes | Path] = {}
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path} does not exist: give a tar or a folder of photos with text")
        members.update(_members_of_tar(path) if path.is_file() else _members_of_folder(path))
    pictures = {name: item for name, item in members.items() if _suffix(name) in PICTURES}
    sidecars = {_stem(name): name for name in members if _suffix(name) in SIDECARS}
    captioned = [name for name in pictures if _stem(name) in sidecars]
    listed = ", ".join(str(path) for path in paths)
    if captioned:
        captions = tuple(_captions(sidecars[_stem(name)], members) for name in captioned)
        if not any(captions):
            raise UsageError(
                f"no sentence beside any photo in {listed}: expected {SENTENCES_SHAPE} in "
                "<id>.json, or one sentence a line in <id>.txt"
            )
        return CaptionedPhotos(tuple(pictures[name] for name in captioned), captions)
    labelled = [name for name in pictures if PurePosixPath(name).parent.name]
    if not labelled:
        raise UsageError(
            f"no photo with text in {listed}: expected <id>.jpg beside <id>.json or <id>.txt, "
            "or folders named after their class"
        )
    labels = tuple(PurePosixPath(name).parent.name for name in labelled)
    return LabelledPhotos(tuple(pictures[name] for name in labelled), labels, _names(paths, labels))


def _members_of_tar(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(path) as tar:
            for member in tar:
                file = tar.extractfile(member) if member.isfile() else None
                if file is not None:
                    yield member.name, file.read()
    except (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError) as error:
        reason = str(error).partition("\n")[0].rstrip(":") or type(error).__name__
        raise UsageError(
            f"{path} is no tar that can be read ({reason}): give a whole one, or the folder it "
            "was made of"
        ) from error


def _members_of_folder(path: Path) -> Iterator[tuple[str, bytes | Path]]:
    for file in sorted(path.rglob("*")):
        suffix = file.suffix.lower()
        if file.is_file() and suffix in PICTURES | SIDECARS:
            name = file.relative_to(path).as_posix()
            yield name, file if suffix in PICTURES else file.read_bytes()


def _captions(name: str, members: Mapping[str, bytes | Path]) -> Mapping[str, tuple[str, ...]]:
    content = members[name]
    assert isinstance(content, bytes)  # sidecars are read whole by both readers
    if _suffix(name) == ".txt":
        try:
            lines = content.decode("utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise UsageError(f"{name} is no UTF-8 text ({error}); save it as UTF-8") from error
        sentences = tuple(line.strip() for line in lines if line.strip())
        return {"en": sentences} if sentences else {}
    return {
        key: tuple(value)
        for key, value in _json_object(content, name, SENTENCES_SHAPE).items()
        if isinstance(value, list) and value and all(isinstance(item, str) for item in value)
    }


def _names(
    paths: Sequence[Path], labels: Sequence[str]
) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for path in paths:
        table = (path.parent if path.is_file() else path) / CLASSES
        if table.is_file():
            for label, names in _json_object(table.read_bytes(), str(table), NAMES_SHAPE).items():
                if not _are_names(names):
                    raise UsageError(
                        f"{table} gives {label!r} the names {json.dumps(names)}: "
                        f"expected {NAMES_SHAPE}"
                    )
                found[label] = {language: tuple(values) for language, values in names.items()}
    return {label: found.get(label, {"en": (label.replace("_", " "),)}) for label in set(labels)}


def _are_names(names: object) -> bool:
    """One name or more in one language or more. A bare string would pass for a list of letters."""
    return isinstance(names, dict) and bool(names) and all(map(_is_list_of_words, names.values()))


def _is_list_of_words(values: object) -> bool:
    return (
        isinstance(values, list)
        and bool(values)
        and all(isinstance(value, str) and value.strip() for value in values)
    )


def _json_object(content: bytes, name: str, shape: str) -> dict[str, Any]:
    try:
        found = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:  # ValueError: no UTF-8 either
        raise UsageError(f"{name} is no JSON ({error}): expected {shape}") from error
    if not isinstance(found, dict):
        raise UsageError(f"{name} holds no object: expected {shape}")
    return found


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _stem(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(""))
