"""What each stage of indexing a photo costs, run one by one: processor time, all threads together.

Photos and an encoder go in; milliseconds a photo come out for walk, hash, decode, perceptual hash,
resize, scale, forward and write, and seconds for what a run pays once.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
from PIL import Image

import imgsearch
from imgsearch import images
from imgsearch.catalog import FilePlace
from imgsearch.encoders.pixels import Preprocessing
from imgsearch.images import perceptual
from imgsearch.indexing import embedding
from imgsearch.indexing.choosing import ChosenEncoder, choose_one
from imgsearch.library import generations
from imgsearch.library.facts import photo_facts
from imgsearch.relevance import ordinary_texts
from imgsearch.vectors import normalise

ONCE = ("loading", "ordinary texts", "generation")
SIZES = {"12 MP": (4000, 3000), "1 MP": (1155, 866), "160 px": (213, 160)}
Figures: TypeAlias = dict[str, Any]
Thing = TypeVar("Thing")


def stages(work: Path, photos: Path, encoders: dict[str, str]) -> Figures:
    """Processor milliseconds a photo in each stage, and seconds that a run pays once."""
    found: Figures = {}
    for name, encoder in encoders.items():
        with (
            tempfile.TemporaryDirectory(dir=work) as folder,
            imgsearch.open_library(folder) as library,
        ):
            library.preparing = lambda _: None  # so that encoders are exported, as by the command
            library.load_encoder(encoder, "cpu")  # exported, if it was not
            started = time.process_time()
            chosen = choose_one(library, encoder, "cpu")
            loading = time.process_time() - started
            found[name] = {"loading": loading, **stages_of(library, chosen, photos)}
    return found


def each_ms(work: Callable[[Thing], object], things: Sequence[Thing]) -> float:
    """Processor milliseconds a thing, all threads together, after one for warming up."""
    work(things[0])
    started = time.process_time()
    for thing in things:
        work(thing)
    return 1000 * (time.process_time() - started) / len(things)


def once_seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def stages_of(library: imgsearch.Library, chosen: ChosenEncoder, photos: Path) -> Figures:
    encoder, side = chosen.encoder, embedding.short_side(chosen.encoder)
    paths = sorted(photos.iterdir())
    read = [images.read(path, short_side=side) for path in paths]
    pictures = [picture for picture, _ in read]
    fitted = [embedding.fitted(chosen, picture) for picture in pictures]
    size = encoder.batch_size
    batches = [fitted[start : start + size] for start in range(0, len(fitted), size)]
    share = len(batches) / len(paths)
    scaling = share * each_ms(encoder.preprocessing.pixels, batches)  # type: ignore[attr-defined]
    found: Figures = {
        "walk": each_ms(lambda _: list(images.find([photos])), [0]) / len(paths),
        "hash": each_ms(images.content_hash, paths),
        "decode": each_ms(lambda path: images.read(path, short_side=side), paths),
        "perceptual hash": each_ms(perceptual.perceptual_hash, pictures),
        "resize": each_ms(lambda picture: embedding.fitted(chosen, picture), pictures),
        "scale": scaling,
        "forward": share * each_ms(encoder.embed_images, batches) - scaling,
        "write": writing_ms(library, chosen, paths, [facts for _, facts in read]),
    }
    texts = [text for language in encoder.languages for text in ordinary_texts(language)]
    found["ordinary texts"] = once_seconds(lambda: encoder.embed_texts(texts))
    found["generation"] = once_seconds(lambda: generations.build(library, chosen.row))
    return found


def writing_ms(
    library: imgsearch.Library,
    chosen: ChosenEncoder,
    paths: Sequence[Path],
    facts: Sequence[images.Facts],
) -> float:
    """Rows, words and vectors of the photos, in one transaction a time."""
    vectors = normalise(np.random.default_rng(0).normal(size=(len(paths), chosen.row.dim)))

    def write(time: int) -> None:
        with library.catalog.write() as writer:
            root, ids = writer.add_root(paths[0].parent), []
            for number, (path, each) in enumerate(zip(paths, facts, strict=True)):
                name = path.with_name(f"{time}-{path.name}")
                ids.append(writer.add_photo(photo_facts(f"{time:032}{number:032}", each)))
                writer.put_file(FilePlace(name, root, each.size_bytes, 1), ids[-1])
            writer.add_embeddings(chosen.row.id, ids, vectors.astype(np.float32))

    times = iter(range(100))
    return each_ms(lambda _: write(next(times)), range(8)) / len(paths)


def feeding(work: Path, photo: Path) -> Figures:
    """Photos a second that one core reads, hashes and makes as large as a 224-pixel tower wants."""
    sample = Image.open(photo)
    preprocessing, found = Preprocessing((224, 224)), {}

    def ready(path: Path) -> None:
        images.content_hash(path)
        picture, _ = images.read(path, short_side=448)
        perceptual.perceptual_hash(picture)
        preprocessing.fitted(picture)

    for name, size in SIZES.items():
        path = work / "fed.jpg"
        sample.resize(size, Image.Resampling.BICUBIC).save(path, quality=90)
        found[name] = 1000 / each_ms(ready, [path] * 20)
    return found
