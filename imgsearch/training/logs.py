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
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import torch

from imgsearch.errors import UsageError
from imgsearch.evaluating import Measurement
from imgsearch.training.events import Began, Evaluated, Event, Finished, Health, Stepped

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Fields: TypeAlias = dict[str, Any]  # of an event, its name as "event" among them


def line(event: DataclassInstance) -> str:
    """An event as one line of JSON, without the line's end; null for what JSON has no number
    for: nan and the infinite."""
    fields = {"event": _name(event), **asdict(event)}
    return _dumped(fields)


def append(path: Path, event: DataclassInstance) -> None:
    """Write the event at the end of the file."""
    with path.open("a", encoding="utf-8") as file:
        file.write(line(event) + "\n")


def read(path: Path) -> list[Event]:
    """The events of an encoder's run, in the order they happened; none where there is no file.

    Raises UsageError for a line that is no event.
    """
    return [_event(fields, f"{path}, line {n}") for n, fields in enumerate(lines(path), 1)]


def lines(path: Path) -> list[Fields]:
    """The lines of a file as they were written, whatever run wrote them.

    Raises UsageError for a line that is no event.
    """
    if not path.exists():
        return []
    texts = path.read_text("utf-8").split("\n")
    return [_fields(each, f"{path}, line {n}") for n, each in enumerate(texts[:-1], 1)]


def truncate(path: Path, checkpoint: Path) -> None:
    """Leave what happened up to the checkpoint: the run goes on there and tells the rest again.

    Nothing is left where there is no checkpoint.
    """
    if not checkpoint.exists():
        path.unlink(missing_ok=True)
        return
    state = torch.load(checkpoint, weights_only=True, map_location="cpu", mmap=True)
    step: int = state["step"]
    kept = [each for each in lines(path) if each.get("step", math.inf) <= step]
    unfinished = path.with_suffix(".tmp")
    text = "".join(f"{_dumped(each)}\n" for each in kept)
    unfinished.write_text(text, "utf-8")
    unfinished.replace(path)


class TensorBoard:
    """Writes the numbers of events as TensorBoard's scalars, over what was seen.

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
        self.write(scalars(event), event.photos)

    def write(self, numbers: Iterable[tuple[str, float]], seen: int) -> None:
        """Write numbers by their tags, at once."""
        for tag, value in numbers:
            self._writer.add_scalar(tag, value, seen)
        self._writer.flush()

    def close(self) -> None:
        """Close the file; also done when the object is no longer used."""
        self._writer.close()


def tensorboard(folder: Path, goes_on_after: int | None = None) -> TensorBoard | None:
    """A writer of `folder/events.out.tfevents...`, or None where tensorboard is not installed.

    A run that goes on after so many (photos, captions) hides what was written of it beyond them.
    """
    if importlib.util.find_spec("tensorboard") is None:
        return None
    return TensorBoard(folder, goes_on_after)


def scalars(event: Stepped | Evaluated) -> Iterator[tuple[str, float]]:
    """Every number that changes while a run goes on, by its tag."""
    name = _name(event)
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


def _dumped(fields: Fields) -> str:
    return json.dumps(_finite(fields), ensure_ascii=False, allow_nan=False, default=str)  # of Paths


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return value


def _name(event: DataclassInstance) -> str:
    return type(event).__name__.lower()


def _fields(text: str, where: str) -> Fields:
    try:
        fields: Fields = json.loads(text)
        fields["event"]
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(f"{where} is no event of a training run: {error}") from error
    return fields


def _event(written: Fields, where: str) -> Event:
    fields = dict(written)
    name = fields.pop("event")
    try:
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
