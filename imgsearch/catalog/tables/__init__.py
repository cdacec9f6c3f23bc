"""The tables of a library, as classes of columns: the shape that the newest revision gives a file.

Nothing flows through here; `queries.py` and `writing.py` build statements from these classes. Keys
that leave the catalog (photo ids above all) are AUTOINCREMENT, so an id is never given twice: a
stale generation can name a photo that is gone, never a wrong one.

    base.py      what they share
    photos.py    photos, files, places
    words.py     captions, labels, albums
    encoders.py  encoders, embeddings, generations
    runs.py      runs
"""

from imgsearch.catalog.tables.base import Base
from imgsearch.catalog.tables.encoders import (
    ActiveEncoder,
    AnswerBefore,
    Embedding,
    EncoderEntry,
    Generation,
    Switch,
    TextEmbedding,
)
from imgsearch.catalog.tables.photos import Container, File, Photo, Place, Root
from imgsearch.catalog.tables.runs import Run
from imgsearch.catalog.tables.words import (
    Album,
    AlbumPhoto,
    CaptionEntry,
    CaptionerEntry,
    Label,
    PhotoLabel,
    RefusedLabel,
)

__all__ = [
    "ActiveEncoder",
    "Album",
    "AlbumPhoto",
    "AnswerBefore",
    "Base",
    "CaptionEntry",
    "CaptionerEntry",
    "Container",
    "Embedding",
    "EncoderEntry",
    "File",
    "Generation",
    "Label",
    "Photo",
    "PhotoLabel",
    "Place",
    "RefusedLabel",
    "Root",
    "Run",
    "Switch",
    "TextEmbedding",
]
