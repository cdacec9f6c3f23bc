"""Photos as files: find them under folders and in files that hold photos, decode them to upright
RGB, read their facts.

Paths go in; `PhotoFile`, PIL images and `Facts` come out. Nothing here knows of encoders or
catalogs. The one decision worth defending: a picture is judged by its content, never by its ending.
The ending only decides whether the walk looks at a file at all; what is inside may be any of the
formats listed in `decoding`, and nothing else is ever tried, so no photo folder can make us run a
PostScript interpreter.
"""

from imgsearch.images.containers import let_go
from imgsearch.images.decoding import DEFAULT_MAX_PIXELS, content_hash, decode, read, read_exposure
from imgsearch.images.descriptions import descriptions, language_code
from imgsearch.images.exclusion import Exclusion
from imgsearch.images.facts import Exposure, Facts
from imgsearch.images.files import Place, Status, is_gone, opened, place_of, stat, texts_beside
from imgsearch.images.finding import find, find_changed, members
from imgsearch.images.findings import ContainerFile, Finding, PhotoFile, Unreadable
from imgsearch.images.names import ANIMATED, ARCHIVES, ENDINGS, FILMS, is_looked_at

__all__ = [
    "ANIMATED",
    "ARCHIVES",
    "DEFAULT_MAX_PIXELS",
    "ENDINGS",
    "FILMS",
    "ContainerFile",
    "Exclusion",
    "Exposure",
    "Facts",
    "Finding",
    "PhotoFile",
    "Place",
    "Status",
    "Unreadable",
    "content_hash",
    "decode",
    "descriptions",
    "find",
    "find_changed",
    "is_gone",
    "is_looked_at",
    "language_code",
    "let_go",
    "members",
    "opened",
    "place_of",
    "read",
    "read_exposure",
    "stat",
    "texts_beside",
]
