"""What a run writes down: `metrics.jsonl`, one event a line, and TensorBoard where it is installed.

Events go in and come out again as they were, so a run that goes on after an interruption knows how
it began. Lines behind the checkpoint are dropped then: their steps are done again.
"""

import dataclasses
import importlib.util
import json
from pathlib import Path
from typing import Any

from imgsearch.evaluating import Measurement
from imgsearch.training.events import Evaluated, Event, Finished, Health, Stepped

NAMES = {Stepped: "stepped", Evaluated: "evaluated", Finished: "finished"}


def line(event: Event) -> str:
    """One event as a line of JSON, without the line's end."""
    return json.dumps({"event": NAMES[type(event)], **dataclasses.asdict(event)}, default=str)


def append(path: Path, event: Event) -> None:
    """Write an event at the end of the file."""
    with path.open("a", encoding="utf-8") as lines:
        lines.write(line(event) + "\n")


def read(path: Path) -> list[Stepped | Evaluated]:
    """The events of a file, in order; a last line cut short by a kill is left out."""
    if not path.exists():
        return []
    lines = path.read_text("utf-8").split("\n")
    return [_event(json.loads(text)) for text in lines[:-1]]


def drop_after(path: Path, step: int) -> None:
    """Forget what happened after a step."""
    kept = [event for event in read(path) if event.step <= step]
    path.write_text("".join(line(event) + "\n" for event in kept), "utf-8")


class Board:
    """Scalars for TensorBoard in a folder; use `board_of`."""

    def __init__(self, folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer: Any = SummaryWriter(str(folder))  # type: ignore[no-untyped-call]

    def add(self, event: Event) -> None:
        """The numbers of one event, over the photos seen."""
        if isinstance(event, Finished):
            return
        for name, value in _scalars(event).items():
            self._writer.add_scalar(name, value, event.photos)
        self._writer.flush()


def board_of(folder: Path) -> Board | None:
    """A board where the tensorboard package is installed, else None."""
    return Board(folder) if importlib.util.find_spec("tensorboard") else None


def _scalars(event: Stepped | Evaluated) -> dict[str, float]:
    if isinstance(event, Stepped):
        rates = {f"rate/{part}": rate for part, rate in event.rates.items()}
        return {
            "loss/training": event.loss,
            "spread/cosine": event.cosine,
            "logit_scale": event.logit_scale,
            "photos_per_second": event.photos_per_second,
            **rates,
        }
    found = {
        f"{pairs}/{each.language}/{metric}": value
        for pairs, rows in (("validation", event.validation), ("guard", event.guard))
        for each in rows
        for metric, value in each.metrics.items()
    }
    if event.loss is not None:
        found["loss/validation"] = event.loss
    if event.health is not None:
        found |= {f"health/{name}": value for name, value in vars(event.health).items()}
    return found


def _event(found: dict[str, Any]) -> Stepped | Evaluated:
    kind = found.pop("event")
    if kind == "stepped":
        return Stepped(**found)
    for pairs in ("validation", "guard"):
        found[pairs] = tuple(Measurement(**row) for row in found[pairs])
    if found["health"] is not None:
        found["health"] = Health(**found["health"])
    return Evaluated(**found)
