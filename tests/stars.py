"""A library of random vectors, written straight into a catalog, where numpy knows every answer."""

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PIL import Image

from imgsearch.catalog import EncoderRow, FilePlace, GenerationRow, PhotoFacts
from imgsearch.library import Library, open_library
from imgsearch.searching import NO_FILTERS, Filters, Hit, search
from imgsearch.vector_index import VectorIndex
from imgsearch.vectors import Vectors, normalise

DIM = 24


class StarEncoder:
    """A true Encoder without a meaning: each text has its own random direction, always the same."""

    def __init__(self, name: str = "toy/stars", languages: tuple[str, ...] = ("en", "zh")) -> None:
        self.name = name
        self.identity = f"identity-of-{name}"
        self.dim = DIM
        self.languages = languages
        self.image_size = 8
        self.batch_size = 4
        self.texts_seen: list[str] = []

    def embed_images(self, images: list[Image.Image]) -> Vectors:
        return np.array([direction(image.tobytes()) for image in images])

    def embed_texts(self, texts: list[str]) -> Vectors:
        self.texts_seen += texts
        return np.array([direction(text.encode()) for text in texts])


def direction(content: bytes) -> Vectors:
    seed = int.from_bytes(hashlib.sha256(content).digest()[:8], "little")
    return normalise(np.random.default_rng(seed).normal(size=DIM).astype(np.float32))


@dataclass
class Stars:
    """A library of random vectors: photo id -> vector, and the ids whose file is there."""

    library: Library
    encoder: StarEncoder
    encoder_id: int
    vectors: dict[int, Vectors]
    live: set[int]

    def add(self, vectors: Vectors, folder: str = "a") -> list[int]:
        ids = []
        root = self.library.path / "photos"
        with self.library.catalog.write() as writer:
            root_id = writer.add_root(root)
            for vector in vectors:
                content = hashlib.sha256(f"{len(self.vectors)}".encode()).hexdigest()
                moment = datetime(2024, 5, 1, tzinfo=UTC)
                facts = PhotoFacts(content, 4, 3, 9, "PNG", moment, None, None, None)
                ids.append(writer.add_photo(facts))
                path = root / folder / f"{content[:12]}.png"
                writer.put_file(FilePlace(path, root_id, 9, 1), ids[-1])
                self.vectors[ids[-1]] = vector
            writer.add_embeddings(self.encoder_id, ids, vectors)
        self.live |= set(ids)
        return ids

    def lose(self, ids: list[int]) -> None:
        files = self.library.catalog.files_of_photos(ids)
        with self.library.catalog.write() as writer:
            writer.set_state(
                [file.id for each in files.values() for file in each.values()], "missing"
            )
        self.live -= set(ids)

    def build(self, kind: str) -> None:
        ids, vectors, last = self.library.catalog.embeddings_and_last(self.encoder_id)
        folder = f"{len(self.library.catalog.generations()) + 1:04}"
        VectorIndex.build(ids, vectors, kind).save(self.library.generations_folder / folder)
        with self.library.catalog.write() as writer:
            writer.switch_generation(
                GenerationRow(0, self.encoder_id, folder, kind, len(ids), last)
            )

    def expected(self, query: Vectors, k: int, among: set[int] | None = None) -> list[int]:
        ids = sorted(self.live if among is None else self.live & among)
        scores = np.array([self.vectors[i] for i in ids]) @ query
        return [ids[row] for row in np.argsort(-scores, kind="stable")[:k]]

    def search(self, text: str, k: int = 10, filters: Filters = NO_FILTERS) -> list[Hit]:
        return search(self.library, text, k, prompt="raw", encoder=self.encoder, filters=filters)


def random_vectors(count: int, seed: int = 0) -> Vectors:
    return normalise(np.random.default_rng(seed).normal(size=(count, DIM)).astype(np.float32))


def names(hits: list[Hit]) -> list[str]:
    return [hit.path.name for hit in hits]


@contextlib.contextmanager
def open_stars(tmp_path: Path) -> Iterator[Stars]:
    encoder = StarEncoder()
    with open_library(tmp_path / "stars") as library:
        row = EncoderRow(0, encoder.identity, encoder.name, DIM, encoder.languages, None)
        with library.catalog.write() as writer:
            encoder_id = writer.add_encoder(row)
        yield Stars(library, encoder, encoder_id, {}, set())
