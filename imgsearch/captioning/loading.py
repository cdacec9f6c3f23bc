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
    nobody has, for what does not load, and for a `tokenizer` of one that has its own words.
    """
    own = _own(name, captioners)
    if own is not None:
        place, called = own
        if tokenizer is not None:
            raise UsageError(
                f"the captioner {name} has its own words; leave --tokenizer out, which is for the "
                "weights of others"
            )
        return folder.read_captioner(place, name=called, source=called or str(place), device=device)
    path = Path(os.path.expanduser(name))
    if not name or not os.path.exists(path):
        there = [*(f"builtin/{version}" for version in bundled()), *_names_in(captioners)]
        names = ", ".join(there) or "none yet"
        raise UsageError(
            f"no captioner and no file is called {name!r}; there are {names}, "
            "and a path to one is good as well"
        )
    return published.read_published(path.resolve(), tokenizer=tokenizer, device=device)


def _own(name: str, captioners: Path | None) -> tuple[Path, str | None] | None:
    """The folder that imgsearch wrote under that name or path, and its name unless it is a path."""
    if name == "builtin" or name.startswith("builtin/"):
        return _builtin(name)
    is_plain = name == Path(name).name and name not in ("", "..")
    if captioners is not None and is_plain and os.path.isdir(captioners / name):
        return captioners / name, name
    path = Path(os.path.expanduser(name))
    if not name or not os.path.exists(path):  # of os.path: no name is too long for it
        return None
    path = path.resolve()
    if path.name == folder.WEIGHTS:
        path = path.parent
    return (path, None) if (path / folder.CONFIG).is_file() else None


def _builtin(name: str) -> tuple[Path, str]:
    found = {f"builtin/{version}": place for version, place in sorted(bundled().items())}
    wanted = next(reversed(found), name) if name == "builtin" else name
    if wanted not in found:
        raise UsageError(
            f"no captioner {name!r} is part of this installation (bundled here: "
            f"{', '.join(found) or 'none'}); reinstall imgsearch, or name another"
        )
    return found[wanted], wanted


def _names_in(captioners: Path | None) -> list[str]:
    if captioners is None or not captioners.is_dir():
        return []
    return sorted(each.name for each in captioners.iterdir() if (each / folder.CONFIG).is_file())
