"""What a fine-tuning run did: before and after side by side, and the line to type next."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from imgsearch.display.text import shown
from imgsearch.evaluating import Measurement
from imgsearch.training.events import Began, Evaluated, Finished

NAMED = 5  # unreadable photos, at most
SHOWN = (  # metric -> row title
    ("text_to_image_recall@1", "text to image R@1"),
    ("text_to_image_recall@5", "R@5"),
    ("text_to_image_recall@10", "R@10"),
    ("text_to_image_mean_recall", "mean recall"),
    ("image_to_text_recall@1", "image to text R@1"),
    ("image_to_text_recall@5", "R@5"),
    ("image_to_text_recall@10", "R@10"),
    ("image_to_text_mean_recall", "mean recall"),
    ("top_1", "top-1"),
    ("top_5", "top-5"),
    ("search_map", "mAP"),
)


def finished_page(finished: Finished, next_command: str) -> RenderableType:
    """The table of before and after, and whether the new encoder is proposed."""
    parts: list[RenderableType] = []
    for title, before, after in (
        ("validation", finished.before.validation, finished.after.validation),
        ("guard", finished.before.guard, finished.after.guard),
    ):
        if before:
            parts.append(before_after_table(title, before, after))
    parts += unreadable_lines(finished.unreadable)
    parts.append(Text(f"{shown(finished.name)} is in {shown(str(finished.folder))}"))
    if finished.is_proposed:
        parts.append(Text(f"put it to work: {next_command}", style="green"))
    else:
        parts += [
            Text(f"kept, but not proposed: {each}", style="yellow") for each in finished.reasons
        ]
        parts.append(Text(f"to use it all the same: {next_command}", style="dim"))
    return Group(*parts)


def unreadable_lines(reasons: Sequence[str]) -> list[Text]:
    """The first few photos that could not be read, and how many more there are."""
    lines = [f"left out: {shown(reason)}" for reason in reasons[:NAMED]]
    if len(reasons) > NAMED:
        lines.append(f"and {len(reasons) - NAMED:,} more that cannot be read")
    return [Text(line, style="yellow") for line in lines]


def before_after_table(
    title: str, before: Sequence[Measurement], after: Sequence[Measurement]
) -> Table:
    """A row for each metric, three columns for each language: before, after, and what changed, in
    points."""
    first = before[0]
    photos = f"{first.photos:,} photos"
    table = Table(
        title=f"{title}: {photos}",
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        header_style="dim",
    )
    table.add_column("")
    for each in before:
        table.add_column(f"{each.language}\nbefore", justify="right", no_wrap=True)
        table.add_column("\nafter", justify="right", no_wrap=True)
        table.add_column("\nchange", justify="right", no_wrap=True)
    for metric, name in SHOWN:
        if metric in first.metrics:
            cells = [
                cell
                for old, new in zip(before, after, strict=True)
                for cell in _cells(old.metrics[metric], new.metrics[metric])
            ]
            table.add_row(name, *cells)
    return table


def _cells(old: float, new: float) -> tuple[str, str, Text]:
    change = 100 * (new - old)
    style = "green" if change > 0 else "red" if change < 0 else ""
    return f"{old:.1%}", f"{new:.1%}", Text(f"{change:+.1f}", style=style)


def began_lines(began: Began) -> list[str]:
    """What the run works with, and what was left out of it."""
    texts = ", ".join(f"{count:,} {shown(name)}" for name, count in began.texts.items())
    lines = [
        f"{shown(began.encoder)}, {began.parameters / 1e6:.1f} M parameters: {began.learnt:,} "
        f"photos to learn from ({texts} texts), {began.validation:,} to measure on, "
        f"{began.guard:,} as a guard"
    ]
    if began.pictures_without_text or began.texts_without_picture:
        lines.append(
            f"left out: {began.pictures_without_text:,} pictures without a text, "
            f"{began.texts_without_picture:,} texts without a picture"
        )
    if began.goes_on_from:
        lines.append(f"going on after {began.goes_on_from:,} photos seen")
    return lines


def evaluated_line(evaluated: Evaluated) -> str:
    """One line for the log: where the run is, and the recall of each language."""
    words = [f"after {evaluated.photos:,} photos:" if evaluated.step else "before:"]
    for title, rows in (("", evaluated.validation), ("guard ", evaluated.guard)):
        for each in rows:
            for metric, name in (("text_to_image_recall@10", "R@10"), ("top_1", "top-1")):
                if metric in each.metrics:
                    words.append(f"{title}{each.language} {name} {each.metrics[metric]:.1%}")
    if evaluated.loss is not None:
        words.append(f"loss {evaluated.loss:.3f}")
    return "  ".join(words)
