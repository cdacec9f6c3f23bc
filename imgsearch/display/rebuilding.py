"""What a rebuild, a rollback and a prune came to: tables for a person, JSON for a script."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from imgsearch.display.text import as_json, readable_size, shown

if TYPE_CHECKING:
    from imgsearch.catalog import EncoderRow
    from imgsearch.evaluating import Measurement
    from imgsearch.indexing import Pruned, Rebuilt, Reindexed, Switched

SHARES = {f"text_to_image_recall@{k}": f"R@{k}" for k in (1, 5, 10)}
SHARES["text_to_image_mean_recall"] = "mean"


def index_line(rebuilt: Rebuilt | Reindexed) -> str:
    """The index that was built."""
    built = rebuilt.generation
    return f"{shown(rebuilt.encoder)}: {built.count:,} photos, {built.kind} index {built.folder}"


def rebuilt_page(rebuilt: Rebuilt, following: str) -> RenderableType:
    """Pace, what was left out, old against new, who answers, and what may follow."""
    took = rebuilt.embedding_seconds
    pace = f" in {took:.1f} s, {rebuilt.embedded / took:,.1f} photos/s" if rebuilt.embedded else ""
    parts: list[RenderableType] = [
        Text(f"{rebuilt.embedded:,} embedded{pace}; {rebuilt.seconds:.1f} s in all"),
        *_left_out(rebuilt),
        Text(index_line(rebuilt)),
    ]
    if rebuilt.before or rebuilt.after:
        parts.append(weighed_table(rebuilt.before, rebuilt.after))
    if rebuilt.why_not:
        what = "not compared in full" if rebuilt.before or rebuilt.after else "not compared"
        parts.append(Text(f"{what}: {shown(rebuilt.why_not)}", style="dim"))
    if rebuilt.withheld:
        parts.append(Text(shown(rebuilt.withheld), style="bold yellow"))
    parts += [Text(line) for line in switched_lines(rebuilt.switched)]
    if following:
        parts.append(Text(following, style="dim"))
    return Group(*parts)


def plain_json(rebuilt: Rebuilt | Reindexed) -> str:
    """One JSON object; shares in [0, 1], paths as text."""
    return as_json(_plain(dataclasses.asdict(rebuilt))) + "\n"


def weighed_table(before: Sequence[Measurement], after: Sequence[Measurement]) -> Table:
    """Text to image by language: the old encoder, the new one, and the difference in points."""
    grid = Table(box=None, pad_edge=False, header_style="dim")
    grid.add_column("text to image")
    grid.add_column("encoder", overflow="fold")
    for name in SHARES.values():
        grid.add_column(name, justify="right", no_wrap=True)
    sets = dict.fromkeys(each.language for each in (*before, *after))
    for language in sets:
        old, new = (
            next((each for each in some if each.language == language), None)
            for some in (before, after)
        )
        rows = [each for each in (old, new) if each is not None]
        what = f"{language}, {rows[0].photos:,} photos, {rows[0].texts:,} texts"
        for number, each in enumerate(rows):
            shares = [f"{each.metrics[name]:.1%}" for name in SHARES]
            grid.add_row("" if number else what, shown(each.encoder), *shares)
        if old is not None and new is not None:
            points = [100 * (new.metrics[name] - old.metrics[name]) for name in SHARES]
            grid.add_row("", "points", *(_signed(each) for each in points), style="bold")
    return grid


def switched_lines(switched: Sequence[Switched]) -> list[str]:
    """Who answers which languages now, and who did."""
    groups: dict[tuple[str, str | None], list[str]] = {}
    for each in switched:
        groups.setdefault((each.encoder, each.previous), []).append(each.language)
    return [
        f"{shown(encoder)} answers {' and '.join(languages)} now, "
        f"where {shown(previous) if previous else 'nobody'} did"
        for (encoder, previous), languages in groups.items()
    ]


def answers_lines(answers: Mapping[str, EncoderRow], before: Mapping[str, EncoderRow]) -> list[str]:
    """Who answers each language, and who did a moment ago where that was another."""
    lines = []
    for language in sorted({*answers, *before}):
        now, then = answers.get(language), before.get(language)
        was = "" if now == then else f", where {shown(then.name) if then else 'nobody'} did"
        lines.append(f"{shown(now.name) if now else 'nobody'} answers {language}{was}")
    return lines


def pruned_page(pruned: Pruned, *, is_done: bool) -> RenderableType:
    """What goes and what it weighs; what stays although nothing needs it; what rollback loses."""
    if not pruned:
        others = "other " if pruned.waiting else ""
        return Group(
            Text(f"nothing to drop: every {others}encoder answers a language"), *_kept(pruned)
        )
    grid = Table(box=None, pad_edge=False, header_style="dim")
    grid.add_column("dropped" if is_done else "to drop", overflow="fold")
    for name in ("photos", "texts", "indexes", "size"):
        grid.add_column(name, justify="right", no_wrap=True)
    for each in pruned.encoders:
        counts = [f"{count:,}" for count in (each.photos, each.texts, each.generations)]
        never = ", which never answered" if each.is_waiting else ""
        grid.add_row(f"{shown(each.encoder)}{never}", *counts, readable_size(each.size_bytes))
    for model in pruned.models:
        grid.add_row(f"models/{shown(model.name)}", "", "", "", readable_size(model.size_bytes))
    lines = [
        f"{each.fileless:,} of the photos {shown(each.encoder)} embedded have no file: they can be "
        "embedded again once it is back"
        for each in pruned.encoders
        if each.fileless
    ]
    if pruned.steps_lost:
        lines.append(f"rollback loses {pruned.steps_lost} of its steps, {pruned.steps_left} stay")
    freed = f"{readable_size(pruned.freed_bytes)} freed" if is_done else ""
    total = freed or f"about {readable_size(pruned.size_bytes)} in all"
    return Group(grid, *(Text(line, style="yellow") for line in lines), *_kept(pruned), Text(total))


def pruned_json(pruned: Pruned) -> str:
    """One JSON object; sizes in bytes."""
    return as_json({**dataclasses.asdict(pruned), "size_bytes": pruned.size_bytes}) + "\n"


def _kept(pruned: Pruned) -> list[Text]:
    waiting = [
        Text(
            f"{shown(each.encoder)} stays, {readable_size(each.size_bytes)}: it never answered, or "
            "was taken back, and waits for `imgsearch switch`; "
            f"--encoder {shown(each.encoder)} drops it as well",
            style="dim",
        )
        for each in pruned.waiting
    ]
    return waiting + [
        Text(
            f"models/{shown(each.name)} stays, {readable_size(each.size_bytes)} of your own: "
            f"--model {shown(each.name)} drops it as well",
            style="dim",
        )
        for each in pruned.kept
    ]


def _left_out(rebuilt: Rebuilt) -> list[Text]:
    lines = [
        Text(f"  skipped: {shown(each.path)}: {shown(each.reason)}", style="yellow")
        for each in rebuilt.skipped
    ]
    if rebuilt.missing:
        lines.append(
            Text(
                f"  {len(rebuilt.missing):,} have no file now and keep the embedding they have; "
                "`imgsearch index` embeds them when they are back:",
                style="yellow",
            )
        )
    lines += [Text(f"    {shown(path)}", style="dim") for path in rebuilt.missing]
    return lines


def _signed(points: float) -> Text:
    return Text(f"{points:+.1f}", style="green" if points >= 0 else "red")


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, Path) else value
