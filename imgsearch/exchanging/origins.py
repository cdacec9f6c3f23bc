"""Whose vectors are these: the encoder of a library that imported embeddings are keyed by.

What a file says of its encoder and what a person says go in; a row of the catalog comes out, or an
error. A file of ours carries the identity, so nothing needs to be loaded and nothing can be mixed
up. Of another's file a person says which encoder made it. That one is loaded, because only its
weights tell its identity, and shown a few of the photos: vectors that are not like its own are not
its own.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from imgsearch import images
from imgsearch.catalog import EncoderRow
from imgsearch.encoders import Encoder
from imgsearch.errors import UsageError
from imgsearch.exchanging.rows import AnyVectors, Embeddings
from imgsearch.library import Library
from imgsearch.vectors import normalise

LEAST_LIKE = 0.9  # of the middle one of a few photos; other weights of one architecture are near 0
PHOTOS_SHOWN = 8


@dataclass
class Maker:
    """The encoder that made vectors; `unproven` is what has yet to be shown photos."""

    row: EncoderRow
    unproven: Encoder | None

    def prove(self, photos: list[tuple[Path, AnyVectors]]) -> None:
        """Compare a few photos' vectors (d,) with those that the encoder makes.

        Raises UsageError when they are not alike.
        """
        if self.unproven is None or not photos:
            return
        encoder, shown = self.unproven, photos[:PHOTOS_SHOWN]
        pictures = [images.read(path, short_side=2 * encoder.image_size)[0] for path, _ in shown]
        theirs = normalise(np.stack([vector for _, vector in shown]))
        likeness = float(np.median((encoder.embed_images(pictures) * theirs).sum(axis=1)))
        if likeness < LEAST_LIKE:
            raise UsageError(
                f"these vectors are not of {encoder.name}: shown {len(shown)} of the photos, it "
                f"makes others (median cosine {likeness:.2f}, where its own have 0.9 and more). "
                "Name the encoder that made them with --encoder"
            )
        self.unproven = None


def maker_of(
    library: Library, embeddings: Embeddings, wanted: str | Encoder | None, device: str
) -> Maker:
    """The encoder of some embeddings; not yet in the catalog where it is new to the library.

    Raises UsageError where file and person disagree or neither says, and what `encoders.load`
    raises.
    """
    origin = embeddings.origin
    if origin is None:
        if wanted is None:
            raise UsageError(
                "the file does not say which encoder made its vectors; name it: "
                "--encoder open_clip/ViT-B-32/openai, for one"
            )
        encoder = _loaded(library, wanted, device)
        maker = Maker(_row_of(library, encoder), encoder)
    else:
        known = library.catalog.encoder_with_identity(origin.identity)
        row = known or EncoderRow(
            0, origin.identity, origin.name, embeddings.dim, origin.languages, origin.source
        )
        maker = Maker(row, None)
        if wanted is not None and _identity(library, wanted, device) != origin.identity:
            name = wanted if isinstance(wanted, str) else wanted.name
            raise UsageError(
                f"the file says its vectors are of {origin.name}, with other weights than "
                f"{name} has; leave --encoder out"
            )
    if maker.row.dim != embeddings.dim:
        raise UsageError(
            f"the vectors have {embeddings.dim} values and those of {maker.row.name} have "
            f"{maker.row.dim}; name the encoder that made them with --encoder"
        )
    return maker


def _identity(library: Library, wanted: str | Encoder, device: str) -> str:
    row = library.find_encoder(wanted)
    return row.identity if row is not None else _loaded(library, wanted, device).identity


def _loaded(library: Library, wanted: str | Encoder, device: str) -> Encoder:
    if not isinstance(wanted, str):
        library.keep_encoder(wanted)
        return wanted
    row = library.find_encoder(wanted)
    return library.load_encoder(wanted if row is None else row, device)


def _row_of(library: Library, encoder: Encoder) -> EncoderRow:
    known = library.catalog.encoder_with_identity(encoder.identity)
    source = getattr(encoder, "source", None)
    return known or EncoderRow(
        0, encoder.identity, encoder.name, encoder.dim, tuple(encoder.languages), source
    )
