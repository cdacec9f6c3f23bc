"""The command line: each command parses, calls one verb, and shows what came of it.

Results go to stdout, everything else to stderr. Importing this loads no command, and a command
imports what it needs when it runs, so that `imgsearch --help` answers at once. The one place that
turns errors into a red line and an exit code is `Commands`.

    commands.py   the group of commands, errors, exit codes
    frame.py      the options of every command, the library that is meant, where to write
    showing.py    hits in every form; previews.py and asking.py: in the terminal
    filter_options.py  an option a condition; queries.py  words of a command line as queries
    completion.py what a shell completes

    index.py      index          watch.py       watch
    search.py     search         similar.py     similar
    random_photos.py  random     open_hit.py    open
    take_out.py   copy, link     show.py        show
    caption.py    caption        label.py       label
    album.py      album          duplicates.py  duplicates
    map.py        cluster, map   exchange.py    export, import
    upkeep.py     status, doctor, switch, rollback, prune
    rebuilding.py rebuild        encoders.py    encoders
    evaluating.py eval, score    explain_prefix.py  explain-prefix
    finetune.py   finetune       train_captioner.py train-captioner
"""

import atexit
import gc
import os
import sys
import threading
import traceback
import warnings
from typing import NoReturn

from imgsearch.cli.commands import app

__all__ = ["app", "main", "run"]

BUG = 70
LOOKED_THROUGH = 200_000, 10, 10  # objects, and generations of them: see `gc.set_threshold`


def main() -> NoReturn:
    """Run the command line and end the process with its code.

    Python is left without being taken apart object by object, a quarter of a search asked for again
    (benchmarks/first_answer.py). So nothing waits for an object to be taken apart: files,
    libraries and folders for a while are closed by `with`.
    """
    code = run()
    if threading.active_count() > 1:  # somebody is still at work, and Python waits for them
        sys.exit(code)
    atexit._run_exitfuncs()  # Python's own end, which has no other name for it
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):  # Python tells of what could not be written in its own way
        sys.exit(code)
    os._exit(code)


def run() -> int:
    """Run the command line; its exit code. Anything unforeseen is a bug and says so."""
    warnings.formatwarning = _one_line
    # Before torch loads: threads that wait by spinning made a machine with other work to do ten
    # times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # What is imported stays: to look through it for rubbish at every 700 objects took a tenth of a
    # search that needs no model, at every 20,000 still 15 ms (benchmarks/first_answer.py).
    gc.set_threshold(*LOOKED_THROUGH)
    for stream in ("stdout", "stderr"):
        if getattr(sys, stream) is None:  # closed by the caller, who wants to hear nothing
            setattr(sys, stream, open(os.devnull, "w"))  # noqa: SIM115  # until the process ends
    try:
        app(prog_name="imgsearch")
    except SystemExit as ended:
        if isinstance(ended.code, str):  # as Python has it
            sys.stderr.write(f"{ended.code}\n")
            return 1
        return ended.code or 0
    except Exception:  # the last line of defence: every foreseen error was caught in `Commands`
        traceback.print_exc()
        sys.stderr.write("\nThis is a bug in imgsearch; please report it with the lines above.\n")
        return BUG
    return 0


def _one_line(message: Warning | str, *_place: object, **_source: object) -> str:
    """A warning for a person, who has no use for the line of code it came from."""
    return f"warning: {message}\n"
