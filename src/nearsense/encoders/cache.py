"""An encoder that asks a cache before it encodes. Not the cache itself: that is whatever has `get` and `put`."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Sequence
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from nearsense._progress import Progress, tracked
from nearsense.encoders.base import BATCH_TOKENS, Encoder, TruncationWarning
from nearsense.encoders.batch import SLICE, _excess, _too_long
from nearsense.encoders.transformer import GRAPH_VERSION
from nearsense.errors import TextTooLong
from nearsense.text import as_texts
from nearsense.types import Long, Vectors, parse

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CachedEncoder", "VectorCache"]

BLOCK = SLICE
"""Texts that are encoded, then put into the cache: what an interrupted run loses at most. Packed as without it."""

KEY_VERSION = 1
"""Counts up with every change of what a key covers."""


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


class CachedEncoder:
    """An encoder whose vectors are remembered: to the caller the wrapped one, only faster.

    A vector is kept under a hash of the text and of everything else that decides it: the model's fingerprint, the
    prompt before the text, the arithmetic, whether long texts are cut or read in windows, and normalisation. What
    comes from the cache is bit for bit what was computed first. An encoder that cannot count tokens could not say
    by how much a text is too long; it is asked every time.

    Args:
        encoder: What encodes where the cache has no answer. All its other attributes show through.
        cache: What remembers.

    Example:
        >>> import nearsense as ns
        >>> class Forgetful:
        ...     def get(self, keys, dimension):
        ...         return np.empty(0, int), np.empty((0, dimension), np.float32), np.empty(0, int)
        ...     def put(self, keys, vectors, tokens):
        ...         print("new:", len(keys))
        >>> CachedEncoder(ns.load(), Forgetful()).encode(["hello world", "hello world"])
        new: 1
        Vectors(2 x 384, all-MiniLM-L6-v2 ...)
    """

    def __init__(self, encoder: Encoder, cache: VectorCache) -> None:
        self._encoder, self._cache = encoder, cache
        self.name, self.dimension, self.max_tokens = encoder.name, encoder.dimension, encoder.max_tokens

    def __repr__(self) -> str:
        return repr(self._encoder)

    def __getattr__(self, name: str) -> Any:
        if name == "_encoder":  # while it is being copied or unpickled
            raise AttributeError(name)
        return getattr(self._encoder, name)

    @property
    def fingerprint(self) -> str:
        """The wrapped encoder's."""
        return self._encoder.fingerprint

    def with_long(self, long: Long) -> CachedEncoder:
        """The same encoder before the same cache, which does `long` with long texts where a call does not say."""
        return CachedEncoder(self._encoder.with_long(long), self._cache)  # type: ignore[attr-defined]

    def encode(
        self,
        texts: str | Iterable[str],
        *,
        role: str | None = None,
        long: str | None = None,
        batch_tokens: int = BATCH_TOKENS,
        normalize: bool = True,
        progress: Progress = False,
    ) -> Vectors:
        """As the wrapped encoder does; `progress` counts the texts that the cache does not know.

        Returns:
            Vectors, float32, shape (n, dimension).

        Raises:
            InputError: An item is no encodable string, or an option is not known.
            TextTooLong: A text exceeds the limit and `long` is `"error"`.

        Warns:
            TruncationWarning: Texts exceed the limit and `long` is `"warn"`.
        """
        encode = partial(self._encoder.encode, role=role, batch_tokens=batch_tokens, normalize=normalize)
        if not hasattr(self._encoder, "count_tokens"):
            return encode(texts, long=long, progress=progress)
        nothing = encode([], long=long)  # refuses options that are not known
        policy = getattr(self._encoder, "_long", Long.WARN) if long is None else parse(Long, long, name="long")
        prompt = getattr(self._encoder, "prompts", {}).get(role, "")
        texts = as_texts(texts)
        places: dict[str, int] = {}
        rows = np.fromiter((places.setdefault(text, len(places)) for text in texts), np.int64, len(texts))
        unique = [prompt + text for text in places] if prompt else list(places)
        keys = self._keys(unique, nothing.fingerprint, policy, normalize)
        result, tokens, known = self._remembered(keys)
        if policy is Long.ERROR and tokens.any():  # one that is not known may come before
            tokens[~known] = self._beyond_limit([text for text, old in zip(unique, known, strict=True) if not old])
            raise _too_long(tokens[rows], self.max_tokens)
        originals, missing = list(places), np.flatnonzero(~known)
        quiet = Long.HEAD if policy is Long.WARN else policy
        with tracked(len(missing), "texts", progress) as update:
            for start in range(0, len(missing), BLOCK):
                block = missing[start : start + BLOCK]
                try:
                    new = encode(
                        [originals[place] for place in block],
                        long=quiet,
                        progress=lambda done, _, start=start: update(start + done),  # type: ignore[misc]
                    )
                except TextTooLong:
                    tokens[block] = self._beyond_limit([unique[place] for place in block])
                    raise _too_long(tokens[rows], self.max_tokens) from None
                cut = block[new.truncated]
                result[block], tokens[cut] = new.data, self._beyond_limit([unique[place] for place in cut])
                self._cache.put([keys[place] for place in block], new.data, tokens[block])
        if policy is Long.WARN and tokens.any():
            warnings.warn(_excess(tokens[rows], self.max_tokens), TruncationWarning, stacklevel=2)
        data = result if len(unique) == len(texts) else result[rows]
        return Vectors(data, nothing.fingerprint, tokens[rows] > 0, nothing.model)
