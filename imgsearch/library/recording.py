"""A run in the library's book: who began it, when, and how it ended.

A verb goes in, a counter of what happened comes out, for the caller to fill; `status` shows the
last run. One that is killed stays without an end, which is how a person sees that it was.
"""

import contextlib
import time
from collections import Counter
from collections.abc import Iterator

from imgsearch.errors import LibraryError
from imgsearch.library.place import Library


@contextlib.contextmanager
def recorded(library: Library, verb: str) -> Iterator[Counter[str]]:
    """Note the run and how it ended; a killed one stays without an end."""
    counts: Counter[str] = Counter()
    started = time.monotonic()
    with library.catalog.write() as writer:
        run_id = writer.start_run(verb)
    ended = "failed"
    try:
        yield counts
        ended = "done"
    except (KeyboardInterrupt, GeneratorExit):
        ended = "interrupted"
        raise
    finally:
        seconds = round(time.monotonic() - started, 3)
        # A full disk must not hide what went wrong first.
        with contextlib.suppress(LibraryError), library.catalog.write() as writer:
            writer.finish_run(run_id, {"ended": ended, "seconds": seconds, **counts})
