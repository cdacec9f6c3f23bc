"""The catalog: the SQLite file that holds what is true about a library.

Paths, photos, embeddings, encoders, generations and runs go in; plain values (ids, paths, numpy
rows, frozen dataclasses) come out, never ORM objects, so nobody outside this folder knows SQL.
`Catalog` answers questions; `Catalog.write()` gives a `Writer` whose life is exactly one
transaction, which is what makes a killed run harmless.

    tables/        the tables, as classes of columns
    connection.py  the engine: pragmas, transactions, errors in our words
    revisions.py   bring a file of an older revision up to date
    rows.py        the plain values that come out
    paths.py       paths in and out of columns, also those that are not text
    queries.py     Catalog
    questions/     what it answers about encoders, and about what is said of photos
    encoders.py    encoders, which of them answer, and generations
    embeddings.py  stored embeddings as arrays
    photos.py      rows of photos, and filling them up
    captions.py    captions of photos
    labels.py      labels of photos
    albums.py      albums, made by hand or saved searches
    conditions.py  the photos that satisfy conditions
    criteria.py    one test of a condition as SQL
    patterns.py    patterns of names
    positions.py   how far apart two positions are
    full_text.py   words of captions and file names, in FTS5
    containers.py  files that hold photos
    comparing.py   known files by name, known photos by content
    writing.py     Writer
    changes/       what it does to encoders, and to what is said of photos
    switching.py   which encoders answer, and taking that back
    stepping.py    what taking back the switches would do
    audit.py       counts and checks for status and doctor
    hashes.py      what tells copies of a picture
    facts.py       what is kept about photos and refused files
    frequent.py    what photos have most often
    footprint.py   what an encoder takes up, and giving space back

`audit`, `facts`, `footprint` and `frequent` are imported where they are used: a search uses none.
"""

from imgsearch.catalog.embeddings import Ids
from imgsearch.catalog.queries import Catalog
from imgsearch.catalog.revisions import HEAD, is_up_to_date, upgrade
from imgsearch.catalog.rows import (
    SOURCES,
    AlbumRow,
    CaptionerRow,
    CaptionRow,
    EncoderRow,
    FilePlace,
    FileRow,
    GenerationRow,
    GivenLabel,
    LabelRow,
    LabelSource,
    LabelTally,
    NewFacts,
    OldFacts,
    PhotoFacts,
    PhotoRow,
    RunRow,
    Sample,
    Source,
    WordMatch,
)
from imgsearch.catalog.writing import Writer

__all__ = [
    "HEAD",
    "SOURCES",
    "AlbumRow",
    "CaptionRow",
    "CaptionerRow",
    "Catalog",
    "EncoderRow",
    "FilePlace",
    "FileRow",
    "GenerationRow",
    "GivenLabel",
    "Ids",
    "LabelRow",
    "LabelSource",
    "LabelTally",
    "NewFacts",
    "OldFacts",
    "PhotoFacts",
    "PhotoRow",
    "RunRow",
    "Sample",
    "Source",
    "WordMatch",
    "Writer",
    "is_up_to_date",
    "upgrade",
]
