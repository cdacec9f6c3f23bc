"""Caption a whole library, and again while it is killed: captions a minute, memory, what is lost.

    python benchmarks/bulk_captions.py DATA

Indexes the 7,000 photos of DATA/flickr8k with the bundled encoder, then runs `imgsearch caption` on
copies of that library as whole commands, starting up included: every way of decoding in English,
the default in both languages, and the default killed with SIGKILL again and again until it gets
through, whose captions must be those of the run that nobody disturbed.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import imgsearch

LIVES_SECONDS = 25.0  # from start to SIGKILL
WAYS = {
    "greedy": ("--language", "en", "--decode", "greedy"),
    "beam, 3": ("--language", "en", "--beams", "3"),
    "beam, 5 (the default)": ("--language", "en"),
    "sample, top-p 0.9": ("--language", "en", "--decode", "sample", "--top-p", "0.9"),
    "beam, 5, both languages": (),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--captioner", default="builtin")
    parser.add_argument("--photos", type=int, default=7000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        photos = unpacked(arguments.data / "flickr8k", work / "photos", arguments.photos)
        with imgsearch.open_library(work / "library") as library:
            list(imgsearch.index(library, photos, encoder="builtin"))
        print("| decoding | captions | seconds | captions a minute | peak memory |")
        print("|---|---|---|---|---|")
        for way, flags in WAYS.items():
            print(measured(work, way, ("--captioner", arguments.captioner, *flags)), flush=True)
        print(killed(work, ("--captioner", arguments.captioner)))


def unpacked(tars: Path, folder: Path, count: int) -> Path:
    """The first photos of all tars, as files."""
    folder.mkdir()
    for path in sorted(tars.glob("*.tar")):
        with tarfile.open(path) as archive:
            for member in archive:
                if member.name.endswith(".jpg") and count:
                    archive.extract(member, folder, filter="data")
                    count -= 1
    return folder


def command(library: Path, flags: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-m", "imgsearch.cli", "--library", str(library), "caption", *flags]


def measured(work: Path, way: str, flags: tuple[str, ...]) -> str:
    """One row of the table: a whole command on a fresh copy of the library."""
    library = work / "copy"
    shutil.rmtree(library, ignore_errors=True)
    shutil.copytree(work / "library", library)
    started = time.perf_counter()
    process = subprocess.Popen(command(library, (*flags, "--quiet")))
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if status:
        sys.exit(f"imgsearch caption ended with {status}")
    count = len(captions(library))
    memory = usage.ru_maxrss / 1024
    return f"| {way} | {count:,} | {seconds:.0f} | {60 * count / seconds:,.0f} | {memory:.0f} MB |"


def killed(work: Path, flags: tuple[str, ...]) -> str:
    """Kill the command until it gets through; `copy` holds what it should come to."""
    library = work / "killed"
    shutil.copytree(work / "library", library)
    counts: list[str] = []
    while True:
        process = subprocess.Popen(
            command(library, flags), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            process.wait(LIVES_SECONDS)
            break
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            counts.append(f"{len(captions(library)):,}")
    undisturbed, found = captions(work / "copy"), captions(library)
    same = sum(undisturbed.get(key) == text for key, text in found.items())
    return (
        f"killed {len(counts)} times, after {LIVES_SECONDS:.0f} s each, with "
        f"{', '.join(counts)} captions there: {len(found):,} in the end, {same:,} of them as "
        "without"
    )


def captions(folder: Path) -> dict[tuple[str, str], str]:
    """(path, language) -> the generated caption."""
    with imgsearch.open_library(folder) as library:
        paths = library.catalog.live_paths(range(1, 10**5))
        return {
            (paths[photo_id].name, row.language): row.text
            for photo_id, rows in library.catalog.captions(list(paths)).items()
            for row in rows
            if row.source == "generated"
        }


if __name__ == "__main__":
    main()
