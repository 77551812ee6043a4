"""Verbs in a bounded pool of threads: with a deadline, stopped where the client leaves. Not what verbs do.

A thread cannot be stopped from outside. A verb that takes long calls `progress`, and who waits for the queue of
texts asks `remaining`: both end the verb of a request that nobody waits for any more.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from starlette.requests import Request

from nearsense import errors
from nearsense.server.errors import Refused, overloaded, took_too_long

__all__ = ["CURRENT", "Pool", "Work", "collected_warnings", "progress"]

T = TypeVar("T")

WARNINGS = (
    errors.TruncationWarning,
    errors.UnknownTextWarning,
    errors.LanguageWarning,
    errors.RoleWarning,
    errors.CalibrationWarning,
)


class Work:
    """What one request is worth: until when it may run, and what was noticed on the way.

    Args:
        seconds: How long it may take from now on.
        patient: As below.

    Attributes:
        patient: Whether it waits for room where there is none, as a job does; a request is refused.
        deadline: When it is over, by `time.monotonic()`.
        warnings: What verbs warned of, each once: that texts were cut, say.
    """

    def __init__(self, seconds: float, *, patient: bool = False) -> None:
        self.patient = patient
        self.seconds, self.deadline = seconds, time.monotonic() + seconds
        self.warnings: list[str] = []
        self._left = threading.Event()

    def leave(self) -> None:
        """Nobody waits for it any more."""
        self._left.set()

    @property
    def left(self) -> bool:
        """Whether nobody waits for it any more."""
        return self._left.is_set()

    def remaining(self) -> float:
        """Seconds that are left.

        Raises:
            Refused: None are, or the client has gone.
        """
        if self.left:
            raise Refused(499, "client_left", "the client has gone")
        seconds = self.deadline - time.monotonic()
        if seconds <= 0:
            raise took_too_long(self.seconds)
        return seconds


CURRENT: contextvars.ContextVar[Work | None] = contextvars.ContextVar("work", default=None)
"""The work that this thread does; None outside of requests."""


def progress(_done: int = 0, _total: int = 0) -> None:
    """What long verbs call as they go on; it ends them where nobody waits any more."""
    work = CURRENT.get()
    if work is not None:
        work.remaining()


class Pool:
    """Threads that run verbs, and a bounded number of requests that wait for one.

    Args:
        threads: How many run at a time.
        waiting: How many more may wait; beyond that they are refused at once.
        name: What the threads are called.
    """

    def __init__(self, threads: int, waiting: int, name: str = "verb") -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._room, self._busy, self._lock = threads + waiting, 0, threading.Lock()

    @property
    def busy(self) -> int:
        """How many requests run or wait."""
        return self._busy

    async def run(self, work: Work, verb: Callable[..., T], *args: Any, **options: Any) -> T:
        """What a verb returns, called in a thread.

        Raises:
            Refused: There is no room, or the deadline has passed.
        """
        self._enter()
        context = contextvars.copy_context()
        context.run(CURRENT.set, work)
        try:
            future = self._executor.submit(context.run, _in_time, work, verb, args, options)
        except RuntimeError:  # the pool is closed
            self._exit()
            raise Refused(503, "closing", "the server is shutting down", fix="try again in a moment") from None
        future.add_done_callback(lambda _: self._exit())
        try:
            async with asyncio.timeout(max(0.0, work.deadline - time.monotonic())):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            if not work.left and time.monotonic() < work.deadline:
                raise  # the verb's own
            raise took_too_long(work.seconds) from None
        finally:
            work.leave()

    async def run_for(self, request: Request, work: Work, verb: Callable[..., T], *args: Any, **options: Any) -> T:
        """As `run`, and given up as soon as the client of the request leaves."""
        answer = asyncio.ensure_future(self.run(work, verb, *args, **options))
        gone = asyncio.ensure_future(_until_gone(request))
        try:
            await asyncio.wait((answer, gone), return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                raise Refused(499, "client_left", "the client has gone")
            return answer.result()
        finally:
            for task in (gone, answer):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await task

    def close(self, *, wait: bool = True) -> None:
        """Take no more; what runs is finished where that is waited for."""
        self._executor.shutdown(wait=wait, cancel_futures=not wait)

    def _enter(self) -> None:
        with self._lock:
            if self._busy >= self._room:
                raise overloaded(f"{self._busy} requests run or wait, and that is all there is room for")
            self._busy += 1

    def _exit(self) -> None:
        with self._lock:
            self._busy -= 1


def _in_time(work: Work, verb: Callable[..., T], args: tuple[Any, ...], options: dict[str, Any]) -> T:
    """A verb, unless its time was over before its turn came."""
    work.remaining()
    return verb(*args, **options)


async def _until_gone(request: Request) -> None:
    """Return when the client leaves; its body has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


@contextlib.contextmanager
def collected_warnings() -> Iterator[None]:
    """While this holds, what a verb warns of goes to the request that it works for."""
    with warnings.catch_warnings():
        before = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: Any, **how: Any) -> None:
            work = CURRENT.get()
            if work is None or not issubclass(category, WARNINGS):
                before(message, category, *where, **how)
            elif (said := str(message)) not in work.warnings:
                work.warnings.append(said)

        for category in WARNINGS:
            warnings.simplefilter("always", category)
        warnings.showwarning = show
        yield
