"""import_embeddings: what was embedded elsewhere, without embedding it again.

A file or folder goes in; embeddings, photos that were not known and people's sentences land in the
catalog, a thousand rows a transaction. Each row is matched to a photo by its content hash, else by
its path; one whose picture is not on this disk is left out and counted, since a photo without a
file is never a hit. What is there already stays as it is, so to import twice changes nothing.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from imgsearch.encoders import Encoder
from imgsearch.errors import UsageError
from imgsearch.exchanging.batches import commit
from imgsearch.exchanging.formats import open_embeddings
from imgsearch.exchanging.matching import Matching, Row
from imgsearch.exchanging.origins import Maker, maker_of
from imgsearch.exchanging.places import Places
from imgsearch.exchanging.rows import Format, Rows
from imgsearch.library import Library, generations, recorded

NO_DIRECTION = "the vector is zero or not finite"
COUNTED = ("rows", "added", "known", "photos", "captions", "unread", "normalised")
NAMED = 5  # of the rows left out, for each reason

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class LeftOut:
    """So many rows were left out for this reason; the first few are named."""

    reason: str
    count: int
    names: tuple[str, ...]


@dataclass(frozen=True)
class Imported:
    """What came of an import of `rows` rows.

    `added` embeddings are new, `known` were there; `photos` were new to the library and `captions`
    to their photos; `unread` photos have text beside them in an archive that is no caption which
    reads; `normalised` vectors were not of length 1. `is_answering` says whether searches
    ask this encoder now.
    """

    encoder: str
    rows: int
    added: int
    known: int
    photos: int
    captions: int
    unread: int
    normalised: int
    left_out: tuple[LeftOut, ...]
    is_answering: bool


def import_embeddings(
    library: Library,
    source: Path,
    *,
    encoder: str | Encoder | None = None,
    photos: Path | None = None,
    format: Format | None = None,
    device: str = "auto",
    progress: Progress | None = None,
) -> Imported:
    """Take in the embeddings of a file or folder that `export_embeddings`, clip-retrieval or
    Chinese-CLIP wrote.

    `encoder` names what made them, where the file does not say. `photos` is the folder, or the tar,
    where those are that the library does not know yet: relative paths and keys are looked for
    there. `progress` hears how many rows of how many are through.

    Raises UsageError for a file that does not read, or whose vectors are not of that encoder;
    LibraryLockedError; and what `encoders.load` raises.
    """
    with library.lock():
        embeddings = open_embeddings(source, format)
        if photos is not None and not photos.exists():
            raise UsageError(f"{photos} does not exist: give the folder where the photos are")
        maker = maker_of(library, embeddings, encoder, device)
        matching = Matching(library, Places(library, photos), is_ours=embeddings.origin is not None)
        with recorded(library, "import") as counts:
            run = _Run(library, maker, matching, counts)
            for rows in embeddings.rows():
                run.take_in(rows)
                if progress is not None:
                    progress(counts["rows"], embeddings.count)
            run.build_due()
        return run.outcome()


class _Run:
    """One import and its counts so far."""

    def __init__(
        self, library: Library, maker: Maker, matching: Matching, counts: Counter[str]
    ) -> None:
        self._library = library
        self._maker = maker
        self._matching = matching
        self._counts = counts
        self._left_out: Counter[str] = Counter()
        self._first: dict[str, list[str]] = {}  # names, by reason
        self._embedded = library.catalog.embedded_photo_ids(maker.row.id)

    def take_in(self, some: Rows) -> None:
        """Match and commit some rows."""
        with np.errstate(over="ignore"):
            lengths = np.linalg.norm(some.vectors.astype(np.float64), axis=1)
        has_direction = np.isfinite(lengths) & (lengths > 0)
        rows = [
            Row(vector, name, content_hash, caption, reason=None if is_good else NO_DIRECTION)
            for vector, name, content_hash, caption, is_good in zip(
                some.vectors, some.names, some.hashes, some.captions, has_direction, strict=True
            )
        ]
        self._counts["rows"] += len(rows)
        self._matching.match(rows)
        found = []
        for row in rows:
            if row.reason is None:
                found.append(row)
            else:
                self._leave_out(row.reason, row.name or str(row.content_hash))
        if found:
            self._maker.prove([(row.path, row.vector) for row in found if row.path is not None])
            self._counts.update(commit(self._library, self._maker.row, found, self._embedded))

    def _leave_out(self, reason: str, name: str) -> None:
        self._left_out[reason] += 1
        first = self._first.setdefault(reason, [])
        if len(first) < NAMED:
            first.append(name)

    def build_due(self) -> None:
        """A new generation, where too many embeddings lie beside the last one."""
        row = self._library.catalog.encoder_with_identity(self._maker.row.identity)
        if row is not None and generations.is_due(self._library, row.id):
            generations.renew(self._library, row)

    def outcome(self) -> Imported:
        """What came of it, the commonest reasons first."""
        left_out = tuple(
            LeftOut(reason, count, tuple(self._first[reason]))
            for reason, count in self._left_out.most_common()
        )
        identity = self._maker.row.identity
        answering = self._library.catalog.active_encoders().values()
        return Imported(
            encoder=self._maker.row.name,
            left_out=left_out,
            is_answering=any(row.identity == identity for row in answering),
            **{name: self._counts[name] for name in COUNTED},
        )
