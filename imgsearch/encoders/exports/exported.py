"""The encoder over an export: ONNX Runtime computes, and torch is never loaded.

In: an `Export`, and what it is called here. Out: an Encoder. Pixels and token ids come from the
same two files as those of torch's adapters. A tower is opened when it is first needed, so a search
for words never touches the weights of the image tower. What fails is looked through for damage: an
export that is damaged is removed, since the next start makes it anew.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from imgsearch.encoders import packing, tokenizers
from imgsearch.encoders.exports import cache, sessions
from imgsearch.encoders.exports.cache import Export
from imgsearch.encoders.pixels import Pixels, Preprocessing
from imgsearch.errors import UsageError
from imgsearch.vectors import Vectors, normalise

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Inputs: TypeAlias = dict[str, npt.NDArray[Any]]
Parted = TypeVar("Parted", list[Any], npt.NDArray[Any])

BATCH = 32  # photos at once of a caller: enough to decode the next ones meanwhile
IMAGE_BATCH = 8  # of them through the tower: a tenth faster than 32 of a ViT-B/32, and less memory
TEXT_BATCH = 32  # of like lengths, where texts are padded: cheaper than all at once
MOST_NODES = 256  # of packed texts: their attention grows with the square


class Exported:
    """An Encoder over an export. `source` is what `encoders.load` takes to get it again.

    Whatever embeds raises UsageError where the export is damaged.
    """

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
        with self._damage_told():
            rows = [self.image_vectors(pixels(part)) for part in _parts(images, self.batch_size)]
            return normalise(np.concatenate(rows))

    def embed_texts(self, texts: list[str]) -> Vectors:
        """Texts -> (n, dim) float32 unit rows. Raises QueryError for one longer than the tower
        reads."""
        if not texts:
            return np.empty((0, self.dim), np.float32)
        rows = self.tokenizer.rows(texts)
        vectors = np.empty((len(rows), self.dim), np.float32)
        with self._damage_told():
            for places, inputs in self._batches(rows):
                vectors[places] = _run(self._text_tower, inputs)
            return normalise(vectors)

    def shorten(self, text: str) -> str:
        """The longest beginning of a text that the tower reads."""
        return tokenizers.longest_beginning(text, self.tokenizer.length, self.context)

    def image_vectors(self, pixels: Pixels) -> Vectors:
        """(n, 3, h, w) as `preprocessing.pixels` makes them -> (n, dim), of any length."""
        # In int8 a whole batch shares its scales: alone, a photo's vector is its own.
        size = 1 if self.export.manifest.precision == "int8" else IMAGE_BATCH
        return np.concatenate(
            [_run(self._image_tower, {sessions.INPUT: part}) for part in _parts(pixels, size)]
        )

    @cached_property
    def tokenizer(self) -> tokenizers.Tokenizer:
        """Made when the first text comes: indexing never needs it."""
        with self._damage_told():
            return tokenizers.load(self.export.manifest.tokenizer, self.export.folder)

    @cached_property
    def _image_tower(self) -> InferenceSession:
        return sessions.open_image_tower(self.export.folder / self.export.manifest.image.file)

    @cached_property
    def _text_tower(self) -> InferenceSession:
        return sessions.open_text_tower(self.export.folder / self.export.manifest.text.file)

    @contextlib.contextmanager
    def _damage_told(self) -> Iterator[None]:
        """What fails in the block for files that are damaged says so; it is left as it is else."""
        try:
            yield
        except Exception as error:  # a graph, weights and words fail in as many ways as they read
            damages = list(cache.damages_in(self.export.folder))
            if not damages:
                raise
            shutil.rmtree(self.export.folder, ignore_errors=True)  # what is left is told
            told = f"the export of {self.name} was damaged ({'; '.join(damages)})"
            if self.export.folder.exists():
                raise UsageError(
                    f"{told}, and {self.export.folder} cannot be removed from here: remove it, or "
                    "set XDG_CACHE_HOME to a folder of your own"
                ) from error
            raise UsageError(
                f"{told} and is removed: type the same again, and it is made anew"
            ) from error

    def _batches(self, rows: Sequence[tuple[int, ...]]) -> Iterator[tuple[list[int], Inputs]]:
        """What the text tower takes for rows of ids, and their places among all."""
        manifest = self.export.manifest
        if manifest.text_ending is not None:
            read = [packing.until(row, manifest.text_ending) for row in rows]
            for pack in packing.packs(read, MOST_NODES):
                yield pack.texts, pack.inputs
            return
        order = sorted(range(len(rows)), key=lambda index: len(rows[index]))  # stable
        for places in _parts(order, TEXT_BATCH):
            part = [rows[place] for place in places]
            length = max(map(len, part)) if manifest.ignores_padding else self.context
            tokens = tokenizers.padded(part, length, self.tokenizer.padding)
            yield places, {sessions.INPUT: tokens}


def _run(tower: InferenceSession, inputs: Inputs) -> Vectors:
    vectors: Vectors = tower.run([sessions.OUTPUT], inputs)[0]
    return vectors


def _parts(whole: Parted, size: int) -> Iterator[Parted]:
    for start in range(0, len(whole), size):
        yield whole[start : start + size]
