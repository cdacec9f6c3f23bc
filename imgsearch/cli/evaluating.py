"""`imgsearch eval` measures encoders side by side; `imgsearch score` scores files of predictions.

Two commands, since they share no argument: one embeds photos, the other only compares two files.
`score` takes the three paths of Chinese-CLIP's `evaluation.py` in their order, so that a script
that calls that one needs another name and nothing else.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from imgsearch.cli import frame
from imgsearch.errors import NoLibraryError, UsageError

if TYPE_CHECKING:
    from imgsearch.evaluating import Measurement
    from imgsearch.prompts import Policy


def evaluate(
    context: typer.Context,
    pairs: Annotated[
        list[Path],
        typer.Argument(
            metavar="DATA",
            parser=frame.expanded,
            help="Photos with sentences or classes: a folder with .txt or .json beside the photos, "
            "class folders, WebDataset tars, CSV, TSV, JSONL, COCO, Flickr or Chinese-CLIP files.",
        ),
    ],
    encoder: frame.EncodersOption = None,
    prompt: Annotated[
        list[str] | None,
        typer.Option(
            "--prompt",
            metavar="POLICY",
            help="auto, raw, photo, seven or ensemble; repeatable.",
            show_default="auto",
        ),
    ] = None,
    language: Annotated[
        list[str] | None,
        typer.Option("--language", metavar="LANG", help="Measure this language alone; repeatable."),
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(
            "--predictions",
            metavar="FOLDER",
            parser=frame.expanded,
            help="Write Chinese-CLIP's prediction files here; a folder each of several encoders.",
            show_default=False,
        ),
    ] = None,
    device: frame.DeviceOption = "auto",
    library: frame.LibraryOption = None,
    quiet: frame.QuietOption = False,
    json: frame.JsonOption = False,
) -> None:
    """Measure encoders: recall on photos with sentences, zero-shot accuracy on class folders.

    \b
    imgsearch eval flickr8k/val.tar --encoder builtin --encoder flowers-v2
    imgsearch eval tiny-imagenet/val.tar --encoder builtin --prompt raw --prompt ensemble
    imgsearch eval my-photos/ --encoder cn_clip/ViT-B-16 --language zh --json
    imgsearch eval my-photos/ --encoder cn_clip/ViT-B-16 --predictions out/

    An encoder may be one of the library's own, by its name in the library's models folder.
    """
    from imgsearch.display import measurements as forms
    from imgsearch.encoders import load
    from imgsearch.evaluating import evaluate as measure
    from imgsearch.pairs import read_pairs

    models = _models_folder(context, library)
    is_quiet = quiet or frame.settings(context).is_quiet
    names = list(dict.fromkeys(encoder or ["builtin"]))
    policies = [cast("Policy", each) for each in prompt or ["auto"]]
    read = read_pairs(pairs)
    found: list[Measurement] = []
    labels: set[str] = set()
    try:
        for name in names:
            loaded = load(name, device=device, models=models)
            label = name if loaded.name in labels else loaded.name  # two folders may hold one name
            labels.add(label)
            folder = predictions / _file_name(label) if predictions and names[1:] else predictions
            with _progress(label, is_quiet=is_quiet) as progress:
                for measurement in measure(
                    read,
                    loaded,
                    languages=language,
                    policies=list(dict.fromkeys(policies)),
                    predictions=folder,
                    progress=progress,
                ):
                    found.append(dataclasses.replace(measurement, encoder=label))
                    if json:
                        frame.write(forms.measurement_json(found[-1]))  # this may take long
    finally:
        if found and not json:  # what was measured is not lost to the next encoder's error
            frame.show(forms.measurements_table(found))


def score(
    truth: Annotated[
        Path,
        typer.Argument(
            metavar="TRUTH",
            parser=frame.expanded,
            help='The right answers: {"text_id": 7, "image_ids": [3]} a line.',
        ),
    ],
    predictions: Annotated[
        Path,
        typer.Argument(
            metavar="PREDICTIONS",
            parser=frame.expanded,
            help="Ten ids a query, best first, in the same shape.",
        ),
    ],
    report: Annotated[
        Path | None,
        typer.Argument(
            metavar="REPORT",
            parser=frame.expanded,
            help="Write the report here as JSON, a failing one too.",
            show_default=False,
        ),
    ] = None,
    json: frame.JsonOption = False,
) -> None:
    """Score files of predictions as Chinese-CLIP's evaluation does: recall at 1, 5, 10, their mean.

    \b
    imgsearch score out/zh_texts.jsonl out/zh_auto_predictions.jsonl
    imgsearch score test_texts.jsonl tr_predictions.jsonl report.json

    The paths and the report are those of its evaluation.py and evaluation_tr.py, to the digit.
    Which of the two is told from the predictions; answers in the other shape are turned round.
    """
    from imgsearch.display import measurements as forms
    from imgsearch.evaluating import failure_report, score_predictions, write_report

    try:
        scored = score_predictions(truth, predictions)
    except UsageError as error:
        if report is not None:
            write_report(failure_report(error), report)
        raise
    if report is not None:
        write_report(scored.report, report)
    if json:
        frame.write(forms.score_json(scored))
    else:
        frame.show(forms.score_table(scored))


def _models_folder(context: typer.Context, given: Path | None) -> Path | None:
    """Where the library's own encoders are; None without a library, unless one was named."""
    try:
        with frame.existing_library(context, given) as opened:
            return opened.models_folder
    except NoLibraryError:
        if given or frame.settings(context).library:
            raise
        return None


def _file_name(label: str) -> str:
    """A folder's name for an encoder, which may be called by a path."""
    return re.sub(r"[^\w.-]+", "-", label).strip("-.") or "encoder"


@contextlib.contextmanager
def _progress(label: str, *, is_quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr while pictures are embedded; it is gone when the last one is."""
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
    task = bar.add_task(f"embedding with {shown(label)}", total=None)

    def progress(done: int, total: int) -> None:
        bar.update(task, completed=done, total=total)
        if done == total:
            bar.stop()

    with bar:
        yield progress
