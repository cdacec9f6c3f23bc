"""What classes are called: from a table beside the photos, else from the labels themselves.

In: the places a set was read from and its labels. Out: each label's names per language, first name
first.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from imgsearch.errors import UsageError
from imgsearch.pairs.texts import bytes_of, json_object
from imgsearch.prompts import language_of

CLASSES = "classes.json"
NAMES_SHAPE = '{label: {"en": [names], "zh": [names]}}'


def class_names(
    paths: Sequence[Path], labels: Collection[str]
) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """The names of each label, from every `classes.json` beside a file or inside a folder.

    A label that no table names is called what it says, with underscores as spaces; in Chinese when
    all labels are Chinese. Raises UsageError for a table of another shape.
    """
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for path in paths:
        table = (path.parent if path.is_file() else path) / CLASSES
        if table.is_file():
            for label, names in json_object(bytes_of(table), str(table), NAMES_SHAPE).items():
                if not isinstance(names, dict) or not _are_names(names):
                    raise UsageError(
                        f"{table} gives {label!r} the names {json.dumps(names)}: "
                        f"expected {NAMES_SHAPE}"
                    )
                found[label] = {language: tuple(values) for language, values in names.items()}
    distinct = sorted(set(labels))
    is_chinese = all(language_of(label) == "zh" for label in distinct)
    language = "zh" if is_chinese else "en"
    return {label: found.get(label, {language: (label.replace("_", " "),)}) for label in distinct}


def _are_names(names: dict[object, object]) -> bool:
    """One name or more in one language or more. A bare string would pass for a list of letters."""
    return bool(names) and all(map(_is_list_of_words, names.values()))


def _is_list_of_words(values: object) -> bool:
    return (
        isinstance(values, list)
        and bool(values)
        and all(isinstance(value, str) and value.strip() for value in values)
    )
