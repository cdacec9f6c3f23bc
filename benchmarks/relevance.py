"""Whether relevance tells what is there from what is not, and what the default cut loses.

    python benchmarks/relevance.py DATA --encoder builtin --encoder OTHER

DATA holds tiny-imagenet/val.tar, caltech101/train.tar and flickr8k/val.tar; relevance_sets.py says
how galleries are drawn. The first encoder and half of the classes and sentences give the lines of
SHORTFALL in imgsearch/relevance/background.py: what LOSS of the queries for what is there fall
short of, among so many photos. The figures are of the other half with the lines in use, which were
fitted so. Plain cosine has the best threshold that one number for all sizes can be: the one that
loses LOSS of the fitted queries, those of all sizes together, and beside it the one that loses LOSS
of the very queries it is measured on, which nobody can know. Prints the lines and the Markdown
table of benchmarks/README.md, and writes benchmarks/relevance.json.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from relevance_sets import SIZES, Answer, Floats, Sets

from imgsearch.relevance.background import LOSS, SHORTFALL, Line

RESULTS = Path(__file__).with_suffix(".json")
MOST = {"label": 2000, "sentence": 300}  # photos: where the lines end


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--encoder", action="append", required=True)
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    cosine = 0.0
    for name in arguments.encoder:
        sets = Sets(arguments.data, name)
        if not rows:
            to_fit = list(sets.to_fit())
            for kind, most in MOST.items():
                of_kind = [each for each in to_fit if each.kind == kind]
                print(f"{kind}: {_fitted(of_kind, most)}; in use: {SHORTFALL[kind]}")
            there = [each.cosine for each in to_fit if each.kind == "label" and each.is_there]
            cosine = float(np.quantile(there, LOSS))
            print(f"plain cosine is cut at {cosine:.3f}", flush=True)
        mine = list(_rows(sets.name, list(sets.to_report()), cosine))
        print("\n".join(_table(mine)), flush=True)
        rows += mine
        RESULTS.write_text("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n", "utf-8")


def _fitted(answers: Sequence[Answer], most: int) -> Line:
    """The line through the LOSS quantiles of what is there, by least squares over the sizes."""
    logs, heights = [], []
    for size in SIZES:
        chosen = [each for each in answers if each.size == size and each.is_there]
        logs.append(np.log(min(chosen[0].count, most)))
        heights.append(np.quantile([each.weighed.max() for each in chosen], LOSS))
    slope, start = np.polyfit(logs, heights, 1)
    return Line(round(float(start), 2), round(float(slope), 2), most)


def _rows(encoder: str, answers: Sequence[Answer], cosine: float) -> Iterator[dict[str, Any]]:
    for group in dict.fromkeys((each.asked, each.size, each.language) for each in answers):
        chosen = [each for each in answers if (each.asked, each.size, each.language) == group]
        there = np.array([each.is_there for each in chosen])
        least = SHORTFALL[chosen[0].kind].at(chosen[0].count)
        kept = [each.weighed >= least for each in chosen]
        of_kept = [each.right[keep] for each, keep in zip(chosen, kept, strict=True)]
        cosines = np.array([each.cosine for each in chosen])
        best = np.array([each.weighed.max() for each in chosen])
        yield {
            "encoder": encoder,
            **dict(zip(("queries", "photos", "language"), group, strict=True)),
            "there": int(there.sum()),
            "absent": int((~there).sum()),
            "relevance": _figures(best[there], best[~there], least),
            "cosine": _figures(cosines[there], cosines[~there], cosine),
            "precision": round(float(np.concatenate(of_kept).mean()), 4),
            "precision without a cut": round(
                float(np.concatenate([each.right for each in chosen]).mean()), 4
            ),
        }


def _figures(yes: Floats, no: Floats, cut: float) -> dict[str, float]:
    """AUROC; loss and false answers at the cut; false answers where the loss is LOSS right here."""
    yes = np.sort(yes)
    below = np.searchsorted(yes, no, "left") + np.searchsorted(yes, no, "right")
    return {
        "auroc": round(1 - float(below.mean()) / (2 * len(yes)), 4),
        "loss": round(float((yes < cut).mean()), 4),
        "false": round(float((no >= cut).mean()), 4),
        "false at that loss": round(float((no >= np.quantile(yes, LOSS)).mean()), 4),
    }


def _table(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """A line for each kind and number of queries: first the English figure, then the Chinese."""
    yield (
        "| encoder, queries | photos | loss | false answers | AUROC | cosine, one cut: loss "
        "| false | cosine, a loss of 5% here: false | AUROC | right hits, without a cut |"
    )
    yield "|---" * 10 + "|"
    for what in dict.fromkeys((row["encoder"], row["queries"]) for row in rows):
        of_what = [row for row in rows if (row["encoder"], row["queries"]) == what]
        for size in dict.fromkeys(row["photos"] for row in of_what):
            both = [row for row in of_what if row["photos"] == size]
            mine, cosine = ([row[name] for row in both] for name in ("relevance", "cosine"))
            cells = [
                " ".join(what),
                f"{size:,}",
                _shares(mine, "loss"),
                _shares(mine, "false"),
                _shares(mine, "auroc"),
                _shares(cosine, "loss"),
                _shares(cosine, "false"),
                _shares(cosine, "false at that loss"),
                _shares(cosine, "auroc"),
                f"{_shares(both, 'precision')}, {_shares(both, 'precision without a cut')}",
            ]
            yield f"| {' | '.join(cells)} |"


def _shares(rows: Sequence[dict[str, Any]], key: str) -> str:
    return " / ".join(f"{row[key]:.0%}" for row in rows)


if __name__ == "__main__":
    main()
