"""What the tensors of a published captioner do not tell, as a JSON file beside them says it.

In: the path of the weights; `coco.json` lies beside `coco.pt`. Out: settings that are laid over
what was inferred. They have the words of `captioner.json`, and only those that are to be otherwise:

    {"language_model": {"n_head": 4}, "trained_on": {"norm": 1.0}}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from imgsearch.errors import UsageError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")

PARTS = ("mapper", "language_model", "trained_on", "speech")


@dataclass(frozen=True)
class Settings:
    """The settings of one weights file: part -> field -> value."""

    file: Path
    parts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def beside(cls, weights: Path) -> Settings:
        """Those beside a weights file; empty where nothing is. Raises UsageError for other JSON."""
        file = weights.with_suffix(".json")
        if file == weights or not file.is_file():
            return cls(file)
        try:
            parts = json.loads(file.read_text("utf-8"))
            if not set(parts) <= set(PARTS) or not all(map(_is_object, parts.values())):
                raise ValueError(f"it has {', '.join(parts)}")
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise UsageError(
                f"{file} does not tell how to read {weights.name} ({error}); it is an object with "
                f"some of {', '.join(PARTS)}, each an object"
            ) from error
        return cls(file, parts)

    def over(self, inferred: T, part: str) -> T:
        """What was inferred, with the fields of that part as they are set here."""
        found = self.parts.get(part, {})
        known = [each.name for each in fields(inferred)]
        unknown = sorted(set(found) - set(known))
        if unknown:
            raise UsageError(
                f"{self.file}: {part} has no {' and no '.join(unknown)}; it has {', '.join(known)}"
            )
        return replace(inferred, **{name: frozen(value) for name, value in found.items()})

    def says(self, part: str, name: str) -> bool:
        """Whether a field is set."""
        return name in self.parts.get(part, {})


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def frozen(value: Any) -> Any:
    """A value of JSON as our settings hold it: lists are tuples."""
    if isinstance(value, dict):
        return {name: frozen(each) for name, each in value.items()}
    return tuple(value) if isinstance(value, list) else value
