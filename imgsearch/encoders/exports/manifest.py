"""What an export is: the manifest beside its graphs.

In: the JSON of a folder. Out: a frozen `Manifest`. It says all that running the export takes, so
that nothing of the encoder it was made from is read again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from imgsearch.encoders.packing import Ending
from imgsearch.errors import UsageError

FORMAT = 2
FILE = "manifest.json"
INT8 = "@int8"  # behind the name of an encoder: that one, its image tower in 8 bits
RECIPE = 1  # of quantizing; another one gives other vectors, so it is part of the identity

Precision = Literal["float32", "int8"]


@dataclass(frozen=True)
class Tower:
    """One graph, and how far its unit rows lay from torch's when it was made: the largest
    difference of a value, and the lowest cosine."""

    file: str
    difference: float
    cosine: float


@dataclass(frozen=True)
class Manifest:
    """`text_ending` is where the text graph answers, which then takes packed texts; None for one of
    padded rows. `files` are the bytes and the SHA-256 of each file beside it, `versions` those of
    the packages that made it."""

    identity: str
    precision: Precision
    dim: int
    languages: tuple[str, ...]
    image_size: int
    context: int
    text_ending: Ending | None
    ignores_padding: bool
    preprocess: Mapping[str, Any]
    tokenizer: Mapping[str, Any]
    image: Tower
    text: Tower
    files: Mapping[str, tuple[int, str]]
    versions: Mapping[str, str]

    def save(self, folder: Path) -> None:
        """Write it into the folder of its graphs."""
        text = json.dumps({"format": FORMAT, **asdict(self)}, indent=1, ensure_ascii=False)
        (folder / FILE).write_text(text + "\n", encoding="utf-8", newline="\n")

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """What `save` wrote. Raises UsageError where it is damaged, or of another release."""
        try:
            found = json.loads((folder / FILE).read_text("utf-8"))
            if found["format"] != FORMAT:
                raise ValueError(f"its format is {found['format']}, not {FORMAT}")
            values = {field.name: found[field.name] for field in fields(cls)}
            values["languages"] = tuple(values["languages"])
            values["files"] = {name: tuple(each) for name, each in values["files"].items()}
            values |= {name: Tower(**values[name]) for name in ("image", "text")}
            return cls(**values)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(
                f"{folder} is no export of an encoder ({error}); remove it, and it is made anew"
            ) from error


def int8_identity(identity: str) -> str:
    """What vectors of an encoder are keyed by once its image tower computes in 8 bits."""
    text = json.dumps({"encoder": identity, "precision": "int8", "recipe": RECIPE})
    return hashlib.sha256(text.encode()).hexdigest()


def parted(name: str) -> tuple[str, Precision]:
    """The name of an encoder without its precision, and that: `builtin@int8` is `builtin`, int8."""
    if name.endswith(INT8):
        return name.removesuffix(INT8), "int8"
    return name, "float32"
