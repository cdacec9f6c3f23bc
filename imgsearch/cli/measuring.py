"""What `imgsearch eval` does once its options are read: encoders or captioners, one after another.

In: an `Asked`, which both kinds of measuring share. Out: a table of all, or a line of JSON as soon
as each is measured. What was measured is shown even where the next one fails.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imgsearch.cli import frame
from imgsearch.errors import UsageError

if TYPE_CHECKING:
    from imgsearch.captioning import Decoding
    from imgsearch.encoders import Encoder
    from imgsearch.evaluating import CaptionScores, Measurement
    from imgsearch.pairs import CaptionedPhotos, LabelledPhotos
    from imgsearch.prompts import Policy


@dataclass(frozen=True)
class Asked:
    """What to measure on and how to answer; `models` and `captioners` are folders of the library,
    None without one. `tokenizer` has the words of published captioners.
    """

    pairs: CaptionedPhotos | LabelledPhotos
    languages: list[str] | None
    predictions: Path | None
    device: str
    models: Path | None
    captioners: Path | None
    tokenizer: Path | None
    is_quiet: bool
    is_json: bool

    def load(self, encoder: str) -> Encoder:
        """An encoder by its name; what takes its time first is said on stderr."""
        from imgsearch.encoders import load
        from imgsearch.library.preparing import Preparations

        preparations = Preparations(None if self.is_quiet else frame.preparing)
        loaded = load(
            encoder, device=self.device, models=self.models, starting=preparations.starting
        )
        preparations.done()
        return loaded


def measure_encoders(asked: Asked, names: Sequence[str], policies: list[Policy]) -> None:
    """Recall or zero-shot accuracy of each encoder."""
    from imgsearch.display import measurements as forms
    from imgsearch.evaluating import evaluate

    found: list[Measurement] = []
    labels: set[str] = set()
    try:
        for name in names:
            loaded = asked.load(name)
            label = _label(name, loaded.name, labels)
            with _progress(f"embedding with {label}", is_quiet=asked.is_quiet) as progress:
                for measurement in evaluate(
                    asked.pairs,
                    loaded,
                    languages=asked.languages,
                    policies=policies,
                    predictions=_folder(asked.predictions, label, names),
                    progress=progress,
                ):
                    found.append(dataclasses.replace(measurement, encoder=label))
                    if asked.is_json:
                        frame.write(forms.measurement_json(found[-1]))  # this may take long
    finally:
        if found and not asked.is_json:  # what was measured is not lost to the next one's error
            frame.show(forms.measurements_table(found))


def measure_captioners(
    asked: Asked, names: Sequence[str], encoders: Sequence[str], decoding: Decoding
) -> None:
    """BLEU, ROUGE-L and CIDEr of each captioner, on the embeddings of its own encoder unless one is
    named.
    """
    from imgsearch import captioning
    from imgsearch.display import caption_scores as forms
    from imgsearch.evaluating import evaluate_captioner
    from imgsearch.pairs import CaptionedPhotos

    if not isinstance(asked.pairs, CaptionedPhotos):
        raise UsageError(
            "captions are measured against sentences, and these photos have classes: leave "
            "--captioner out"
        )
    found: list[CaptionScores] = []
    labels: set[str] = set()
    try:
        for name in names:
            loaded = captioning.load(
                name,
                device=asked.device,
                captioners=asked.captioners,
                tokenizer=asked.tokenizer,
            )
            label = _label(name, loaded.name, labels)
            source = encoders[0] if encoders else loaded.trained_on.encoders[0]
            with _progress(f"captioning with {label}", is_quiet=asked.is_quiet) as progress:
                for scores in evaluate_captioner(
                    asked.pairs,
                    loaded,
                    asked.load(source),
                    languages=asked.languages,
                    decoding=decoding,
                    predictions=_folder(asked.predictions, label, names),
                    progress=progress,
                ):
                    found.append(dataclasses.replace(scores, captioner=label))
                    if asked.is_json:
                        frame.write(forms.caption_scores_json(found[-1]))
    finally:
        if found and not asked.is_json:
            frame.show(forms.caption_scores_table(found))


def _label(asked: str, name: str, taken: set[str]) -> str:
    """What a row is called: its own name, or what was typed where another row has that name."""
    label = asked if name in taken else name  # two folders may hold one name
    taken.add(label)
    return label


def _folder(predictions: Path | None, label: str, names: Sequence[str]) -> Path | None:
    """Where the predictions of one go: a folder each where there are several."""
    if predictions is None or len(names) == 1:
        return predictions
    return predictions / (re.sub(r"[^\w.-]+", "-", label).strip("-.") or "encoder")


@contextlib.contextmanager
def _progress(title: str, *, is_quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr while this takes its time; it is gone when the last photo is done."""
    from rich import progress as drawing

    from imgsearch.display.text import shown

    bar = drawing.Progress(
        drawing.TextColumn("{task.description}"),
        drawing.BarColumn(),
        drawing.MofNCompleteColumn(),
        drawing.TimeRemainingColumn(),
        console=frame.stderr(),
        transient=True,
        disable=is_quiet or not sys.stderr.isatty(),
    )
    task = bar.add_task(shown(title), total=None)

    def progress(done: int, total: int) -> None:
        bar.update(task, completed=done, total=total)
        if done == total:
            bar.stop()

    with bar:
        yield progress
