"""Threads: how many FAISS may use for a search.

A number of queries goes in; for as long as the block lasts, the calling thread has that many. One
query is answered by the thread that asks: FAISS would start another for it and wait for it. On a
busy machine of two cores 30,000 vectors of 512 took 3.5 ms flat with one thread and 270 with two
(CPU 3.4 and 32 ms), a graph 1.1 and 63.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import faiss

_ALL = faiss.omp_get_max_threads()
_all_of_them = threading.Lock()


@contextmanager
def threads_for(queries: int) -> Iterator[None]:
    """One thread for one query; all for several, unless somebody else has them: then one as well.

    So a process that searches in many threads never has more at work than those and the cores.
    """
    has_all = queries > 1 and _all_of_them.acquire(blocking=False)
    faiss.omp_set_num_threads(_ALL if has_all else 1)  # of the calling thread alone
    try:
        yield
    finally:
        faiss.omp_set_num_threads(_ALL)
        if has_all:
            _all_of_them.release()
