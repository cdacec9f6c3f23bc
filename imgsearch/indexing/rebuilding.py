"""rebuild(): another encoder takes over, and nobody notices.

A library and an encoder go in, what came of it comes out. Everything is made beside what answers:
embeddings batch by batch, the index in a folder of its own. One commit then makes the index current
and lets the encoder answer, so a kill at any moment leaves the old one in use, and running again
embeds only what is left.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from imgsearch.catalog import EncoderRow, GenerationRow
from imgsearch.encoders import Encoder
from imgsearch.errors import NoEncoderError
from imgsearch.indexing.choosing import ChosenEncoder, choose_one
from imgsearch.indexing.gone import FEW_FILES, LARGE_SHARE
from imgsearch.indexing.lacking import Seen, embed_lacking
from imgsearch.indexing.outcomes import Notice, Skipped, ignore
from imgsearch.indexing.reindexing import check_asked, told_steps
from imgsearch.indexing.weighing import Weighed, weigh
from imgsearch.library import Library, generations, recorded

if TYPE_CHECKING:  # they bring torch, which an index run without a new photo does without
    from imgsearch.evaluating import Measurement
    from imgsearch.pairs import CaptionedPhotos


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
    what the old and the new encoder find by the captions of the photos, `why_not` says what kept
    them from being compared, and `withheld` why the encoder does not answer although it was to.
    Embedding took `embedding_seconds` of the `seconds` in all.
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
    embedding_seconds: float = field(default=0.0, compare=False)
    seconds: float = field(default=0.0, compare=False)


@dataclass(frozen=True)
class Handover:
    """How an encoder takes over.

    `answer` is what it is to answer in the end: "all" of its languages, those that are "free"
    because nobody answers them, or "nothing" before `imgsearch.switch`. It is first compared with
    those it follows, on `pairs` where given, else on the captions beside the library's photos.
    """

    answer: Literal["all", "free", "nothing"] = "all"
    pairs: CaptionedPhotos | None = None

    def languages(self, row: EncoderRow, active: dict[str, EncoderRow]) -> list[str]:
        """Those of the encoder's languages it would answer, once switched to, and does not."""
        free = [language for language in row.languages if language not in active]
        if self.answer == "free":
            return free
        return [each for each in row.languages if each in free or active[each].id != row.id]


def rebuild(
    library: Library,
    encoder: str | Encoder,
    *,
    handover: Handover = Handover(),  # frozen
    kind: str | None = None,
    recall: float | None = None,
    device: str = "auto",
    notify: Callable[[Notice], None] | None = None,
) -> Rebuilt:
    """Embed with an encoder every photo it lacks, build its index, and let it answer.

    It is a name, path or object as `index` takes them, known to the library or not. Searches go on
    meanwhile, answered as before, until one commit lets it answer all of its languages, or what
    `handover` says; those it does not know stay where they are. Photos without a file keep the
    embeddings they have and are listed. Stopped at any moment, the next call goes on.

    `kind` and `recall` of the index are as in `reindex`, which builds the index alone; what was
    asked of the index so far unless given.

    Raises UsageError for an unknown kind or a recall that is no share, NoEncoderError where no
    photo can be embedded, what `encoders.load` raises, and LibraryLockedError when another process
    is writing.
    """
    check_asked(kind, recall)
    notify = notify or ignore
    started = time.monotonic()
    with library.lock():
        generations.sweep(library)
        chosen = choose_one(library, encoder, device)
        with recorded(library, "rebuild") as counts:
            seen = embed_lacking(library, chosen, notify)
            found = {"missing": len(seen.missing), "skipped": len(seen.skipped)}
            counts.update(embedded=seen.embedded, **found)
            _check_any(library, chosen, seen)
            weighed = _weigh(library, chosen, handover, device, notify)
            tell = told_steps(library.catalog.photo_count(chosen.row.id), notify)
            built = generations.write(library, chosen.row, kind, recall, tell)
            switched, withheld = _flip(library, chosen.row, built, handover, weighed.unfit)
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
        embedding_seconds=seen.seconds,
        seconds=time.monotonic() - started,
    )


def _flip(
    library: Library, row: EncoderRow, built: GenerationRow, handover: Handover, unfit: str
) -> tuple[tuple[Switched, ...], str]:
    """The one commit: the index becomes current and the encoder answers. Which languages; why not.

    An encoder that is unfit would find nothing. And as with files that are gone at once: when many
    photos would be found no more, a drive is not mounted rather than meant to be forgotten, and a
    person decides.
    """
    active = library.catalog.active_encoders()
    languages = handover.languages(row, active) if handover.answer != "nothing" else []
    lost, of = max(
        (_lost(library, row, active[each]) for each in languages if each in active), default=(0, 0)
    )
    withheld = ""
    if unfit and languages:
        withheld, languages = unfit, []
    elif lost >= FEW_FILES and lost > LARGE_SHARE * of:
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
    handover: Handover,
    device: str,
    notify: Callable[[Notice], None],
) -> Weighed:
    languages = handover.languages(chosen.row, library.catalog.active_encoders())
    if not languages:
        return Weighed(why_not=f"{chosen.row.name} takes no language over from another encoder")
    return weigh(library, chosen, languages, handover.pairs, device, notify)


def _check_any(library: Library, chosen: ChosenEncoder, seen: Seen) -> None:
    if not (seen.missing or seen.skipped) or library.catalog.photo_count(chosen.row.id):
        return
    reason = seen.skipped[0].reason if seen.skipped else "its file is gone"
    path = seen.skipped[0].path if seen.skipped else seen.missing[0]
    raise NoEncoderError(
        f"{chosen.row.name} could be shown no photo of {library.path}: {reason} ({path}). "
        "Mount the drive of the photos, or name another encoder."
    )
