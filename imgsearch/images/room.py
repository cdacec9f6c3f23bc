"""Memory that threads share: who is about to need much of it waits until there is room.

Bytes go in, nothing comes out but the turn. Sixteen threads that decode a large picture each would
need more than there is, and how many may run at once depends on what they run into.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Room:
    """So many bytes for all threads; what needs more than that waits until it is alone."""

    def __init__(self, size_bytes: int) -> None:
        self._size_bytes = self._left = size_bytes
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, size_bytes: int) -> Iterator[None]:
        """Hold that many bytes for the block. A thread that holds some must not ask for more."""
        held = min(size_bytes, self._size_bytes)
        with self._changed:
            self._changed.wait_for(lambda: held <= self._left)
            self._left -= held
        try:
            yield
        finally:
            with self._changed:
                self._left += held
                self._changed.notify_all()
