"""The texts of one request, and what has come for them; how a model is told to encode them. See queue.py."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from nearsense.encoders.batch import too_long
from nearsense.encoders.cache import can_be_cached
from nearsense.kinds import Long
from nearsense.records import Vectors, parse
from nearsense.server.line import Piece, Waiting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nearsense.encoders import Encoder

__all__ = ["Job", "Model", "Queue"]


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


class Queue(Protocol):
    """What a verb in a thread asks of the queue; what it does is said in queue.py."""

    @property
    def threads(self) -> int:
        """How many batches are encoded at a time."""
        ...  # pragma: no cover

    def submit(
        self,
        model: Model,
        texts: Sequence[str],
        role: str | None,
        long: str | None,
        normalize: bool | None,
        *,
        seconds: float = ...,
        patient: bool = ...,
    ) -> Job | None:
        """Put texts into the queue."""
        ...  # pragma: no cover

    def wait_for(self, job: Job, check: Callable[[], float] | None = None) -> tuple[Vectors, NDArray[np.int64]]:
        """What they come to."""
        ...  # pragma: no cover

    def drop(self, job: Job) -> None:
        """Nobody waits for them any more."""
        ...  # pragma: no cover
