"""Write tests/data/library-v3: a small library as revision 0003 made it, opened by tests for ever.

Run once, with the imgsearch of that revision: `python tests/data/make_library_v3.py`. Four drawn
photos, one of them missing, are indexed with the tests' ColourEncoder and given captions of each
source, in both languages. Paths are rewritten to /photos, so that the file names no machine. A
later format gets a script and a folder of its own.
"""

import os
import shutil
import sqlite3
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent.parent)]

from conftest import ColourEncoder, draw  # noqa: E402  # found by the line above
from imgsearch.indexing import index  # noqa: E402
from imgsearch.library import Library, open_library  # noqa: E402


def main() -> None:
    target = HERE / "library-v3"
    shutil.rmtree(target, ignore_errors=True)
    with tempfile.TemporaryDirectory() as temporary:
        photos = Path(temporary).resolve() / "photos"
        for colour in ("red", "green", "blue", "gone"):
            draw(photos / f"{colour}.png", "white" if colour == "gone" else colour)
        with open_library(target) as library:
            list(index(library, photos, encoder=ColourEncoder()))
            describe(library, photos)
            (photos / "gone.png").unlink()
            list(index(library, photos, encoder=ColourEncoder()))
        connection = sqlite3.connect(target / "library.db", isolation_level=None)
        for table in ("roots", "files"):
            connection.execute(
                f"UPDATE {table} SET path = replace(path, ?, '/photos')", (str(photos),)
            )
        connection.execute("UPDATE runs SET pid = 1")
        connection.execute("PRAGMA journal_mode = DELETE")  # one file, without a WAL beside it
        connection.execute("VACUUM")
        connection.close()
    (target / "library.lock").unlink()


def describe(library: Library, photos: Path) -> None:
    """Captions from a person, from a sidecar and from a captioner."""
    files = library.catalog.files_under([photos])
    ids = {os.path.basename(name): file.photo_id or 0 for name, file in files.items()}
    with library.catalog.write() as writer:
        writer.add_captions(ids["red.png"], ["Two ripe tomatoes"], "en", "user")
        writer.add_captions(ids["green.png"], ["A meadow in May"], "en", "sidecar")
        toy = writer.add_captioner("toy/captioner", "identity of toy/captioner")
        writer.put_generated_captions(toy, "en", [(ids["red.png"], "a red wall", -1.25)])
        said = {"red.png": "红色的墙", "blue.png": "蓝色的大海", "gone.png": "一场雪"}
        rows = [(ids[name], text, -1.5) for name, text in said.items()]
        writer.put_generated_captions(toy, "zh", rows)


if __name__ == "__main__":
    main()
