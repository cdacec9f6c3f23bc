"""The library: one folder that holds a catalog, its generations and the models it depends on.

A path goes in, an open `Library` comes out. A place, not a doer: verbs take it as their first
argument; what is here is only what two of them share. What reads captions beside photos is to be
imported from its file: it brings Pillow, which a search of words can do without.

    place.py        Library, open_library
    folder.py       its folder while it is closed: the usual one, a new one
    lock.py         one writer at a time, across processes
    captions.py     the text that lies beside its photos, or tells of them
    sentences.py    sentences as captions are kept
    generations.py  a new index from stored embeddings, and the switch to it
    sample.py       photos that stand for all, kept beside an index
    newcomers.py    what was embedded since, held in memory
    loaded.py       the encoders it holds
    models.py       the copies of encoders it keeps for itself
    preparing.py    an encoder exported when it is first used
    choosing.py     the photos that a path and conditions mean
    texts.py        texts as an encoder sees them, embedded once
    facts.py        what a decoded photo says, as the catalog keeps it
    recording.py    a run in the library's book
    last_search.py  what was asked last, for `open`
    stored.py       its embeddings as an index is built from them
    replacement.py  a file that takes the place of another
"""

from imgsearch.library.choosing import check_is_one, choose_photos
from imgsearch.library.folder import CATALOG_FILE, MARKER, default_path
from imgsearch.library.lock import Lock
from imgsearch.library.place import Library, open_library
from imgsearch.library.preparing import Preparing
from imgsearch.library.recording import recorded
from imgsearch.library.sample import sample_of
from imgsearch.library.texts import Text, embed_texts

__all__ = [
    "CATALOG_FILE",
    "MARKER",
    "Library",
    "Lock",
    "Preparing",
    "Text",
    "check_is_one",
    "choose_photos",
    "default_path",
    "embed_texts",
    "open_library",
    "recorded",
    "sample_of",
]
