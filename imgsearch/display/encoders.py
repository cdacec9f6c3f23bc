"""What encoders there are and how good they were measured to be, as tables and JSON lines."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from imgsearch.display.text import as_json, shown

if TYPE_CHECKING:
    from imgsearch.encoders import KnownEncoder
    from imgsearch.evaluating import Measurement

MEGABYTE = 1_000_000


def encoders_table(encoders: Sequence[KnownEncoder], here: Mapping[str, str]) -> Table:
    """Name, languages, dimension, download, whether it is here, what this library does with it.

    `here` maps the names of the library's own encoders to a few words ("active: en").
    """
    grid = _grid("encoder", "languages", "dim", "download", "on this machine", "this library")
    for each in encoders:
        grid.add_row(
            each.name,
            ", ".join(each.languages),
            str(each.dim),
            f"{each.size_bytes / MEGABYTE:,.0f} MB",
            "yes" if each.is_cached else "no",
            here.get(each.name, ""),
        )
    for name in here.keys() - {each.name for each in encoders}:
        grid.add_row(shown(name), "", "", "", "", here[name])
    return grid


def encoders_json(encoders: Sequence[KnownEncoder], here: Mapping[str, str]) -> str:
    """One JSON object a line for each encoder, `library` null where this library has not got it."""
    rows = [dataclasses.asdict(each) | {"library": here.get(each.name)} for each in encoders]
    names = {each.name for each in encoders}
    rows += [{"name": name, "library": use} for name, use in here.items() if name not in names]
    return "".join(as_json(row) + "\n" for row in rows)


def measurements_table(measurements: Sequence[Measurement]) -> Table:
    """A row for each encoder, language and prompt policy; shares in percent."""
    names = list(dict.fromkeys(name for each in measurements for name in each.metrics))
    grid = _grid("encoder", "task", "language", "prompt", "photos", "texts", *map(_short, names))
    for each in measurements:
        shares = [f"{each.metrics[name]:.1%}" if name in each.metrics else "" for name in names]
        counts = [f"{each.photos:,}", f"{each.texts:,}"]
        grid.add_row(shown(each.encoder), each.task, each.language, each.prompt, *counts, *shares)
    return grid


def measurement_json(measurement: Measurement) -> str:
    """One line of JSON; shares in [0, 1]."""
    return as_json(dataclasses.asdict(measurement)) + "\n"


def _grid(first: str, *others: str) -> Table:
    grid = Table(box=None, pad_edge=False, header_style="dim")
    grid.add_column(first, overflow="fold")
    for name in others:
        grid.add_column(name, no_wrap=True)
    return grid


def _short(metric: str) -> str:
    """`text_to_image_recall@10` as a heading that leaves room for the others: `t2i R@10`."""
    for long, short in (
        ("text_to_image_", "t2i "),
        ("image_to_text_", "i2t "),
        ("mean_recall", "mean R"),
        ("recall@", "R@"),
        ("mean_per_class_top_1", "top-1 by class"),
        ("top_", "top-"),
    ):
        metric = metric.replace(long, short)
    return metric
