"""caption: sentences from stored embeddings, a batch a transaction, under the library's lock.

A library and a captioner go in, events come out as batches are committed. Whatever stops the run
loses at most the batch in flight, and the same call goes on. A photo of which the captioner has
nothing to say gets an empty caption: it is shown and found nowhere, and not tried again.
"""

import contextlib
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from imgsearch import captioning
from imgsearch.captioning import Caption, Captioner, Decoding
from imgsearch.catalog import EncoderRow, Ids
from imgsearch.describing.choosing import (
    Chooser,
    Selection,
    check_languages,
    embed_command,
    encoder_for,
    maker,
)
from imgsearch.describing.events import Began, Captioned, Event, Finished
from imgsearch.describing.sidecars import SidecarChanges, compare, take_in
from imgsearch.library import Library, recorded


def caption(
    library: Library,
    *,
    languages: Sequence[str] | None = None,
    captioner: str | Captioner = "builtin",
    decoding: Decoding = Decoding(),  # noqa: B008  # frozen
    selection: Selection = Selection(),  # noqa: B008
    device: str = "auto",
) -> Iterator[Event]:
    """Caption the photos of a selection in every language that the captioner speaks, or in these.

    A photo has one generated caption a language. Those with a caption of a person's or a sidecar's,
    and those generated otherwise than this run would, are left alone and counted, unless the
    selection says so; a person's is never replaced. Texts beside the photos are taken in first.

    Yields one `Began`, a `Captioned` for each committed batch, one `Finished`. Raises
    NoEncoderError where the library has no embeddings that the captioner reads, UsageError for a
    captioner, a language, a path or a name to recaption that is not there, LibraryLockedError.
    """
    chosen = _Chosen.of(library, captioner, languages, device)
    identity = maker(chosen.captioner, decoding)
    with contextlib.ExitStack() as stack:
        stack.enter_context(library.lock())
        # What it refuses is no run, and leaves the last one in the book.
        chooser = Chooser(library, chosen.encoder, identity, selection)
        counts = stack.enter_context(recorded(library, "caption"))
        started = time.monotonic()
        sidecars = SidecarChanges()
        for changes in compare(library):
            take_in(library, changes)
            sidecars.count(changes)
        choices = [chooser.choose(each, sidecars.told_in(each)) for each in chosen.languages]
        began = Began(
            chosen.captioner.name,
            chosen.encoder.name,
            tuple(plan for plan, _ in choices),
            sidecars,
            embed_command(library, chosen.captioner),
        )
        yield began
        with library.catalog.write() as writer:
            maker_id = writer.add_captioner(chosen.captioner.name, identity)
        captioned, empty = Counter[str](), Counter[str]()
        for plan, ids in choices:
            for photo_ids, captions in _batches(library, chosen, ids, plan.language, decoding):
                rows = [
                    (photo_id, each.text, each.log_probability)
                    for photo_id, each in zip(photo_ids.tolist(), captions, strict=True)
                ]
                with library.catalog.write() as writer:
                    writer.put_generated_captions(maker_id, plan.language, rows)
                without = sum(not each.text for each in captions)
                captioned[plan.language] += len(rows)
                empty[plan.language] += without
                counts["captioned"] += len(rows)
                yield Captioned(plan.language, len(rows), without, captioned.total())
        yield Finished(began, dict(captioned), dict(empty), time.monotonic() - started)


@dataclass(frozen=True)
class Preview:
    """What a run would say of a photo."""

    photo_id: int
    path: Path
    captions: dict[str, Caption]  # by language


def preview(
    library: Library,
    count: int,
    *,
    languages: Sequence[str] | None = None,
    captioner: str | Captioner = "builtin",
    decoding: Decoding = Decoding(),  # noqa: B008
    selection: Selection = Selection(),  # noqa: B008
    device: str = "auto",
) -> list[Preview]:
    """The captions of the `count` photos that `caption` would begin with; nothing is written.

    Those are the photos of the lowest ids that are to be captioned in any of the languages, each
    with its captions in the languages it is to be captioned in. Raises what `caption` raises.
    """
    chosen = _Chosen.of(library, captioner, languages, device)
    sidecars = SidecarChanges()
    for changes in compare(library):
        sidecars.count(changes)
    chooser = Chooser(library, chosen.encoder, maker(chosen.captioner, decoding), selection)
    due = {
        each: chooser.choose(each, sidecars.told_in(each))[1][:count] for each in chosen.languages
    }
    first = sorted({int(i) for ids in due.values() for i in ids})[:count]
    found: dict[int, dict[str, Caption]] = {photo_id: {} for photo_id in first}
    for language, ids in due.items():
        wanted = ids[[int(i) in found for i in ids]] if len(ids) else ids
        for photo_ids, captions in _batches(library, chosen, wanted, language, decoding):
            for photo_id, each in zip(photo_ids.tolist(), captions, strict=True):
                found[photo_id][language] = each
    paths = library.catalog.live_paths(first)
    return [Preview(i, paths[i], captions) for i, captions in found.items()]


@dataclass(frozen=True)
class _Chosen:
    """Who captions, from whose embeddings, in which languages."""

    captioner: Captioner
    encoder: EncoderRow
    languages: tuple[str, ...]

    @classmethod
    def of(
        cls,
        library: Library,
        captioner: str | Captioner,
        languages: Sequence[str] | None,
        device: str,
    ) -> "_Chosen":
        if isinstance(captioner, str):
            folder = library.captioners_folder
            captioner = captioning.load(captioner, device=device, captioners=folder)
        wanted = tuple(dict.fromkeys(captioner.languages if languages is None else languages))
        check_languages(captioner, wanted)
        return cls(captioner, encoder_for(library, captioner), wanted)


def _batches(
    library: Library, chosen: _Chosen, ids: Ids, language: str, decoding: Decoding
) -> Iterator[tuple[Ids, list[Caption]]]:
    """Photos with their captions, as many at a time as the captioner takes."""
    size = chosen.captioner.batch_size
    for start in range(0, len(ids), size):
        part = ids[start : start + size]
        photo_ids, vectors = library.catalog.embeddings(chosen.encoder.id, photo_ids=part)
        yield photo_ids, chosen.captioner.caption(vectors, language, decoding)
