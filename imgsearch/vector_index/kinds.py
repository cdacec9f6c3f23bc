"""The kinds of index: their names, what FAISS is told to make of each, and which is for how many.

A kind, a dim and a count go in; a kind by size, a description for FAISS, or a number out of it
comes out. The bounds are what benchmarks/vector_index measured.
"""

import math

# IVF keeps ids of its own; wrapping it in an IDMap gives wrong ids without a word.
FACTORY = {
    "flat": "IDMap,Flat",
    "sq8": "IDMap,SQ8",
    "hnsw": "IDMap,HNSW32",
    "ivf": "IVF{nlist},Flat",
    "ivf-sq8": "IVF{nlist},SQ8",
    "ivf-pq": "IVF{nlist},PQ{bytes}np",  # np: no polysemous codes, slow to learn and not used
}
KINDS = tuple(FACTORY)
AUTO = "auto"

# Flat passes by all vectors, and its time grows with them: at so many it is a small part of what
# else a search does.
FLAT_VALUES = 50_000 * 512
# A vector of 512 takes 520 bytes in ivf-sq8: 2.6 GB here, and 64 and its id in ivf-pq.
SQ8_VALUES = 5_000_000 * 512
LEAST_FOR_CODES = 1000  # vectors; 256 make the codes of ivf-pq, and fewer are found sooner as flat

# For k-means to learn from; 39 are the least that FAISS holds for enough, and even so, of a million
# it takes longer to learn than to add them.
ROWS_PER_LIST = 40

_LISTS_OF_ROOT, _MOST_LISTS = 4, 8192
_CODE_BYTES, _CODE_WIDTH = 64, 256
_LEAST_TRAINING_ROWS = 65_536
_MOST_TRAINING_BYTES = 768 * 2**20


def kind_for(kind: str, count: int, dim: int) -> str:
    """The kind that `kind`, maybe "auto", comes to for so many vectors of a dim.

    Without any vectors it is flat whatever was asked: the others have nothing to learn from.
    """
    if not count or (kind == "ivf-pq" and count < LEAST_FOR_CODES):
        return "flat"
    if kind != AUTO:
        return kind
    if count * dim <= FLAT_VALUES:
        return "flat"
    return "ivf-sq8" if count * dim <= SQ8_VALUES else "ivf-pq"


def description(kind: str, count: int, dim: int) -> str:
    """What `faiss.index_factory` makes the kind of, for so many vectors of a dim."""
    nlist = max(1, min(round(_LISTS_OF_ROOT * math.sqrt(count)), count // ROWS_PER_LIST))
    return FACTORY[kind].format(nlist=min(nlist, _MOST_LISTS), bytes=min(_CODE_BYTES, dim))


def inner_dim(kind: str, dim: int) -> int:
    """How many values of a vector the kind keeps; ivf-pq the most telling ones, a few a byte."""
    if kind != "ivf-pq":
        return dim
    code_bytes = min(_CODE_BYTES, dim)
    return min(_CODE_WIDTH, dim) // code_bytes * code_bytes


def training_rows(nlist: int, dim: int) -> int:
    """How many vectors an index of so many lists learns from, at most."""
    rows = max(ROWS_PER_LIST * nlist, _LEAST_TRAINING_ROWS)
    return min(rows, _MOST_TRAINING_BYTES // (4 * dim))


def is_inverted(kind: str) -> bool:
    """Whether the kind keeps its vectors in lists of which a search looks at some."""
    return kind.startswith("ivf")


def candidates(kind: str, k: int) -> int:
    """How many of the kind's best hold the k exactly best, once those are scored exactly."""
    # Of a million, the ten first by sq8 hold 0.90 of the ten best photos, 12 0.994, 16 and more
    # 0.998, which is all in the lists; of 200,000, the 100 first by ivf-pq hold 0.989.
    per_hit, more = {"sq8": (1, 8), "ivf-sq8": (1, 8), "ivf-pq": (4, 100)}.get(kind, (1, 0))
    return per_hit * k + more
