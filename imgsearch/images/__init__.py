"""Photos as files: find them under folders, decode them to upright RGB, read their facts.

Paths go in; `PhotoFile`, PIL images and `Facts` come out. Nothing here knows of encoders or
catalogs. The one decision worth defending: a picture is judged by its content, never by its ending.
The ending only decides whether the walk looks at a file at all; what is inside may be any of the
formats listed in `decoding`, and nothing else is ever tried, so no photo folder can make us run a
PostScript interpreter.
"""

from imgsearch.images.decoding import DEFAULT_MAX_PIXELS, content_hash, decode, read
from imgsearch.images.descriptions import descriptions, language_code
from imgsearch.images.facts import Facts
from imgsearch.images.finding import ENDINGS, PhotoFile, Unreadable, find

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "ENDINGS",
    "Facts",
    "PhotoFile",
    "Unreadable",
    "content_hash",
    "decode",
    "descriptions",
    "find",
    "language_code",
    "read",
]
