"""A captioner's run as a picture: loss and quality over the captions seen.

In: `metrics.jsonl`. Out: a PNG, drawn anew now and then while the run goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from imgsearch.errors import UsageError
from imgsearch.training.captioner import events
from imgsearch.training.captioner.events import Evaluated, Event, Stepped
from imgsearch.training.panels import COLOURS, draw_steps, finish, panels_of, save

SEEN = "captions seen"


def draw(metrics: Path, target: Path) -> None:
    """Draw the curves of a run as a PNG, in place of what was there.

    Raises UsageError where the file tells of no step and no evaluation.
    """
    found = events.read(metrics)
    if not any(isinstance(each, Stepped | Evaluated) for each in found):
        raise UsageError(f"{metrics} tells of no step of a training run: there is nothing to draw")
    save(figure_of(found), target)


def figure_of(found: Sequence[Event]) -> Figure:
    """Loss, and below it BLEU-4 and CIDEr where anything was measured."""
    stepped = [each for each in found if isinstance(each, Stepped)]
    evaluated = [each for each in found if isinstance(each, Evaluated)]
    names = list(dict.fromkeys(name for each in evaluated for name in each.losses))
    figure, panels = panels_of(3 if evaluated else 1)
    _draw_loss(panels[0], stepped, evaluated, names)
    for axes, title in zip(panels[1:], ("BLEU-4", "CIDEr"), strict=False):
        _draw_scores(axes, title, evaluated)
    figure.align_ylabels(panels)
    return figure


def _draw_loss(
    axes: Axes, stepped: Sequence[Stepped], evaluated: Sequence[Evaluated], names: Sequence[str]
) -> None:
    axes.set_title("Loss", loc="left")
    axes.set_ylabel("nats a token")
    seen = [each.captions for each in stepped]
    draw_steps(axes, seen, [each.loss for each in stepped], "training")
    for place, name in enumerate(names):
        x = [each.captions for each in evaluated if name in each.losses]
        y = [each.losses[name] for each in evaluated if name in each.losses]
        colour = COLOURS[(place + 1) % len(COLOURS)]
        axes.plot(x, y, color=colour, marker="os^D"[place % 4], ms=5, label=f"validation, {name}")
    finish(axes, SEEN)


def _draw_scores(axes: Axes, title: str, evaluated: Sequence[Evaluated]) -> None:
    """Greedy captions, x100 as papers print them."""
    axes.set_title(f"{title} of greedy captions", loc="left")
    axes.set_ylabel("x100")
    languages = list(dict.fromkeys(row.language for each in evaluated for row in each.scores))
    for place, language in enumerate(languages):
        found = [
            (each.captions, 100 * (row.bleu[3] if title == "BLEU-4" else row.cider))
            for each in evaluated
            for row in each.scores
            if row.language == language
        ]
        x, y = zip(*found, strict=True)
        colour = COLOURS[(place + 1) % len(COLOURS)]
        axes.plot(x, y, color=colour, marker="os^D"[place % 4], ms=5, label=language)
    axes.set_ylim(0, max(1, axes.get_ylim()[1]))  # near zero the smoothing of BLEU is all there is
    finish(axes, SEEN)
