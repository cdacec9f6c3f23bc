"""Photos, libraries of photos that nobody took, and encoders that learned nothing: for speed.

A path, an encoder and a number of photos go in; a library that can be searched comes out, as if
that many photos had been indexed by the encoder. Vectors lie in clusters, as those of photos do:
an index is faster on them and finds more of them than on noise. Some lie near texts, so that these
have hits. What weights say changes no speed, so an encoder of random weights does.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from importlib import util
from pathlib import Path

import numpy as np
from PIL import Image

import imgsearch
from imgsearch.catalog import EncoderRow, FilePlace, PhotoFacts
from imgsearch.vectors import Vectors, normalise

FULL_SIZE = (4000, 3000)  # a 12-megapixel photo
CLUSTERS = 1000
SPREAD = 0.75  # how far photos are from their centre, which is of length 1: cosines of about 0.8
NEARNESS = 0.35  # the cosine of a photo and the text it is near to, as ViT-B/32 gives it
NEAR_EACH = 30  # photos near each text
PHOTOS_AT_ONCE = 10_000
FIRST_DAY = datetime(1996, 1, 2, 12, tzinfo=UTC)
DAYS = 10_000  # over which the photos are spread


def full_size_photos(folder: Path, count: int) -> Path:
    """JPEGs of 12 megapixels, each another crop of scikit-image's sample photos."""
    spec = util.find_spec("skimage")
    if spec is None or spec.origin is None:
        sys.exit("this benchmark needs scikit-image: pip install 'imgsearch[demo]'")
    data = Path(spec.origin).parent / "data"
    names = ["astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png"]
    sources = [Image.open(data / name).convert("RGB") for name in names]
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(count):
        source = sources[number % len(sources)]
        width, height = source.size
        left, top = rng.integers(0, width // 4), rng.integers(0, height // 4)
        box = (left, top, left + 3 * width // 4, top + 3 * height // 4)
        source.resize(FULL_SIZE, Image.Resampling.BICUBIC, box).save(
            folder / f"{number:05}.jpg", quality=90
        )
    return folder


def random_vit(architecture: str, folder: Path, languages: Sequence[str] = ("en", "zh")) -> str:
    """A folder with an open_clip model of random weights, which takes any text for one of its
    languages; what `--encoder` takes.
    """
    import open_clip
    from safetensors.torch import save_file

    model = open_clip.create_model(architecture, pretrained=None)
    folder.mkdir(parents=True)
    config = {
        "model_cfg": open_clip.get_model_config(architecture),
        "preprocess_cfg": {},
        "imgsearch": {"name": f"random/{architecture}", "languages": list(languages)},
    }
    (folder / "open_clip_config.json").write_text(json.dumps(config), "utf-8")
    tensors = {name: value.contiguous() for name, value in model.state_dict().items()}
    save_file(tensors, folder / "open_clip_model.safetensors")
    return str(folder)


def clustered(count: int, dim: int, seed: int = 0) -> Iterator[Vectors]:
    """Unit vectors (n, dim) in clusters, `PHOTOS_AT_ONCE` at a time, `count` in all."""
    rng = np.random.default_rng(seed)
    centres = normalise(rng.standard_normal((CLUSTERS, dim), np.float32))
    for start in range(0, count, PHOTOS_AT_ONCE):
        members = centres[rng.integers(CLUSTERS, size=min(PHOTOS_AT_ONCE, count - start))]
        noise = rng.standard_normal(members.shape, np.float32) / np.sqrt(dim, dtype=np.float32)
        yield normalise(members + SPREAD * noise)


def synthetic_library(
    path: Path, encoder: imgsearch.Encoder, source: str, count: int, texts: Sequence[str] = ()
) -> Path:
    """A library of `count` photos without files, some near each of the texts, and its generation.

    `source` is what the encoder was loaded by. A library that is there is left as it is.
    """
    if (path / "generations").exists():
        return path
    near = encoder.embed_texts(list(texts)) if texts else np.empty((0, encoder.dim), np.float32)
    picture = path.parent / "one.jpg"  # that every photo is shown by
    Image.new("RGB", (8, 8)).save(picture)
    languages = tuple(encoder.languages)
    with imgsearch.open_library(path) as library:
        row = EncoderRow(0, encoder.identity, encoder.name, encoder.dim, languages, source)
        with library.catalog.write() as writer:
            encoder_id = writer.add_encoder(row)
            root = writer.add_root(path.parent)
        first = 0
        for vectors in clustered(count, encoder.dim):
            places = np.arange(first, first + len(vectors)) * 7919 % count  # spread over all photos
            which, is_near = places // NEAR_EACH, places < NEAR_EACH * len(near)
            vectors[is_near] = _beside(near[which[is_near]], vectors[is_near])
            with library.catalog.write() as writer:
                ids = [writer.add_photo(_facts(first + number)) for number in range(len(vectors))]
                for number, photo_id in enumerate(ids, first):
                    file = path.parent / f"{number % 100:02}" / f"IMG_{number:07}.jpg"
                    writer.put_file(FilePlace(file, root, 1, 1), photo_id)
                writer.add_embeddings(encoder_id, ids, vectors)
            first += len(vectors)
        imgsearch.reindex(library)
    return path


def _beside(texts: Vectors, photos: Vectors) -> Vectors:
    """Photos (n, d) at a cosine of NEARNESS from texts (n, d)."""
    along = np.einsum("nd,nd->n", texts, photos)[:, None] * texts
    return normalise(NEARNESS * texts + np.sqrt(1 - NEARNESS**2) * normalise(photos - along))


def _facts(number: int) -> PhotoFacts:
    taken_at = FIRST_DAY + timedelta(days=number * 7 % DAYS)
    return PhotoFacts(f"{number:064x}", 4000, 3000, 1, "JPEG", taken_at, None, None, None)
