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
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.requests import Request

from nearsense import errors
from nearsense.encoders.batch import language_checked
from nearsense.errors import NearsenseError
from nearsense.kinds import Long
from nearsense.server.errors import Refused, overloaded, took_too_long

if TYPE_CHECKING:
    from nearsense.encoders.cache import CachedEncoder

__all__ = ["CURRENT", "Ahead", "Pool", "Work", "collected_warnings", "progress"]

T = TypeVar("T")

TOGETHER = 8
"""Requests at most that one thread takes at a time."""

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


@dataclass(frozen=True, slots=True)
class Ahead:
    """What a verb will have encoded first: with that of others that wait, it is encoded sooner.

    Args:
        encoder: The model, with a cache before it, where the verb then finds it.
        role: As of `Encoder.encode`.
        texts: What it will ask for.
    """

    encoder: CachedEncoder
    role: str | None
    texts: Sequence[str]


@dataclass(slots=True, eq=False)
class _Call:
    verb: Callable[[], Any]
    work: Work
    ahead: Ahead | None
    context: contextvars.Context
    future: Future[Any]

    def answer(self) -> None:
        """Do it, unless its time was over before its turn came."""
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            self.work.remaining()
            self.future.set_result(self.verb())
        except BaseException as error:
            self.future.set_exception(error)


class Pool:
    """Threads that run verbs, and a bounded number of requests that wait for one.

    Args:
        threads: How many run at a time.
        waiting: How many more may wait; beyond that they are refused at once.
        name: What the threads are called.
    """

    def __init__(self, threads: int, waiting: int, name: str = "verb") -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._most = threads + waiting
        self._waiting: deque[_Call] = deque()
        self._busy, self._lock = 0, threading.Lock()

    @property
    def busy(self) -> int:
        """How many requests run or wait."""
        return self._busy

    @property
    def room(self) -> int:
        """How many more would not be refused."""
        return self._most - self._busy

    async def run(
        self, work: Work, verb: Callable[..., T], *args: Any, ahead: Ahead | None = None, **options: Any
    ) -> T:
        """What a verb returns, called in a thread.

        Raises:
            Refused: There is no room, or the deadline has passed.
        """
        context = contextvars.copy_context()
        context.run(CURRENT.set, work)
        call = _Call(partial(verb, *args, **options), work, ahead, context, Future())
        with self._lock:
            if self.room <= 0:
                raise overloaded(f"{self._busy} requests run or wait, and that is all there is room for")
            self._busy += 1
            self._waiting.append(call)
        call.future.add_done_callback(self._done)
        try:
            self._executor.submit(self._serve)
        except RuntimeError:  # the pool is closed
            call.future.cancel()
            raise Refused(503, "closing", "the server is shutting down", fix="try again in a moment") from None
        try:
            async with asyncio.timeout(max(0.0, work.deadline - time.monotonic())) as limit:
                return await asyncio.wrap_future(call.future)
        except TimeoutError:
            if not (work.left or limit.expired()):
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

    def _done(self, _: object) -> None:
        with self._lock:
            self._busy -= 1

    def _serve(self) -> None:
        """Answer the first that waits, and those whose texts are encoded together with its own."""
        calls = self._taken()
        if len(calls) > 1:
            _encode_ahead([call.ahead for call in calls if call.ahead is not None])
        for call in calls:
            call.context.run(call.answer)

    def _taken(self) -> list[_Call]:
        """The first that waits, and some of those like it."""
        with self._lock:
            if not self._waiting:
                return []
            calls = [self._waiting.popleft()]
            first = calls[0].ahead
            if first is None:
                return calls
            for call in [*self._waiting]:
                if len(calls) == TOGETHER:
                    break
                own = call.ahead
                if own is not None and own.encoder is first.encoder and own.role == first.role:
                    self._waiting.remove(call)
                    calls.append(call)
            return calls


def _encode_ahead(all_of: Sequence[Ahead]) -> None:
    """Have the vectors of all their texts in the cache; what is wrong with a text is said to who asks for it."""
    texts = [text for ahead in all_of for text in ahead.texts]
    encoder, role = all_of[0].encoder, all_of[0].role
    quiet = Long.CHUNK if encoder.long is Long.CHUNK else Long.HEAD
    with contextlib.suppress(NearsenseError), language_checked():
        encoder.encode(texts, role=role, long=quiet)


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
