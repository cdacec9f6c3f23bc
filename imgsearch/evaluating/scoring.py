"""Score predictions as Chinese-CLIP's evaluation does: its files in, its report out, to the digit.

In: the right answers (`{"text_id": 7, "image_ids": [...]}` a line, or `{"image_id": 3, "text_ids":
[...]}` the other way round) and predictions in the same shape, ten ids a query, best first. Out: a
`Score` and the report that `evaluation.py` and `evaluation_tr.py` of that project write. Shares are
counted and added up in their order, since another order changes the last digits. What they refuse
is refused: not ten ids, an id twice, an id that is no integer, a query without a prediction.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from imgsearch.errors import UsageError

PREDICTED = 10  # ids a query

Direction: TypeAlias = Literal["text_to_image", "image_to_text"]
FIELDS: dict[Direction, tuple[str, str]] = {
    "text_to_image": ("text_id", "image_ids"),
    "image_to_text": ("image_id", "text_ids"),
}
JsonObject: TypeAlias = dict[str, object]


@dataclass(frozen=True)
class Score:
    """Recall in percent, [0, 100], of the queries of one direction."""

    direction: Direction
    queries: int
    mean_recall: float
    r1: float
    r5: float
    r10: float

    @property
    def report(self) -> JsonObject:
        """What Chinese-CLIP's evaluation writes as JSON."""
        recalls = {"r1": self.r1, "r5": self.r5, "r10": self.r10}
        score = {"score": self.mean_recall, "mean_recall": self.mean_recall, **recalls}
        return {"success": True, "score": self.mean_recall, "scoreJson": score}


def failure_report(error: UsageError) -> JsonObject:
    """What Chinese-CLIP's evaluation writes where it cannot score; the words are ours."""
    message = str(error)
    return {
        "errorDetail": message,
        "errorMsg": message,
        "score": 0,
        "scoreJson": {},
        "success": False,
    }


def score_predictions(truth: Path, predictions: Path) -> Score:
    """Score predictions of either direction against the right answers.

    Image-to-text predictions may be scored against a text-to-image file, which is turned round.
    A query that has two lines counts as its last one says; predictions for queries that the right
    answers do not have are left out.

    Raises UsageError for a file that cannot be read or is in another shape.
    """
    direction = _direction(predictions)
    answers = _answers(truth, direction)
    predicted = _predicted(predictions, direction)
    query = FIELDS[direction][0]
    if missing := [each for each in answers if each not in predicted]:
        listed = ", ".join(map(str, missing[:10])) + (", ..." if len(missing) > 10 else "")
        raise UsageError(
            f"{predictions} has no prediction for {len(missing):,} of {len(answers):,} queries "
            f"({query} {listed}): predict every query of {truth}"
        )
    # The reciprocal of a count is not exact: divide each count, then add, then scale.
    r1, r5, r10 = (
        sum(not right.isdisjoint(predicted[each][:k]) for each, right in answers.items())
        / len(answers)
        for k in (1, 5, 10)
    )
    mean = (r1 + r5 + r10) / 3
    return Score(direction, len(answers), mean * 100, r1 * 100, r5 * 100, r10 * 100)


def write_report(report: JsonObject, path: Path) -> None:
    """One line of JSON, as Chinese-CLIP's evaluation writes it. Raises UsageError."""
    try:
        path.write_text(json.dumps(report), "utf-8")
    except OSError as error:
        raise UsageError(
            f"the report cannot be written to {path}: {error.strerror}; give another path"
        ) from error


def _direction(path: Path) -> Direction:
    """The direction that a file's first line is about."""
    for line, found in _objects(path):
        for direction, (query, _) in FIELDS.items():
            if query in found:
                return direction
        raise _refusal(path, line, "has neither a text_id nor an image_id")
    raise UsageError(f"{path} is empty: expected one JSON object a query")


def _answers(path: Path, direction: Direction) -> dict[int, set[int]]:
    """The right ids of each query, in the order of the file."""
    given = _direction(path)
    if given == "image_to_text" and direction == "text_to_image":
        raise UsageError(
            f"{path} holds the right texts of each image, and the predictions are images of each "
            'text: give the file with {"text_id": 1, "image_ids": [...]} a line'
        )
    read = {query: set(ids) for _, query, ids in _queries(path, given)}
    if given == direction:
        return read
    turned: dict[int, set[int]] = {}
    for text, photos in read.items():
        for photo in photos:
            turned.setdefault(photo, set()).add(text)
    if not turned:
        raise UsageError(f"{path} names no image for any text: there is nothing to score against")
    return turned


def _predicted(path: Path, direction: Direction) -> dict[int, list[int]]:
    """The ten ids of each query."""
    name, listed = FIELDS[direction]
    predicted = {}
    for line, query, ids in _queries(path, direction):
        if len(ids) != PREDICTED:
            raise _refusal(
                path, line, f"has {len(ids)} {listed} for {name} {query}, not {PREDICTED}"
            )
        if len(set(ids)) != PREDICTED:
            twice = next(each for each in ids if ids.count(each) > 1)
            raise _refusal(path, line, f"has {twice} twice in the {listed} of {name} {query}")
        predicted[query] = ids
    return predicted


def _queries(path: Path, direction: Direction) -> Iterator[tuple[int, int, list[int]]]:
    """The number of each line, its query and its ids."""
    name, listed = FIELDS[direction]
    for line, found in _objects(path):
        query, ids = found.get(name), found.get(listed)
        if not isinstance(query, int):
            raise _refusal(path, line, f"has no {name}, or one that is no integer")
        if not isinstance(ids, list) or not all(isinstance(each, int) for each in ids):
            raise _refusal(path, line, f"has no list of integers as {listed} of {name} {query}")
        yield line, query, ids


def _objects(path: Path) -> Iterator[tuple[int, JsonObject]]:
    """The number and the object of each line; a line that is none, and an empty one, is refused."""
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    found = json.loads(line)
                except (ValueError, RecursionError) as error:
                    raise _refusal(path, number, f"is no JSON ({error})") from error
                if not isinstance(found, dict):
                    raise _refusal(path, number, "is no JSON object")
                yield number, found
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise UsageError(f"{path} cannot be read: {reason}") from error


def _refusal(path: Path, line: int, what: str) -> UsageError:
    return UsageError(
        f'line {line} of {path} {what}: expected {{"text_id": 1, "image_ids": [ids]}} or '
        '{"image_id": 1, "text_ids": [ids]}, ids being integers'
    )
