"""Write tests/data/library-v5: a small library as revision 0005 made it, opened by tests for ever.

Run once, with the imgsearch of that revision: `python tests/data/make_library_v5.py`. Four drawn
photos, one of them taken in Paris and one missing, and one inside a zip are indexed with the tests'
ColourEncoder and given captions, labels and albums. Paths are rewritten to /photos, so that the
file names no machine. A later format gets a script and a folder of its own.
"""

import os
import shutil
import sqlite3
import sys
import tempfile
import zipfile
from pathlib import Path

from PIL import Image

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent.parent)]

from conftest import ColourEncoder, draw  # noqa: E402  # found by the line above
from imgsearch.indexing import index  # noqa: E402
from imgsearch.library import Library, open_library  # noqa: E402

MODEL, GPS = 0x0110, 0x8825  # EXIF tags
PARIS = {1: "N", 2: (48.0, 51.0, 24.0), 3: "E", 4: (2.0, 21.0, 3.0)}


def main() -> None:
    target = HERE / "library-v5"
    shutil.rmtree(target, ignore_errors=True)
    with tempfile.TemporaryDirectory() as temporary:
        photos = Path(temporary).resolve() / "photos"
        for colour in ("red", "green", "blue", "gone"):
            draw(photos / f"{colour}.png", "white" if colour == "gone" else colour)
        exif = Image.Exif()
        exif[MODEL] = "Toy 5"
        exif.get_ifd(GPS).update(PARIS)
        Image.new("RGB", (32, 24), "red").save(photos / "red.png", exif=exif)
        with zipfile.ZipFile(photos / "holiday.zip", "w") as archive:
            archive.write(draw(Path(temporary) / "yellow.png", "yellow"), "beach/yellow.png")
        paths = [photos, photos / "holiday.zip"]
        with open_library(target) as library:
            list(index(library, paths, encoder=ColourEncoder()))
            describe(library, photos)
            (photos / "gone.png").unlink()
            list(index(library, paths, encoder=ColourEncoder()))
        connection = sqlite3.connect(target / "library.db", isolation_level=None)
        for table in ("roots", "files", "containers"):
            connection.execute(
                f"UPDATE {table} SET path = replace(path, ?, '/photos')", (str(photos),)
            )
        connection.execute("UPDATE runs SET pid = 1")
        connection.execute("PRAGMA journal_mode = DELETE")  # one file, without a WAL beside it
        connection.execute("VACUUM")
        connection.close()
    (target / "library.lock").unlink()


def describe(library: Library, photos: Path) -> None:
    """A caption, labels of a person and of an encoder, an album and a saved search."""
    files = library.catalog.files_under([photos])
    ids = {os.path.basename(name): file.photo_id or 0 for name, file in files.items()}
    with library.catalog.write() as writer:
        writer.add_captions(ids["red.png"], ["Two ripe tomatoes"], "en", "user")
        writer.add_label("tomato", [ids["red.png"]])
        writer.add_to_album("holiday", [ids["green.png"], ids["yellow.png"]])
        writer.save_album("paris", "city:Paris")


if __name__ == "__main__":
    main()
