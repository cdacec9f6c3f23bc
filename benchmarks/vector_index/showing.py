"""What was measured, as a Markdown table, as JSON and as a picture.

Records of building and of measuring come in, maybe of several rounds; medians over these go out,
beside what was measured of other engines and sizes before.
"""

import json
import statistics
from collections import defaultdict
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

RESULTS = Path(__file__).parent.with_suffix(".json")
PICTURE = Path(__file__).parent.with_suffix(".png")

_WORSE = 0.8  # recall; what is below it is not drawn

Record = dict[str, Any]


def show(built: list[Record], measured: list[Record]) -> None:
    """Print the tables, write the JSON, draw the picture."""
    rows = _with_earlier(_rows(built, measured))
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
    for count in sorted({row["count"] for row in rows}):
        print(f"\n### {count:,} vectors\n")
        print("\n".join(_table([row for row in rows if row["count"] == count])))
    _draw([row for row in rows if "stopped" not in row])


def _rows(built: list[Record], measured: list[Record]) -> list[Record]:
    """A row an engine and count: how it was built, and what was measured, by threads."""
    rounds: dict[tuple[str, int], dict[int, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for record in measured:
        rounds[record["engine"], record["count"]][record["threads"]].append(record)
    building = {(record["engine"], record["count"]): record for record in built}
    rows = [
        {
            **building[key],
            "rounds": len(by_threads[1]),
            **{f"threads_{number}": _median(many) for number, many in sorted(by_threads.items())},
        }
        for key, by_threads in rounds.items()
        if {1, 2} <= set(by_threads)
    ]
    return rows + [record for record in built if "stopped" in record]


def _with_earlier(rows: list[Record]) -> list[Record]:
    """Ordered by size, ours first, and those of the JSON that were not measured again."""
    earlier = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else []
    by_name = {(row["engine"], row["count"]): row for row in [*earlier, *rows]}
    order = sorted(by_name, key=lambda name: (name[1], not _is_ours(name[0]), name[0]))
    return [by_name[name] for name in order]


def _median(many: list[Any]) -> Any:
    """Of numbers the median; of mappings and lists that of each part; of all else the first."""
    first = many[0]
    if isinstance(first, dict):
        apart = {"engine", "count", "asked", "threads"}
        return {name: _median([each[name] for each in many]) for name in first if name not in apart}
    if isinstance(first, list):
        return [_median(list(parts)) for parts in zip(*many, strict=True)]
    return statistics.median(many) if isinstance(first, int | float) else first


def _table(rows: list[Record]) -> list[str]:
    lines = [
        "| | build: learn + add + tune, s | on disk, MB | in memory: private, with pages, MB "
        "| one query, 1 thread: median, p99, of the processor, ms | 2 threads: median "
        "| queries/s, 1 and 2 threads | recall@10, photos, texts | re-scored: median, ms "
        "| recall@10 | with |",
        "|---" * 11 + "|",
    ]
    for row in rows:
        if "stopped" in row:
            stopped = row["stopped"]
            after = f"stopped at {stopped['added']:,}, {stopped['per_second']:,} a second"
            lines.append(f"| {row['engine']} | {after} |" + " |" * 9)
            continue
        one, two, seconds = row["threads_1"], row["threads_2"], row["seconds"]
        again = one["rescored"]
        build = " + ".join(_short(seconds.get(step, 0)) for step in _BUILDING)
        with_what = ", ".join(f"{name} {value}" for name, value in one["parameters"].items())
        cells = [
            row["engine"],
            build,
            f"{one['disk_mb']:,.0f}",
            f"{max(0, one['private_mb']):,.0f}, {max(0, one['resident_mb']):,.0f}",
            ", ".join(_short(one[name]) for name in ("median_ms", "p99_ms", "cpu_ms")),
            _short(two["median_ms"]),
            f"{_short(one['queries_per_s'])}, {_short(two['queries_per_s'])}",
            f"{one['recall_photos']:.3f}, {one['recall_texts']:.3f}",
            _short(again["median_ms"]),
            f"{again['recall_photos']:.3f}, {again['recall_texts']:.3f}",
            f"{with_what}, {again['candidates']} candidates",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, "", *_filter_table(rows)]


_BUILDING = ("learning", "adding", "measuring")


def _filter_table(rows: list[Record]) -> list[str]:
    can = [row["threads_1"] | row for row in rows if "filters" in row.get("threads_1", {})]
    if not can:
        return []
    shares = [each["share"] for each in can[0]["filters"]]
    lines = [
        f"| re-scored, kept by a filter: | {' | '.join(f'{share:.4g}' for share in shares)} |",
        "|---" * (len(shares) + 1) + "|",
    ]
    for row in can:
        cells = [f"{_short(each['median_ms'])} ms, {_least(each):.3f}" for each in row["filters"]]
        lines.append(f"| {row['engine']} | {' | '.join(cells)} |")
    return lines


def _short(number: float) -> str:
    """Two or three digits that matter."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _draw(rows: list[Record]) -> None:
    matplotlib.use("Agg")
    names = list(dict.fromkeys(row["engine"] for row in rows))
    colours = {name: matplotlib.colormaps["tab20"](number) for number, name in enumerate(names)}
    figure = Figure(figsize=(16, 10), layout="constrained")
    above, below = figure.subplots(2, 3)
    sizes = sorted({row["count"] for row in rows})[-3:]
    for axes, count in zip(above, sizes, strict=False):
        _draw_recall(axes, [row for row in rows if row["count"] == count], colours)
        axes.set_title(f"{count:,} vectors, one thread")
    for axes in above[len(sizes) :]:
        axes.set_visible(False)
    grown = {
        "one query, median, one thread, re-scored, ms": lambda row: row["threads_1"]["rescored"][
            "median_ms"
        ],
        "build, s": lambda row: sum(row["seconds"].values()),
        "on disk, MB": lambda row: row["threads_1"]["disk_mb"],
    }
    for axes, (title, of) in zip(below, grown.items(), strict=True):
        for name in names:
            points = sorted((row["count"], of(row)) for row in rows if row["engine"] == name)
            axes.plot(*zip(*points, strict=True), _marker(name), color=colours[name], label=name)
        axes.set(xscale="log", yscale="log", xlabel="vectors of 512 dimensions", ylabel=title)
        axes.grid(alpha=0.3)
    handles, labels = below[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=6)
    figure.savefig(PICTURE, dpi=80)


def _draw_recall(axes: Axes, rows: list[Record], colours: dict[str, Any]) -> None:
    for row in rows:
        tuned = row["threads_1"]["rescored"]
        points = [(_least(each), each["median_ms"]) for each in row["threads_1"]["curve"]]
        points = sorted(each for each in [*points, (_least(tuned), tuned["median_ms"])])
        points = [each for each in points if each[0] >= _WORSE]
        colour, marker = colours[row["engine"]], _marker(row["engine"])
        if points:
            axes.plot(*zip(*points, strict=True), marker, color=colour, markersize=4)
        if _least(tuned) >= _WORSE:
            axes.plot(_least(tuned), tuned["median_ms"], marker[0], color=colour, markersize=10)
    axes.set(
        yscale="log",
        xlim=(_WORSE, 1.005),
        xlabel="recall@10 of photos or texts, whichever is less; large: as tuned",
        ylabel="one query, median, re-scored, ms",
    )
    axes.grid(alpha=0.3)


def _least(found: Record) -> float:
    return float(min(found["recall_photos"], found["recall_texts"]))


def _marker(name: str) -> str:
    return "o-" if _is_ours(name) else "^--"


def _is_ours(name: str) -> bool:
    return name.startswith("imgsearch")
