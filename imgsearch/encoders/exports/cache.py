"""Where exports lie, and how one is found again without looking at any weights.

In: an identity, or what `load` was told. Out: an `Export`, or None. They lie in the cache folder of
the user, a folder an identity, since weights lie in the caches of other programs and in packages
that may be read-only. Deleting the folder, or any in it, is always safe: what is missed is made
anew. Beside its graphs an export keeps where its encoder was loaded from, once for each place: the
name that was given, and the files with their sizes and times, which are compared before that name
is believed to mean the same encoder still. Its own files are as old as its manifest or older: what
was written later is not believed before all its bytes were looked through.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from imgsearch.encoders.exports.manifest import FILE, FORMAT, Manifest
from imgsearch.errors import UsageError

ORIGINS = "origins"
FAILED = "failed"
TRIED_AGAIN_AFTER_SECONDS = 7 * 24 * 60 * 60


@dataclass(frozen=True)
class Export:
    """A folder with a manifest whose files are all there."""

    folder: Path
    manifest: Manifest


@dataclass(frozen=True)
class Origin:
    """What an encoder was called where it was loaded from: the `source` that `load` takes, and the
    path, bytes and mtime_ns of each file it was read from."""

    name: str
    source: str
    files: tuple[tuple[str, int, int], ...]

    @classmethod
    def of(cls, name: str, source: str, files: Sequence[Path]) -> Origin:
        """The files as they are now."""
        return cls(name, source, tuple(_stamp(os.path.abspath(path)) for path in files))

    @property
    def is_unchanged(self) -> bool:
        """Every file is there, as large and as old as it was."""
        try:
            return all(_stamp(path) == (path, size, time) for path, size, time in self.files)
        except OSError:
            return False

    @property
    def is_gone(self) -> bool:
        """No file is there any more."""
        return not any(os.path.lexists(path) for path, _, _ in self.files)

    def lies_in(self, path: Path) -> bool:
        """Every file is the one at the path, or under it."""
        return all(Path(name).is_relative_to(path) for name, _, _ in self.files)


def folder() -> Path:
    """Where all exports of this user lie, those of another format beside it; it need not be
    there."""
    from platformdirs import user_cache_path

    return user_cache_path("imgsearch", appauthor=False) / "exports" / f"format-{FORMAT}"


def find(identity: str) -> Export | None:
    """The export of an identity; None where there is none that runs here, or it is damaged."""
    where = folder() / identity
    if not os.path.isdir(where):  # False as well where nobody may look
        return None
    try:
        export = Export(where, Manifest.read(where))
    except UsageError:  # half deleted: as good as none, and made anew
        return None
    is_it = export.manifest.identity == identity and _runs_here(export.manifest)
    return export if is_it and is_whole(export) else None


def find_source(source: str, path: Path | None = None) -> tuple[Export, Origin] | None:
    """The export of what `load` took for that source, as long as its files are the same; `path`
    tells encoders of one name in several libraries apart."""
    for where in _there(f"*/{ORIGINS}/{_key(source)}-*.json"):
        origin = _read(where)
        if origin is None or origin.source != source or not origin.is_unchanged:
            continue
        if path is not None and not origin.lies_in(Path(os.path.abspath(path))):
            continue
        export = find(where.parent.parent.name)
        if export is not None:
            return export, origin
    return None


def keep_origin(export: Export, origin: Origin) -> None:
    """Let `find_source` find the export by one more place; not the second time."""
    folder = export.folder / ORIGINS
    folder.mkdir(exist_ok=True)
    places = json.dumps(sorted(path for path, _, _ in origin.files))
    target = folder / f"{_key(origin.source)}-{_key(places)}.json"
    if _read(target) == origin:
        return
    partial = target.with_suffix(f".{os.getpid()}.tmp")
    partial.write_text(json.dumps(asdict(origin)) + "\n", encoding="utf-8", newline="\n")
    os.replace(partial, target)


def keep_copy(original: Path, copy: Path) -> None:
    """Let `find_source` find by a copy of a folder what was exported of the files in it."""
    here, there = Path(os.path.realpath(original)), Path(os.path.realpath(copy))
    for where in _there(f"*/{ORIGINS}/*.json"):
        origin = _read(where)
        if origin is None or not origin.lies_in(here) or not origin.is_unchanged:
            continue
        files = [there / Path(path).relative_to(here) for path, _, _ in origin.files]
        export = find(where.parent.parent.name)
        if export is not None:
            keep_origin(export, Origin.of(origin.name, origin.source, files))


def origins(export: Export) -> list[Origin]:
    """All places that an export is known to have come from."""
    found = (_read(path) for path in sorted((export.folder / ORIGINS).glob("*.json")))
    return [origin for origin in found if origin is not None]


def is_whole(export: Export) -> bool:
    """Every file is there in its full size, with the bytes it was made with if it was written
    since."""
    made = export.folder / FILE
    is_touched = False
    try:
        known = os.stat(made).st_mtime_ns
        for name, (size, _) in export.manifest.files.items():
            found = os.stat(export.folder / name)
            if found.st_size != size:
                return False
            is_touched |= found.st_mtime_ns > known
    except OSError:
        return False
    if is_touched:
        if any(damages_in(export.folder)):
            return False
        with contextlib.suppress(OSError):  # a cache that is only read: looked through each time
            os.utime(made)  # a copy, which keeps no times: known from now on
    return True


def damages(identity: str) -> Iterator[str]:
    """What is wrong with the files of an export, by all their bytes; nothing for one not there."""
    if os.path.isdir(folder() / identity):
        yield from damages_in(folder() / identity)


def damages_in(export: Path) -> Iterator[str]:
    """As `damages`, of the export in a folder."""
    try:
        manifest = Manifest.read(export)
    except UsageError as error:
        yield str(error)
        return
    for name, (_, expected) in manifest.files.items():
        try:
            with (export / name).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            yield f"{export / name} cannot be read: {error.strerror}"
            continue
        if found != expected:
            yield f"{export / name} has other bytes than when it was made"


def remove(identity: str) -> None:
    """Delete an export; it is made anew when it is missed."""
    shutil.rmtree(folder() / identity)


def remove_gone(models: Path) -> None:
    """Delete the exports of encoders that lay in a folder, and nowhere else, and were deleted."""
    here = Path(os.path.realpath(models))
    for identity in sorted({path.parent.parent.name for path in _there(f"*/{ORIGINS}/*")}):
        export = find(identity)
        places = [] if export is None else origins(export)
        if places and all(each.lies_in(here) and each.is_gone for each in places):
            remove(identity)


def size_bytes() -> int:
    """What all exports take on the disk: a file that two of them share, once."""
    files = (path.stat() for path in _there("*/**") if path.is_file())
    return sum({(each.st_dev, each.st_ino): each.st_size for each in files}.values())


def failure(identity: str, versions: dict[str, str]) -> str | None:
    """Why an encoder cannot be exported with these versions of the packages; None where that was
    not found out of late."""
    file = folder() / FAILED / f"{identity}.json"
    try:
        if time.time() - file.stat().st_mtime > TRIED_AGAIN_AFTER_SECONDS:
            return None
        found = json.loads(file.read_text("utf-8"))
        return str(found["reason"]) if found["versions"] == versions else None
    except (OSError, ValueError, KeyError, TypeError):  # never tried, which costs one more try
        return None


def keep_failure(identity: str, versions: dict[str, str], reason: str) -> None:
    """Remember that, so that it is not tried at every start. Only of what the encoder itself is the
    reason: a disk that was full may have room by now."""
    where = folder() / FAILED
    where.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"versions": versions, "reason": reason})
    (where / f"{identity}.json").write_text(text + "\n", encoding="utf-8", newline="\n")


def check_writable() -> None:
    """Raises OSError where no export can be kept, which is better known before one is made."""
    folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder()):
        pass


def _runs_here(manifest: Manifest) -> bool:
    """Whether this ONNX Runtime knows all that was fused: made by it, or an earlier one.

    Environments of one user share their exports; that of the earliest suits them all.
    """
    return _release(manifest.versions["onnxruntime"]) <= _release(metadata.version("onnxruntime"))


def _release(version: str) -> list[int]:
    return [int(number) for number in version.split(".")[:2]]


def _there(pattern: str) -> list[Path]:
    """The paths of the cache that fit; none where nobody may look."""
    here = folder()
    return sorted(here / each for each in glob.glob(pattern, root_dir=here, recursive=True))


def _read(path: Path) -> Origin | None:
    try:
        found = json.loads(path.read_text("utf-8"))
        files = tuple((str(name), int(size), int(time)) for name, size, time in found["files"])
        return Origin(found["name"], found["source"], files)
    except (OSError, ValueError, KeyError, TypeError):  # as good as none, and written anew
        return None


def _stamp(path: str) -> tuple[str, int, int]:
    found = os.stat(path)
    return path, found.st_size, found.st_mtime_ns


def _key(text: str) -> str:
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:16]  # a path may be no valid text
