"""What every picture of a run looks like: its colours, its panels over what was seen, its file.

Lines go in, a PNG comes out. Drawn on a canvas of our own, never through pyplot: it would keep
every figure of a long run, and pick a window system. Colours are Okabe and Ito's, told apart by
most colour-blind people, and no line relies on its colour alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
GREY = "#666666"
SIZE = (10.0, 4.0)  # inches, a panel
DOTS = 110  # an inch
FEW = 20  # points of a line, to be marked one by one


def panels_of(count: int) -> tuple[Figure, list[Axes]]:
    """A figure of so many panels below one another, which share their x axis."""
    width, height = SIZE
    figure = Figure(figsize=(width, height * count), dpi=DOTS, layout="constrained")
    return figure, list(figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0])


def draw_steps(axes: Axes, seen: Sequence[int], values: Sequence[float], label: str) -> None:
    """What was reported at every step, as a line."""
    mark = "." if len(seen) < FEW else ""  # one step alone makes no line
    axes.plot(seen, values, color=COLOURS[0], lw=1.2, marker=mark, label=label)


def finish(axes: Axes, what: str, more: Sequence[Line2D] = ()) -> None:
    """The frame of a panel and its legend below; `what` was seen names the x axis."""
    axes.set_xlabel(what)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.tick_params(labelbottom=True)  # of every panel: none has to be read with another
    axes.grid(color="#dddddd", lw=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    handles, labels = axes.get_legend_handles_labels()
    handles += more
    labels += [str(line.get_label()) for line in more]
    if handles:
        axes.legend(
            handles, labels, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=3, frameon=False
        )


def save(figure: Figure, target: Path) -> None:
    """Write a PNG in place of what was there."""
    unfinished = target.with_suffix(".tmp")
    figure.savefig(unfinished, format="png")
    unfinished.replace(target)
