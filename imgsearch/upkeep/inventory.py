"""status(): what is in a library, in numbers.

A library goes in, a `Status` of plain values comes out: counts from the catalog, sizes from the
disk.
"""

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from imgsearch.catalog import HEAD, EncoderRow, audit
from imgsearch.encoders.exports import cache
from imgsearch.errors import LibraryError
from imgsearch.library import Library


@dataclass(frozen=True)
class GenerationStatus:
    """A current generation: `count` embeddings are in it and `beside` came later.

    `asked` is the kind ("auto": by size) and the share of the ten nearest that were asked for,
    `parameters` in FAISS's names what that came to, and `recall` the share that was measured when
    it was built: None of an exact kind, and, as all but `size_bytes` below, of one that does not
    read.
    """

    folder: str
    kind: str
    count: int
    beside: int
    built_at: datetime
    size_bytes: int
    asked: dict[str, object] | None = None
    parameters: dict[str, int] | None = None
    recall: dict[str, object] | None = None
    trained_on: int | None = None
    build_seconds: float | None = None


@dataclass(frozen=True)
class EncoderStatus:
    """An encoder, how many photos it covers, the languages whose queries it answers."""

    name: str
    identity: str
    dim: int
    languages: tuple[str, ...]
    active_for: tuple[str, ...]
    photos: int
    generation: GenerationStatus | None


@dataclass(frozen=True)
class LastRun:
    """The newest run. `ended` is done, interrupted or failed; None while it runs, or if killed."""

    verb: str
    pid: int
    started_at: datetime
    finished_at: datetime | None
    ended: str | None
    outcome: dict[str, object]


@dataclass(frozen=True)
class FaissStatus:
    """The distributions of FAISS that are installed, and how many GPUs it sees."""

    distributions: tuple[str, ...]
    gpus: int


@dataclass(frozen=True)
class ExportsStatus:
    """Where the exports of encoders lie, those of all libraries of this user, and what they take:
    each is made anew when it is missed."""

    folder: Path
    size_bytes: int


@dataclass(frozen=True)
class Status:
    """What a library holds: photos (live, missing), files (and skipped), captions of live photos by
    language and source, encoders, sizes."""

    path: Path
    revision: str
    roots: tuple[Path, ...]
    photos: dict[str, int]
    files: dict[str, int]
    captions: dict[str, dict[str, int]]
    encoders: tuple[EncoderStatus, ...]
    size_bytes: dict[str, int]
    last_run: LastRun | None
    faiss: FaissStatus
    exports: ExportsStatus

    def as_dict(self) -> dict[str, object]:
        """Strings, numbers, lists and dicts alone, for JSON; times in ISO 8601, UTC."""
        plain = _plain(asdict(self))
        assert isinstance(plain, dict)
        return plain


def status(library: Library) -> Status:
    """Look at a library without changing it; needs no lock."""
    catalog = library.catalog
    counts = audit.counts(catalog)
    active = catalog.active_encoders()
    encoders = []
    for row in catalog.encoders():
        languages = tuple(language for language, each in active.items() if each.id == row.id)
        photos = catalog.photo_count(row.id)
        generation = _generation_status(library, row)
        encoders.append(
            EncoderStatus(
                row.name, row.identity, row.dim, row.languages, languages, photos, generation
            )
        )
    return Status(
        path=library.path,
        revision=HEAD,
        roots=tuple(catalog.roots()),
        photos={"live": counts.live_photos, "missing": counts.missing_photos},
        files=counts.files,
        captions=audit.caption_counts(catalog),
        encoders=tuple(encoders),
        size_bytes={
            "catalog": sum(_size_bytes(path) for path in library.path.glob("library.db*")),
            "generations": _size_bytes(library.generations_folder),
            "models": _size_bytes(library.models_folder),
            "captioners": _size_bytes(library.captioners_folder),
            "backups": _size_bytes(library.backups_folder),
        },
        last_run=_last_run(library),
        faiss=_faiss(),
        exports=ExportsStatus(cache.folder(), cache.size_bytes()),
    )


def _generation_status(library: Library, encoder: EncoderRow) -> GenerationStatus | None:
    row = library.catalog.current_generation(encoder.id)
    if row is None:
        return None
    beside = library.catalog.embeddings_after(encoder.id, row.last_embedding_id)
    when = audit.built_at(library.catalog, row.id)
    size_bytes = _size_bytes(library.generations_folder / row.folder)
    found = GenerationStatus(row.folder, row.kind, row.count, beside, when, size_bytes)
    try:
        making = library.index_of(row).making.as_mapping()
    except LibraryError:  # it is for `doctor` to say what is wrong with it
        return found
    return replace(found, **making)


def _faiss() -> FaissStatus:
    from imgsearch.vector_index import installed

    found = installed()
    return FaissStatus(found.distributions, found.gpus)


def _last_run(library: Library) -> LastRun | None:
    run = library.catalog.last_run()
    if run is None:
        return None
    outcome = dict(run.outcome or {})
    ended = outcome.pop("ended", None)
    return LastRun(
        run.verb,
        run.pid,
        run.started_at,
        run.finished_at,
        None if ended is None else str(ended),
        outcome,
    )


def _size_bytes(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, Path) else value
