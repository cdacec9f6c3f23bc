"""Whose vectors are these: the encoder of a library that imported embeddings are keyed by.

What a file says of its encoder and what a person says go in; a row of the catalog comes out, or an
error. An identity that the library knows is enough. Any other encoder is loaded, by the name that a
person gave or a published one that the file gives, and shown a few of the photos: vectors that are
not like its own are not its own. So what the library holds of it (its name, its languages, where to
get it) is never taken from a file, which anybody may have written.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from imgsearch import images
from imgsearch.catalog import EncoderRow
from imgsearch.encoders import Encoder
from imgsearch.encoders.families import PUBLISHED, builtin_version
from imgsearch.errors import PictureError, UsageError
from imgsearch.exchanging.rows import AnyVectors, Embeddings, Origin
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

        Raises UsageError when they are not alike, and when no photo reads.
        """
        if self.unproven is None or not photos:
            return
        encoder = self.unproven
        shown = _readable(photos, 2 * encoder.image_size)
        theirs = normalise(np.stack([vector for _, vector in shown]))
        ours = encoder.embed_images([picture for picture, _ in shown])
        likeness = float(np.median((ours * theirs).sum(axis=1)))
        if likeness < LEAST_LIKE:
            raise UsageError(
                f"these vectors are not of {encoder.name}: shown {len(shown)} of the photos, it "
                f"makes others (median cosine {likeness:.2f}, where its own have 0.9 and more). "
                "Name the encoder that made them with --encoder"
            )
        self.unproven = None


def _readable(
    photos: list[tuple[Path, AnyVectors]], short_side: int
) -> list[tuple[Image.Image, AnyVectors]]:
    """The first few that read, as pictures. Raises UsageError where none does."""
    shown: list[tuple[Image.Image, AnyVectors]] = []
    why = ""
    for path, vector in photos:
        try:
            shown.append((images.read(path, short_side=short_side)[0], vector))
        except (PictureError, OSError) as error:
            why = why or f"{path}: {error}"
        if len(shown) == PHOTOS_SHOWN:
            break
    if not shown:
        raise UsageError(
            "whose vectors these are is checked on a few of the photos, and none of the first "
            f"{len(photos)} photos reads ({why}); bring their disk back, and import again"
        )
    return shown


def maker_of(
    library: Library, embeddings: Embeddings, wanted: str | Encoder | None, device: str
) -> Maker:
    """The encoder of some embeddings; not yet in the catalog where it is new to the library.

    Raises UsageError where file and person disagree or neither says, and what `encoders.load`
    raises.
    """
    origin = embeddings.origin
    known = None if origin is None else library.catalog.encoder_with_identity(origin.identity)
    if known is not None and (wanted is None or library.find_encoder(wanted) == known):
        maker = Maker(known, None)
    else:
        encoder = _loaded(library, _published(origin) if wanted is None else wanted, device)
        if origin is not None and encoder.identity != origin.identity:
            raise UsageError(
                f"the file says its vectors are of {origin.name}, with other weights than "
                f"{encoder.name} has; name the encoder that made them with --encoder"
            )
        maker = Maker(_row_of(library, encoder), encoder)
    if maker.row.dim != embeddings.dim:
        raise UsageError(
            f"the vectors have {embeddings.dim} values and those of {maker.row.name} have "
            f"{maker.row.dim}; name the encoder that made them with --encoder"
        )
    return maker


def _published(origin: Origin | None) -> str:
    """The name that a file gives, where it is one that everybody knows.

    A path, or a repository of somebody's, is not loaded because a file says so.
    """
    if origin is None:
        raise UsageError(
            "the file does not say which encoder made its vectors; name it: "
            "--encoder open_clip/ViT-B-32/openai, for one"
        )
    source = origin.source or ""
    if source in PUBLISHED or builtin_version(source) is not None:
        return source
    raise UsageError(
        f"the file says its vectors are of {origin.name}, which this library does not know, and "
        "what nobody publishes is not loaded on the word of a file; name it yourself: --encoder "
        + (repr(source) if source else "NAME")
    )


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
