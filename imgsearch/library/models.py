"""models/: the copies of encoders that a library keeps for itself.

In: the folder, and names as people give them. Out: the same folder with one copy more, and the
names that find one in it. A bundled encoder is copied since a later release may bundle another; a
copy is the same encoder, so what was exported of the original is found for it too.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from imgsearch.encoders.exports import cache, parted
from imgsearch.encoders.families import builtin_version, builtin_versions


def keep_bundled(models: Path, name: str) -> None:
    """Copy the bundled weights of that name into models/, where a later release leaves them be.

    Does nothing for names that are not bundled, and where the copy is there.
    """
    version = builtin_version(name)
    target = models / f"builtin-{version}"
    if version is None or target.exists():
        return
    source = builtin_versions().get(version)
    if source is None:
        return
    partial = target.with_name(target.name + ".tmp")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(source, partial, ignore=shutil.ignore_patterns("__pycache__", "*.py"))
    os.replace(partial, target)
    cache.keep_copy(source, target)


def short_name(models: Path, name: str) -> str:
    """A path of that folder (`models/NAME` is one too, from the library on) as its plain name.

    So that the library still loads it when it is moved as a whole.
    """
    ours = os.path.realpath(models)
    whole, _ = parted(name)
    for path in (os.path.join(models.parent, whole), os.path.expanduser(whole)):
        folder, plain = os.path.split(path.rstrip("/\\"))
        if plain and os.path.exists(path) and os.path.realpath(folder) == ours:
            return plain + name.removeprefix(whole)
    return name
