"""The plain values that come out of the catalog, and the facts of a photo that go in.

Frozen and free of SQLAlchemy, so that they may be kept, compared and passed to other threads.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from imgsearch.places import Place
from imgsearch.vectors import Vectors

Source: TypeAlias = Literal["user", "sidecar", "generated"]
LabelSource: TypeAlias = Literal["user", "zero-shot"]
SOURCES: tuple[Source, ...] = ("user", "sidecar", "generated")  # whom to believe first


@dataclass(frozen=True)
class EncoderRow:
    """An encoder of the library; `source` loads it again, None for one that was an object."""

    id: int
    identity: str
    name: str
    dim: int
    languages: tuple[str, ...]
    source: str | None


@dataclass(frozen=True)
class GenerationRow:
    """One built index: `count` embeddings, none of them later than `last_embedding_id`."""

    id: int
    encoder_id: int
    folder: str
    kind: str
    count: int
    last_embedding_id: int


class FileRow(NamedTuple):
    """A file as the last run saw it. A named tuple: 100,000 of them are made at every run."""

    id: int
    photo_id: int | None
    size_bytes: int
    mtime_ns: int
    state: str


class PhotoRow(NamedTuple):
    """A photo: the hash of its bytes, and how many pixels they decode to."""

    id: int
    content_hash: str
    pixels: int


@dataclass(frozen=True)
class PhotoFacts:
    """What is kept about a photo's content. `width` and `height` in pixels, upright."""

    content_hash: str
    width: int
    height: int
    size_bytes: int
    format: str
    taken_at: datetime
    camera: str | None
    latitude: float | None
    longitude: float | None
    lens: str | None = None
    iso: int | None = None
    f_number: float | None = None
    focal_length_mm: float | None = None


@dataclass(frozen=True)
class Sample:
    """Photos that stand for all that an encoder has embedded: their vectors (n, d), `count` how
    many they stand for, `last` the id of an embedding behind which some may have come since.
    """

    vectors: Vectors
    count: int
    last: int


class OldFacts(NamedTuple):
    """A photo of which an earlier version of our reading said less than ours would."""

    photo_id: int
    latitude: float | None
    longitude: float | None


class NewFacts(NamedTuple):
    """What a photo with `OldFacts` says besides."""

    photo_id: int
    lens: str | None
    iso: int | None
    f_number: float | None
    focal_length_mm: float | None
    place: Place | None


class CaptionerRow(NamedTuple):
    """Who generated captions: a captioner under its name, told apart from others by `identity`."""

    id: int
    identity: str
    name: str


@dataclass(frozen=True)
class CaptionRow:
    """A sentence about a photo. `captioner` names who generated it, with the mean log-probability
    of its tokens.
    """

    id: int
    photo_id: int
    text: str
    language: str
    source: Source
    captioner: str | None
    log_probability: float | None
    made_at: datetime


class GivenLabel(NamedTuple):
    """A label that an encoder gives a photo; `confidence` is a probability."""

    photo_id: int
    name: str
    confidence: float


class LabelRow(NamedTuple):
    """A label of a photo, from a person, or from the encoder of that name with a confidence."""

    photo_id: int
    name: str
    source: LabelSource
    encoder: str | None
    confidence: float | None
    made_at: datetime


class LabelTally(NamedTuple):
    """How many photos with a live file have a label; from people, and from encoders."""

    name: str
    photos: int
    by_people: int
    by_encoders: int


class AlbumRow(NamedTuple):
    """An album: how many photos with a live file are in it, and the search that it may be.

    The catalog counts those that were put in; `photos` is None for a search until it is asked.
    """

    name: str
    query: str | None
    photos: int | None


@dataclass(frozen=True)
class WordMatch:
    """A photo that words were found for; `score` is BM25, higher is better.

    `caption_id`, with its source, and `file_id` say which have the most of `words`, which
    are as they stand there; None where none has any.
    """

    photo_id: int
    score: float
    caption_id: int | None
    caption_source: Source | None
    file_id: int | None
    words: tuple[str, ...]


@dataclass(frozen=True)
class RunRow:
    """One run; `finished_at` is None while it runs, or when it was killed."""

    verb: str
    pid: int
    started_at: datetime
    finished_at: datetime | None
    outcome: dict[str, object] | None


@dataclass(frozen=True)
class FilePlace:
    """Where a file is and what root it belongs to."""

    path: Path
    root_id: int
    size_bytes: int
    mtime_ns: int
