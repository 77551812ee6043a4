"""Texts of all requests, encoded together: one bounded queue a model, in tokens. Not who is next: line.py.

A request is refused at once where its texts would have to wait too long, and never half answered: it gets the
vectors of its own texts, in their order, or an error of its own. Threads of the queue encode; requests wait for
them on the event loop (`encode`) or in a thread (`QueuedEncoder`, which verbs are given as their encoder, so that
all routes share the queue).
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from nearsense._progress import Progress, tracked
from nearsense.encoders.adapted import AdaptedEncoder
from nearsense.encoders.base import BATCH_TOKENS, ROLES, as_encoder, unknown_role
from nearsense.encoders.batch import excess_message, language_checked, too_long
from nearsense.encoders.wrapped import WrappedEncoder
from nearsense.errors import TextTooLong, TruncationWarning
from nearsense.kinds import Long
from nearsense.records import Vectors, parse
from nearsense.server.encoding import UNWATCHED, Job, Model, Watch, wake
from nearsense.server.errors import Refused, overloaded
from nearsense.server.line import Line, Piece
from nearsense.server.work import CURRENT, Work
from nearsense.text import as_texts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.encoders import Encoder
    from nearsense.server.encoding import Receive
    from nearsense.server.metrics import Metrics
    from nearsense.server.settings import ServerSettings

    Encoded = tuple[Vectors, NDArray[np.int64]]

__all__ = ["EncodingQueue", "QueuedEncoder"]

TEXTS = 256
"""Texts that are put into the queue at a time where nobody waits for an answer: it holds few of them."""

MOST_WORKERS = 8
"""Threads at most: Python makes the batches, and runs in one of them at a time."""

TURNS = 4
"""Into how many turns a batch is parted: what a large request may take of it while others wait."""

PER_BYTE = 0.25
"""Tokens for a byte of text, until it is known what they are for these texts and this model."""

SLOWLY = 0.1
"""What one batch counts in averages."""

CROWDED = 0.7
"""What of the room is not given where all are refused: to refuse is work too, and who is let in should not wait
longer for it than before. So a burst finds room, and a crowd does not."""

DECISION = 0.01
"""What one request counts in the share of those that are refused."""

FULL = 0.5
"""A batch of this share of what it may hold shows what the queue gets done; a smaller one takes longer a token."""


class EncodingQueue:
    """The texts that wait to be encoded by one model, whatever route they came by.

    Args:
        encoder: The model; none that remembers what it encoded, unless texts repeat.
        settings: `queue_tokens`, `queue_seconds`, `batch_tokens`, `deadline`.
        metrics: What counts batches and refusals; None: nothing does.

    Example:
        >>> import nearsense as ns
        >>> from nearsense.server.settings import ServerSettings
        >>> queue = EncodingQueue(ns.load(), ServerSettings())
        >>> asyncio.run(queue.encode(["hello world", "good morning"]))
        Vectors(2 x 384, all-MiniLM-L6-v2 ...)
        >>> queue.close()
    """

    def __init__(self, encoder: Encoder, settings: ServerSettings, metrics: Metrics | None = None) -> None:
        self._encoder = as_encoder(encoder).side_by_side()
        self._model = Model(self._encoder)
        self.name, self._settings, self._metrics = encoder.name, settings, metrics
        self._batch = settings.batch_tokens
        self._line = Line(max(1, self._batch // TURNS))
        self._running = 0  # tokens that are being encoded
        self._idle = self._patient = 0  # threads that wait: for work, and for room
        self._closed = False
        self._rate = 0.0  # tokens a second of all threads; 0 until it is known
        self._done = self._busy = 0.0  # tokens and seconds of full batches, the last ones counting most
        self._last: float | None = None  # when a batch was done, if there was enough to do ever since
        self._refused = 0.0  # share of requests, the last ones counting most
        self._usual = 1.0  # tokens of a request
        self._per_byte = PER_BYTE
        self._lock = threading.Lock()
        self._ready, self._room = threading.Condition(self._lock), threading.Condition(self._lock)
        count = max(1, min(self._encoder.calls_at_once, MOST_WORKERS))
        names = (f"encode-{number}" for number in range(1, count + 1))
        self._workers = [threading.Thread(target=self._work, name=name, daemon=True) for name in names]
        for worker in self._workers:
            worker.start()
        if metrics is not None:
            metrics.watch_queue(self.name, self.state)

    # -- for requests

    async def encode(self, texts: str | Sequence[str], role: str | None = None, **how: Any) -> Vectors:
        """The vectors of the texts of one request, in their order; see `encode_and_count`."""
        return (await self.encode_and_count(texts, role, **how))[0]

    async def encode_and_count(
        self,
        texts: str | Sequence[str],
        role: str | None = None,
        *,
        long: str | None = None,
        normalize: bool | None = None,
        deadline: float | None = None,
        receive: Receive | None = None,
    ) -> Encoded:
        """The vectors of the texts of one request, in their order, and how many tokens each text has.

        Args:
            texts: Strings; one string is a batch of one.
            role: As of `Encoder.encode`; so are `long` and `normalize`. Nothing is warned of: `truncated` tells.
            long: `"warn"` cuts as `"head"` does.
            normalize: Give unit length to each vector.
            deadline: Seconds from now; None: those of the settings.
            receive: The request's own, of ASGI, whose body has been read: where the client leaves, its texts do.

        Returns:
            Vectors, float32, shape (n, dimension), and int64, shape (n,): tokens before anything is cut, special
            ones and a prompt included; 0 where the encoder cannot count.

        Raises:
            Refused: 429 where there is no room, at once; 413 where there never is; 503 where the deadline passed
                or the server closes; 499 where the client has gone.
            InputError: As of `Encoder.encode`, TextTooLong among them.
        """
        seconds = self._settings.deadline if deadline is None else deadline
        how: dict[str, Any] = {"role": role, "long": long, "normalize": normalize}
        job = self._job(self._model, texts, **how)
        if job is None:
            return self._encoder.encode_and_count([], **how)
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        job.finished = (loop, waiter)
        self._enter(job, seconds)
        watch = Watch(waiter, seconds, receive, self._count)
        try:
            await waiter
        except BaseException:
            self.drop(job)
            raise
        finally:
            watch.end()
        return job.result()

    def encoder(self) -> Encoder:
        """The same queue as an encoder, for verbs in threads: their texts wait beside those of all requests."""
        if isinstance(self._encoder, AdaptedEncoder):
            return self._encoder.over(QueuedEncoder(self, self._encoder.parent))
        return QueuedEncoder(self, self._encoder)

    @property
    def threads(self) -> int:
        """How many batches are encoded at a time."""
        return len(self._workers)

    def refusal(self, coming: int = 0) -> float:
        """Seconds after which a short request should come again; 0 where it would be taken now, after others.

        Args:
            coming: How many requests are before it that have not come here yet.
        """
        late = self._late(int(self._usual), coming=coming * self._usual)
        if late:
            self._refused += DECISION * (1 - self._refused)
        return late

    def state(self) -> dict[str, float]:
        """How full it is: requests and tokens that wait, tokens being encoded, tokens a second when it is busy."""
        with self._lock:
            waiting = {"requests": len(self._line), "tokens": self._line.tokens}
            return {**waiting, "running": self._running, "rate": self._rate}

    def warm(self) -> None:
        """Encode something in each thread, so that the first requests do not wait for the model to be compiled."""
        for size in (1, 32):
            texts = [" ".join(["word"] * count) for count in range(1, size + 1)]
            for _ in range(2):
                for job in [self.submit(self._model, texts, patient=True) for _ in self._workers]:
                    self.wait_for(job)

    def close(self, seconds: float | None = None) -> None:
        """Take no more texts, encode those that wait, and end the threads; for so long at most."""
        with self._lock:
            self._closed = True
            self._ready.notify_all()
            self._room.notify_all()
        until = None if seconds is None else time.monotonic() + seconds
        for worker in self._workers:
            worker.join(None if until is None else max(0.0, until - time.monotonic()))

    # -- for verbs in threads: QueuedEncoder

    def submit(
        self,
        model: Model,
        texts: Sequence[str],
        *,
        seconds: float = float("inf"),
        patient: bool = False,
        **how: Any,
    ) -> Job:
        """Texts, one at least, that some thread will wait for. Who is `patient` waits for room first."""
        job = self._job(model, texts, **how)
        assert job is not None
        job.finished = threading.Event()
        self._enter(job, seconds, patient=patient)
        return job

    def wait_for(self, job: Job, check: Callable[[], float] | None = None) -> Encoded:
        """What a job comes to. `check` says how many seconds are left, or raises where nobody waits any more."""
        assert isinstance(job.finished, threading.Event)
        try:
            while not job.finished.wait(None if check is None else min(check(), UNWATCHED)):
                pass
        except BaseException:
            self.drop(job)
            raise
        return job.result()

    # -- in and out

    def _job(
        self,
        model: Model,
        texts: str | Sequence[str],
        role: str | None = None,
        long: str | None = None,
        normalize: bool | None = None,
    ) -> Job | None:
        texts = as_texts(texts)
        if role is not None and role not in ROLES:
            raise unknown_role(role)
        policy, strict = model.policy(long)
        if not texts:
            return None
        most = model.encoder.max_tokens
        sizes = self._sizes(texts, most if most and policy is not Long.CHUNK else self._settings.queue_tokens + 1)
        how = {"role": role, "long": policy, "normalize": normalize}
        job = Job(texts, sizes, (model.kind, role, policy, normalize), model.encoder, how, strict=strict)
        job.per_byte = self._per_byte
        return job

    def _sizes(self, texts: Sequence[str], most: int) -> list[int]:
        """How many tokens texts have, roughly: to tokenize them twice costs more than to be wrong by a few."""
        rate = self._per_byte
        return [min(most, 2 + int(rate * (len(text) if text.isascii() else len(text.encode())))) for text in texts]

    def _enter(self, job: Job, seconds: float, *, patient: bool = False) -> None:
        """Put a job into the line, or refuse it."""
        most, tokens = self._settings.queue_tokens, job.tokens
        with self._lock:
            if tokens > most:
                raise self._too_much(tokens, f"the queue holds {most:,}")
            while not self._closed and patient and self._line.tokens and self._late(tokens, seconds):
                self._patient += 1
                self._room.wait()
                self._patient -= 1
            if self._closed:
                raise Refused(503, "closing", "the server is shutting down", fix="try again in a moment")
            alone = not self._line.tokens and not self._running  # tried: else a slow hour would never be forgotten
            if not patient and not alone and (late := self._late(tokens, seconds)):
                if self._rate and tokens > seconds * self._rate:
                    raise self._too_much(tokens, f"that takes more than {seconds:g} s here")
                self._refused += DECISION * (1 - self._refused)
                self._count("overloaded")
                raise overloaded(f"{self._line.tokens:,} tokens wait to be encoded by {self.name}", late)
            self._line.add(job)
            self._refused -= DECISION * self._refused
            self._usual += SLOWLY * (min(tokens, self._line.turn) - self._usual)
            if self._idle:
                self._ready.notify()

    def _late(self, tokens: int, seconds: float = float("inf"), coming: float = 0) -> float:
        """By how many seconds a request of some tokens, `coming` before it, is too early; 0 where it is not."""
        line, settings, threads = self._line, self._settings, len(self._workers)
        over: float = line.tokens + tokens + coming - settings.queue_tokens
        if not (rate := self._rate):
            return 1.0 if over > 0 else 0.0
        ahead = rate * settings.queue_seconds * (1 - CROWDED * self._refused)
        over = max(over, line.ahead + self._running + coming - max(ahead, self._batch * threads))
        if tokens > line.turn:
            over = max(over, line.tokens + self._running + tokens - rate * seconds)
        return max(over, 1) / rate if over > 0 else 0.0

    def _too_much(self, tokens: int, why: str) -> Refused:
        self._count("too_much")
        what = f"about {tokens:,} tokens are too much for one request"
        return Refused(413, "too_many_tokens", what, why=why, fix="send fewer texts at a time")

    def drop(self, job: Job) -> None:
        """Nobody waits for a job any more: what has not been encoded of it leaves the queue."""
        with self._lock:
            if self._line.remove(job) and self._patient:
                self._room.notify_all()

    def _count(self, why: str) -> None:
        if self._metrics is not None:
            self._metrics.refused(self.name, why)

    # -- the threads

    def _work(self) -> None:
        while True:
            with self._lock:
                while not self._line:
                    if self._closed:
                        return
                    self._last = None
                    self._idle += 1
                    self._ready.wait()
                    self._idle -= 1
                pieces = self._line.take(self._batch)
                tokens = sum(piece.tokens for piece in pieces)
                self._running += tokens
                if self._line and self._idle:
                    self._ready.notify()
                if self._patient:
                    self._room.notify_all()
            begun = time.perf_counter()
            try:
                self._encode(pieces)
            finally:
                with self._lock:
                    self._running -= tokens
                    self._learn_rate(tokens, begun, time.perf_counter())

    def _encode(self, pieces: list[Piece]) -> None:
        """Encode a batch; where that fails, each request's part alone, so that only its own errors hurt it."""
        texts = [text for piece in pieces for text in piece.request.texts[piece.first : piece.last]]
        leader: Any = pieces[0].request
        begun = time.perf_counter()
        try:
            with language_checked():
                vectors, tokens = leader.encoder.encode_and_count(texts, **leader.how)
            if len(vectors) != len(texts):
                raise RuntimeError(f"{self.name} gave {len(vectors):,} vectors for {len(texts):,} texts")
        except BaseException as error:
            if any(piece.request is not leader for piece in pieces):
                for _, own in itertools.groupby(pieces, key=lambda piece: id(piece.request)):
                    self._encode(list(own))
            else:
                self._fail(leader, error)
            return
        self._deliver(pieces, vectors, tokens)
        if self._metrics is not None:
            wait = [begun - piece.request.asked for piece in pieces if piece.first == 0]  # type: ignore[attr-defined]
            self._metrics.batch(self.name, len(texts), int(tokens.sum()), time.perf_counter() - begun, wait)

    def _deliver(self, pieces: list[Piece], vectors: Vectors, tokens: NDArray[np.int64]) -> None:
        done: list[Job] = []
        start = guessed = 0
        with self._lock:
            for piece in pieces:
                job: Any = piece.request
                job.fill(piece, vectors, tokens, start)
                start += piece.last - piece.first
                guessed += piece.tokens
                if not job.left:
                    done.append(job)
            self._learn_sizes(guessed, tokens, job)
        wake(done)

    def _fail(self, job: Job, error: BaseException) -> None:
        with self._lock:
            self._line.remove(job)
            first, job.error = job.error is None, job.error or error
        if first:
            wake([job])

    def _learn_rate(self, tokens: int, begun: float, now: float) -> None:
        """Tokens that leave the queue a second while there is enough to do, whatever else is done then.

        Until there was enough to do, what one thread did at its best: what was slower had a graph to compile.
        """
        last, self._last = self._last, now if tokens >= FULL * self._batch else None
        if last is not None and self._last is not None:
            self._done += tokens - SLOWLY * self._done
            self._busy += now - last - SLOWLY * self._busy
            self._rate = self._done / max(self._busy, 1e-6)
        elif not self._busy:
            self._rate = max(self._rate, len(self._workers) * tokens / max(now - begun, 1e-6))

    def _learn_sizes(self, guessed: int, tokens: NDArray[np.int64], job: Job) -> None:
        limit = job.encoder.max_tokens
        read = int(tokens.sum() if job.how["long"] is Long.CHUNK or not limit else np.minimum(tokens, limit).sum())
        if read:
            self._per_byte += SLOWLY * (min(2.0, max(0.01, job.per_byte * read / guessed)) - self._per_byte)


class QueuedEncoder(WrappedEncoder):
    """An encoder whose texts wait in a queue with those of all requests: to the caller the wrapped one.

    In a verb that answers a request (`work.CURRENT`) texts go into the queue all at once, or are refused, and are
    waited for until the request's deadline. Elsewhere, in a job say, they go in bit by bit and wait for room.

    Args:
        queue: The queue.
        encoder: What encodes: the queue's encoder, or another form of it.
    """

    def __init__(self, queue: EncodingQueue, encoder: Encoder) -> None:
        super().__init__(encoder)
        self._queue, self._model = queue, Model(encoder)
        self.calls_at_once = 1

    def over(self, encoder: Encoder) -> Self:
        """The same queue before another form of the wrapped encoder."""
        return type(self)(self._queue, encoder)

    def side_by_side(self) -> Encoder:
        """Itself: the queue runs side by side what it can."""
        return self

    def encode(
        self,
        texts: str | Iterable[str],
        *,
        role: str | None = None,
        long: str | None = None,
        batch_tokens: int = BATCH_TOKENS,
        normalize: bool | None = None,
        progress: Progress = False,
    ) -> Vectors:
        """As the wrapped encoder does; how many tokens are encoded together the queue decides.

        Raises:
            Refused: There is no room for the texts of a request, or its time is over, or its client has gone.
        """
        texts = as_texts(texts)
        how: dict[str, Any] = {"role": role, "long": long, "normalize": normalize}
        self.check_language(list(dict.fromkeys(texts)))
        if not texts:
            return self._encoder.encode([], **how)
        parts = []
        with tracked(len(texts), "texts", progress) as update:
            for done, part in self._parts(texts, how):
                parts.append(part)
                update(done)
        vectors = parts[0][0] if len(parts) == 1 else _joined([part[0] for part in parts])
        policy = self.long if long is None else parse(Long, long, name="long")
        if policy is Long.WARN and vectors.truncated.any():
            tokens = np.concatenate([part[1] for part in parts])
            warnings.warn(excess_message(tokens, self.max_tokens), TruncationWarning, stacklevel=2)
        return vectors

    def _parts(self, texts: list[str], how: dict[str, Any]) -> Iterator[tuple[int, Encoded]]:
        """How many texts are done, and the vectors and tokens of the last of them."""
        queue, work = self._queue, CURRENT.get()
        if work is not None and not work.patient:
            job = queue.submit(self._model, texts, **how, seconds=work.remaining())
            yield len(texts), queue.wait_for(job, work.remaining)
            return
        waiting: deque[tuple[int, Job]] = deque()
        try:
            for first in range(0, len(texts), TEXTS):
                part = texts[first : first + TEXTS]
                waiting.append((first, queue.submit(self._model, part, **how, patient=True)))
                if len(waiting) > queue.threads:
                    yield self._next(waiting, work)
            while waiting:
                yield self._next(waiting, work)
        finally:
            for _, job in waiting:
                queue.drop(job)

    def _next(self, waiting: deque[tuple[int, Job]], work: Work | None) -> tuple[int, Encoded]:
        """The next part. Work that waits for room looks meanwhile whether it is cancelled."""
        first, job = waiting.popleft()
        try:
            return first + len(job.texts), self._queue.wait_for(job, None if work is None else work.remaining)
        except TextTooLong:
            if job.strict:  # which counts from the first text of the part
                before = np.zeros(first, np.int64)
                raise too_long(np.concatenate([before, job.counts]), self.max_tokens) from None
            raise


def _joined(parts: list[Vectors]) -> Vectors:
    data, truncated = (np.concatenate([getattr(part, name) for part in parts]) for name in ("data", "truncated"))
    return replace(parts[0], data=data, truncated=truncated)
