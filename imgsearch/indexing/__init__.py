"""index(): files become rows and embeddings. rebuild(): embeddings become a generation.
switch(): another encoder answers.

Paths go in, one `Outcome` a file comes out, after it is committed. The stages (walk, compare, hash,
match, decode, embed, commit) are generators pulled by the caller, so a caller that stops, by Ctrl-C
or by closing, stops them all; nothing runs behind its back but a few threads that hash and decode.

    outcomes.py   what happens to a file, what a caller is told besides
    running.py    index and rebuild
    roots.py      the paths of a run
    choosing.py   which encoders a run uses
    answering.py  which encoder answers a language; switch
    comparing.py  files on disk against files in the catalog
    ahead.py      hashing and decoding a few photos ahead
    embedding.py  a batch of pictures through one encoder
    batches.py    commit a batch
    gone.py       what is no longer on disk
"""

from imgsearch.indexing.answering import switch
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
    "switch",
]
