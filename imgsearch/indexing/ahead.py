"""Work done a few things ahead of whoever asks for it, in order.

Things go in, (thing, result) pairs come out in the same order, computed by a pool of threads. Only
so many are begun before the first is taken, which is what bounds the memory of a run: decoded
pictures wait for the encoder, and no more of them than it can use soon.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Thing = TypeVar("Thing")
Result = TypeVar("Result")


def ahead(
    pool: ThreadPoolExecutor,
    work: Callable[[Thing], Result],
    things: Iterable[Thing],
    depth: Callable[[], int],
) -> Iterator[tuple[Thing, Result]]:
    """Apply `work` to every thing, at most `depth()` of them begun and not taken.

    Whatever `work` raises is raised here when its turn comes.
    """
    begun: deque[tuple[Thing, Future[Result]]] = deque()
    for thing in things:
        begun.append((thing, pool.submit(work, thing)))
        while len(begun) >= max(1, depth()):
            first, result = begun.popleft()
            yield first, result.result()
    while begun:
        first, result = begun.popleft()
        yield first, result.result()
