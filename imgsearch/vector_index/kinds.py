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
}
KINDS = (*FACTORY, "ivf-pq")
AUTO = "auto"
RECALL_K = 10  # recall is that of so many hits

# Flat passes by all vectors, and its time grows with them: at so many it is a small part of what
# else a search does.
FLAT_VALUES = 50_000 * 512
# Of a million, ten hits by ivf-sq8 take the processor 3 ms, those by ivf-pq 11, as ten times as
# many candidates are read; from a cold disk both take as long. But while it is built an index lies
# in memory, in up to 1.7 times the bytes of its file: that is 4.4 GB here, 520 bytes a vector of
# 512, where ivf-pq takes 136.
SQ8_VALUES = 5_000_000 * 512
LEAST_FOR_CODES = 1000  # vectors; 256 make the codes of ivf-pq, and fewer are found sooner as flat

# For k-means to learn from; 39 are the least that FAISS holds for enough, and even so, of a million
# it takes longer to learn than to add them.
ROWS_PER_LIST = 40

_LISTS_OF_ROOT, _MOST_LISTS = 4, 8192
# Of a million, the ten best were among 450 candidates by 64 bytes, of 256 values or of all 512, 332
# by 96 of 384, 140 by 128 of 512; and a candidate takes as long as passing by 160 codes of 128.
_CODE_BYTES, _CODE_WIDTH = 128, 512
_LEAST_TRAINING_ROWS = 65_536
# Of a million, the ten first by sq8 hold 0.90 of the ten best photos, 12 0.994, 16 and more 0.998,
# which is all in the lists. What ivf-pq needs grows with the library.
_CANDIDATES = {
    "sq8": (18,),
    "ivf-sq8": (18,),
    "ivf-pq": (20, 28, 40, 56, 80, 112, 160, 224, 320, 448, 640, 900),
}
_UNTUNED_CANDIDATES = 140
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


def description(kind: str, count: int) -> str:
    """What `faiss.index_factory` makes the kind of, for so many vectors; all but ivf-pq."""
    return FACTORY[kind].format(nlist=lists(count))


def lists(count: int) -> int:
    """In how many lists so many vectors are kept."""
    nlist = max(1, min(round(_LISTS_OF_ROOT * math.sqrt(count)), count // ROWS_PER_LIST))
    return min(nlist, _MOST_LISTS)


def code_shape(dim: int) -> tuple[int, int]:
    """How many bytes a vector takes in ivf-pq, and how many of its values these tell: the most
    telling ones, a few a byte."""
    code_bytes = min(_CODE_BYTES, dim)
    return code_bytes, min(_CODE_WIDTH, dim) // code_bytes * code_bytes


def training_rows(nlist: int, dim: int) -> int:
    """How many vectors an index of so many lists learns from, at most."""
    rows = max(ROWS_PER_LIST * nlist, _LEAST_TRAINING_ROWS)
    return min(rows, _MOST_TRAINING_BYTES // (4 * dim))


def is_inverted(kind: str) -> bool:
    """Whether the kind keeps its vectors in lists of which a search looks at some."""
    return kind.startswith("ivf")


def candidates(kind: str) -> tuple[int, ...]:
    """How many of the kind's best may be scored exactly, to find the RECALL_K exactly best among
    them; ascending, several where tuning is to choose."""
    return _CANDIDATES.get(kind, (RECALL_K,))


def usual_candidates(kind: str) -> int:
    """How many were scored exactly before that was tuned and kept."""
    return _UNTUNED_CANDIDATES if kind == "ivf-pq" else candidates(kind)[0]


def candidates_for(kind: str, k: int, of_ten: int) -> int:
    """How many of the kind's best hold the k exactly best, where `of_ten` hold the RECALL_K."""
    if kind == "ivf-pq":  # of a million 232 held 5, 450 10, 682 26, 961 50, 1466 100
        return max(k, math.ceil(of_ten * math.sqrt(k / RECALL_K)))
    return k + of_ten - RECALL_K
