"""What the training of a captioner did: how good its captions are, and the line to type next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from imgsearch.display.caption_scores import caption_scores_table
from imgsearch.display.finetuning import unreadable_lines
from imgsearch.display.text import shown

if TYPE_CHECKING:
    from imgsearch.training.captioner.events import Began, Evaluated, Finished


def finished_page(finished: Sequence[Finished], next_command: str) -> RenderableType:
    """The captioners that were trained side by side, where they are, and what to type next.

    There are several after a study; they differ in the prefix length alone.
    """
    scores = [replace(row, captioner=each.name) for each in finished for row in each.scores]
    parts: list[RenderableType] = []
    if scores:
        parts.append(caption_scores_table(scores))
    else:
        parts.append(Text("nothing was held out to measure it on", style="yellow"))
    parts += unreadable_lines(finished[-1].unreadable)
    parts += [Text(f"{shown(each.name)} is in {shown(str(each.folder))}") for each in finished]
    parts.append(Text(f"let it speak: {next_command}", style="green"))
    return Group(*parts)


def began_lines(began: Began) -> list[str]:
    """What the run works with, and what was left out of it."""
    captions = ", ".join(f"{count:,} {shown(name)}" for name, count in began.captions.items())
    part = "" if began.learnt == began.parameters else f", {_millions(began.learnt)} of them learn"
    lines = [
        f"{shown(began.name)}: {_millions(began.parameters)} parameters{part}, {began.words:,} "
        f"words, embeddings of {shown(began.encoder)}; {began.photos:,} photos to learn from "
        f"({captions} captions), {began.validation:,} to measure on"
    ]
    if began.pictures_without_text or began.texts_without_picture:
        lines.append(
            f"left out: {began.pictures_without_text:,} pictures without a text, "
            f"{began.texts_without_picture:,} texts without a picture"
        )
    if began.goes_on_from:
        lines.append(f"going on after {began.goes_on_from:,} captions seen")
    return lines


def evaluated_line(evaluated: Evaluated) -> str:
    """One line for the log: where the run is, and how good each language is."""
    words = [f"after {evaluated.captions:,} captions:" if evaluated.step else "before:"]
    for each in evaluated.scores:
        loss = evaluated.losses.get(each.language)
        words.append(
            f"{shown(each.language)} BLEU-4 {100 * each.bleu[3]:.1f} CIDEr {100 * each.cider:.1f}"
            + (f" loss {loss:.3f}" if loss is not None else "")
        )
    return "  ".join(words)


def _millions(count: int) -> str:
    return f"{count / 1e6:.1f} M"
