"""rebuild(): another encoder takes over, or a new index takes the old one's place; nobody notices.

A library and an encoder go in, what came of it comes out. Everything is made beside what answers:
embeddings batch by batch, the index in a folder of its own. One commit then makes the index current
and lets the encoder answer, so a kill at any moment leaves the old one in use, and running again
embeds only what is left.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from imgsearch.catalog import EncoderRow, GenerationRow
from imgsearch.encoders import Encoder
from imgsearch.errors import NoEncoderError, UsageError
from imgsearch.evaluating import Measurement
from imgsearch.indexing.answering import unknown_encoder
from imgsearch.indexing.choosing import ChosenEncoder, choose_one
from imgsearch.indexing.gone import FEW_FILES, LARGE_SHARE
from imgsearch.indexing.lacking import Seen, embed_lacking
from imgsearch.indexing.outcomes import BuildingGeneration, Notice, Skipped
from imgsearch.indexing.recording import recorded
from imgsearch.indexing.weighing import Captioned, Weighed, weigh
from imgsearch.library import Library, captions_of, generations


@dataclass(frozen=True)
class Switched:
    """A language that another encoder answers now; `previous` is None where nobody did before."""

    language: str
    encoder: str
    previous: str | None


@dataclass(frozen=True)
class Rebuilt:
    """What a rebuild came to.

    `embedded` photos were shown to the encoder. Of the `missing` (a path each) there is no file, so
    they keep the embeddings they had; the `skipped` could not be read. `before` and `after` are
    what the old and the new encoder find by the captions of the photos, `why_not` says why nothing
    could be compared, and `withheld` why the encoder does not answer although it was to.
    """

    encoder: str
    generation: GenerationRow
    embedded: int = 0
    missing: tuple[Path, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    before: tuple[Measurement, ...] = ()
    after: tuple[Measurement, ...] = ()
    why_not: str = ""
    switched: tuple[Switched, ...] = ()
    withheld: str = ""
    seconds: float = field(default=0.0, compare=False)


@dataclass(frozen=True)
class Aim:
    """What the encoder is to answer in the end: all it knows, what nobody answers, or nothing."""

    switch: bool
    add: bool

    def languages(self, row: EncoderRow, active: dict[str, EncoderRow]) -> list[str]:
        """Those of the encoder's languages it would answer and does not."""
        free = [language for language in row.languages if language not in active]
        if self.add:
            return free
        return [each for each in row.languages if each in free or active[each].id != row.id]


def rebuild(
    library: Library,
    *,
    encoder: str | Encoder | None = None,
    kind: str | None = None,
    switch: bool = True,
    add: bool = False,
    device: str = "auto",
    notify: Callable[[Notice], None] | None = None,
) -> Rebuilt:
    """Embed with an encoder every photo it lacks, build its index, and let it answer.

    It is a name, path or object as `index` takes them, known to the library or not. Searches go on
    meanwhile, answered as before, until one commit lets it answer all of its languages; those it
    does not know stay where they are. With `add` it takes only languages that nobody answers;
    without `switch` it waits for `imgsearch.switch`. Photos without a file keep the embeddings they
    have and are listed. Stopped at any moment, the next call goes on.

    Without an encoder: a new index of the one that answers English, else of any active one, from
    the stored embeddings alone.

    `kind` is one of flat, sq8, hnsw, ivf and ivf-sq8; that of the index so far unless given.

    Raises UsageError for an unknown kind and for choices that contradict each other, NoEncoderError
    where no photo can be embedded, what `encoders.load` raises, and LibraryLockedError when another
    process is writing.
    """
    aim = Aim(switch, add)
    if add and not switch:
        raise UsageError("Either an encoder is added to those that answer, or it waits: not both.")
    if encoder is None and (add or not switch):
        raise UsageError("Name the encoder that is to be added or to wait: --encoder NAME")
    if kind is not None:
        _check_kind(kind)
    started = time.monotonic()
    with library.lock():
        generations.sweep(library)
        if encoder is None:
            row = _answering(library)
            built = generations.build(library, row, kind)
            return Rebuilt(row.name, built, seconds=time.monotonic() - started)
        chosen = choose_one(library, encoder, device)
        with recorded(library, "rebuild") as counts:
            seen = embed_lacking(library, chosen, notify or _ignore)
            found = {"missing": len(seen.missing), "skipped": len(seen.skipped)}
            counts.update(embedded=seen.embedded, **found)
            _check_any(library, chosen, seen)
            weighed = _weigh(library, chosen, aim, device, notify or _ignore)
            (notify or _ignore)(BuildingGeneration(len(chosen.photo_ids)))
            built = generations.write(
                library, chosen.row, kind or _kind_so_far(library, chosen.row)
            )
            switched, withheld = _flip(library, chosen.row, built, aim)
            built = generations.settle(library, chosen.row.id)
    return Rebuilt(
        encoder=chosen.row.name,
        generation=built,
        embedded=seen.embedded,
        missing=tuple(seen.missing),
        skipped=tuple(seen.skipped),
        before=tuple(weighed.before),
        after=tuple(weighed.after),
        why_not=weighed.why_not,
        switched=switched,
        withheld=withheld,
        seconds=time.monotonic() - started,
    )


def _flip(
    library: Library, row: EncoderRow, built: GenerationRow, aim: Aim
) -> tuple[tuple[Switched, ...], str]:
    """The one commit: the index becomes current and the encoder answers. Which languages; why not.

    As with files that are gone at once: when many photos would be found no more, a drive is not
    mounted rather than meant to be forgotten, and a person decides.
    """
    active = library.catalog.active_encoders()
    languages = aim.languages(row, active) if aim.switch else []
    lost, of = max(
        (_lost(library, row, active[each]) for each in languages if each in active), default=(0, 0)
    )
    withheld = ""
    if lost >= FEW_FILES and lost > LARGE_SHARE * of:
        withheld = (
            f"{lost:,} of {of:,} photos that are found now would be found no more. If a drive is "
            f"not mounted, mount it and run the same command. To switch all the same: "
            f"{library.command('switch', row.name)}"
        )
        languages = []
    with library.catalog.write() as writer:
        writer.switch_generation(built)
        writer.switch_answers("rebuild", dict.fromkeys(languages, row.id))
    names = {language: each.name for language, each in active.items()}
    return tuple(Switched(each, row.name, names.get(each)) for each in languages), withheld


def _lost(library: Library, row: EncoderRow, previous: EncoderRow) -> tuple[int, int]:
    """How many photos the new encoder finds less than the previous one, and how many that finds."""
    before = library.catalog.live_photo_count(previous.id)
    return before - library.catalog.live_photo_count(row.id), before


def _weigh(
    library: Library,
    chosen: ChosenEncoder,
    aim: Aim,
    device: str,
    notify: Callable[[Notice], None],
) -> Weighed:
    languages = aim.languages(chosen.row, library.catalog.active_encoders())
    if not languages:
        return Weighed(why_not=f"{chosen.row.name} takes no language over from another encoder")
    photo_ids, pairs = captions_of(library)
    captioned = Captioned(photo_ids, pairs.captions)
    return weigh(library, chosen, languages, captioned, device, notify)


def _answering(library: Library) -> EncoderRow:
    active = library.catalog.active_encoders()
    row = active.get("en") or next(iter(active.values()), None)
    if row is None:
        raise unknown_encoder(library, None)
    return row


def _kind_so_far(library: Library, row: EncoderRow) -> str | None:
    """That of the encoder's own index, else of the one that answers in its first language now."""
    active = library.catalog.active_encoders()
    for each in (row, *(active[language] for language in row.languages if language in active)):
        current = library.catalog.current_generation(each.id)
        if current is not None:
            return current.kind
    return None


def _check_kind(kind: str) -> None:
    """Raises UsageError for a kind that nobody knows: now, and not after hours of embedding."""
    from imgsearch.vector_index import VectorIndex

    VectorIndex.build(np.empty(0, np.int64), np.empty((0, 1), np.float32), kind)


def _check_any(library: Library, chosen: ChosenEncoder, seen: Seen) -> None:
    if chosen.photo_ids or not (seen.missing or seen.skipped):
        return
    reason = seen.skipped[0].reason if seen.skipped else "its file is gone"
    path = seen.skipped[0].path if seen.skipped else seen.missing[0]
    raise NoEncoderError(
        f"{chosen.row.name} could be shown no photo of {library.path}: {reason} ({path}). "
        "Mount the drive of the photos, or name another encoder."
    )


def _ignore(notice: Notice) -> None:
    """Nobody listens."""
