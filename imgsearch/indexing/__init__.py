"""index(): files become rows and embeddings. watch(): the same, as they change. rebuild(): another
encoder takes over. reindex(): new indexes from what is stored. switch(), rollback(): who answers.
prune(): what answers nothing goes.

Paths go in, one `Outcome` a file comes out, after it is committed. The stages (walk, compare, hash,
match, decode, embed, commit) are generators pulled by the caller, so a caller that stops, by Ctrl-C
or by closing, stops them all; nothing runs behind its back but a few threads that hash and decode.

    outcomes.py   what happens to a file, what a caller is told besides
    running.py    index
    watching.py   watch
    changes.py    what changes below folders, once it has settled
    rebuilding.py rebuild
    reindexing.py reindex
    roots.py      the paths of a run
    containers.py files that hold photos: opened, or as known
    choosing.py   which encoders a run uses
    answering.py  which encoder answers a language; switch, rollback
    pruning.py    prune
    comparing.py  files on disk against files in the catalog
    ahead.py      hashing and decoding a few photos ahead
    embedding.py  a batch of pictures through one encoder
    batches.py    commit a batch
    gone.py       what is no longer on disk
    renewing.py   photos that an earlier version read
    lacking.py    photos that an encoder has not seen
    weighing.py   the encoder that answers against the one that is to follow
"""

from imgsearch.indexing.answering import rollback, switch
from imgsearch.indexing.changes import Attention
from imgsearch.indexing.outcomes import (
    Added,
    BuildingGeneration,
    Embedded,
    Embedding,
    FellBack,
    Intake,
    Missing,
    Moved,
    Notice,
    Outcome,
    Renewing,
    Scanned,
    Skipped,
    Unchanged,
    UnreadTexts,
    Watching,
    Weighing,
    Withheld,
)
from imgsearch.indexing.pruning import Model, Pruned, Unused, prune
from imgsearch.indexing.rebuilding import Handover, Rebuilt, Switched, rebuild
from imgsearch.indexing.reindexing import Reindexed, reindex
from imgsearch.indexing.running import index
from imgsearch.indexing.watching import watch

__all__ = [
    "Added",
    "Attention",
    "BuildingGeneration",
    "Embedded",
    "Embedding",
    "FellBack",
    "Handover",
    "Intake",
    "Missing",
    "Model",
    "Moved",
    "Notice",
    "Outcome",
    "Pruned",
    "Rebuilt",
    "Reindexed",
    "Renewing",
    "Scanned",
    "Skipped",
    "Switched",
    "Unchanged",
    "UnreadTexts",
    "Unused",
    "Watching",
    "Weighing",
    "Withheld",
    "index",
    "prune",
    "rebuild",
    "reindex",
    "rollback",
    "switch",
    "watch",
]
