"""What captioners are trained on: an encoder, photos with sentences, and their embeddings.

A library and material go in. Out comes all that does not depend on the captioner itself, so that
several captioners that are compared stand on the same ground and the photos are embedded once.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch

from imgsearch.encoders import Encoder, Runtime
from imgsearch.encoders.cn_clip import ChineseClip
from imgsearch.encoders.open_clip import OpenClip
from imgsearch.errors import UsageError
from imgsearch.library import Library
from imgsearch.pairs import CaptionedPhotos, subset
from imgsearch.training.captioner.embeddings import Embeddings, Looking
from imgsearch.training.captioner.events import Embedded
from imgsearch.training.captioner.recipe import CaptionerRecipe, Precision
from imgsearch.training.captioner.sentences import languages_of
from imgsearch.training.material import Material, Sets, read_divided, readable
from imgsearch.training.towers import Towers, open_towers
from imgsearch.weights import device as devices

MOST_MEASURED = 1000  # validation photos


@dataclass(frozen=True)
class Ground:
    """The ground of a run; `languages` are sets of sentences, `folder` holds the embeddings."""

    library: Library
    encoder: Encoder
    sets: Sets
    learnt: CaptionedPhotos
    validation: CaptionedPhotos | None
    languages: tuple[str, ...]
    looking: Looking
    folder: Path
    device: torch.device

    @cached_property
    def learnt_embeddings(self) -> Embeddings:
        return Embeddings(self.folder / "learnt", self.learnt.pictures, self.looking)

    @cached_property
    def validation_embeddings(self) -> Embeddings | None:
        """Of the photos to measure on: whole, as they will be when they are captioned."""
        if self.validation is None:
            return None
        still = replace(self.looking, towers=None, views=0)
        return Embeddings(self.folder / "validation", self.validation.pictures, still)

    def embed(self) -> Iterator[Embedded]:
        """Compute what is not there of the embeddings."""
        prints = self.sets.fingerprints
        total = len(self.learnt) + len(self.validation or ())
        for each in self.learnt_embeddings.compute(self.library, prints["learnt from"]):
            yield Embedded(each.photos, total)
        if self.validation_embeddings is not None:
            before = len(self.learnt)
            for each in self.validation_embeddings.compute(self.library, prints["validation"]):
                yield Embedded(before + each.photos, total)


def ground_of(
    library: Library,
    material: Material,
    encoder: str | Encoder,
    recipe: CaptionerRecipe,
    folder: Path,
    device: str,
) -> Ground:
    """Read the pairs and load the encoder; nothing is embedded yet.

    Photos that cannot be decoded are left out. Raises UsageError for pairs without sentences, for a
    guard, and for views of an encoder that has no towers.
    """
    if material.guard is not None:
        raise UsageError("a captioner has nothing to forget: leave the guard out")
    sets = read_divided(library, material)
    unreadable: list[str] = []
    learnt = readable(_captioned(sets.learnt), unreadable)
    validation = None
    if sets.validation is not None:
        validation = readable(_fewer(_captioned(sets.validation)), unreadable)
    sets = replace(sets, learnt=learnt, validation=validation, unreadable=tuple(unreadable))
    languages = languages_of(learnt, recipe.languages)
    if validation is not None and not set(languages) & set(validation.languages):
        raise UsageError(
            f"the validation photos have no sentence in {', '.join(languages)}, only in "
            f"{', '.join(validation.languages)}: give another --val or --language"
        )
    runtime: Runtime = "torch" if recipe.views else "auto"  # views go through the image tower
    found = (
        library.load_encoder(encoder, device, runtime=runtime)
        if isinstance(encoder, str)
        else encoder
    )
    towers = _towers(library, found, device) if recipe.views else None
    where = devices.choose(device)
    looking = Looking(
        found, towers, recipe.views, recipe.smallest_crop, precision_on(where), recipe.seed
    )
    return Ground(
        library=library,
        encoder=found,
        sets=sets,
        learnt=learnt,
        validation=validation,
        languages=languages,
        looking=looking,
        folder=folder,
        device=where,
    )


def precision_on(device: torch.device) -> Precision:
    """What training computes in unless it is told."""
    return "bf16" if devices.has_bfloat16(device) else "fp32"


def _captioned(pairs: object) -> CaptionedPhotos:
    if not isinstance(pairs, CaptionedPhotos):
        raise UsageError("a captioner learns from sentences, and these pairs have classes")
    return pairs


def _fewer(pairs: CaptionedPhotos) -> CaptionedPhotos:
    """At most a thousand photos, always the same."""
    if len(pairs) <= MOST_MEASURED:
        return pairs
    rows = sorted(random.Random(0).sample(range(len(pairs)), MOST_MEASURED))
    return replace(subset(pairs, rows), unpaired=pairs.unpaired)


def _towers(library: Library, encoder: Encoder, device: str) -> Towers:
    """Towers of their own: what the library has loaded stays as it is."""
    source = getattr(encoder, "source", None)
    if not isinstance(encoder, OpenClip | ChineseClip) or source is None:
        raise UsageError(
            f"random views go through the image tower of an encoder, which {encoder.name} has not "
            "got; leave --views out"
        )
    return open_towers(source, device=device, models=library.models_folder)
