"""The folder of an unfinished run: whose it is, that one process works in it, what may go on there.

In: a folder and what decides a run. Out: the run may begin, or may go on, or an error that says
what is in the way.
"""

import contextlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from imgsearch.errors import UsageError
from imgsearch.library.lock import Lock

LOCK = "run.lock"
METRICS = "metrics.jsonl"
NAMES = re.compile(r"[\w][\w.+-]*")


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Be the only run in this folder, which is made where it is not.

    Raises LibraryLockedError when another process is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with Lock(folder / LOCK).held():
        yield


def clear(folder: Path) -> None:
    """Delete what a run left in its folder, but for the lock that is held."""
    for each in folder.iterdir():
        if each.is_dir():
            shutil.rmtree(each)
        elif each.name != LOCK:
            each.unlink()


def check_fingerprint(
    folder: Path, name: str, decides: Mapping[str, object], *, is_begun: bool
) -> None:
    """What is in the folder of a run that is begun was decided by the same; write it down.

    Raises UsageError, naming what differs.
    """
    file = folder / "run.json"
    found = json.loads(json.dumps(decides, default=str))
    if is_begun:
        began = json.loads(file.read_text("utf-8"))
        others = [key for key in {**began, **found} if began.get(key) != found.get(key)]
        if others:
            raise UsageError(
                f"{folder} holds an unfinished run under the name {name!r}, which "
                f"differs in: {', '.join(others)}. Repeat that command to go on, use another "
                "--name, or begin anew with --restart"
            )
    file.write_text(json.dumps(found, indent=2), "utf-8")
