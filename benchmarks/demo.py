"""The main job on real photos, as `make demo` runs it.

Photos: the sample pictures that scikit-image carries. Encoder and captioner: `builtin`, which were
never trained on them; the captioner knows the world of Flickr8K, dogs and people out of doors.
Every command is printed before it runs, so that what is seen here can be typed. The questions were
written down by looking at the photos, not at the answers; the table at the end gives the true rank
of the right photo for each, good or bad.
"""

import argparse
import shutil
import subprocess
import sys
import time
from importlib import util
from pathlib import Path

import imgsearch

PICTURES = {".png", ".jpg", ".jpeg", ".gif", ".tif"}
QUESTIONS = [
    ("a cat", "chelsea.png"),
    ("一只猫", "chelsea.png"),
    ("a cup of coffee", "coffee.png"),
    ("一杯咖啡", "coffee.png"),
    ("an astronaut", "astronaut.png"),
    ("宇航员", "astronaut.png"),
    ("a motorcycle", "motorcycle_left.png motorcycle_right.png"),
    ("摩托车", "motorcycle_left.png motorcycle_right.png"),
    ("a rocket on its launch pad", "rocket.jpg"),
    ("发射台上的火箭", "rocket.jpg"),
    ("a man with a camera", "camera.png"),
    ("拿着相机的男人", "camera.png"),
    ("coins", "coins.png"),
    ("硬币", "coins.png"),
    ("green grass", "grass.png"),
    ("草地", "grass.png"),
    ("a brick wall", "brick.png"),
    ("砖墙", "brick.png"),
    ("the moon", "moon.png"),
    ("stars and galaxies", "hubble_deep_field.jpg"),
    ("a clock", "clock_motion.png"),
    ("a horse", "horse.png"),
]
NOTHING_RELEVANT = 1
WRITTEN = "The back of an eye, as an ophthalmologist sees it.\n视网膜的照片，眼科检查。\n"


def collect(folder: Path) -> Path:
    """Copy scikit-image's sample photos to a folder with a short name."""
    spec = util.find_spec("skimage")
    if spec is None or spec.origin is None:
        sys.exit("the demo needs scikit-image's sample photos: pip install 'imgsearch[demo]'")
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted((Path(spec.origin).parent / "data").iterdir()):
        if path.suffix in PICTURES:
            shutil.copyfile(path, folder / path.name)
    return folder


def show(*words: str, exit_code: int = 0) -> None:
    """Print a command as one would type it, then run it, which must end with that exit code."""
    shown = " ".join(f'"{word}"' if " " in word else word for word in words)
    print(f"\n$ imgsearch {shown}", flush=True)
    done = subprocess.run([sys.executable, "-m", "imgsearch.cli", *words], check=False)
    if done.returncode != exit_code:
        sys.exit(f"`imgsearch {shown}` ended with {done.returncode}, not {exit_code}")


def rank_of(library: imgsearch.Library, question: str, right: str) -> int:
    hits = imgsearch.search(library, question, k=100, mode="vector")  # a name would give it away
    return next(hit.rank for hit in hits if hit.path.name in right.split())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("demo"))
    folder = parser.parse_args().folder
    started = time.perf_counter()
    photos = collect(folder / "photos")
    library = str(folder / "library")
    show("--library", library, "index", str(photos), "--encoder", "builtin")
    show("--library", library, "search", "a cat", "-k", "3")
    show("--library", library, "search", "一杯咖啡", "-k", "3")
    show("--library", library, "search", str(photos / "motorcycle_left.png"), "-k", "3")
    show("--library", library, "search", "a helicopter", exit_code=NOTHING_RELEVANT)
    show("--library", library, "search", "coffee + motorcycle", "--explain", "-k", "2")
    show("--library", library, "search", "width:>1000", "type:jpeg", "--sort", "path")
    show("--library", library, "similar", str(photos / "chelsea.png"), "-k", "2")
    show("--library", library, "duplicates", "--tier", "scene")
    drawn = str(folder / "captions.png")
    show("--library", library, "caption", "--dry-run", "3", "--contact-sheet", drawn)
    show("--library", library, "caption")
    show("--library", library, "search", "--mode", "text", "dog", "-k", "3")
    show("--library", library, "search", "--mode", "text", "狗", "-k", "3")
    (photos / "retina.txt").write_text(WRITTEN, "utf-8")
    show("--library", library, "caption", "--import")
    show("--library", library, "search", "ophthalmologist", "-k", "1")
    show("--library", library, "search", "眼科", "-k", "1")
    show("--library", library, "show", str(photos / "retina.jpg"))
    sheet = str(folder / "a-cat.png")
    show("--library", library, "search", "a cat", "-k", "8", "--all", "--contact-sheet", sheet)
    show("--library", library, "status")

    with imgsearch.open_library(library) as opened:
        ranks = [(rank_of(opened, text, right), text, right) for text, right in QUESTIONS]
        total = len(imgsearch.search(opened, "a photo", k=1000))
    print(f"\nTrue rank of the right photo among {total}, by vector alone:")
    for rank, text, right in ranks:
        print(f"  {rank:3d}  {text}  ({right})")
    first = sum(rank == 1 for rank, _, _ in ranks)
    third = sum(rank <= 3 for rank, _, _ in ranks)
    print(f"first {first}, among the first three {third}, of {len(ranks)} questions")
    print(f"\nAll of it took {time.perf_counter() - started:.0f} s. Look at {sheet} and {drawn}")


if __name__ == "__main__":
    main()
