"""Some pieces of work at the same time, each mostly waiting for a server. Not for work that computes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from queue import SimpleQueue
from typing import TypeVar

__all__ = ["flights"]

J = TypeVar("J")
R = TypeVar("R")


def flights(
    work: Callable[[J], R], jobs: Iterable[J], count: int, stop: threading.Event
) -> Generator[tuple[J, R], None, None]:
    """Each job with its result, in the order in which they are done; `count` are under way at a time.

    Each has a thread, which does not keep the program from ending: an answer may be a minute away. The first error
    of any of them is raised here.

    Args:
        work: What is done to a job.
        jobs: Taken one after the other, each when there is room for it.
        count: How many at the same time.
        stop: Is set in the end, for those that are still under way after an error.

    Example:
        >>> sorted(flights(abs, [-2, 3, -1], 2, threading.Event()))
        [(-2, 2), (-1, 1), (3, 3)]
    """
    results: SimpleQueue[tuple[J, R] | BaseException] = SimpleQueue()

    def run(job: J) -> None:
        try:
            results.put((job, work(job)))
        except BaseException as error:
            results.put(error)

    waiting, under_way = iter(jobs), 0
    try:
        while True:
            for job in waiting:
                threading.Thread(target=run, args=(job,), daemon=True).start()
                under_way += 1
                if under_way >= count:
                    break
            if not under_way:
                return
            result = results.get()
            under_way -= 1
            if isinstance(result, BaseException):
                raise result
            yield result
    finally:
        stop.set()
