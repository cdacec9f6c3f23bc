"""Write tests/data/library-v2: a small library as revision 0002 made it, opened by tests for ever.

Run once, with the imgsearch of that revision: `python tests/data/make_library_v2.py`. Four drawn
photos, one of them missing, are indexed with the tests' ColourEncoder; then `toy/second` takes its
place, so that there is a switch to take back. Paths are rewritten to /photos, so that the file
names no machine. A later format gets a script and a folder of its own.
"""

import shutil
import sqlite3
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent.parent)]

from conftest import ColourEncoder, draw  # noqa: E402  # found by the line above
from imgsearch.indexing import index, rebuild  # noqa: E402
from imgsearch.library import open_library  # noqa: E402


def main() -> None:
    target = HERE / "library-v2"
    shutil.rmtree(target, ignore_errors=True)
    with tempfile.TemporaryDirectory() as temporary:
        photos = Path(temporary).resolve() / "photos"
        for colour in ("red", "green", "blue", "gone"):
            draw(photos / f"{colour}.png", "white" if colour == "gone" else colour)
        with open_library(target) as library:
            list(index(library, photos, encoder=ColourEncoder()))
            (photos / "gone.png").unlink()
            list(index(library, photos, encoder=ColourEncoder()))
            rebuild(library, encoder=ColourEncoder("toy/second"))
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


if __name__ == "__main__":
    main()
