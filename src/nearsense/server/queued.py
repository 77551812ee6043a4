"""The queue of texts as an encoder: what verbs in threads are given, so that all routes share it. See queue.py."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from nearsense._progress import Progress, tracked
from nearsense.encoders import Encoder
from nearsense.encoders.base import BATCH_TOKENS
from nearsense.encoders.batch import excess_message, too_long
from nearsense.encoders.wrapped import WrappedEncoder
from nearsense.errors import TextTooLong, TruncationWarning
from nearsense.kinds import Long
from nearsense.records import Vectors, parse
from nearsense.server.encoding import Job, Model, Queue
from nearsense.server.work import CURRENT, Work
from nearsense.text import as_texts

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["QueuedEncoder"]

TEXTS = 256
"""Texts that are put into the queue at a time where nobody waits for an answer: it holds few of them."""


class QueuedEncoder(WrappedEncoder):
    """An encoder whose texts wait in a queue with those of all requests: to the caller the wrapped one.

    In a verb that answers a request (`work.CURRENT`) texts go into the queue all at once, or are refused, and are
    waited for until the request's deadline. Elsewhere, in a job say, they go in bit by bit and wait for room.

    Args:
        queue: The queue.
        encoder: What encodes: the queue's encoder, or another form of it.
    """

    def __init__(self, queue: Queue, encoder: Encoder) -> None:
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

    def _parts(
        self, texts: list[str], how: dict[str, Any]
    ) -> Iterator[tuple[int, tuple[Vectors, NDArray[np.int64]]]]:
        """How many texts are done, and the vectors and tokens of the last of them."""
        queue, work = self._queue, CURRENT.get()
        if work is not None and not work.patient:
            job = queue.submit(self._model, texts, **how, seconds=work.remaining())
            assert job is not None
            yield len(texts), queue.wait_for(job, work.remaining)
            return
        waiting: deque[tuple[int, Job]] = deque()
        try:
            for first in range(0, len(texts), TEXTS):
                job = queue.submit(self._model, texts[first : first + TEXTS], **how, patient=True)
                assert job is not None
                waiting.append((first, job))
                if len(waiting) > queue.threads:
                    yield self._next(waiting, work)
            while waiting:
                yield self._next(waiting, work)
        finally:
            for _, job in waiting:
                queue.drop(job)

    def _next(
        self, waiting: deque[tuple[int, Job]], work: Work | None
    ) -> tuple[int, tuple[Vectors, NDArray[np.int64]]]:
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
