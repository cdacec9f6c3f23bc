"""Two encoders weighed against each other on the captions that a library's photos have.

Photo ids with their captions go in, what each encoder would find comes out: a caption is a query,
the captioned photos that both have embedded are the gallery. Photos are not embedded again: both
are measured by the very vectors that a search would use.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from imgsearch.catalog import EncoderRow
from imgsearch.encoders import Encoder
from imgsearch.errors import ImgsearchError
from imgsearch.evaluating import Measurement, recall_of_vectors
from imgsearch.indexing.choosing import ChosenEncoder
from imgsearch.indexing.outcomes import Notice, Weighing
from imgsearch.library import Library

PHOTOS_WEIGHED = 2000  # evenly spread: enough to tell a point of recall, and soon done

Captions = Sequence[Mapping[str, tuple[str, ...]]]


@dataclass(frozen=True)
class Captioned:
    """Photos and their sentences by language: `captions[i]` are those of photo `photo_ids[i]`."""

    photo_ids: Sequence[int]
    captions: Captions


@dataclass
class Weighed:
    """Measurements of the old encoder and of the one that is to follow; `why_not` where none is.

    A language that nobody answered yet has none before.
    """

    before: list[Measurement] = field(default_factory=list)
    after: list[Measurement] = field(default_factory=list)
    why_not: str = ""


def weigh(
    library: Library,
    chosen: ChosenEncoder,
    languages: Sequence[str],
    captioned: Captioned,
    device: str,
    notify: Callable[[Notice], None],
) -> Weighed:
    """Text-to-image and image-to-text recall of an encoder and of those that answer now.

    In every set of captions whose language is among `languages`, with the prompts that `search`
    would use.
    """
    weighed = Weighed()
    sets = dict.fromkeys(name for each in captioned.captions for name in each)
    groups: dict[EncoderRow | None, list[str]] = {}
    for name in sets:
        language = name.split("_")[0]
        if language in languages:
            groups.setdefault(library.catalog.active_encoder(language), []).append(name)
    try:
        for previous, names in groups.items():
            rows = [chosen.row] if previous is None else [previous, chosen.row]
            photo_ids, captions = _gallery(library, captioned, rows)
            notify(Weighing(chosen.row.name, previous.name if previous else "", len(photo_ids)))
            there = [name for name in names if any(name in each for each in captions)]
            if previous is not None and there:
                old = library.load_encoder(previous, device)
                weighed.before += _measure(library, previous, old, (photo_ids, captions), there)
            if there:
                new = chosen.encoder
                weighed.after += _measure(library, chosen.row, new, (photo_ids, captions), there)
    except ImgsearchError as error:  # an encoder that cannot be loaded here answers elsewhere
        return Weighed(why_not=str(error).partition("\n")[0])
    if not weighed.after:
        weighed.why_not = _why_not(captioned, languages)
    return weighed


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
) -> list[Measurement]:
    photo_ids, captions = gallery
    _, vectors = library.catalog.embeddings(row.id, photo_ids=photo_ids)
    return [recall_of_vectors(captions, vectors, encoder, name, "auto") for name in names]


def _why_not(captioned: Captioned, languages: Sequence[str]) -> str:
    if not any(captioned.captions):
        return "no photo has a caption beside it"
    return f"no photo that both have embedded has a caption in {' or '.join(languages)}"
