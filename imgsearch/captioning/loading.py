"""From the words of `--captioner` to a captioner in memory.

In: a bundled name, the name of one that was trained here, or a path. Out: a Captioner. Nothing is
downloaded: the published captioners lie where no program may fetch them, and are named by a path.
"""

from __future__ import annotations

import os
from pathlib import Path

from imgsearch.captioning import folder, published
from imgsearch.captioning.captioner import Captioner
from imgsearch.errors import UsageError

BUNDLED = Path(__file__).parent / "builtin"


def bundled() -> dict[int, Path]:
    """The captioners that are part of this installation: version -> folder."""
    folders = BUNDLED.iterdir() if BUNDLED.is_dir() else ()
    return {int(each.name): each for each in folders if (each / folder.CONFIG).is_file()}


def load(
    name: str,
    *,
    device: str = "auto",
    captioners: Path | None = None,
    tokenizer: Path | None = None,
) -> Captioner:
    """The captioner of that name, ready on the device (`auto`, `cpu`, `cuda`, `cuda:N`, `mps`).

    Names, in the order tried: `builtin` or `builtin/1`; a folder in `captioners`; a path, of a
    folder that imgsearch wrote or of published weights, whose words are at `tokenizer` (a folder or
    a file), or beside them, or those that all of their family share. Raises UsageError for a name
    nobody has and for what does not load.
    """
    if name == "builtin" or name.startswith("builtin/"):
        return _load_builtin(name, device)
    is_plain = name == Path(name).name and name not in ("", "..")
    if captioners is not None and is_plain and (captioners / name).is_dir():
        return folder.read_captioner(captioners / name, name=name, source=name, device=device)
    path = Path(os.path.expanduser(name))
    if not name or not os.path.exists(path):
        there = [*(f"builtin/{version}" for version in bundled()), *_names_in(captioners)]
        raise UsageError(
            f"no captioner and no file is called {name!r}; there are {', '.join(there)}, "
            "and a path to one is good as well"
        )
    path = path.resolve()
    if path.name == folder.WEIGHTS and (path.parent / folder.CONFIG).is_file():
        path = path.parent
    if (path / folder.CONFIG).is_file():
        return folder.read_captioner(path, name=None, source=str(path), device=device)
    return published.read_published(path, tokenizer=tokenizer, device=device)


def _load_builtin(name: str, device: str) -> Captioner:
    versions = bundled()
    wanted = name.removeprefix("builtin").removeprefix("/")
    version = int(wanted) if wanted.isdecimal() else max(versions, default=None)
    if version not in versions or not (wanted.isdecimal() or name == "builtin"):
        there = ", ".join(f"builtin/{found}" for found in sorted(versions)) or "none"
        raise UsageError(
            f"no captioner {name!r} is part of this installation (bundled here: {there}); "
            "reinstall imgsearch, or name another"
        )
    source = f"builtin/{version}"
    return folder.read_captioner(versions[version], name=source, source=source, device=device)


def _names_in(captioners: Path | None) -> list[str]:
    if captioners is None or not captioners.is_dir():
        return []
    return sorted(each.name for each in captioners.iterdir() if (each / folder.CONFIG).is_file())
