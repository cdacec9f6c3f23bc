"""label(): zero-shot labels for the photos of a library, from their stored embeddings.

A library and labels go in; labels of photos land in the catalog, a batch a transaction, and events
say so. A photo gets the labels that an encoder is sure enough of, and none where it is none of
them. Labels are told apart in groups, one an encoder: those in Chinese by the one that answers
Chinese. What the same call gave before is not given again: only photos that came since are looked
at, and after an interrupt those that were left. A label that was asked for in another way before
is given anew. A person's labels are never touched, and what a person took from a photo is not given
to it again.
"""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from imgsearch.catalog import EncoderRow, GivenLabel, Ids
from imgsearch.errors import UsageError
from imgsearch.library import Library, recorded
from imgsearch.organising.confidences import NONE_AT, SURENESS, Ground, confidences
from imgsearch.organising.label_lists import LabelText, as_names
from imgsearch.organising.texts import embed_texts, encoder_of, ground_of
from imgsearch.vectors import Vectors, ensemble

BATCH = 10_000  # photos in a transaction
EXAMPLES = 3
MIN_CONFIDENCE = 0.5


@dataclass(frozen=True)
class Bounds:
    """How many labels a photo gets at most, how sure of each, and which photos: all, or these."""

    top: int = 1
    min_confidence: float = MIN_CONFIDENCE
    only: Ids | None = None


@dataclass(frozen=True)
class LabelsBegan:
    """An encoder is about to give labels to `photos`; `up_to_date` had them from the same call."""

    encoder: str
    names: tuple[str, ...]
    photos: int
    up_to_date: int


@dataclass(frozen=True)
class Labelled:
    """A batch is done: `photos` more, of which `none` are none of the labels; `done` in all."""

    photos: int
    none: int
    done: int


@dataclass(frozen=True)
class LabelTold:
    """A label after a run: photos given it now, all that have it, and the surest few of them."""

    name: str
    given: int
    photos: int
    examples: tuple[tuple[Path, float | None], ...]  # with the confidence, None: from a person


@dataclass(frozen=True)
class LabelsFinished:
    """What came of a run: `looked_at` photos, of which `none` got no label."""

    labels: tuple[LabelTold, ...]
    looked_at: int
    none: int
    seconds: float


LabelEvent: TypeAlias = LabelsBegan | Labelled | LabelsFinished


def label(
    library: Library,
    labels: Sequence[LabelText],
    *,
    bounds: Bounds = Bounds(),  # frozen
    relabel: bool = False,
) -> Iterator[LabelEvent]:
    """Give photos labels and keep them; `relabel` gives also those anew that are up to date.

    Yields a `LabelsBegan` for each encoder and a `Labelled` for each committed batch, then one
    `LabelsFinished`. Raises UsageError for bounds that cannot be and a library without photos,
    NoEncoderError for labels of a language that no encoder knows, LibraryLockedError.
    """
    groups = _groups(library, labels, bounds)
    given: Counter[str] = Counter()
    done = none = 0
    with library.lock(), recorded(library, "label") as counts:
        started = time.monotonic()
        for group in groups:
            after = 0 if relabel else library.catalog.labels_reached(group.names, group.recipe)
            yield group.began(library, bounds.only, after)
            with library.catalog.write() as writer:
                writer.begin_labels(group.names, group.recipe, after)
            for batch in group.batches(library, bounds, after):
                with library.catalog.write() as writer:
                    writer.put_zero_shot_labels(
                        group.recipe, batch.photo_ids, batch.given, group.encoder.name
                    )
                    if bounds.only is None:
                        writer.note_labels_reached(group.recipe, batch.last)
                given.update(each.name for each in batch.given)
                done, none = done + len(batch.photo_ids), none + batch.none
                counts["labelled"] += len(batch.photo_ids) - batch.none
                yield Labelled(len(batch.photo_ids), batch.none, done)
        told = _told(library, as_names(labels), given)
        yield LabelsFinished(told, done, none, time.monotonic() - started)


def preview_labels(
    library: Library,
    labels: Sequence[LabelText],
    *,
    bounds: Bounds = Bounds(),
) -> Iterator[LabelEvent]:
    """What `label` would give to all photos, were none of these labels given yet; writes nothing.

    The `photos` of a label are those of this run. Raises what `label` raises.
    """
    started = time.monotonic()
    given: dict[str, list[GivenLabel]] = {each.name: [] for each in labels}
    done = none = 0
    for group in _groups(library, labels, bounds):
        yield group.began(library, bounds.only, 0)
        for batch in group.batches(library, bounds, 0):
            for each in batch.given:
                given[each.name].append(each)
            done, none = done + len(batch.photo_ids), none + batch.none
            yield Labelled(len(batch.photo_ids), batch.none, done)
    told = []
    for name, rows in given.items():
        best = sorted(rows, key=lambda each: (-each.confidence, each.photo_id))
        sure = {each.photo_id: each.confidence for each in best}
        told.append(LabelTold(name, len(rows), len(rows), _examples(library, sure)))
    yield LabelsFinished(tuple(told), done, none, time.monotonic() - started)


@dataclass(frozen=True)
class _Batch:
    """Photos that were looked at, what they get, how many nothing, and the last embedding's id."""

    photo_ids: list[int]
    given: list[GivenLabel]
    none: int
    last: int


@dataclass(frozen=True)
class _Group:
    """Labels that one encoder tells apart."""

    encoder: EncoderRow
    names: tuple[str, ...]
    texts: Vectors  # (k, d), a row a label
    ground: Ground
    recipe: str

    def began(self, library: Library, only: Ids | None, after: int) -> LabelsBegan:
        if only is not None:
            photos = len(only)
            return LabelsBegan(self.encoder.name, self.names, photos, 0)
        photos = library.catalog.embeddings_after(self.encoder.id, after)
        up_to_date = library.catalog.photo_count(self.encoder.id) - photos
        return LabelsBegan(self.encoder.name, self.names, photos, up_to_date)

    def batches(self, library: Library, bounds: Bounds, after: int) -> Iterator[_Batch]:
        refused = library.catalog.labels_refused(self.names)
        for ids, vectors, last in _embeddings(library, self.encoder, bounds.only, after):
            sure = confidences(vectors @ self.texts.T, self.ground)
            for name, photo_ids in refused.items():
                sure[np.isin(ids, list(photo_ids)), self.names.index(name)] = -1  # below any bound
            best = np.argsort(-sure, axis=1, kind="stable")[:, : bounds.top]
            is_given = np.take_along_axis(sure, best, axis=1) >= bounds.min_confidence
            given = [
                GivenLabel(int(ids[row]), self.names[place], float(sure[row, place]))
                for row, column in np.argwhere(is_given).tolist()
                for place in (int(best[row, column]),)
            ]
            none = len(ids) - int(is_given.any(axis=1).sum())
            yield _Batch(ids.tolist(), given, none, last)


def _groups(library: Library, labels: Sequence[LabelText], bounds: Bounds) -> list[_Group]:
    """One an encoder, in the order of the labels."""
    if bounds.top < 1 or not 0 <= bounds.min_confidence <= 1:
        raise UsageError(
            f"a photo gets at least one label, and confidences are from 0 to 1: top "
            f"{bounds.top} and a confidence of {bounds.min_confidence} cannot be"
        )
    by_language: dict[str, list[LabelText]] = {}
    for each in labels:
        by_language.setdefault(each.language, []).append(each)
    encoders = {language: encoder_of(library, language) for language in by_language}
    members: dict[EncoderRow, list[LabelText]] = {}
    for each in labels:
        members.setdefault(encoders[each.language], []).append(each)
    return [_group(library, encoder, each, bounds) for encoder, each in members.items()]


def _group(
    library: Library, encoder: EncoderRow, labels: Sequence[LabelText], bounds: Bounds
) -> _Group:
    rows = [
        ensemble(embed_texts(library, encoder, label.texts, label.language)) for label in labels
    ]
    asked = {
        "labels": {label.name: label.texts for label in labels},
        "encoder": encoder.identity,
        "bounds": [bounds.top, bounds.min_confidence],
        "constants": [SURENESS, NONE_AT],
    }
    return _Group(
        encoder,
        tuple(as_names(labels)),
        np.stack(rows),
        ground_of(library, encoder, labels[0].language),
        hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16],
    )


def _embeddings(
    library: Library, encoder: EncoderRow, only: Ids | None, after: int
) -> Iterator[tuple[Ids, Vectors, int]]:
    if only is not None:
        for start in range(0, len(only), BATCH):
            part = only[start : start + BATCH]
            yield *library.catalog.embeddings(encoder.id, photo_ids=part), 0
        return
    while True:
        ids, vectors, after = library.catalog.embeddings_and_last(
            encoder.id, after=after, limit=BATCH
        )
        if not len(ids):
            return
        yield ids, vectors, after


def _told(
    library: Library, names: Sequence[str], given: Mapping[str, int]
) -> tuple[LabelTold, ...]:
    photos = {tally.name: tally.photos for tally in library.catalog.label_tallies()}
    told = []
    for name in names:
        rows = library.catalog.photos_labelled(name, 2 * EXAMPLES)
        sure = {row.photo_id: row.confidence for row in reversed(rows)}  # the first of two stays
        ordered = dict(reversed(sure.items()))
        told.append(LabelTold(name, given.get(name, 0), photos[name], _examples(library, ordered)))
    return tuple(told)


def _examples(
    library: Library, sure: Mapping[int, float | None]
) -> tuple[tuple[Path, float | None], ...]:
    """The first few photos that have a file."""
    first = list(sure)[: 10 * EXAMPLES]
    paths = library.catalog.live_paths(first)
    return tuple((paths[i], sure[i]) for i in first if i in paths)[:EXAMPLES]
