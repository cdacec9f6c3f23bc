"""Encoders: what turns pictures and texts into vectors that can be compared.

In: a name or a path. Out: an Encoder. The package is a contract (`Encoder`), a table of names and
one adapter a family; preprocessing, tokenizer, device, precision and batches stay inside an
adapter, so that a caller never has to know that one family crops where another squashes. On a CPU
an encoder is run by ONNX Runtime once it was exported, and torch is not loaded at all: `load` uses
the export where there is one, `export` makes it. Importing this module loads neither.
"""

from __future__ import annotations

import difflib
import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from imgsearch.encoders import exports, families
from imgsearch.encoders.families import KnownEncoder, known
from imgsearch.errors import NoEncoderError, UsageError
from imgsearch.vectors import Vectors
from imgsearch.weights import device as devices

if TYPE_CHECKING:
    from PIL import Image

    from imgsearch.encoders.exports.exported import Exported

__all__ = ["DEFAULT", "Encoder", "KnownEncoder", "Runtime", "Starting", "export", "known", "load"]

Runtime = Literal["auto", "torch"]
Starting: TypeAlias = Callable[[str, str], None]  # hears of an export before it is made: the name
# of its encoder, and what is damaged of the one there was, mostly ""

DEFAULT = {"en": "open_clip/ViT-B-32/laion2b_s34b_b79k", "zh": "cn_clip/ViT-B-16"}


class Encoder(Protocol):
    """Embeds pictures and texts into one space; what an adapter is, and all that search and index
    ask of it.

    `name` is for people, `identity` is what vectors are keyed by: a SHA-256 over weights and
    preprocessing, so vectors of two identities never mix. `languages` are the ones its texts may be
    in ("en", "zh"). `image_size` is the side of the image tower's input in pixels: a photo may be
    decoded smaller as long as its short side stays at least twice that. `batch_size` is how many
    photos at once suit the device. An encoder may also have a `source`, which is what `load` takes
    to get it again; a library can load those itself, the others are passed to it each time. And it
    may have a `preprocessing`, as `pixels.Preprocessing` is one: photos then wait for it in the
    size of its tower and not in their own.
    """

    @property
    def name(self) -> str: ...
    @property
    def identity(self) -> str: ...
    @property
    def dim(self) -> int: ...
    @property
    def languages(self) -> tuple[str, ...]: ...
    @property
    def image_size(self) -> int: ...
    @property
    def batch_size(self) -> int: ...

    def embed_images(self, images: list[Image.Image]) -> Vectors:
        """Upright RGB pictures -> (n, dim) float32 unit rows on the CPU; none -> (0, dim)."""
        ...

    def embed_texts(self, texts: list[str]) -> Vectors:
        """Texts -> (n, dim) float32 unit rows on the CPU. Raises QueryError for one that is too
        long."""
        ...

    def shorten(self, text: str) -> str:
        """The longest beginning of a text that is not too long: what benchmarks read of it."""
        ...


def _unheard(name: str, damage: str) -> None:
    pass


def load(
    name: str,
    *,
    device: str = "auto",
    models: Path | None = None,
    runtime: Runtime = "auto",
    starting: Starting = _unheard,
) -> Encoder:
    """The encoder of that name, ready on the device (`auto`, `cpu`, `cuda`, `cuda:N`, `mps`).

    Names, in the order tried: `builtin` or `builtin/1`; `open_clip/ARCHITECTURE/WEIGHTS` and
    `cn_clip/ARCHITECTURE`, each with `/PATH` behind it where the weights are a file already
    fetched; `hf-hub:OWNER/REPO`; a folder or file in `models`; a path. May download. With `@int8`
    behind it, the same encoder with an image tower that computes in 8 bits, on a CPU; it is made
    now unless it was, and `starting` is called before that.

    On a CPU an encoder that was exported is the export, which loads no torch; with
    `runtime="torch"` it is always torch's own, for those who look inside.

    Raises NoEncoderError for a name nobody has, UsageError for weights or a device that cannot be
    used, DownloadError where weights cannot be fetched.
    """
    plain, precision = exports.parted(name)
    if precision == "int8":
        _check_int8(plain, device, runtime)
        return _find_export(name, models) or _make_int8(plain, models, starting)
    if runtime == "auto" and devices.is_cpu(device):
        found = _find_export(name, models)
        if found is not None:
            return found
    return _load_with_torch(name, device, models)


def export(encoder: Encoder, *, starting: Starting = _unheard) -> Encoder:
    """The same encoder run by ONNX Runtime, exported now unless it was; `starting` is called before
    that, which takes about as long as loading torch three times. An export is itself.

    Raises UsageError for an encoder that cannot be exported, OSError where the cache cannot be
    written.
    """
    from imgsearch.encoders.exports.exported import Exported

    if isinstance(encoder, Exported):
        return encoder
    from imgsearch.encoders.cn_clip import ChineseClip
    from imgsearch.encoders.exports import cache, making
    from imgsearch.encoders.open_clip import OpenClip

    if not isinstance(encoder, OpenClip | ChineseClip):
        raise UsageError(f"{encoder.name} is a {type(encoder).__name__}, which is not exported")
    if not making.is_known(encoder.identity):
        cache.check_writable()
        starting(encoder.name, "; ".join(exports.damages(encoder.identity)))
    made = making.make(encoder)
    return Exported(made, name=encoder.name, source=encoder.source)


def _check_int8(name: str, device: str, runtime: Runtime) -> None:
    """Raises UsageError where int8 does not run."""
    called = name + exports.INT8
    if runtime == "torch":
        raise UsageError(
            f"{called} is run by ONNX Runtime alone, where nobody looks inside or "
            f"trains: name {name}"
        )
    if device not in ("auto", "cpu"):
        raise UsageError(
            f"{called} only runs on a CPU, in ONNX Runtime: leave --device out, or name {name}"
        )


def _make_int8(name: str, models: Path | None, starting: Starting) -> Encoder:
    """An encoder in int8, of its export in float32, which is made as well unless it was."""
    from imgsearch.encoders.exports import cache, making
    from imgsearch.encoders.exports.exported import Exported

    try:
        full = export(load(name, device="cpu", models=models), starting=starting)
        assert isinstance(full, Exported)
        identity = exports.int8_identity(full.identity)
        if not making.is_known(identity):
            starting(full.name + exports.INT8, "; ".join(exports.damages(identity)))
        made = making.make_int8(full.export)
    except OSError as error:
        raise UsageError(
            f"{name}{exports.INT8} cannot be kept in {cache.folder()} ({error.strerror or error}); "
            f"make room there, name another folder in XDG_CACHE_HOME, or use {name}"
        ) from error
    return Exported(made, name=full.name + exports.INT8, source=full.source + exports.INT8)


def _find_export(name: str, models: Path | None) -> Exported | None:
    """The export that an encoder of this name would have, as long as its files are the same."""
    plain, precision = exports.parted(name)
    source, path = _source(plain, models)
    suffix = exports.INT8 if precision == "int8" else ""
    found = exports.find_source(source + suffix, path)
    if found is None:
        return None
    from imgsearch.encoders.exports.exported import Exported

    export, origin = found
    return Exported(export, name=origin.name, source=origin.source)


def _source(name: str, models: Path | None) -> tuple[str, Path | None]:
    """What an encoder of this name has as its source, and the path its files are at or under; None
    where the source says it all."""
    if name == "builtin" or name.startswith("builtin/"):
        bundled = _bundled(name, models)
        return (name, None) if bundled is None else (bundled[0], Path(os.path.realpath(bundled[1])))
    if name.startswith(("open_clip/", "cn_clip/")):
        family, architecture, *rest = name.split("/", 2)
        tag, _, tagged = rest[0].partition("/") if rest else ("", "", "")
        for start, file in (([], rest[0] if rest else ""), ([tag], tagged)):
            if file and os.path.exists(file):
                return "/".join([family, architecture, *start, os.path.realpath(file)]), None
        return name, None
    local = _local_path(name, models)
    if local is None or name.startswith("hf-hub:"):
        return name, None
    path, short = local
    there = Path(os.path.realpath(path))
    return short or str(there), there


def _load_with_torch(name: str, device: str, models: Path | None) -> Encoder:
    if name == "builtin" or name.startswith("builtin/"):
        return _load_builtin(name, device, models)
    published = families.PUBLISHED.get(name)
    if published is not None:  # before torch is imported: offline, this fails at once
        if published.needs_transformers and importlib.util.find_spec("transformers") is None:
            raise UsageError(f'{name} needs the transformers package: pip install "imgsearch[xlm]"')
        from imgsearch.weights import hub

        hub.fetch(published.repo, published.files, use=families.by_path(name))
    local = _local_path(name, models)
    is_named = name.startswith(("open_clip/", "cn_clip/", "hf-hub:"))
    if local is None and not is_named:
        raise NoEncoderError(f"no encoder and no file is called {name!r}; {_suggestion(name)}")
    from imgsearch.encoders import sources

    if name.startswith("open_clip/"):
        return sources.open_clip_named(name, device=device)
    if name.startswith("cn_clip/"):
        return sources.cn_clip_named(name, device=device)
    if name.startswith("hf-hub:"):
        return sources.from_hub(name, device=device)
    assert local is not None
    path, short = local
    return sources.from_path(path, name=short, source=short, device=device)


def _load_builtin(name: str, device: str, models: Path | None) -> Encoder:
    bundled = _bundled(name, models)
    if bundled is None:
        versions = families.builtin_versions(models)
        there = ", ".join(f"builtin/{found}" for found in sorted(versions)) or "none"
        raise NoEncoderError(
            f"the weights of {name!r} are missing from this installation (bundled here: {there}); "
            "reinstall imgsearch, or name another encoder: imgsearch encoders lists them"
        )
    from imgsearch.encoders import sources

    source, folder = bundled
    return sources.from_path(folder, name=source, source=source, device=device)


def _bundled(name: str, models: Path | None) -> tuple[str, Path] | None:
    """The bundled encoder that is meant, like builtin/2, and its folder; `builtin` is the newest.
    None where it is not there."""
    versions = families.builtin_versions(models)
    version = max(versions, default=None) if name == "builtin" else families.builtin_version(name)
    if version is None or version not in versions:
        return None
    return f"builtin/{version}", versions[version]


def _local_path(name: str, models: Path | None) -> tuple[Path, str | None] | None:
    """The path a name stands for; and the name itself where it is one of `models`, else None."""
    is_plain = name == Path(name).name and name != ".."  # `models / name` leads nowhere else
    if models is not None and is_plain and name and os.path.exists(models / name):
        return models / name, name
    # os.path: leaves a ~ that is nobody's as it is, and a name too long does not exist
    path = os.path.expanduser(name.removeprefix("local-dir:"))
    return (Path(path), None) if name and os.path.exists(path) else None


def _suggestion(name: str) -> str:
    names = ["builtin", *families.PUBLISHED]
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    return f"{hint}imgsearch encoders lists the names, a path to weights is good as well"
