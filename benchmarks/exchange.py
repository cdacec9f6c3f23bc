"""How many searches survive a round trip: embeddings out of a library, and into a fresh one.

    python benchmarks/exchange.py DATA/flickr8k/val.tar

Indexes the photos of a tar of captioned photos with the bundled encoder, writes their embeddings in
every format, imports each into a library of its own, and asks all of them the first captions.
"""

import argparse
import tempfile
import time
from pathlib import Path

from imgsearch.exchanging import Shape, export_embeddings, import_embeddings
from imgsearch.indexing import index
from imgsearch.library import Library, open_library
from imgsearch.pairs import CaptionedPhotos, read_pairs
from imgsearch.searching import search

TARGETS = {
    "clip-retrieval, float16": ("out", Shape()),
    "clip-retrieval, --float32": ("out32", Shape(is_float32=True)),
    "npz": ("out.npz", Shape()),
    "jsonl": ("out.jsonl", Shape()),
}


def answers(library: Library, queries: list[str]) -> list[list[tuple[Path, float]]]:
    return [[(hit.path, hit.score) for hit in search(library, query)] for query in queries]


def first_captions(tar: Path, count: int) -> list[str]:
    """One caption of each of the first photos, in turn English and Chinese."""
    pairs = read_pairs([tar])
    assert isinstance(pairs, CaptionedPhotos)
    languages = ("en", "zh")
    return [captions[languages[n % 2]][0] for n, captions in enumerate(pairs.captions[:count])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("tar", type=Path)
    parser.add_argument("--queries", type=int, default=100)
    options = parser.parse_args()
    queries = first_captions(options.tar, options.queries)
    print("format                      seconds out  in  same 10  largest difference of a score")
    with tempfile.TemporaryDirectory() as folder, open_library(Path(folder, "lib")) as library:
        for _ in index(library, [options.tar], encoder="builtin"):
            pass
        ours = answers(library, queries)
        for name, (target, shape) in TARGETS.items():
            out = Path(folder, target)
            started = time.perf_counter()
            export_embeddings(library, out, shape=shape)
            written = time.perf_counter()
            with open_library(Path(folder, f"of-{target}")) as other:
                import_embeddings(other, out, photos=options.tar)
                read = time.perf_counter()
                theirs = answers(other, queries)
            same = sum(
                [path for path, _ in one] == [path for path, _ in two]
                for one, two in zip(ours, theirs, strict=True)
            )
            apart = max(
                abs(score - dict(one)[path])
                for one, two in zip(ours, theirs, strict=True)
                for path, score in two
                if path in dict(one)
            )
            seconds = f"{written - started:11.1f} {read - written:4.1f}"
            print(f"{name:25} {seconds} {same:5} of {len(queries)} {apart:10.1e}")


if __name__ == "__main__":
    main()
