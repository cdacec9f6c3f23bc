"""A batch of pictures through one encoder; a photo it stumbles over is left out, with a reason.

Decoded photos go in, those that got a vector and their vectors come out. A batch that fails is
tried again photo by photo. If none of them passes, a plain picture tells whose fault it is: an
encoder that fails on that one too is broken, and its error ends the run.

What waits for an encoder is as large as its tower wants it, made so where photos are decoded: a
256 x 256 picture takes 256 KB, where the photo it comes from takes 3 MB and a panorama any number.
"""

from typing import Protocol, TypeAlias, TypeVar, runtime_checkable

import numpy as np
from PIL import Image

from imgsearch.encoders import Encoder
from imgsearch.indexing.choosing import ChosenEncoder
from imgsearch.vectors import Vectors, are_unit

Pictures: TypeAlias = dict[int, Image.Image]  # id of an encoder -> the photo as that one sees it


class Photo(Protocol):
    """What is embedded; `photo_id` is None for bytes that are new, `reason` is filled in here."""

    photo_id: int | None
    reason: str | None


@runtime_checkable
class Fitting(Protocol):
    """The `preprocessing` of an encoder that tells what its tower makes of a photo."""

    def fitted(self, image: Image.Image) -> Image.Image: ...


Shown = TypeVar("Shown", bound=Photo)


def short_side(encoder: Encoder) -> int:
    """How small a photo may be decoded for an encoder, in pixels.

    Each encoder is shown a photo at its own size, as it is shown a query: what it sees must not
    depend on which others run beside it.
    """
    return 2 * encoder.image_size


def fitted(chosen: ChosenEncoder, picture: Image.Image) -> Image.Image:
    """The photo at the size of the encoder's tower, where the encoder tells how: what it makes of
    the photo itself, to the bit.
    """
    preprocessing = getattr(chosen.encoder, "preprocessing", None)
    if not isinstance(preprocessing, Fitting):
        return picture
    try:
        return preprocessing.fitted(picture)
    except Exception:  # the encoder will stumble over it as well, where that is told of
        return picture


def embed(chosen: ChosenEncoder, pictures: dict[Shown, Pictures]) -> tuple[list[Shown], Vectors]:
    """The photos that this encoder lacked, and their vectors (n, d), unit rows.

    One that is left out has its `reason`.
    """
    encoder, row_id = chosen.encoder, chosen.row.id
    lacking = [photo for photo in pictures if photo.photo_id not in chosen.photo_ids]
    owners: list[Shown] = []
    parts = [np.empty((0, chosen.row.dim), np.float32)]
    for start in range(0, len(lacking), encoder.batch_size):
        batch = lacking[start : start + encoder.batch_size]
        try:
            parts.append(_vectors(encoder, [pictures[photo][row_id] for photo in batch]))
            owners += batch
        except Exception:  # a model may raise anything, and one photo must not end a long run
            for photo in batch:
                vectors = _embed_alone(encoder, photo, pictures[photo][row_id])
                if vectors is not None:
                    parts.append(vectors)
                    owners.append(photo)
            if not set(owners) & set(batch):
                size = (short_side(encoder), short_side(encoder))
                _vectors(encoder, [Image.new("RGB", size, "grey")])
    return owners, np.concatenate(parts)


def _embed_alone(encoder: Encoder, photo: Photo, picture: Image.Image) -> Vectors | None:
    try:
        return _vectors(encoder, [picture])
    except Exception as error:  # as above; the reason is what a person gets to see of it
        why = str(error).partition("\n")[0] or type(error).__name__
        photo.reason = f"{encoder.name} cannot embed it: {why}"
        return None


def _vectors(encoder: Encoder, pictures: list[Image.Image]) -> Vectors:
    vectors = encoder.embed_images(pictures)
    check_vectors(vectors, len(pictures), encoder.dim)
    return vectors


def check_vectors(vectors: Vectors, count: int, dim: int) -> None:
    """Raises ValueError for anything but (count, dim) unit rows."""
    if vectors.shape != (count, dim):
        raise ValueError(f"{vectors.shape} values where {(count, dim)} are right")
    if not are_unit(vectors):
        raise ValueError("a vector is not of length 1")
