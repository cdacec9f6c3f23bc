"""Library: the folder on disk, its open catalog, and what is loaded from it.

A path goes in; paths, the catalog, encoders and indexes come out. Opening brings the catalog up to
date under the library's lock, so nobody ever "runs migrations". Encoders and indexes are kept once
loaded, keyed by identity and generation: a long-lived process follows a switch at its next search,
and lets go of what answers no more when it loads what does.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, get_args

from imgsearch.catalog import Catalog, EncoderRow, GenerationRow, is_up_to_date, upgrade
from imgsearch.errors import (
    LibraryDamagedError,
    NoEncoderError,
    NoLibraryError,
    UsageError,
)
from imgsearch.library.folder import CATALOG_FILE, is_there, make
from imgsearch.library.loaded import LoadedEncoders, exported
from imgsearch.library.lock import Lock
from imgsearch.library.models import short_name
from imgsearch.library.newcomers import Newcomers
from imgsearch.library.preparing import Preparations, Preparing, prepared

if TYPE_CHECKING:  # they bring torch and faiss
    from imgsearch.encoders import Encoder, Runtime
    from imgsearch.vector_index import VectorIndex

UPGRADE_WAITS_SECONDS = 30
IndexDevice = Literal["cpu", "cuda"]


class Library:
    """An open library. Made by `open_library`; a context manager that closes it.

    `preparing`, where there is one, hears of encoders that are exported when they are first loaded;
    without it, exports are used where they are, and none is made.
    """

    def __init__(self, path: Path, lock: Lock, index_device: IndexDevice) -> None:
        self.path = path
        self.models_folder = path / "models"
        self.captioners_folder = path / "captioners"
        self.generations_folder = path / "generations"
        self.backups_folder = path / "backups"
        self.catalog = Catalog(path / CATALOG_FILE)
        self.preparing: Callable[[Preparing], None] | None = None
        self._lock, self._index_device = lock, index_device
        self._encoders = LoadedEncoders()
        self._indexes: dict[int, tuple[int, VectorIndex]] = {}
        self._newcomers: dict[int, Newcomers] = {}
        self._named: set[str] = set()  # identities that a run has loaded, to answer at its end

    def __repr__(self) -> str:
        return f"Library({str(self.path)!r})"

    def __enter__(self) -> Library:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the catalog and let go of encoders and indexes."""
        self._encoders.clear()
        self._indexes.clear()
        self._newcomers.clear()
        self.catalog.close()

    @contextlib.contextmanager
    def lock(self, wait: bool = False) -> Iterator[None]:
        """Be the only writer for the block; reading needs no lock.

        Re-entrant within a thread. Raises LibraryLockedError, naming the holder's process id and
        since when, unless `wait` says to wait for it.
        """
        with self._lock.held(wait=wait):
            try:
                yield
            finally:
                self._named.clear()

    def command(self, verb: str, *words: str | Path) -> str:
        """A command line that goes on with this library, wherever it is typed."""
        line = ["imgsearch", verb, "--library", str(self.path), *map(str, words)]
        return subprocess.list2cmdline(line) if os.name == "nt" else shlex.join(line)

    def load_encoder(
        self, encoder: EncoderRow | str, device: str = "auto", *, runtime: Runtime = "auto"
    ) -> Encoder:
        """The encoder of a row of this library, or of any name; the library's own copy first.

        On a CPU a row's export is found by its identity: neither its weights are read nor torch is
        loaded. With `runtime="torch"` it is torch's own, of one in int8 the one
        in float32 that it was made of.

        Raises NoEncoderError when a row's encoder cannot be had again as it was, and what
        `encoders.load` raises.
        """
        if isinstance(encoder, str):
            loaded = self._prepared(self._load(encoder, device, runtime), device, runtime)
            self._named.add(loaded.identity)
            self._let_go()
            return self._encoders.add(loaded.identity, loaded, device, runtime)
        kept = self._encoders.get(encoder.identity, device, runtime)
        if kept is not None:
            return kept
        if encoder.source is None:
            raise NoEncoderError(
                f"The encoder {encoder.name!r} was passed in as an object; pass it again."
            )
        found = exported(encoder, device) if runtime == "auto" else None
        loaded = found or self._load_row(encoder, device, runtime)
        self._let_go()
        return self._encoders.add(encoder.identity, loaded, device, runtime)

    def keep_encoder(self, encoder: Encoder) -> None:
        """Use this object whenever its identity is asked for, while the library is open."""
        self._encoders.give(encoder)

    def index_of(self, generation: GenerationRow) -> VectorIndex:
        """The index of a generation, mapped into memory and kept until its encoder has a newer one;
        on the GPU where the library was opened for that.

        Raises LibraryDamagedError where its folder is gone or does not read; LibraryTooNewError.
        """
        kept = self._indexes.get(generation.encoder_id)
        if kept is not None and kept[0] == generation.id:
            return kept[1]
        from imgsearch.vector_index import VectorIndex

        folder = self.generations_folder / generation.folder
        index = VectorIndex.load(folder)
        if index.count != generation.count:
            raise LibraryDamagedError(
                f"{folder} holds {index.count} vectors where the catalog says {generation.count}. "
                f"Build it anew: {self.command('doctor')}"
            )
        if self._index_device == "cuda":
            index = index.on_gpu()
        self._let_go()
        self._indexes[generation.encoder_id] = (generation.id, index)
        return index

    def newcomers(self, encoder: EncoderRow, after: int) -> Newcomers:
        """What an encoder has embedded since that embedding id; kept, and caught up with."""
        held = self._newcomers.get(encoder.id)
        if held is None or held.after != after:
            held = Newcomers(after, after)
        self._newcomers[encoder.id] = held = held.caught_up(self.catalog, encoder)
        return held

    def _let_go(self) -> None:
        """Forget what was loaded of encoders that answer nothing; those kept as objects stay.

        A run that is under way holds its own, and what it named may answer at its end.
        """
        answering = self.catalog.active_encoders().values()
        identities = {row.identity for row in answering} | self._named
        self._encoders.forget_all_but(identities)
        for encoder_id in {*self._indexes, *self._newcomers} - {row.id for row in answering}:
            self._indexes.pop(encoder_id, None)
            self._newcomers.pop(encoder_id, None)

    def find_encoder(self, wanted: str | Encoder) -> EncoderRow | None:
        """The row of an encoder by its name here, by the path it was added from, or by itself."""
        if not isinstance(wanted, str):
            return self.catalog.encoder_with_identity(wanted.identity)
        wanted = short_name(self.models_folder, wanted)
        named = self.catalog.encoder_named(wanted)
        if named is not None:
            return named
        path = os.path.realpath(os.path.expanduser(wanted))
        same = [row for row in self.catalog.encoders() if row.source in (wanted, path)]
        return same[-1] if same else None

    def _load_row(self, row: EncoderRow, device: str, runtime: Runtime) -> Encoder:
        from imgsearch.encoders.exports import int8_identity, parted

        whole, precision = parted(str(row.source))
        if precision == "int8" and runtime == "torch":  # has the float32 one that it was made of
            loaded = self._load(whole, device, runtime)
            identity = int8_identity(loaded.identity)
        else:
            loaded = self._load(str(row.source), device, runtime)
            identity = loaded.identity
        if identity != row.identity:
            raise NoEncoderError(
                f"{row.source!r} has other weights now than {self.path} was indexed with, so "
                "their vectors cannot be compared. Bring the old ones back, or embed the photos "
                f"with the new ones: {self.command('index', '--encoder', str(row.source))}, then "
                f"let them answer: {self.command('switch', row.name)}"
            )
        return self._prepared(loaded, device, runtime)

    def _load(self, name: str, device: str, runtime: Runtime) -> Encoder:
        from imgsearch import encoders

        folder = self.models_folder
        name = short_name(folder, name)
        preparations = Preparations(self.preparing)
        loaded = encoders.load(
            name, device=device, models=folder, runtime=runtime, starting=preparations.starting
        )
        preparations.done()
        return loaded

    def _prepared(self, loaded: Encoder, device: str, runtime: Runtime) -> Encoder:
        from imgsearch.weights import device as devices

        if self.preparing is None or runtime == "torch" or not devices.is_cpu(device):
            return loaded
        return prepared(loaded, self.preparing)


def open_library(
    path: Path | str, *, create: bool = True, index_device: IndexDevice = "cpu"
) -> Library:
    """Open the library at a folder, made where nothing is; its catalog is brought up to date.

    `index_device="cuda"` is for processes that live long and search much: each index is copied to
    the first GPU that FAISS sees when it is opened, which takes longer than a search. Where it sees
    none, a warning says why and indexes are searched on the CPU.

    Raises NoLibraryError where there is none and `create` is False, LibraryDamagedError,
    LibraryTooNewError, LibraryLockedError when an upgrade has to wait for a writer too long, and
    UsageError for a path that cannot be a folder, and for another device.
    """
    devices = get_args(IndexDevice)
    if index_device not in devices:
        raise UsageError(f"indexes are on {' or '.join(devices)}, not on {index_device!r}")
    folder = Path(os.path.expanduser(path)).absolute()
    file = folder / CATALOG_FILE
    if not is_there(file):
        if not create:
            raise NoLibraryError(
                f"There is no library at {folder}. Make one: imgsearch index PATH, "
                "or name another with --library."
            )
        make(folder)
    lock = Lock(folder / "library.lock")
    if not is_up_to_date(file):
        with lock.held(wait=True, timeout_seconds=UPGRADE_WAITS_SECONDS):
            if not is_up_to_date(file):  # another process may have done it meanwhile
                upgrade(file)
    return Library(folder, lock, index_device)
