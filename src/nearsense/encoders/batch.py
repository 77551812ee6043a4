"""The one batch loop that all encoders of token ids share. Not the tokenizer, not the engine."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing
from copy import copy
from typing import TYPE_CHECKING, Protocol

import numpy as np

from nearsense._progress import Progress, tracked
from nearsense.encoders.base import BATCH_TOKENS, ROLES, TruncationWarning
from nearsense.encoders.packing import Request, pack
from nearsense.encoders.pooling import Pooling
from nearsense.encoders.tokenizer import Tokenizer
from nearsense.encoders.windows import heads, windows
from nearsense.errors import BrokenModel, InputError, TextTooLong
from nearsense.metrics import normalize as unit_length
from nearsense.metrics.rows import from_one
from nearsense.text import as_texts
from nearsense.types import Long, Vectors, parse

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Engine", "TokenEncoder"]

SLICE = 8192
"""Texts that are tokenized at a time: bounds the memory, and lets tokenizing overlap with inference."""


class Engine(Protocol):
    """Whatever computes vectors from packed token ids."""

    def run(self, requests: Iterable[Request]) -> Generator[tuple[Request, NDArray[np.float32]], None, None]:
        """Each request with the pooled vectors of its items, float32, shape (m, h)."""
        ...  # pragma: no cover


class TokenEncoder:
    """Texts to vectors through a tokenizer and an engine. Made by `load`; safe to use from several threads.

    Args:
        name: The model's name.
        dimension: Length of a vector.
        max_tokens: The model's limit, special tokens included.
        pooling: Which tokens make a text's vector.
        prompts: What is put before a text, by role.
        tokenizer: Text to ids.
        engine: Ids to vectors.
        identity: Everything else that decides a vector, as JSON values: hashes of the files.
    """

    def __init__(
        self,
        *,
        name: str,
        dimension: int,
        max_tokens: int,
        pooling: Pooling,
        prompts: Mapping[str, str],
        tokenizer: Tokenizer,
        engine: Engine,
        identity: Mapping[str, object],
    ) -> None:
        self.name, self.dimension, self.max_tokens = name, dimension, max_tokens
        self._prompts, self.long = dict(prompts), Long.WARN
        self._tokenizer, self._engine = tokenizer, engine
        self._identity = {
            **identity,
            "pooling": pooling.value,
            "max_tokens": max_tokens,
            "prompts": dict(sorted(prompts.items())),
        }

    @property
    def prompts(self) -> dict[str, str]:
        """What is put before a text, by role."""
        return dict(self._prompts)

    def __repr__(self) -> str:
        return f"Encoder({self.name!r}, {self.dimension} dimensions, {self.max_tokens} tokens at most)"

    def with_long(self, long: Long) -> TokenEncoder:
        """The same encoder, which does `long` with long texts where a call does not say."""
        other = copy(self)
        other.long = long
        return other

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over weights, tokenizer, pooling, normalisation, maximum length and prompts.

        Precision, role and what happens to long texts are not part of it: such vectors still compare.
        """
        return self._fingerprint(normalize=True)

    def _fingerprint(self, *, normalize: bool) -> str:
        identity = {**self._identity, "normalize": normalize}
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()

    def count_tokens(self, texts: str | Iterable[str]) -> NDArray[np.int64]:
        """How many tokens each text has, special ones included, before anything is cut.

        Returns:
            int64, shape (n,).
        """
        return self._tokenizer(as_texts(texts)).lengths + self._tokenizer.specials

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
        """Turn texts into vectors whose directions are near where the meanings are.

        Equal texts are computed once. The order of the rows is the order of the texts, and a vector does not
        depend on which texts it was computed with beyond rounding.

        Args:
            texts: Strings; one string is a batch of one.
            role: `"query"` or `"passage"` for models that put a prompt before each; None for neither.
            long: What happens beyond `max_tokens`: `"warn"`, `"error"`, `"head"` or `"chunk"`.
            batch_tokens: Tokens in one request to the engine: speed against memory.
            normalize: Give unit length to each vector.
            progress: True for a bar on stderr, or a function called with (done, total).

        Returns:
            Vectors, float32, shape (n, dimension).

        Raises:
            InputError: An item is no encodable string, or an option is not known.
            TextTooLong: A text exceeds the limit and `long` is `"error"`.

        Warns:
            TruncationWarning: Texts exceed the limit and `long` is `"warn"`.

        Example:
            >>> import nearsense as ns
            >>> ns.load().encode(["hello world", "good morning"])
            Vectors(2 x 384, all-MiniLM-L6-v2 ...)
        """
        policy = self.long if long is None else parse(Long, long, name="long")
        prompt = self._prompt(role)
        batch_tokens = from_one(batch_tokens, "batch_tokens")
        texts = as_texts(texts)
        places: dict[str, int] = {}
        rows = np.fromiter((places.setdefault(text, len(places)) for text in texts), np.int64, len(texts))
        unique = list(places)
        result = np.zeros((len(unique), self.dimension), np.float32)
        lengths = np.zeros(len(unique), np.int64)
        requests = self._requests(unique, prompt, policy, batch_tokens, rows, lengths)
        with (
            tracked(len(unique), "texts", progress) as update,
            closing(self._engine.run(requests)) as answers,
        ):
            done = 0.0
            for request, vectors in answers:
                if policy is Long.CHUNK:  # several windows may be of one text
                    np.add.at(result, request.items, request.shares[:, None] * vectors)
                else:
                    result[request.items] = vectors
                done += float(request.shares.sum())
                update(round(done))
        if not np.isfinite(result).all():
            raise BrokenModel(
                f"{self.name} gives no finite vector for {int((~np.isfinite(result).all(axis=1)).sum()):,} texts",
                why="its weights are damaged, or overflow in this precision",
                fix='try precision="f32", or get the model\'s folder anew',
            )
        if normalize:
            result = unit_length(result, zero="keep")
        cut = lengths > self.max_tokens
        if policy is Long.WARN and cut.any():
            warnings.warn(excess(lengths[rows], self.max_tokens), TruncationWarning, stacklevel=2)
        truncated = np.zeros(len(texts), np.bool_) if policy is Long.CHUNK else cut[rows]
        data = result if len(unique) == len(texts) else result[rows]
        return Vectors(data, self._fingerprint(normalize=normalize), truncated, self.name)

    def _requests(
        self,
        texts: list[str],
        prompt: str,
        policy: Long,
        batch_tokens: int,
        rows: NDArray[np.int64],
        lengths: NDArray[np.int64],
    ) -> Iterator[Request]:
        """Tokenize and pack, a slice of texts at a time; notes each text's length in tokens in `lengths`.

        `rows` tells for each of the caller's texts which of `texts` it is.
        """
        specials = self._tokenizer.specials
        limit = self.max_tokens - specials
        for first in range(0, len(texts), SLICE):
            part = (
                [prompt + text for text in texts[first : first + SLICE]]
                if prompt
                else texts[first : first + SLICE]
            )
            tokens = self._tokenizer(part)
            lengths[first : first + len(part)] = tokens.lengths + specials
            if policy is Long.ERROR and (tokens.lengths > limit).any():
                raise too_long(lengths[rows], self.max_tokens)
            spans = (windows if policy is Long.CHUNK else heads)(tokens.starts, tokens.lengths, limit)
            framed = self._tokenizer.framed(tokens, spans.starts, spans.lengths)
            yield from pack(framed, spans.owners + first, spans.shares, batch_tokens)

    def _prompt(self, role: str | None) -> str:
        if role is not None and role not in ROLES:
            raise InputError(f"role={role!r} is not known", fix=f"use one of: {', '.join(ROLES)}, or None")
        return self._prompts.get(role, "") if role else ""


def excess(lengths: NDArray[np.int64], limit: int) -> str:
    """What is cut, in one line."""
    over = int((lengths > limit).sum())
    verb = "exceeds" if over == 1 else "exceed"
    return f"{over:,} of {len(lengths):,} texts {verb} {limit:,} tokens (longest {lengths.max():,})"


def too_long(lengths: NDArray[np.int64], limit: int) -> TextTooLong:
    position = int(np.argmax(lengths > limit))
    return TextTooLong(
        f"text {position} has {lengths[position]:,} tokens",
        why=f"the model reads {limit:,} at most, special tokens included",
        fix='shorten it, or use long="chunk" (all of it, in windows) or long="head" (its head only)',
    )
