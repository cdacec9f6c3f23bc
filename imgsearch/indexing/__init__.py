"""index(): files become rows and embeddings. rebuild(): embeddings become a generation.

Paths go in, one `Outcome` a file comes out, after it is committed. The stages (walk, compare, hash,
match, decode, embed, commit) are generators pulled by the caller, so a caller that stops, by Ctrl-C
or by closing, stops them all; nothing runs behind its back but a few threads that hash and decode.

    outcomes.py   what happens to a file, what a caller is told besides
    running.py    index and rebuild
    choosing.py   which encoders a run uses
    comparing.py  files on disk against files in the catalog
    ahead.py      hashing and decoding a few photos ahead
    batches.py    embed a batch and commit it
    gone.py       what is no longer on disk
"""

from imgsearch.indexing.outcomes import (
    Added,
    BuildingGeneration,
    Embedding,
    FellBack,
    Intake,
    Missing,
    Moved,
    Notice,
    Outcome,
    Scanned,
    Skipped,
    Unchanged,
    Withheld,
)
from imgsearch.indexing.running import index, rebuild

__all__ = [
    "Added",
    "BuildingGeneration",
    "Embedding",
    "FellBack",
    "Intake",
    "Missing",
    "Moved",
    "Notice",
    "Outcome",
    "Scanned",
    "Skipped",
    "Unchanged",
    "Withheld",
    "index",
    "rebuild",
]
