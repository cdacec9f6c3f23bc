"""A run as a picture: loss, recall and spread over the photos seen.

In: `metrics.jsonl`. Out: a PNG, drawn anew now and then while the run goes on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from imgsearch.errors import UsageError
from imgsearch.evaluating import Measurement
from imgsearch.training import logs
from imgsearch.training.events import Evaluated, Event, Stepped
from imgsearch.training.panels import COLOURS, GREY, draw_steps, finish, panels_of, save

SEEN = "photos seen"
MEAN_RECALL = ("text_to_image_mean_recall", "image_to_text_mean_recall")


def draw(metrics: Path, target: Path) -> None:
    """Draw the curves of a run as a PNG, in place of what was there.

    Raises UsageError where the file tells of no step and no evaluation.
    """
    events = logs.read(metrics)
    if not any(isinstance(each, Stepped | Evaluated) for each in events):
        raise UsageError(f"{metrics} tells of no step of a training run: there is nothing to draw")
    save(figure_of(events), target)


def figure_of(events: Sequence[Event]) -> Figure:
    """Loss, recall and spread: a panel for each that the events tell of."""
    stepped = [each for each in events if isinstance(each, Stepped)]
    evaluated = [each for each in events if isinstance(each, Evaluated)]
    has_spread = any(math.isfinite(each.cosine) for each in stepped) or any(
        each.health for each in evaluated
    )
    count = 1 + bool(evaluated) + has_spread
    figure, panels = panels_of(count)
    _draw_loss(panels[0], stepped, evaluated)
    if evaluated:
        _draw_recall(panels[1], evaluated)
    if has_spread:
        _draw_spread(panels[-1], stepped, evaluated)
    figure.align_ylabels(panels)
    return figure


def _draw_loss(axes: Axes, stepped: Sequence[Stepped], evaluated: Sequence[Evaluated]) -> None:
    axes.set_title("Loss", loc="left")
    axes.set_ylabel("nats")
    seen = [each.photos for each in stepped]
    draw_steps(axes, seen, [each.loss for each in stepped], "training")
    measured = [(each.photos, each.loss) for each in evaluated if each.loss is not None]
    if measured:
        x, y = zip(*measured, strict=True)
        axes.plot(x, y, color=COLOURS[1], marker="o", ms=5, lw=1.2, label="validation")
    finish(axes, SEEN)


def _draw_recall(axes: Axes, evaluated: Sequence[Evaluated]) -> None:
    """A colour a language; the guard is fainter and its marks are hollow.

    The title says what the short names in the legend mean: in full they would not fit.
    """
    axes.set_title("Recall: R@10 from text to image, mean recall both ways", loc="left")
    axes.set_ylabel("share of queries")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    languages = sorted({row.language for each in evaluated for row in _rows(each)})
    for pairs in ("validation", "guard"):
        for language in languages:
            colour = COLOURS[languages.index(language) % len(COLOURS)]
            for title, style, mark in (("best hits", "-", "o"), ("mean", "--", "s")):
                found = [
                    (each.photos, *_value(row, title))
                    for each in evaluated
                    for row in getattr(each, pairs)
                    if row.language == language
                ]
                if found:
                    x, names, y = zip(*found, strict=True)
                    is_guard = pairs == "guard"
                    axes.plot(
                        x,
                        y,
                        style,
                        color=colour,
                        marker=mark,
                        ms=5,
                        lw=0.8 if is_guard else 1.4,
                        alpha=0.75 if is_guard else 1.0,
                        mfc="white" if is_guard else colour,
                        label=f"{pairs}, {language}: {names[0]}",
                    )
    finish(axes, SEEN)


def _draw_spread(axes: Axes, stepped: Sequence[Stepped], evaluated: Sequence[Evaluated]) -> None:
    """Shares on the left, the effective rank on a scale of its own on the right."""
    axes.set_title("Spread of embeddings", loc="left")
    axes.set_ylabel("cosine, share")
    seen = [each.photos for each in stepped]
    cosines = [each.cosine for each in stepped]
    draw_steps(axes, seen, cosines, "mean cosine, training photos")
    found = [(each.photos, each.health) for each in evaluated if each.health is not None]
    x = [photos for photos, _ in found]
    lines: list[Line2D] = []
    if found:
        cosines = [health.cosine for _, health in found]
        hits = [health.distinct_top_1 for _, health in found]
        ranks = [health.effective_rank for _, health in found]
        axes.plot(x, cosines, "o-", ms=5, color=COLOURS[1], lw=1.2, label="mean cosine, validation")
        axes.plot(x, hits, "^-", ms=5, color=COLOURS[2], lw=1.2, label="different best hits")
        right = axes.twinx()
        right.set_ylabel("dimensions")
        right.spines["top"].set_visible(False)
        lines = right.plot(
            x, ranks, "D--", ms=5, color=GREY, lw=1.2, label="effective rank (right scale)"
        )
        right.set_ylim(bottom=0)
        right.margins(y=0.1)
    axes.set_ylim(min(-0.02, *axes.get_ylim()), 1.02)
    finish(axes, SEEN, lines)


def _rows(evaluated: Evaluated) -> tuple[Measurement, ...]:
    return evaluated.validation + evaluated.guard


def _value(row: Measurement, title: str) -> tuple[str, float]:
    """What a measurement says in one number: of the best hits, or of all that was measured."""
    if "top_1" in row.metrics:
        name = "top-1" if title == "best hits" else "top-5"
        return name, row.metrics[name.replace("-", "_")]
    if title == "best hits":
        return "R@10", row.metrics["text_to_image_recall@10"]
    return "mean recall", sum(row.metrics[name] for name in MEAN_RECALL) / len(MEAN_RECALL)
