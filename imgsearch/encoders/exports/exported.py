"""The encoder over an export: ONNX Runtime computes, and torch is never loaded.

In: an `Export`, and what it is called here. Out: an Encoder. Pixels and token ids come from the
same two files as those of torch's adapters. A tower is opened when it is first needed, so a search
for words never touches the weights of the image tower.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from imgsearch.encoders import tokenizers
from imgsearch.encoders.exports import sessions
from imgsearch.encoders.exports.cache import Export
from imgsearch.encoders.pixels import Pixels, Preprocessing
from imgsearch.vectors import Vectors, normalise

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Parted = TypeVar("Parted", list[Any], npt.NDArray[Any])

BATCH = 32  # photos at once of a caller: enough to decode the next ones meanwhile
IMAGE_BATCH = 8  # of them through the tower: a tenth faster than 32 of a ViT-B/32, and less memory
TEXT_BATCH = 32  # of like lengths: 80 prompts in 0.81 s of CPU, in one batch 1.03


class Exported:
    """An Encoder over an export. `source` is what `encoders.load` takes to get it again."""

    def __init__(self, export: Export, *, name: str, source: str) -> None:
        manifest = export.manifest
        self.export = export
        self.name = name
        self.source = source
        self.identity = manifest.identity
        self.dim = manifest.dim
        self.languages = manifest.languages
        self.image_size = manifest.image_size
        self.context = manifest.context
        self.batch_size = BATCH
        self.preprocessing = Preprocessing.of(manifest.preprocess)

    def embed_images(self, images: list[Image.Image]) -> Vectors:
        """Upright RGB pictures -> (n, dim) float32 unit rows."""
        if not images:
            return np.empty((0, self.dim), np.float32)
        pixels = self.preprocessing.pixels
        rows = [self.image_vectors(pixels(part)) for part in _parts(images, self.batch_size)]
        return normalise(np.concatenate(rows))

    def embed_texts(self, texts: list[str]) -> Vectors:
        """Texts -> (n, dim) float32 unit rows. Raises QueryError for one longer than the tower
        reads."""
        if not texts:
            return np.empty((0, self.dim), np.float32)
        rows = self.tokenizer.rows(texts)
        order = sorted(range(len(rows)), key=lambda index: len(rows[index]))  # stable
        vectors = np.empty((len(rows), self.dim), np.float32)
        for batch in _parts(order, TEXT_BATCH):
            vectors[batch] = self.text_vectors(self._padded([rows[index] for index in batch]))
        return normalise(vectors)

    def shorten(self, text: str) -> str:
        """The longest beginning of a text that the tower reads."""
        return tokenizers.longest_beginning(text, self.tokenizer.length, self.context)

    def image_vectors(self, pixels: Pixels) -> Vectors:
        """(n, 3, h, w) as `preprocessing.pixels` makes them -> (n, dim), of any length."""
        # In int8 a whole batch shares its scales: alone, a photo's vector is its own.
        size = 1 if self.export.manifest.precision == "int8" else IMAGE_BATCH
        return np.concatenate([_run(self._image_tower, part) for part in _parts(pixels, size)])

    def text_vectors(self, tokens: npt.NDArray[np.int64]) -> Vectors:
        """(n, l) token ids, l at most the context -> (n, dim), of any length."""
        return _run(self._text_tower, tokens)

    @cached_property
    def tokenizer(self) -> tokenizers.Tokenizer:
        """Made when the first text comes: indexing never needs it."""
        return tokenizers.load(self.export.manifest.tokenizer, self.export.folder)

    @cached_property
    def _image_tower(self) -> InferenceSession:
        return sessions.open_image_tower(self.export.folder / self.export.manifest.image.file)

    @cached_property
    def _text_tower(self) -> InferenceSession:
        return sessions.open_text_tower(self.export.folder / self.export.manifest.text.file)

    def _padded(self, rows: Sequence[Sequence[int]]) -> npt.NDArray[np.int64]:
        """(n, l) int64: l what the longest needs, or the whole context where the tower sees it."""
        is_short = self.export.manifest.ignores_padding
        length = max(map(len, rows)) if is_short else self.context
        return tokenizers.padded(rows, length, self.tokenizer.padding)


def _run(tower: InferenceSession, batch: npt.NDArray[Any]) -> Vectors:
    vectors: Vectors = tower.run([sessions.OUTPUT], {sessions.INPUT: batch})[0]
    return vectors


def _parts(whole: Parted, size: int) -> Iterator[Parted]:
    for start in range(0, len(whole), size):
        yield whole[start : start + size]
