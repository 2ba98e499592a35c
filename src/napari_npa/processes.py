"""Work shared by several processes, on machines whose cores have enough of it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any

from threadpoolctl import threadpool_limits

Map = Callable[[Callable[..., Any], Iterable[Any]], Iterator[Any]]
"""What `map` does: results in the order of the work."""


@contextmanager
def mapping(workers: int) -> Iterator[Map]:
    """``map``, of several processes if there are to be more than one.

    A script that asks for several must keep what it does under ``if __name__ == "__main__"``.
    """
    if workers <= 1:
        yield map
        return
    # Not forked: a process that has used torch's threads may hang in its copy.
    context = multiprocessing.get_context("spawn")
    # One thread each: linear algebra that spreads over all cores in every process leaves each a
    # tenth of its speed.
    pool = ProcessPoolExecutor(workers, context, threadpool_limits, (1,))
    try:
        yield pool.map
    finally:
        pool.shutdown(cancel_futures=True)
