"""How good encoders were measured to be: tables that set them side by side, and JSON lines.

In: `Measurement`s of several encoders, languages and prompt policies, and the `Score` of a file of
predictions. Out: a block a task and language, with the encoders next to one another and the best of
each column in bold. The two directions of retrieval stand below one another: next to one another
they leave no room for an encoder's name on a terminal of 80 letters.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from imgsearch.display.text import as_json, shown

if TYPE_CHECKING:
    from imgsearch.evaluating import Measurement, Score

DIRECTIONS = {"text_to_image": "text to image", "image_to_text": "image to text"}
HEADINGS = {
    "mean_recall": "mean",
    "median_rank": "median",
    "map": "mAP",
    "search_map": "mAP",
    "mean_per_class_top_1": "by class",
    "top_1": "top-1",
    "top_5": "top-5",
}


def measurements_table(measurements: Sequence[Measurement]) -> RenderableType:
    """Shares in percent, `median` the place of the first right hit of the query in the middle.

    `mean` is of the three recalls, `by class` the mean over classes of top-1. Bold is the best of a
    column, where it has more than one row.
    """
    blocks: dict[tuple[str, str, int, int], list[Measurement]] = {}
    for each in measurements:
        blocks.setdefault((each.task, each.language, each.photos, each.texts), []).append(each)
    drawn: list[RenderableType] = []
    for (task, language, photos, texts), block in blocks.items():
        policies = list(dict.fromkeys(each.prompt for each in block))
        prompt = f", prompt {policies[0]}" if len(policies) == 1 else ""
        heading = f"{shown(task)}, {shown(language)}{prompt}: {photos:,} photos, {texts:,} texts"
        ordered = sorted(block, key=lambda each: policies.index(each.prompt))
        drawn += [Text(""), Text(heading, style="dim"), _block(ordered, len(policies) > 1)]
    return Group(*drawn[1:])


def measurement_json(measurement: Measurement) -> str:
    """One line of JSON; shares in [0, 1], a median rank is a place from 1."""
    return as_json(dataclasses.asdict(measurement)) + "\n"


def score_table(score: Score) -> RenderableType:
    """The recalls of a file of predictions in percent, to two digits as the papers have them."""
    grid = _grid(5)
    grid.add_row("", *(Text(each, style="dim") for each in ("R@1", "R@5", "R@10", "mean")))
    recalls = (score.r1, score.r5, score.r10, score.mean_recall)
    direction = f"{DIRECTIONS[score.direction]}, {score.queries:,} queries"
    grid.add_row(direction, *(f"{each:.2f}%" for each in recalls))
    return grid


def score_json(score: Score) -> str:
    """The report of Chinese-CLIP's evaluation as one line of JSON; recalls in percent."""
    return as_json(score.report) + "\n"


def _block(measurements: Sequence[Measurement], has_prompts: bool) -> Table:
    """The rows of one task and language: for retrieval those of one direction, then the other."""
    parts = _parts(measurements[0].metrics)
    grid = _grid(1 + has_prompts + max(len(names) for _, names in parts), labels=1 + has_prompts)
    for title, names in parts:
        prompt = ["prompt"] if has_prompts else []
        headings = [title, *prompt, *(_heading(name) for name in names.values())]
        grid.add_row(*(Text(each, style="dim") for each in headings))
        best = {name: _best(name, measurements) for name in names}
        for each in measurements:
            prompt = [each.prompt] if has_prompts else []
            cells = [_cell(name, each.metrics, best[name]) for name in names]
            grid.add_row(shown(each.encoder), *prompt, *cells)
    return grid


def _parts(metrics: dict[str, float]) -> list[tuple[str, dict[str, str]]]:
    """What stands together: a title, and of each metric the name without the direction."""
    parts = []
    for direction, title in DIRECTIONS.items():
        prefix = f"{direction}_"
        names = {name: name.removeprefix(prefix) for name in metrics if name.startswith(prefix)}
        if names:
            parts.append((title, names))
    return parts or [("encoder", {name: name for name in metrics})]


def _heading(metric: str) -> str:
    return HEADINGS.get(metric, metric.replace("recall@", "R@"))


def _best(name: str, measurements: Sequence[Measurement]) -> str | None:
    """How the best of a column is shown; None where there is nothing to choose from."""
    values = [each.metrics[name] for each in measurements if name in each.metrics]
    if len({_shown_value(name, value) for value in values}) < 2:
        return None
    return _shown_value(name, min(values) if _is_rank(name) else max(values))


def _cell(name: str, metrics: dict[str, float], best: str | None) -> Text:
    value = _shown_value(name, metrics[name]) if name in metrics else ""
    return Text(value, style="bold" if value == best else "")


def _shown_value(name: str, value: float) -> str:
    return f"{value:,.1f}".removesuffix(".0") if _is_rank(name) else f"{value:.1%}"


def _is_rank(name: str) -> bool:
    return name.endswith("median_rank")


def _grid(columns: int, labels: int = 1) -> Table:
    """Names and words to the left, as wide as they can be; numbers to the right."""
    grid = Table(box=None, pad_edge=False, show_header=False, padding=(0, 1, 0, 0))
    for column in range(columns):
        if column < labels:
            grid.add_column(overflow="fold")
        else:
            grid.add_column(justify="right", no_wrap=True)
    return grid
