"""A library of as many synthetic photos as asked, for benchmarks/million.py: rows, and no pictures.

Photos lie in folders, have dates, cameras, sizes, albums and, one in ten, a caption. What a filter
is to keep is laid out exactly: of each kind there is a folder, a camera, an album and a stretch of
time that holds a tenth of the photos, a hundredth and so on. Vectors of 512 dimensions lie in
clusters; a text and a picture become one by their bytes, so that no model is needed.
"""

import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from sqlalchemy import insert

from imgsearch.catalog import EncoderRow, Writer
from imgsearch.catalog.full_text import words_of_path
from imgsearch.catalog.tables import Album, AlbumPhoto, CaptionEntry, File, Photo
from imgsearch.library import Library
from imgsearch.queries import Condition, Period, conditions
from imgsearch.relevance import ordinary_labels
from imgsearch.searching.filters import Filters
from imgsearch.vectors import Vectors, normalise
from imgsearch.words import indexed

DIM, CLUSTERS, SPREAD = 512, 4000, 0.8  # of a cluster: noise beside a centre of length 1
PHOTOS_AT_ONCE = 20_000
ROOT = Path("/photos")
START, SECONDS = datetime(2005, 1, 1, tzinfo=UTC), 20 * 365 * 86_400
SHARES = (0.1, 0.01, 0.001, 0.0001)
PRIME = 1_000_003
FOLDER, CAMERA, ALBUM, MOMENT = 48_271, 69_621, 16_807, 39_373  # shuffled apart from one another


class Synthetic:
    """An encoder whose vectors depend on bytes alone."""

    name, identity, dim, languages = "synthetic", "synthetic", DIM, ("en",)
    image_size, batch_size = 8, 250

    def __init__(self) -> None:
        self._centres = centres()

    def embed_images(self, images: list[Image.Image]) -> Vectors:
        return self._vectors([image.tobytes() for image in images])

    def embed_texts(self, texts: list[str]) -> Vectors:
        return self._vectors([text.encode() for text in texts])

    def shorten(self, text: str) -> str:
        return text

    def _vectors(self, contents: list[bytes]) -> Vectors:
        rows = np.empty((len(contents), DIM), np.float32)
        for row, content in zip(rows, contents, strict=True):
            row[:] = near(self._centres, np.random.default_rng(zlib.crc32(content)), 1)[0]
        return rows


def centres() -> Vectors:
    return normalise(np.random.default_rng(1).standard_normal((CLUSTERS, DIM), np.float32))


def near(centres: Vectors, rng: np.random.Generator, count: int) -> Vectors:
    """So many vectors, each in one of the clusters."""
    noise = rng.standard_normal((count, DIM), np.float32) * np.float32(SPREAD / DIM**0.5)
    return normalise(centres[rng.integers(CLUSTERS, size=count)] + noise)


def query(number: int) -> str:
    """The text of a query: two things that people ask for, which captions are made of too."""
    words = ordinary_labels("en")
    return f"{words[number % len(words)]} and {words[number * 7 % 239]}"


def make(library: Library, count: int) -> None:
    """Fill a new library with so many photos, batch by batch."""
    encoder, all_centres, rng = Synthetic(), centres(), np.random.default_rng(2)
    row = EncoderRow(0, encoder.identity, encoder.name, DIM, encoder.languages, None)
    with library.catalog.write() as writer:
        encoder_id, root_id = writer.add_encoder(row), writer.add_root(ROOT)
        albums = [
            {"id": number, "name": f"Album {share:g}", "made_at": START}
            for number, share in enumerate((1.0, *SHARES), 1)
        ]
        writer.connection.execute(insert(Album), albums)
    for start in range(0, count, PHOTOS_AT_ONCE):
        numbers = np.arange(start, min(start + PHOTOS_AT_ONCE, count))
        with library.catalog.write() as writer:
            _add_rows(writer, root_id, numbers)
            vectors = near(all_centres, rng, len(numbers))
            writer.add_embeddings(encoder_id, (numbers + 1).tolist(), vectors)


def filters() -> Iterator[tuple[str, Filters]]:
    """Filters of each kind that keep all photos, a tenth and so on, by what they are and keep."""
    for share in (1.0, *SHARES):
        end = START + timedelta(seconds=SECONDS * share)
        asked = {
            "date": Filters(conditions=(Condition("before", (Period(None, end),)),)),
            "camera": Filters(conditions=conditions(camera=_camera(share))),
            "folder": Filters(path=ROOT if share == 1 else ROOT / f"kept {share:g}"),
            "album": Filters(conditions=conditions(album=f"Album {share:g}")),
        }
        yield from ((f"{kind} {100 * share:g}%", each) for kind, each in asked.items())


def _add_rows(writer: Writer, root_id: int, numbers: npt.NDArray[np.int64]) -> None:
    kept = {salt: _shares(numbers, salt) for salt in (FOLDER, CAMERA, ALBUM)}
    moments = START + numbers * MOMENT % PRIME * timedelta(seconds=SECONDS / PRIME)
    photos, files, captions, albums = [], [], [], []
    for place, number in enumerate(numbers.tolist()):
        photo_id, moment = number + 1, moments[place]
        photos.append(_photo(number, moment, _camera(kept[CAMERA][place])))
        path = str(_path(number, moment, kept[FOLDER][place]))
        place_of = {"root_id": root_id, "photo_id": photo_id, "state": "live", "seen_at": START}
        known = {"size_bytes": 2_000_000 + number % 999, "mtime_ns": number + 1}
        files.append({"path": path, "words": words_of_path(path), **place_of, **known})
        if number % 10 == 0:
            captions.append(_caption(photo_id, f"{query(number * 7)} {number % 1000}"))
        albums.append({"album_id": 1, "photo_id": photo_id, "added_at": START})
        if (share := kept[ALBUM][place]) < 1:
            albums.append({**albums[-1], "album_id": 2 + SHARES.index(share)})
    for table, rows in (
        (Photo, photos),
        (File, files),
        (CaptionEntry, captions),
        (AlbumPhoto, albums),
    ):
        if rows:
            writer.connection.execute(insert(table), rows)


def _shares(numbers: npt.NDArray[np.int64], salt: int) -> list[float]:
    """The share of all photos that each number is one of; 1 where it is among the rest."""
    shuffled = numbers * salt % PRIME / PRIME
    found = np.ones(len(numbers))
    start = 0.0
    for share in SHARES:
        found[(shuffled >= start) & (shuffled < start + share)] = share
        start += share
    kept: list[float] = found.tolist()
    return kept


def _camera(share: float) -> str:
    return "Camera" if share == 1 else f"Camera {share:g} kept"


def _path(number: int, moment: datetime, share: float) -> Path:
    folder = f"{moment:%Y/%m}" if share == 1 else f"kept {share:g}"
    return ROOT / folder / f"IMG_{number:07}.jpg"


def _photo(number: int, moment: datetime, camera: str) -> dict[str, Any]:
    upright = number % 3 == 0
    return {
        "id": number + 1,
        "content_hash": f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}{number:048x}",
        "width": 3000 if upright else 4000,
        "height": 4000 if upright else 3000,
        "size_bytes": 2_000_000 + number % 999,
        "format": "JPEG",
        "taken_at": moment,
        "camera": camera,
        "iso": 100 * (1 + number % 16),
        "focal_length_mm": 24.0 + number % 50,
        "facts_revision": 1,
        "added_at": START,
    }


def _caption(photo_id: int, text: str) -> dict[str, Any]:
    told = {"photo_id": photo_id, "text": text, "words": indexed(text)}
    return {**told, "language": "en", "source": "user", "made_at": START}
