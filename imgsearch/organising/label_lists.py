"""Lists of labels as people write them: a line each, `name` or `name = text | another text`.

Lines go in, `LabelText`s come out. The name is what a photo gets and what is searched for; the
texts say what it looks like, where the name alone would not ("jaguar = a spotted big cat").
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from imgsearch.errors import UsageError
from imgsearch.prompts import language_of

LONGEST = 100  # characters of a name
SPECIAL = '*|"'  # what a name cannot have, to be asked for as label:"NAME"


@dataclass(frozen=True)
class LabelText:
    """A label and what it looks like, in words; all texts are in one language."""

    name: str
    texts: tuple[str, ...]

    @property
    def language(self) -> str:
        """Whose encoder answers: that of the texts."""
        return language_of(self.texts[0])


def parse_labels(lines: Iterable[str]) -> tuple[LabelText, ...]:
    """The labels of lines, in their order; empty lines and those that begin with # are left out.

    Raises UsageError for a line without a name or a text, one whose texts are of two languages, a
    name that is there twice, and where there is no label at all.
    """
    found: dict[str, LabelText] = {}
    for line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        label = _parsed(line)
        if label.name in found:
            raise UsageError(
                f"the label {label.name!r} is in the list twice; give its texts in one line: "
                f"{label.name} = a text | another text"
            )
        found[label.name] = label
    if not found:
        raise UsageError("there is no label to give; name some: imgsearch label cat dog 汽车")
    return tuple(found.values())


def read_labels(path: Path) -> list[str]:
    """The lines of a file of labels. Raises UsageError for one that does not read."""
    try:
        return path.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no UTF-8 text; save it as such: a label a line") from error
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read ({error.strerror}); give a text file with a label a line, or "
            "labels themselves"
        ) from error


def as_names(labels: Sequence[LabelText]) -> list[str]:
    """The names alone."""
    return [label.name for label in labels]


def _parsed(line: str) -> LabelText:
    name, is_told, rest = line.partition("=")
    name = check_name(name)
    texts = [" ".join(text.split()) for text in rest.split("|")] if is_told else [name]
    if not all(texts):
        raise UsageError(
            f"the label {name!r} has an empty text; write {name} = a text | another text, or "
            f"{name} alone"
        )
    if len({language_of(text) for text in texts}) > 1:
        raise UsageError(
            f"the texts of the label {name!r} are of two languages, and one encoder compares them: "
            "keep those of one"
        )
    return LabelText(name, tuple(texts))


def check_name(name: str) -> str:
    """A label's name with single spaces. Raises UsageError for one that cannot be."""
    name = " ".join(name.split())
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"the label {name!r} is not valid text; type it anew") from error
    if not name or len(name) > LONGEST or not name.isprintable() or set(SPECIAL) & set(name):
        raise UsageError(
            f"a label has a name of 1 to {LONGEST} characters without {' '.join(SPECIAL)}, which "
            f"{name[:LONGEST]!r} is not"
        )
    return name
