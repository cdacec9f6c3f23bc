"""Feature files of Chinese-CLIP: a JSON object a line, `{"image_id": 7, "feature": [0.01, ...]}`.

Its `eval/extract_features.py` writes them and `eval/make_topk_predictions.py` reads these two keys
of every line and no others. Ours say besides which photo a line is about and which encoder made it,
and take float32 to the last bit. An id of a file that says no more is the name of a photo without
its ending, as in the sets of Chinese-CLIP.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from imgsearch.errors import UsageError
from imgsearch.exchanging.rows import NO_IDS, ROWS_AT_ONCE, Origin, Outgoing, Rows

SHAPE = 'lines such as {"image_id": 7, "feature": [0.01, ...]}'


def write(target: Path, outgoing: Outgoing) -> None:
    """Write a file."""
    encoder = vars(outgoing.origin)
    with open(target, "w", encoding="utf-8", newline="\n") as file:
        for part in outgoing.parts:
            for row, photo_id in enumerate(part.ids.tolist()):
                line = {
                    "image_id": photo_id,
                    "feature": part.vectors[row].tolist(),
                    "image_path": part.names[row],
                    "sha256": part.hashes[row],
                    "encoder": encoder,
                }
                file.write(json.dumps(line) + "\n")


class Features:
    """A file of features. Raises UsageError for what is none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        first: dict[str, object] = {}
        self.count = 0
        for number, line in self._lines():
            first = first or self._object(number, line)
            self.count += 1
        feature = first.get("feature")
        if not isinstance(feature, list):
            raise UsageError(f"{path} holds no features: expected {SHAPE}")
        self.dim = len(feature)
        self.origin = Origin.read(first.get("encoder"))

    def rows(self) -> Iterator[Rows]:
        """Line by line, some at once."""
        lines: list[tuple[int, dict[str, object]]] = []
        for number, line in self._lines():
            lines.append((number, self._object(number, line)))
            if len(lines) == ROWS_AT_ONCE:
                yield self._rows(lines)
                lines = []
        if lines:
            yield self._rows(lines)

    def _rows(self, lines: list[tuple[int, dict[str, object]]]) -> Rows:
        vectors = np.empty((len(lines), self.dim), np.float32)
        names: list[str] = []
        hashes: list[str | None] = []
        for row, (number, line) in enumerate(lines):
            if Origin.read(line.get("encoder")) != self.origin:
                raise UsageError(f"{self._path}, line {number}: another encoder than in line 1")
            feature = line.get("feature")
            if not (
                isinstance(feature, list)
                and len(feature) == self.dim
                and all(_is_number(value) for value in feature)
            ):
                raise UsageError(
                    f"{self._path}, line {number}: no feature of {self.dim} numbers, as line 1 has"
                )
            with np.errstate(over="ignore"):  # what is beyond float32 is infinite, and left out
                vectors[row] = feature
            path, content_hash = line.get("image_path"), line.get("sha256")
            names.append(path if isinstance(path, str) else str(line.get("image_id", "")))
            hashes.append(content_hash if isinstance(content_hash, str) else None)
        return Rows(vectors, NO_IDS, names, hashes, [None] * len(lines))

    def _lines(self) -> Iterator[tuple[int, str]]:
        """The lines that say anything, with their numbers."""
        try:
            with open(self._path, encoding="utf-8-sig", errors="surrogateescape") as file:
                yield from ((number, line) for number, line in enumerate(file, 1) if line.strip())
        except OSError as error:
            raise UsageError(f"{self._path} cannot be read: {error.strerror}") from error

    def _object(self, number: int, line: str) -> dict[str, object]:
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UsageError(
                f"{self._path}, line {number}: no JSON ({error}); expected {SHAPE}"
            ) from error
        if not isinstance(found, dict):
            raise UsageError(f"{self._path}, line {number}: no object; expected {SHAPE}")
        return found


def _is_number(value: object) -> bool:
    """Whether it is one that a float can be of: JSON has integers without end."""
    return isinstance(value, float) or (isinstance(value, int) and abs(value) < 2**63)
