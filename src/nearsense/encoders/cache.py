"""An encoder that asks a cache before it encodes. Not the cache itself: that is whatever has `get` and `put`."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

from nearsense._progress import Progress, tracked
from nearsense.encoders.adapted import AdaptedEncoder
from nearsense.encoders.base import BATCH_TOKENS, Encoder
from nearsense.encoders.batch import SLICE, excess_message, language_checked, too_long
from nearsense.encoders.server import RemoteTextTooLong
from nearsense.encoders.transformer import GRAPH_VERSION
from nearsense.encoders.wrapped import WrappedEncoder
from nearsense.errors import TextTooLong, TruncationWarning, UnsupportedModel
from nearsense.records import Long, Metric, Vectors, parse
from nearsense.text import as_texts
from nearsense.vectors.rows import distinct

if TYPE_CHECKING:
    from numpy.typing import NDArray


BLOCK = SLICE
"""Texts that are encoded, then put into the cache: what an interrupted run loses at most. Packed as without it."""

KEY_VERSION = 2  # counts up with every change of what a key covers


def uncached(encoder: Encoder) -> Encoder:
    """The encoder itself, without the caches before it."""
    while isinstance(encoder, CachedEncoder):
        encoder = encoder._encoder
    return encoder.over(uncached(encoder.parent)) if isinstance(encoder, AdaptedEncoder) else encoder


def runner_of(model: object) -> object:
    """What runs in the end: the model itself, without caches and queues before it and maps after it."""
    while isinstance(model, WrappedEncoder):
        model = model._encoder
    return model


def can_be_cached(encoder: Encoder) -> bool:
    """Whether a cache may keep an encoder's vectors: it can tell which texts it cuts, or cuts none."""
    if not encoder.cuts:
        return True
    try:
        encoder.count_tokens([])
    except UnsupportedModel:
        return False
    return True


class VectorCache(Protocol):
    """Whatever keeps vectors by key; it may forget any of them, but never gives a wrong one."""

    def get(
        self, keys: Sequence[bytes], dimension: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
        """Which keys are known (ascending), their vectors, and their tokens as they were put."""
        ...  # pragma: no cover

    def put(self, keys: Sequence[bytes], vectors: NDArray[np.float32], tokens: NDArray[np.int64]) -> None:
        """Keep vectors, and how many tokens the text has where it was cut, else 0."""
        ...  # pragma: no cover


class CachedEncoder(WrappedEncoder):
    """An encoder whose vectors are remembered: to the caller the wrapped one, only faster.

    A vector is kept under a hash of the text and of everything else that decides it: the model's fingerprint, the
    prompt before the text, the arithmetic, whether long texts are cut or read in windows, and normalisation. What
    comes from the cache is bit for bit what was computed first. An encoder without a fingerprint could be any, and
    one that cannot count tokens could not say by how much a text is too long: these are asked every time. One that
    says `cuts = False` needs not count: it refuses what is too long.
    """

    def __init__(self, encoder: Encoder, cache: VectorCache) -> None:
        super().__init__(encoder)
        self._cache = cache
        self._usable, self._nothing = can_be_cached(encoder), dict[str, Vectors]()

    def over(self, encoder: Encoder) -> Self:
        """The same cache before another form of the wrapped encoder."""
        return type(self)(encoder, self._cache)

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
        """As the wrapped encoder does; `progress` counts the texts that the cache does not know."""
        if normalize is None:
            normalize = self.similarity is Metric.COSINE
        encode = partial(self._encoder.encode, role=role, batch_tokens=batch_tokens, normalize=normalize)
        if not self._usable or not (fingerprint := self.fingerprint):
            return encode(texts, long=long, progress=progress)
        options = repr((fingerprint, role, long, batch_tokens, normalize))
        if (nothing := self._nothing.get(options)) is None:  # unknown options are refused, the others give a form
            nothing = self._nothing[options] = encode([], long=long)
        policy = (self.long or Long.WARN) if long is None else parse(Long, long, name="long")
        prompt = (self.prompts or {}).get(role or "default", "")
        sheet = _Sheet(as_texts(texts), prompt, self.dimension)
        self._encoder.check_language(sheet.texts)
        self._recall(sheet, self._recipe(nothing.fingerprint, role, policy, normalize))
        if policy is Long.ERROR and sheet.tokens.any():
            raise self._refusal(sheet, ~sheet.known)  # what is not known may come before
        quiet = Long.HEAD if policy is Long.WARN and self.cuts else policy
        with language_checked(), tracked(int((~sheet.known).sum()), "texts", progress) as update:
            self._fill(sheet, partial(encode, long=quiet), update)
        tokens = sheet.tokens[sheet.rows]
        if policy is Long.WARN and tokens.any():
            warnings.warn(excess_message(tokens, self.max_tokens), TruncationWarning, stacklevel=2)
        data = sheet.vectors if len(sheet.texts) == len(tokens) else sheet.vectors[sheet.rows]
        return Vectors(data, nothing.fingerprint, tokens > 0, nothing.model, nothing.read_as)

    def _recipe(self, fingerprint: str, role: str | None, policy: Long, normalize: bool) -> bytes:
        """Everything but the text, its prompt before it, that decides a vector, in 32 bytes."""
        whole = "chunk" if policy is Long.CHUNK else "head"
        unseen = role if self.prompts is None else None  # what it does with a role shows nowhere else
        parts = [KEY_VERSION, GRAPH_VERSION, fingerprint, self.dimension, self.max_tokens, unseen]
        parts += [self.precision, whole, bool(normalize)]
        return blake2b(json.dumps(parts).encode(), digest_size=32).digest()

    def _recall(self, sheet: _Sheet, recipe: bytes) -> None:
        """Enter what the cache knows."""
        sheet.keys = [blake2b(text.encode(), digest_size=16, key=recipe).digest() for text in sheet.prompted]
        for start in range(0, len(sheet.keys), BLOCK):
            found, vectors, tokens = self._cache.get(sheet.keys[start : start + BLOCK], self.dimension)
            places = found + start
            sheet.vectors[places], sheet.tokens[places], sheet.known[places] = vectors, tokens, True

    def _fill(self, sheet: _Sheet, encode: Callable[..., Vectors], update: Callable[[int], None]) -> None:
        """Encode what is not known, and put it into the cache as it comes."""
        missing = np.flatnonzero(~sheet.known)
        for start in range(0, len(missing), BLOCK):
            places = missing[start : start + BLOCK]
            texts = [sheet.texts[place] for place in places]
            try:
                new = encode(texts, progress=lambda done, _, start=start: update(start + done))
            except TextTooLong as error:  # which counts within the block only
                if isinstance(error, RemoteTextTooLong):
                    raise error.at_position(int(np.argmax(sheet.rows == places[error.position]))) from None
                raise self._refusal(sheet, places) from None
            sheet.vectors[places] = new.data
            self._count(sheet, places[new.truncated])
            self._cache.put([sheet.keys[place] for place in places], new.data, sheet.tokens[places])

    def _count(self, sheet: _Sheet, places: NDArray[Any]) -> None:
        """Enter the tokens of the texts at some places, where they are beyond the limit."""
        if len(texts := [sheet.prompted[place] for place in np.arange(len(sheet.prompted))[places]]):
            tokens = self.count_tokens(texts)
            sheet.tokens[places] = np.where(tokens > self.max_tokens, tokens, 0)

    def _refusal(self, sheet: _Sheet, places: NDArray[Any]) -> TextTooLong:
        """The error that names the first text beyond the limit, among those known and those at some places."""
        self._count(sheet, places)
        return too_long(sheet.tokens[sheet.rows], self.max_tokens)


class _Sheet:
    """What one call works out, for the m different ones among n texts."""

    def __init__(self, texts: list[str], prompt: str, dimension: int) -> None:
        self.texts, self.rows = distinct(texts)  # and which of the m each text is: int64, shape (n,)
        self.prompted = [prompt + text for text in self.texts] if prompt else self.texts  # as the model reads them
        self.keys: list[bytes] = []
        m = len(self.texts)
        self.vectors = np.empty((m, dimension), np.float32)
        self.tokens = np.zeros(m, np.int64)  # how many where the text was cut, else 0
        self.known = np.zeros(m, np.bool_)  # the cache knew it
