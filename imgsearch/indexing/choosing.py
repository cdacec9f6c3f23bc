"""Which encoders a run uses: those asked for, else the library's, else the default.

Names and objects go in, rows of the catalog with a way to load them come out. A library's own
encoders are loaded only when a photo needs them: a run that finds nothing new must not wait for
weights. Those named by the caller are loaded at once, since a name alone tells no identity.
"""

import contextlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from imgsearch import encoders
from imgsearch.catalog import Catalog, EncoderRow
from imgsearch.encoders import Encoder
from imgsearch.errors import DownloadError, NoEncoderError, UsageError
from imgsearch.indexing.outcomes import FellBack, Notice
from imgsearch.library import Library
from imgsearch.library.models import keep_bundled

Wanted: TypeAlias = str | Encoder | Sequence[str | Encoder] | None
BUNDLED = "builtin"


@dataclass
class ChosenEncoder:
    """An encoder of the library; `photo_ids` are those of the photos a run has met that it has
    embedded.
    """

    row: EncoderRow
    load: Callable[[], Encoder]
    photo_ids: set[int] = field(default_factory=set)
    _loaded: Encoder | None = field(default=None, init=False)

    @property
    def is_loaded(self) -> bool:
        """Whether anything was embedded, or is about to be."""
        return self._loaded is not None

    def meet(self, catalog: Catalog, photo_ids: Collection[int]) -> None:
        """Note which of these photos it has embedded: what a run has nothing to do with, of a
        million photos, is not asked for.
        """
        self.photo_ids |= catalog.embedded_among(self.row.id, photo_ids)

    @property
    def encoder(self) -> Encoder:
        if self._loaded is None:
            self._loaded = self.load()
        return self._loaded


def choose(
    library: Library,
    wanted: Wanted,
    device: str,
    notify: Callable[[Notice], None],
    roots: Sequence[Path],
) -> list[ChosenEncoder]:
    """The encoders of this run, each known to the catalog.

    Raises what `encoders.load` raises.
    """
    if wanted is None:
        rows = library.catalog.active_encoders() or _newest(library)
        if rows:
            own = {row.id: row for row in rows.values()}
            return [_chosen(library, row, device) for row in own.values()]
        return [_default(library, device, notify, roots)]
    names = wanted if isinstance(wanted, Sequence) and not isinstance(wanted, str) else [wanted]
    chosen = {each.row.id: each for each in (_add(library, name, device) for name in names)}
    if not chosen:
        raise UsageError("No encoder is named; leave `encoder` out for the library's own.")
    return list(chosen.values())


def choose_one(library: Library, wanted: str | Encoder, device: str) -> ChosenEncoder:
    """The encoder of that name, path or object, known to the catalog from now on.

    One that the library has and that cannot be loaded here is still itself: what is stored of it
    will do, unless a photo lacks it; then loading says what is wrong. Raises what `encoders.load`
    raises for any other.
    """
    row = library.find_encoder(wanted) if isinstance(wanted, str) else None
    if row is None:
        return _add(library, wanted, device)
    # By the name first: its weights may be other ones by now, or there is a newer of that family.
    for name in dict.fromkeys((str(wanted), row.source)) if row.source is not None else ():
        with contextlib.suppress(NoEncoderError, DownloadError):
            return _add(library, name, device)
    return _chosen(library, row, device)


def _newest(library: Library) -> dict[str, EncoderRow]:
    """What a library without any embedding was told to use."""
    return {language: row for row in library.catalog.encoders() for language in row.languages}


def _default(
    library: Library,
    device: str,
    notify: Callable[[Notice], None],
    roots: Sequence[Path],
) -> ChosenEncoder:
    best = encoders.DEFAULT["en"]
    try:
        return _add(library, best, device)
    except DownloadError as error:
        chosen = _add(library, BUNDLED, device)
        reason = str(error).splitlines()[0]
        command = library.command("index", "--encoder", best, *roots)
        notify(FellBack(best, chosen.row.name, command, reason))
        return chosen


def _add(library: Library, wanted: str | Encoder, device: str) -> ChosenEncoder:
    if isinstance(wanted, str):
        encoder = library.load_encoder(wanted, device)
        source = getattr(encoder, "source", wanted)  # an adapter knows a path as an absolute one
    else:
        encoder, source = wanted, getattr(wanted, "source", None)
        library.keep_encoder(encoder)
    _check_text(encoder.name, source)
    row = EncoderRow(
        0, encoder.identity, encoder.name, encoder.dim, tuple(encoder.languages), source
    )
    keep_bundled(library.models_folder, encoder.name)
    with library.catalog.write() as writer:
        writer.add_encoder(row)
    added = library.catalog.encoder_with_identity(encoder.identity)
    assert added is not None  # committed above
    chosen = _chosen(library, added, device)
    chosen.load = lambda: encoder
    return chosen


def _check_text(*words: str | None) -> None:
    for word in words:
        try:
            (word or "").encode()
        except UnicodeEncodeError as error:
            raise UsageError(
                f"the encoder {word!r} is not named in valid text, which a library cannot keep; "
                "rename its file or folder"
            ) from error


def _chosen(library: Library, row: EncoderRow, device: str) -> ChosenEncoder:
    return ChosenEncoder(row, lambda: library.load_encoder(row, device))
