"""What a run wrote down: `metrics.jsonl`, and TensorBoard's file beside it.

Events go in, and come back as they were: a run that goes on, its curves and its model card are made
from the file alone. One JSON object a line, `event` first, then the fields of the event; a process
that is killed leaves at most a broken last line, which is not read.
"""

from __future__ import annotations

import importlib.util
import json
import math
import weakref
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from imgsearch.errors import UsageError
from imgsearch.evaluating import Measurement
from imgsearch.training.events import Began, Evaluated, Event, Finished, Health, Stepped

NAMES = {Began: "began", Stepped: "stepped", Evaluated: "evaluated", Finished: "finished"}


def line(event: Event) -> str:
    """An event as one line of JSON, without the line's end; null for a number that is none."""
    fields = {"event": NAMES[type(event)], **asdict(event)}
    lost = [key for key, value in fields.items() if isinstance(value, float) and math.isnan(value)]
    told = {**fields, **dict.fromkeys(lost)}
    return json.dumps(told, ensure_ascii=False, default=str)  # str: of a Path


def append(path: Path, event: Event) -> None:
    """Write the event at the end of the file."""
    with path.open("a", encoding="utf-8") as file:
        file.write(line(event) + "\n")


def read(path: Path) -> list[Event]:
    """The events of a file, in the order they happened; none where there is no file.

    Raises UsageError for a line that is no event.
    """
    if not path.exists():
        return []
    lines = path.read_text("utf-8").split("\n")
    return [_event(each, f"{path}, line {n}") for n, each in enumerate(lines[:-1], 1)]


def truncate(path: Path, checkpoint: Path) -> None:
    """Leave what happened up to the checkpoint: the run goes on there and tells the rest again.

    Nothing is left where there is no checkpoint.
    """
    if not checkpoint.exists():
        path.unlink(missing_ok=True)
        return
    state = torch.load(checkpoint, weights_only=True, map_location="cpu", mmap=True)
    step: int = state["step"]
    events = [each for each in read(path) if isinstance(each, Stepped | Evaluated)]
    kept = [each for each in events if each.step <= step]
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text("".join(line(each) + "\n" for each in kept), "utf-8")
    unfinished.replace(path)


class TensorBoard:
    """Writes the numbers of events as TensorBoard's scalars, over photos seen.

    Tags are the names that `metrics.jsonl` has for them: `stepped/loss`,
    `evaluated/validation/en/text_to_image_recall@10`.
    """

    def __init__(self, folder: Path, goes_on_after: int | None = None) -> None:
        from torch.utils.tensorboard import SummaryWriter  # needs the extra

        hidden = None if goes_on_after is None else goes_on_after + 1
        self._writer: Any = SummaryWriter(str(folder), purge_step=hidden)
        weakref.finalize(self, self._writer.close)

    def add(self, event: Event) -> None:
        """Write the event's numbers, at once. An event of the end has none of its own."""
        if isinstance(event, Began | Finished):
            return
        for tag, value in scalars(event):
            self._writer.add_scalar(tag, value, event.photos)
        self._writer.flush()

    def close(self) -> None:
        """Close the file; also done when the object is no longer used."""
        self._writer.close()


def tensorboard(folder: Path, goes_on_after: int | None = None) -> TensorBoard | None:
    """A writer of `folder/events.out.tfevents...`, or None where tensorboard is not installed.

    A run that goes on after so many photos hides what was written of it beyond them.
    """
    if importlib.util.find_spec("tensorboard") is None:
        return None
    return TensorBoard(folder, goes_on_after)


def scalars(event: Stepped | Evaluated) -> Iterator[tuple[str, float]]:
    """Every number that changes while a run goes on, by its tag."""
    name = NAMES[type(event)]
    if isinstance(event, Stepped):
        for field in ("loss", "logit_scale", "cosine", "photos_per_second"):
            yield f"{name}/{field}", getattr(event, field)
        for part, rate in event.rates.items():
            yield f"{name}/rates/{part}", rate
        return
    if event.loss is not None:
        yield f"{name}/loss", event.loss
    for pairs, rows in (("validation", event.validation), ("guard", event.guard)):
        for row in rows:
            for metric, value in row.metrics.items():
                yield f"{name}/{pairs}/{row.language}/{metric}", value
    if event.health is not None:
        for field, value in asdict(event.health).items():
            yield f"{name}/health/{field}", value


def _event(text: str, where: str) -> Event:
    try:
        fields = json.loads(text)
        name = fields.pop("event")
        if name == "stepped":
            numbers = {key: _number(fields[key]) for key in ("loss", "cosine")}
            return Stepped(**{**fields, **numbers})
        if name == "evaluated":
            return _evaluated(fields)
        if name == "finished":
            return Finished(
                fields["name"],
                Path(fields["folder"]),
                _evaluated(fields["before"]),
                _evaluated(fields["after"]),
                tuple(fields["reasons"]),
                tuple(fields["unreadable"]),
            )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(f"{where} is no event of a training run: {error}") from error
    raise UsageError(f"{where} is no event of a training run: it calls itself {name!r}")


def _number(found: float | None) -> float:
    return math.nan if found is None else found


def _evaluated(fields: dict[str, Any]) -> Evaluated:
    health = fields["health"]
    rows = {
        key: tuple(Measurement(**row) for row in fields[key]) for key in ("validation", "guard")
    }
    return Evaluated(**{**fields, **rows, "health": None if health is None else Health(**health)})
