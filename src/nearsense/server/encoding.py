"""The texts of one request: what has come for them, and who waits; how a model is told of them. See queue.py."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nearsense.encoders.batch import too_long
from nearsense.encoders.cache import can_be_cached
from nearsense.kinds import Long
from nearsense.records import Vectors, parse
from nearsense.server.errors import Refused, took_too_long
from nearsense.server.line import Piece, Waiting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.encoders import Encoder

    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

__all__ = ["UNWATCHED", "Job", "Model", "Watch", "wake"]

UNWATCHED = 0.05
"""Seconds before a request is watched for its client's leaving and its deadline: most are answered by then."""


class Model:
    """A form of the queue's model: itself, or with fewer dimensions, say. What does not change from text to text.

    Args:
        encoder: What encodes.
    """

    __slots__ = ("_counts", "encoder", "kind")

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self.kind = (encoder.fingerprint or id(encoder), encoder.dimension)  # of what is encoded together
        self._counts = encoder.cuts and can_be_cached(encoder)

    def policy(self, long: str | None) -> tuple[Long | None, bool]:
        """What the encoder is told to do with long texts, and whether the queue refuses them instead of it."""
        policy = self.encoder.long if long is None else parse(Long, long, name="long")
        if self._counts and policy in (Long.WARN, Long.ERROR):
            return Long.HEAD, policy is Long.ERROR
        return policy, False


class Job(Waiting):
    """The texts of one request, and what has come for them.

    Args:
        encoder: What encodes them.
        how: Options of the encoder: role, long, normalize.
        strict: Whether a text beyond the model's limit is an error.
    """

    __slots__ = (
        "_data", "_form", "_truncated", "asked", "counts", "encoder", "error", "finished", "how", "left",
        "per_byte", "strict",
    )  # fmt: skip

    def __init__(
        self,
        texts: Sequence[str],
        sizes: Sequence[int],
        kind: tuple[Any, ...],
        encoder: Encoder,
        how: dict[str, Any],
        *,
        strict: bool,
    ) -> None:
        super().__init__(texts, sizes, kind)
        self.encoder, self.how, self.strict = encoder, how, strict
        self.left = len(texts)  # texts for which nothing has come
        self.error: BaseException | None = None
        self.asked = time.perf_counter()
        self.per_byte = 0.0  # tokens for a byte, as its sizes were guessed
        self.finished: tuple[asyncio.AbstractEventLoop, asyncio.Future[None]] | threading.Event

    def fill(self, piece: Piece, vectors: Vectors, tokens: NDArray[np.int64], start: int) -> None:
        """Take the vectors of a piece, which begin at a row of those of a batch."""
        rows = slice(start, start + piece.last - piece.first)
        if piece.last - piece.first == len(self.texts):
            self._form, self._data = vectors, vectors.data[rows]
            self._truncated, self.counts = vectors.truncated[rows], tokens[rows]
        else:
            if self.left == len(self.texts):
                n = len(self.texts)
                self._form, self._data = vectors, np.empty((n, vectors.data.shape[1]), np.float32)
                self._truncated, self.counts = np.empty(n, np.bool_), np.empty(n, np.int64)
            own = slice(piece.first, piece.last)
            self._data[own], self._truncated[own] = vectors.data[rows], vectors.truncated[rows]
            self.counts[own] = tokens[rows]
        self.left -= piece.last - piece.first

    def result(self) -> tuple[Vectors, NDArray[np.int64]]:
        """All vectors and how many tokens each text has, or the error."""
        if self.error is not None:
            raise self.error
        if self.strict and (self.counts > self.encoder.max_tokens).any():
            raise too_long(self.counts, self.encoder.max_tokens)
        form = self._form
        return Vectors(self._data, form.fingerprint, self._truncated, form.model, form.read_as), self.counts


class Watch:
    """Looks after a request that waits: for its deadline, and for whether its client is still there."""

    __slots__ = ("_count", "_receive", "_seconds", "_task", "_timer", "_waiter")

    def __init__(
        self, waiter: asyncio.Future[None], seconds: float, receive: Receive | None, count: Callable[[str], None]
    ) -> None:
        self._waiter, self._seconds, self._receive, self._count = waiter, seconds, receive, count
        self._task: asyncio.Task[None] | None = None
        soon = min(UNWATCHED, seconds)
        self._timer = waiter.get_loop().call_later(soon, self._late if soon == seconds else self._begin)

    def _begin(self) -> None:
        loop = self._waiter.get_loop()
        self._timer = loop.call_later(self._seconds - UNWATCHED, self._late)
        if self._receive is not None:
            self._task = loop.create_task(self._until_gone(self._receive))

    def _late(self) -> None:
        self._end_with(took_too_long(self._seconds), "deadline")

    async def _until_gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._end_with(Refused(499, "client_left", "the client has gone"), "client_left")

    def _end_with(self, error: Refused, why: str) -> None:
        if not self._waiter.done():
            self._count(why)
            self._waiter.set_exception(error)

    def end(self) -> None:
        """Look no more."""
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()


def wake(jobs: Sequence[Job]) -> None:
    """Tell who waits for jobs that they are done: each event loop once."""
    loops: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
    for job in jobs:
        if isinstance(job.finished, threading.Event):
            job.finished.set()
        else:
            loop, waiter = job.finished
            loops.setdefault(loop, []).append(waiter)
    for loop, waiters in loops.items():
        with contextlib.suppress(RuntimeError):  # it is closed, and nobody waits
            loop.call_soon_threadsafe(_settle, waiters)


def _settle(waiters: list[asyncio.Future[None]]) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(None)
