"""export_embeddings(), import_embeddings(): embeddings out of a library and into one.

A library goes in; a file or folder that others read comes out, or the other way about, so that
nobody pays twice for embedding. Whose vectors they are is never a guess: by the identity of the
encoder where a file carries it, else by comparing with what the encoder makes of the same photos.

    exporting.py      export_embeddings
    importing.py      import_embeddings
    formats.py        which format a file is in
    clip_retrieval.py the folders of clip-retrieval
    npz.py            one file for numpy
    arrays.py         an array in a file, row by row
    chinese_clip.py   feature files of Chinese-CLIP
    rows.py           embeddings on their way
    origins.py        the encoder that made them
    places.py         where photos are on this disk
    matching.py       which photo a row is about
    batches.py        commit a batch
"""

from imgsearch.exchanging.exporting import Exported, Shape, export_embeddings
from imgsearch.exchanging.importing import Imported, LeftOut, import_embeddings
from imgsearch.exchanging.rows import Format

__all__ = [
    "Exported",
    "Format",
    "Imported",
    "LeftOut",
    "Shape",
    "export_embeddings",
    "import_embeddings",
]
