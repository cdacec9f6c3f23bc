"""Change the encoder of a library while another process searches it without a pause.

    python benchmarks/rebuild_live.py --photos VAL --old builtin --new flickr-v1 --library LIBRARY

VAL is a folder of photos with captions beside them. Indexes it with the old encoder, starts a
process that asks one caption after the other, rebuilds with the new encoder, rolls back, and prints
how many of the queries failed, how long they took, and the recall of both encoders.
"""

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import imgsearch
from imgsearch.library.captions import captions_of

SETTLING_SECONDS = 5.0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--old", default="builtin")
    parser.add_argument("--new")
    parser.add_argument("--library", type=Path, required=True)
    parser.add_argument("--ask", action="store_true", help="be the process that searches")
    arguments = parser.parse_args()
    if arguments.ask:
        _ask(arguments.library)
    else:
        print("\n".join(_change(arguments)))


def _ask(folder: Path) -> None:
    """Search for ever, a line of JSON for each query: when, how long, what came first or failed."""
    with imgsearch.open_library(folder) as library:
        _, captioned = captions_of(library)
        texts = [text for each in captioned.captions for text in each.get("en", ())]
        for text in itertools.cycle(texts[:200]):
            started = time.perf_counter()
            try:
                found: Any = [hit.photo_id for hit in imgsearch.search(library, text, k=5)]
            except Exception as error:  # what the benchmark counts
                found = f"{type(error).__name__}: {error}"
            seconds = time.perf_counter() - started
            print(json.dumps([time.time(), seconds, text, found]), flush=True)


def _change(arguments: argparse.Namespace) -> list[str]:
    with imgsearch.open_library(arguments.library) as library:
        list(imgsearch.index(library, arguments.photos, encoder=arguments.old))
        answers = arguments.library / "answers.jsonl"
        command = [sys.executable, __file__, "--ask", "--library", str(arguments.library)]
        with answers.open("w") as file:  # a pipe that nobody reads would stop the asking
            asking = subprocess.Popen(command, stdout=file)
        while not answers.read_text("utf-8") and asking.poll() is None:
            time.sleep(0.1)
        time.sleep(SETTLING_SECONDS)
        moments = {"before": time.time()}
        rebuilt = imgsearch.rebuild(library, encoder=arguments.new)
        moments["rebuilt"] = time.time()
        time.sleep(SETTLING_SECONDS)
        imgsearch.rollback(library)
        moments["rolled back"] = time.time()
        time.sleep(SETTLING_SECONDS)
        asking.terminate()
        asking.wait()
        written = answers.read_text("utf-8").split("\n")[:-1]  # the last may be cut short
        lines = [json.loads(line) for line in written]
        answers.unlink()
    return [*_queries(lines, moments), *_recall(rebuilt)]


def _queries(lines: list[Any], moments: dict[str, float]) -> list[str]:
    """How the queries of each stretch of time went, and which answers they got."""
    bounds = [0.0, *moments.values(), float("inf")]
    names = ["old encoder, at rest", "while rebuilding", "after the change", "after rollback"]
    stretches = [
        [line for line in lines if start <= line[0] < stop]
        for start, stop in itertools.pairwise(bounds)
    ]
    answers = {line[2]: line[3] for line in stretches[0]}
    out = [f"{'':22} queries  failed  median ms  longest ms  as the old encoder"]
    for name, stretch in zip(names, stretches, strict=True):
        failed = sum(isinstance(line[3], str) for line in stretch)
        times = [1000 * line[1] for line in stretch]
        known = [line for line in stretch if line[2] in answers]
        same = sum(line[3] == answers[line[2]] for line in known)
        out.append(
            f"{name:22} {len(stretch):7} {failed:7} {statistics.median(times):10.1f} "
            f"{max(times):11.1f}  {same} of {len(known)}"
        )
    return out


def _recall(rebuilt: imgsearch.Rebuilt) -> list[str]:
    out = [
        f"embedded {rebuilt.embedded:,} photos in {rebuilt.embedding_seconds:.1f} s, "
        f"{rebuilt.seconds:.1f} s in all"
    ]
    if rebuilt.why_not:
        out.append(f"not compared: {rebuilt.why_not}")
    for old, new in zip(rebuilt.before, rebuilt.after, strict=False):
        key = "text_to_image_recall@10"
        out.append(
            f"{new.language}: recall@10 {old.metrics[key]:.1%} with {old.encoder}, "
            f"{new.metrics[key]:.1%} with {new.encoder}"
        )
    return out


if __name__ == "__main__":
    main()
