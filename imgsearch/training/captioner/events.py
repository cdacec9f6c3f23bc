"""What the training of a captioner tells while it goes on, in the order it happens.

`Began`, `Embedded` until every photo is, `Stepped` and `Evaluated` in turn, one `Finished`; and one
`Studied` where several captioners were trained to be compared. `metrics.jsonl` holds the same
values, and gives them back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from imgsearch.errors import UsageError
from imgsearch.evaluating import CaptionScores
from imgsearch.training import logs


@dataclass(frozen=True)
class Began:
    """What the run works with: photos learnt from and measured on, captions by language.

    `learnt` of all `parameters` change; `words` is the size of the vocabulary. `goes_on_from`
    captions seen before an interruption, 0 for a new run.
    """

    name: str
    encoder: str
    parameters: int
    learnt: int
    words: int
    photos: int
    validation: int
    captions: dict[str, int]
    pictures_without_text: int
    texts_without_picture: int
    goes_on_from: int


@dataclass(frozen=True)
class Embedded:
    """Photos whose embeddings are there, of those that are needed."""

    photos: int
    total: int


@dataclass(frozen=True)
class Stepped:
    """Since the last report: where the run is, mean loss in nats a token, how fast it went."""

    step: int
    steps: int
    captions: int
    total: int
    loss: float
    rate: float
    captions_per_second: float


@dataclass(frozen=True)
class Evaluated:
    """How good the captioner is on the validation photos, which the training never sees.

    `losses` are in nats a token, by set of sentences, with all of them as the right answer;
    `scores` are those of greedy captions.
    """

    step: int
    captions: int
    losses: dict[str, float]
    scores: tuple[CaptionScores, ...]

    @property
    def quality(self) -> tuple[float, float]:
        """What the best state is chosen by, higher is better: the mean CIDEr over languages; of
        equals, the lower loss."""
        cider = sum(each.cider for each in self.scores) / len(self.scores)
        return cider, -sum(self.losses.values()) / len(self.losses)


@dataclass(frozen=True)
class Finished:
    """The captioner is in `folder` and answers to `name`.

    `kept` is the evaluation of the state that came out, None where nothing was held out. `scores`
    are measured on the folder as it was saved, with the default decoding. `unreadable` are photos
    that could not be decoded, each with its reason.
    """

    name: str
    folder: Path
    languages: tuple[str, ...]
    prefix_length: int
    kept: Evaluated | None
    scores: tuple[CaptionScores, ...]
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True)
class Studied:
    """Captioners that differ in their prefix length alone, in the order of it."""

    finished: tuple[Finished, ...]


Event: TypeAlias = Began | Embedded | Stepped | Evaluated | Finished | Studied


def read(path: Path) -> list[Event]:
    """The events of a captioner's run, in the order they happened; none where there is no file.

    Raises UsageError for a line that is no such event.
    """
    return [_event(fields, f"{path}, line {n}") for n, fields in enumerate(logs.lines(path), 1)]


def _event(written: logs.Fields, where: str) -> Event:
    fields = dict(written)
    name = fields.pop("event")
    try:
        if name == "stepped":
            return Stepped(**fields)
        if name == "evaluated":
            return _evaluated(fields)
        if name == "began":
            return Began(**fields)
        if name == "finished":
            kept = fields["kept"]
            known: dict[str, Any] = {
                "folder": Path(fields["folder"]),
                "languages": tuple(fields["languages"]),
                "kept": None if kept is None else _evaluated(kept),
                "scores": _scores(fields["scores"]),
                "unreadable": tuple(fields["unreadable"]),
            }
            return Finished(**{**fields, **known})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(f"{where} is no event of a captioner's run: {error}") from error
    raise UsageError(f"{where} is no event of a captioner's run: it calls itself {name!r}")


def _evaluated(fields: Mapping[str, Any]) -> Evaluated:
    return Evaluated(**{**fields, "scores": _scores(fields["scores"])})


def _scores(rows: list[dict[str, Any]]) -> tuple[CaptionScores, ...]:
    return tuple(CaptionScores(**{**row, "bleu": tuple(row["bleu"])}) for row in rows)
