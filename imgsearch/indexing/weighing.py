"""Two encoders weighed against each other on photos with captions.

Captions go in (those given, else those that lie beside the photos), what each encoder would find
comes out: a caption is a query, the captioned photos that both have embedded are the gallery.
Photos are not embedded again: both are measured by the very vectors that a search would use. It is
advice, and comes after hours of embedding: whatever goes wrong here is told and stops nothing, but
an encoder whose texts are no vectors is found out, since it would find nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from imgsearch.catalog import EncoderRow
from imgsearch.encoders import Encoder
from imgsearch.errors import ImgsearchError
from imgsearch.indexing.choosing import ChosenEncoder
from imgsearch.indexing.embedding import check_vectors
from imgsearch.indexing.outcomes import Notice, Weighing
from imgsearch.library import Library
from imgsearch.library.captions import captions_among, captions_of
from imgsearch.relevance import prepare

if TYPE_CHECKING:  # it brings torch, which an index run without a new photo does without
    from imgsearch.evaluating import Measurement
    from imgsearch.pairs import CaptionedPhotos

PHOTOS_WEIGHED = 2000  # evenly spread: enough to tell a point of recall, and soon done
TEXTS_TRIED = 32
TEXTS = ("a photo", "一张照片")  # where there is no caption to try

Captions = Sequence[Mapping[str, tuple[str, ...]]]


@dataclass(frozen=True)
class Captioned:
    """Photos and their sentences by language: `captions[i]` are those of photo `photo_ids[i]`."""

    photo_ids: Sequence[int]
    captions: Captions


@dataclass
class Weighed:
    """Measurements of the old encoder and of the one that is to follow; `why_not` where some lack.

    A language that nobody answered yet has none before. `unfit` says why the one that is to follow
    cannot answer at all.
    """

    before: list[Measurement] = field(default_factory=list)
    after: list[Measurement] = field(default_factory=list)
    why_not: str = ""
    unfit: str = ""


def weigh(
    library: Library,
    chosen: ChosenEncoder,
    languages: Sequence[str],
    pairs: CaptionedPhotos | None,
    device: str,
    notify: Callable[[Notice], None],
) -> Weighed:
    """Text-to-image and image-to-text recall of an encoder and of those that answer now.

    In every set of captions whose language is among `languages`, with the prompts that `search`
    would use. The ordinary texts that tell what its scores mean are embedded as well. Nothing that
    an encoder raises comes out of it.
    """
    weighed = Weighed()
    try:
        photo_ids, found = captions_of(library) if pairs is None else captions_among(library, pairs)
        captioned = Captioned(photo_ids, found.captions)
        weighed.why_not = _nothing_to_ask(captioned, pairs)
        weighed.unfit = _unfit(chosen, captioned)
        if weighed.unfit:
            return replace(weighed, why_not="its texts are no vectors")
        for previous, names in _groups(library, captioned, languages).items():
            rows = [chosen.row] if previous is None else [previous, chosen.row]
            gallery = _gallery(library, captioned, rows)
            notify(Weighing(chosen.row.name, previous.name if previous else "", len(gallery[0])))
            there = [name for name in names if any(name in each for each in gallery[1])]
            if previous is not None and there:
                old = library.load_encoder(previous, device)
                weighed.before.extend(_measure(library, previous, old, gallery, there))
            if there:
                weighed.after.extend(_measure(library, chosen.row, chosen.encoder, gallery, there))
        if not weighed.after and not weighed.why_not:
            weighed.why_not = (
                f"no photo that both have embedded has a caption in {' or '.join(languages)}"
            )
        prepare(library.catalog, chosen.row, chosen.encoder.embed_texts)
    except ImgsearchError as error:  # an encoder that cannot be loaded here answers elsewhere
        weighed.why_not = weighed.why_not or _first_line(error)
    except (
        Exception
    ) as error:  # no memory left, broken weights: the new one can answer all the same
        weighed.why_not = _first_line(error)
    return weighed


def _groups(
    library: Library, captioned: Captioned, languages: Sequence[str]
) -> dict[EncoderRow | None, list[str]]:
    """Who answers now, and the sets of captions in the languages that are to change."""
    active = library.catalog.active_encoders()
    groups: dict[EncoderRow | None, list[str]] = {}
    for name in dict.fromkeys(name for each in captioned.captions for name in each):
        language = name.split("_")[0]
        if language in languages:
            groups.setdefault(active.get(language), []).append(name)
    return groups


def _unfit(chosen: ChosenEncoder, captioned: Captioned) -> str:
    """Why the encoder's texts cannot be searched with, by a few of them; nothing if they can."""
    sentences = [text for each in captioned.captions for some in each.values() for text in some]
    step = -(-len(sentences) // TEXTS_TRIED) or 1
    encoder = chosen.encoder
    texts = [encoder.shorten(text) for text in (*TEXTS, *sentences[::step])]
    vectors = encoder.embed_texts(texts)
    try:
        check_vectors(vectors, len(texts), encoder.dim)
    except ValueError as error:
        return (
            f"{chosen.row.name} makes no vectors of texts that photos can be found by ({error}). "
            "Its weights are broken: train it anew, or name another encoder"
        )
    return ""


def _gallery(
    library: Library, captioned: Captioned, rows: Sequence[EncoderRow]
) -> tuple[list[int], Captions]:
    """The photos that all of these encoders have embedded, and their captions."""
    by_id = dict(zip(captioned.photo_ids, captioned.captions, strict=True))
    both = set.intersection(*(library.catalog.embedded_photo_ids(row.id) for row in rows))
    there = sorted(photo_id for photo_id, texts in by_id.items() if texts and photo_id in both)
    if len(there) > PHOTOS_WEIGHED:
        spread = np.linspace(0, len(there) - 1, PHOTOS_WEIGHED).astype(int)
        there = [there[place] for place in spread]
    return there, [by_id[photo_id] for photo_id in there]


def _measure(
    library: Library,
    row: EncoderRow,
    encoder: Encoder,
    gallery: tuple[list[int], Captions],
    names: Sequence[str],
) -> Iterator[Measurement]:
    """One set of captions after the other, so that those stay that were measured."""
    from imgsearch.evaluating import recall_of_vectors

    photo_ids, captions = gallery
    _, vectors = library.catalog.embeddings(row.id, photo_ids=photo_ids)
    for name in names:
        yield recall_of_vectors(captions, vectors, encoder, name, "auto")


def _nothing_to_ask(captioned: Captioned, pairs: CaptionedPhotos | None) -> str:
    if captioned.photo_ids:
        return ""
    if pairs is not None:
        return f"none of the {len(pairs):,} photos with captions is one of the library"
    return "no photo has a caption beside it; --pairs PATH names captions that lie elsewhere"


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
