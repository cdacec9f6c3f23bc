"""make(): an export of an encoder, checked against it, and put in its place in one step.

In: an encoder of torch's on the CPU. Out: an `Export` in the cache. All is written into a folder of
its own, which is renamed when it is whole: a run that is killed leaves nothing that is believed,
and of two processes that need the same one the second waits for the first. The lock that it waits
for tells as well what a killed run has left: what nobody holds is nobody's. What was written is
read again and compared with torch on pictures and texts of several sizes: a graph may be traced
without an error and still compute something else.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from filelock import FileLock, Timeout
from PIL import Image

from imgsearch.encoders.exports import cache, manifest, quantizing, sessions
from imgsearch.encoders.exports.cache import Export, Origin
from imgsearch.encoders.exports.exported import Exported
from imgsearch.encoders.exports.manifest import INT8, Manifest, Tower, int8_identity
from imgsearch.encoders.tokenizers import Tokenizer
from imgsearch.errors import UsageError
from imgsearch.vectors import Vectors

if TYPE_CHECKING:  # it brings torch
    from imgsearch.encoders.exports.graphs import Towers

Embed: TypeAlias = Callable[[list[Any]], Vectors]

LARGEST_DIFFERENCE = 1e-4
PACKAGES = (  # that make an export, or are what it is made of
    "torch",
    "onnx",
    "onnxscript",
    "onnxruntime",
    "open_clip_torch",
    "timm",
)
IMAGE, TEXT = "image.onnx", "text.onnx"
PARTIAL, LOCK = ".tmp", ".lock"
TEXTS = [
    "a",
    "two dogs that run after a red ball on a beach",
    "猫",
    "一杯咖啡放在木头桌子上，旁边有一本书",
    "word " * 100,
    "two dogs that run after a stick",
    "a",
    "a dog <end_of_text> and a cat",
]


class Measure(Protocol):
    """What an export is compared with: torch, or in float32."""

    @property
    def tokenizer(self) -> Tokenizer: ...
    def embed_images(self, images: list[Any]) -> Vectors: ...
    def embed_texts(self, texts: list[str]) -> Vectors: ...
    def shorten(self, text: str) -> str: ...


def make(encoder: Towers) -> Export:
    """The export of an encoder, made unless it is there; `find_source` finds it from now on.

    Raises UsageError for an encoder that cannot be exported, or whose export is not equal to it;
    OSError where the cache cannot be written.
    """
    found = cache.find(encoder.identity)
    if found is None:
        found = _made(encoder.identity, lambda folder: write(encoder, folder))
    cache.keep_origin(found, Origin.of(encoder.name, encoder.source, encoder.files))
    return found


def make_int8(export: Export) -> Export:
    """The same encoder in int8, made of its export unless it is there. Needs no torch.

    Raises UsageError for a tower that int8 makes no faster, OSError as `make` does.
    """
    identity = int8_identity(export.manifest.identity)
    found = cache.find(identity)
    if found is None:
        found = _made(identity, lambda folder: write_int8(export, folder))
    for origin in cache.origins(export):
        same = replace(origin, name=origin.name + INT8, source=origin.source + INT8)
        cache.keep_origin(found, same)
    return found


def is_known(identity: str) -> bool:
    """Whether `make` has nothing to do any more: it was made, or cannot be with these packages."""
    return cache.find(identity) is not None or cache.failure(identity, versions()) is not None


def write(encoder: Towers, folder: Path) -> Export:
    """An export of an encoder in an empty folder, checked. Raises UsageError as `make` does."""
    from imgsearch.encoders.exports import graphs

    packed = encoder.packed_text_tower
    for tower, trace in ((IMAGE, graphs.write_image_tower), (TEXT, graphs.write_text_tower)):
        with tempfile.TemporaryDirectory(dir=folder) as traced:
            trace(encoder, Path(traced, tower))
            sessions.optimise(Path(traced, tower), folder / tower)
    exported = _described(
        folder,
        Manifest(
            identity=encoder.identity,
            precision="float32",
            dim=encoder.dim,
            languages=encoder.languages,
            image_size=encoder.image_size,
            context=encoder.context,
            text_ending=packed.ending if packed else None,
            ignores_padding=encoder.ignores_padding,
            preprocess=encoder.preprocessing.as_mapping(),
            tokenizer=encoder.tokenizer.save(folder),
            image=Tower(IMAGE, 0.0, 1.0),
            text=Tower(TEXT, 0.0, 1.0),
            files={},
            versions=versions(),
        ),
    )
    export = _measured(exported, encoder)
    for found in (export.manifest.image, export.manifest.text):
        if not found.difference <= LARGEST_DIFFERENCE:  # so that NaN fails as well
            raise UsageError(
                f"its exported {found.file} differs from torch by {found.difference:.1e} in unit "
                f"rows, where {LARGEST_DIFFERENCE:.0e} is allowed"
            )
    return export


def write_int8(export: Export, folder: Path) -> Export:
    """An export in int8 of one in float32, in an empty folder."""
    with tempfile.TemporaryDirectory(dir=folder) as quantized:
        quantizing.quantize(export.folder / IMAGE, Path(quantized, IMAGE))
        sessions.optimise(Path(quantized, IMAGE), folder / IMAGE)
    for name in export.manifest.files:
        if not name.startswith(IMAGE):
            _link(export.folder / name, folder / name)
    wanted = replace(
        export.manifest,
        identity=int8_identity(export.manifest.identity),
        precision="int8",
        versions=versions(),
    )
    full = Exported(export, name="", source="")
    return _measured(_described(folder, wanted), full, has_same_texts=True)


def versions() -> dict[str, str]:
    """Those of the packages that make an export: with others, one that failed is tried again."""
    return {name: metadata.version(name) for name in PACKAGES}


def _made(identity: str, write_into: Callable[[Path], Export]) -> Export:
    cache.folder().mkdir(parents=True, exist_ok=True)
    _sweep()
    with FileLock(cache.folder() / f"{identity}{LOCK}"):
        found, failed = cache.find(identity), cache.failure(identity, versions())
        if found is None and failed is not None:
            raise UsageError(failed)
        return found or _made_alone(identity, write_into)


def _made_alone(identity: str, write_into: Callable[[Path], Export]) -> Export:
    """As `_made`, where nobody else makes the same: it takes a minute and much memory."""
    folder, target = cache.folder() / f"{identity}{PARTIAL}", cache.folder() / identity
    partial = folder / "new"
    try:
        partial.mkdir(parents=True)
        write_into(partial)
        for name in (manifest.FILE, *Manifest.read(partial).files):
            with (partial / name).open("r+b") as file:
                os.fsync(file.fileno())  # else a power cut leaves zeros under a good name
        if target.exists():  # damaged, or for a later ONNX Runtime; another may read it still
            os.rename(target, folder / "old")
        os.rename(partial, target)
    except (
        UsageError
    ) as error:  # the encoder's own: unlike that of a full disk, it would come again
        with contextlib.suppress(OSError):
            cache.keep_failure(identity, versions(), str(error))
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    found = cache.find(identity)
    if found is None:
        raise OSError(f"the export {target} was damaged as soon as it was made")
    return found


def _described(folder: Path, wanted: Manifest) -> Export:
    """The export in a folder whose graphs are written: with its manifest, and that with the sizes
    and hashes of all files."""
    files = {path.name: _summed(path) for path in sorted(folder.iterdir()) if path.is_file()}
    files.pop(manifest.FILE, None)
    described = replace(wanted, files=files)
    described.save(folder)
    return Export(folder, Manifest.read(folder))  # as a later start will see it


def _measured(export: Export, encoder: Measure, *, has_same_texts: bool = False) -> Export:
    """The export with how far its vectors lie from an encoder's, in several batches."""
    exported = Exported(export, name="", source="")
    images = _pictures(exported.image_size)
    pairs = [_both(encoder.embed_images, exported.embed_images, part) for part in _batches(images)]
    image = _tower(export.manifest.image, pairs)
    text = export.manifest.text
    if not has_same_texts:
        texts = [encoder.shorten(each) for each in TEXTS]
        pairs = [_both(encoder.embed_texts, exported.embed_texts, part) for part in _batches(texts)]
        text = _tower(text, pairs)
        if encoder.tokenizer.rows(texts) != exported.tokenizer.rows(texts):
            raise UsageError("its saved tokenizer makes other tokens of the same texts")
    return _described(export.folder, replace(export.manifest, image=image, text=text))


def _both(one: Embed, other: Embed, inputs: list[Any]) -> tuple[Vectors, Vectors]:
    return one(inputs), other(inputs)


def _tower(tower: Tower, pairs: list[tuple[Vectors, Vectors]]) -> Tower:
    difference = max(float(np.abs(one - other).max()) for one, other in pairs)
    cosine = min(float((one * other).sum(1).min()) for one, other in pairs)
    return replace(tower, difference=difference, cosine=cosine)


def _batches(inputs: list[Any]) -> list[list[Any]]:
    return [inputs[:1], inputs[1:3], inputs]


def _pictures(size: int) -> list[Image.Image]:
    """Noise, which excites all a tower has, and shades, which are more like photos."""
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (3, size, size, 3), np.uint8)
    ramp = np.linspace(0, 255, 2 * size).astype(np.uint8)
    shades = [
        np.stack([np.tile(ramp, (size, 1))] * 3, axis=2),
        np.full((size, size, 3), 90, np.uint8),
    ]
    return [Image.fromarray(pixels) for pixels in (*noise, *shades)]


def _summed(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        return path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()


def _link(source: Path, target: Path) -> None:
    """The same bytes under another name; copied where a disk cannot."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _sweep() -> None:
    """Delete what runs that were killed have left: nobody holds the lock that they held."""
    for path in cache.folder().glob(f"*{PARTIAL}"):
        with contextlib.suppress(Timeout), FileLock(path.with_suffix(LOCK), blocking=False):
            shutil.rmtree(path, ignore_errors=True)
