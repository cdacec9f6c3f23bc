"""How good captions were measured to be: captioners side by side, and JSON lines.

In: `CaptionScores`. Out: a block a language, the captioners below one another, the best of each
column in bold. Scores are printed as the papers print them: x100, CIDEr as well.
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
    from imgsearch.evaluating import CaptionScores

SCORES = ("BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "ROUGE-L", "CIDEr")
ALSO = ("distinct", "words")  # how many different captions, and their mean length


def caption_scores_table(measured: Sequence[CaptionScores]) -> RenderableType:
    """Scores x100; `distinct` is how many different captions, `words` their mean length.

    Words of Chinese are characters, which the heading says. Bold is the best score of a column,
    where there is more than one.
    """
    blocks: dict[tuple[str, int], list[CaptionScores]] = {}
    for each in measured:
        blocks.setdefault((each.language, each.photos), []).append(each)
    drawn: list[RenderableType] = []
    for (language, photos), block in blocks.items():
        unit = " by character" if language.split("_")[0] == "zh" else ""
        heading = f"captions, {shown(language)}{unit}: {photos:,} photos"
        drawn += [Text(""), Text(heading, style="dim"), _block(block)]
    return Group(*drawn[1:])


def caption_scores_json(measured: CaptionScores) -> str:
    """One line of JSON; BLEU and ROUGE-L in [0, 1], CIDEr in [0, 10]."""
    return as_json(dataclasses.asdict(measured)) + "\n"


def _block(measured: Sequence[CaptionScores]) -> Table:
    grid = Table(box=None, pad_edge=False, show_header=False, padding=(0, 1, 0, 0))
    grid.add_column(overflow="fold")
    for _ in (*SCORES, *ALSO):
        grid.add_column(justify="right", no_wrap=True)
    grid.add_row(*(Text(each, style="dim") for each in ("captioner", *SCORES, *ALSO)))
    rows = [_scores(each) for each in measured]
    columns = list(zip(*rows, strict=True))
    best = [max(column, key=float) if len(set(column)) > 1 else None for column in columns]
    for each, row in zip(measured, rows, strict=True):
        cells = [
            Text(score, style="bold" if score == highest else "")
            for score, highest in zip(row, best, strict=True)
        ]
        grid.add_row(
            shown(each.captioner or ""), *cells, f"{each.distinct:,}", f"{each.length:.1f}"
        )
    return grid


def _scores(measured: CaptionScores) -> list[str]:
    return [f"{100 * each:.1f}" for each in (*measured.bleu, measured.rouge_l, measured.cider)]
