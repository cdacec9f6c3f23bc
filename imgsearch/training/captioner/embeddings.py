"""The embeddings that a captioner learns from: of every photo whole, and of random views of it.

Pictures and an encoder go in, unit rows come out: made once, in blocks that stay in the run's
folder in half precision, so that a run that goes on embeds nothing again. What the library's
catalog holds of a photo is taken from there. Views are why a captioner does not trust one embedding
too much: those of photos that its encoder was trained on are better than any others will be.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from imgsearch import images
from imgsearch.encoders import Encoder
from imgsearch.evaluating import embed_pictures
from imgsearch.library import Library
from imgsearch.pairs import Picture, content
from imgsearch.training.captioner.batches import chance_of
from imgsearch.training.captioner.events import Embedded
from imgsearch.training.captioner.sentences import Ints
from imgsearch.training.recipe import Variation
from imgsearch.training.squares import Squares
from imgsearch.training.steps import compute_type
from imgsearch.training.towers import Towers
from imgsearch.training.views import CHANCES, random_views
from imgsearch.vectors import Vectors, normalise

BLOCK = 512  # photos
PASS = 128  # views embedded at once
ROOM_TO_CROP = 1.25  # squares are held this much larger than the tower's input


@dataclass(frozen=True)
class Looking:
    """How photos are looked at: `views` times beside whole, through `towers` unless that is 0."""

    encoder: Encoder
    towers: Towers | None
    views: int
    smallest_crop: float
    precision: str
    seed: int

    @property
    def decides(self) -> dict[str, object]:
        """What embeddings depend on beside the photos."""
        views = (self.smallest_crop, self.precision, self.seed) if self.views else ()
        return {"encoder": self.encoder.identity, "views": self.views, "chance": list(views)}


class Embeddings:
    """Embeddings of n photos, 1 + views each; made by `compute`, read by photo."""

    def __init__(self, folder: Path, pictures: Sequence[Picture], looking: Looking) -> None:
        self.folder = folder
        self.pictures = pictures
        self.looking = looking

    def compute(self, library: Library, fingerprint: str) -> Iterator[Embedded]:
        """Make what is not in the folder; what is there of other photos or views is dropped."""
        self._keep_only(fingerprint)
        for start in range(0, len(self.pictures), BLOCK):
            file = self._file(start)
            if not file.exists():
                pictures = self.pictures[start : start + BLOCK]
                whole = whole_vectors(library, self.looking.encoder, pictures)
                rows = np.concatenate([whole[None], self._views(pictures, start)])
                unfinished = file.with_suffix(".tmp")
                with unfinished.open("wb") as written:
                    np.save(written, rows.astype(np.float16))
                unfinished.replace(file)
            yield Embedded(min(start + BLOCK, len(self.pictures)), len(self.pictures))

    def rows(self, photos: Ints, views: Ints) -> Vectors:
        """(b, d) unit rows: of each photo the view of that number, 0 being the whole of it."""
        picked = [
            self._blocks[photo // BLOCK][view, photo % BLOCK]
            for photo, view in zip(photos.tolist(), views.tolist(), strict=True)
        ]
        found = np.stack(picked).astype(np.float32)
        return normalise(found)

    def whole(self) -> Vectors:
        """(n, d): every photo as it is."""
        photos = np.arange(len(self.pictures))
        return self.rows(photos, np.zeros_like(photos))

    @cached_property
    def _blocks(self) -> list[np.ndarray]:
        starts = range(0, len(self.pictures), BLOCK)
        return [np.load(self._file(start), mmap_mode="r") for start in starts]

    def _file(self, start: int) -> Path:
        return self.folder / f"{start:08}.npy"

    def _keep_only(self, fingerprint: str) -> None:
        file = self.folder / "of.json"
        found = json.dumps({"photos": fingerprint, **self.looking.decides})
        if not file.exists() or file.read_text("utf-8") != found:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            file.write_text(found, "utf-8")

    def _views(self, pictures: Sequence[Picture], start: int) -> Vectors:
        """(views, b, d): as many random views of each picture, the same whenever they are made."""
        looking, towers = self.looking, self.looking.towers
        made = np.zeros((looking.views, len(pictures), looking.encoder.dim), np.float32)
        if towers is None:
            return made
        squares = Squares(pictures, round(ROOM_TO_CROP * towers.image_size), towers.fit)
        variation = Variation(smallest_crop=looking.smallest_crop)
        dtype = compute_type(looking.precision, towers.device)
        generator = chance_of(looking.seed, start, "views")
        for first in range(0, len(pictures), PASS):
            seen, _ = squares.take(range(first, min(first + PASS, len(pictures))))
            for view in range(looking.views):
                chance = torch.rand(CHANCES, len(seen), generator=generator)
                looked = random_views(seen, towers.image_size, variation, chance)
                with (
                    torch.no_grad(),
                    torch.autocast(towers.device.type, dtype, enabled=dtype != torch.float32),
                ):
                    vectors = towers.image_vectors(towers.pixels(looked))
                unit = F.normalize(vectors.float()).cpu().numpy()
                made[view, first : first + len(seen)] = unit
        return made


def whole_vectors(library: Library, encoder: Encoder, pictures: Sequence[Picture]) -> Vectors:
    """(n, d) unit rows: from the catalog where a photo of these bytes is, else computed."""
    stored = _stored(library, encoder, pictures)
    missing = [place for place in range(len(pictures)) if place not in stored]
    rows = np.zeros((len(pictures), encoder.dim), np.float32)
    rows[missing] = embed_pictures([pictures[place] for place in missing], encoder)
    for place, vector in stored.items():
        rows[place] = vector
    return rows


def _stored(
    library: Library, encoder: Encoder, pictures: Sequence[Picture]
) -> Mapping[int, Vectors]:
    row = library.catalog.encoder_with_identity(encoder.identity)
    if row is None:
        return {}
    hashes = [_content_hash(picture) for picture in pictures]
    known = library.catalog.photos_with_hashes(hashes)
    ids, vectors = library.catalog.embeddings(row.id, photo_ids=sorted(set(known.values())))
    by_id = dict(zip(ids.tolist(), vectors, strict=True))
    return {
        place: by_id[known[each]]
        for place, each in enumerate(hashes)
        if each in known and known[each] in by_id
    }


def _content_hash(picture: Picture) -> str:
    found = content(picture)
    if isinstance(found, Path):
        return images.content_hash(found)
    return hashlib.sha256(found).hexdigest()
