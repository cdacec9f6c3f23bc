"""Threads: how many FAISS may use for a search.

A number of queries goes in; for as long as the block lasts, the calling thread has that many. One
query is answered by the thread that asks: FAISS would start others for it and wait for them, and
where the cores have other work that takes many times as long as the search itself.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import faiss

_all_of_them = threading.Lock()


@contextmanager
def threads_for(queries: int) -> Iterator[None]:
    """One thread for one query; all that the caller has for several, unless somebody else has them:
    then one as well. Afterwards the caller has as many as before.

    So a process that searches in many threads never has more at work than those and the cores.
    """
    before = faiss.omp_get_max_threads()
    has_all = queries > 1 and _all_of_them.acquire(blocking=False)
    faiss.omp_set_num_threads(before if has_all else 1)  # of the calling thread alone
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
        if has_all:
            _all_of_them.release()
