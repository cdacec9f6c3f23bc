"""The kinds of index: their names, and what FAISS is told to make of each."""

# IVF keeps ids of its own; wrapping it in an IDMap gives wrong ids without a word.
FACTORY = {
    "flat": "IDMap,Flat",
    "sq8": "IDMap,SQ8",
    "hnsw": "IDMap,HNSW32",
    "ivf": "IVF{nlist},Flat",
    "ivf-sq8": "IVF{nlist},SQ8",
}
KINDS = tuple(FACTORY)
