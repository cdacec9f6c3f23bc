"""A generation: the FAISS index over an encoder's embeddings; built, searched, saved, mapped back.

In go photo ids and vectors, out come cosine scores and photo ids, best first, the same way on every
kind; `flat` is exact and the yardstick of the others. The only folder that imports faiss. An index
never changes once it is built: FAISS crashes when a search meets an addition, and an index that is
mapped from disk cannot grow at all, so a change is a new index.

    index.py     VectorIndex: built, extended, searched, saved
    kinds.py     the kinds, which is for how many, as FAISS is told of them
    sources.py   where vectors come from that need not lie in memory
    building.py  a source becomes an index
    tuning.py    how far a search must reach to find enough
    gpu.py       which FAISS is installed, and indexes on a GPU
    structure.py the index of FAISS inside
    bits.py      a set of ids
    threads.py   how many threads a search has
    making.py    how an index was made, for its manifest
    folder.py    a saved one: its manifest, and the file mapped back
    hashes.py    HashIndex: hashes that differ in few bits
"""

import os

# FAISS brings its own OpenMP, which spins while it waits: beside another process that computes,
# learning took twenty times as long and more. It reads this when it loads.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
from imgsearch.vector_index.gpu import Installed, installed  # after that line
from imgsearch.vector_index.hashes import HashIndex
from imgsearch.vector_index.index import VectorIndex
from imgsearch.vector_index.kinds import AUTO, KINDS
from imgsearch.vector_index.making import USUAL, Asked, Making, Recall, Step
from imgsearch.vector_index.sources import ArraySource, VectorSource

__all__ = [
    "AUTO",
    "KINDS",
    "USUAL",
    "ArraySource",
    "Asked",
    "HashIndex",
    "Installed",
    "Making",
    "Recall",
    "Step",
    "VectorIndex",
    "VectorSource",
    "installed",
]
