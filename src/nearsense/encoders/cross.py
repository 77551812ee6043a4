"""Pairs of texts to scores: a model that reads both together. Slower than two vectors, and a better judge."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np

from nearsense._progress import Progress, tracked
from nearsense.checks import positive_int
from nearsense.encoders.base import BATCH_TOKENS, CrossEncoder, Loadable, not_finite
from nearsense.encoders.batch import SLICE, excess_message
from nearsense.encoders.modules import ACTIVATIONS, Module, apply_modules
from nearsense.encoders.packing import Engine, Request, Tokens, pack, places_within
from nearsense.encoders.tokenizer import PairFrame, Tokenizer
from nearsense.errors import InputError, TextTooLong, TruncationWarning
from nearsense.records import Long, parse
from nearsense.text import as_texts
from nearsense.vectors.rows import distinct

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Places = NDArray[np.int64]


class PairsTruncated(TruncationWarning):
    """Pairs were cut at the model's limit; reading them in windows is no way out here."""


class PairTooLong(TextTooLong):
    """A pair exceeds the model's limit and `long="error"` was asked for."""


class PairEncoder(Loadable, CrossEncoder):
    """A cross-encoder. Made by `load_cross`; safe to use from several threads.

    Its `max_tokens` is for both texts together; `engine` makes the vector of a pair's first token, `modules` one
    number of that, `activation` a score of that. The rest is as for `TokenEncoder`.
    """

    def __init__(
        self,
        *,
        name: str,
        max_tokens: int,
        tokenizer: Tokenizer,
        engine: Engine,
        modules: Sequence[Module],
        activation: str,
        identity: Mapping[str, object],
        check: Callable[[Sequence[str]], None] = lambda texts: None,
        languages: Sequence[str] = (),
    ) -> None:
        self.name, self.max_tokens, self.long = name, max_tokens, Long.WARN
        self._tokenizer, self._engine, self._modules = tokenizer, engine, modules
        self._activation, self._check, self.languages = activation, check, tuple(languages)
        self.precision = engine.precision
        self._identity = {**identity, "max_tokens": max_tokens, "activation": activation, "left": tokenizer.left}

    def __repr__(self) -> str:
        return f"CrossEncoder({self.name!r}, {self.max_tokens} tokens at most)"

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over weights, tokenizer, head and maximum length."""
        return hashlib.sha256(json.dumps(self._identity, sort_keys=True).encode()).hexdigest()

    def score(
        self,
        pairs: Iterable[tuple[str, str]],
        *,
        long: str | None = None,
        batch_tokens: int = BATCH_TOKENS,
        logits: bool = False,
        progress: Progress = False,
    ) -> NDArray[np.float32]:
        """As `CrossEncoder.score`."""
        policy = self.long if long is None else parse(Long, long, name="long")
        if policy is Long.CHUNK:
            what = 'long="chunk" is not for cross-encoders'
            raise InputError(what, why="a pair is read as a whole, or cut", fix='use "warn", "head" or "error"')
        batch_tokens = positive_int(batch_tokens, "batch_tokens") * self._engine.scale
        firsts, seconds = _split_pairs(pairs)
        self._check(seconds)
        lengths = np.zeros(len(firsts), np.int64)
        found = np.zeros((len(firsts), 1), np.float32)
        requests = self._requests(firsts, seconds, policy, batch_tokens, lengths)
        with tracked(len(firsts), "pairs", progress) as update, closing(self._engine.run(requests)) as answers:
            done = 0
            for request, numbers in apply_modules(answers, self._modules) if self._modules else answers:
                found[request.items] = numbers
                update(done := done + len(request.items))
        if not np.isfinite(found).all():
            raise not_finite(self.name, f"score for {int((~np.isfinite(found)).sum()):,} pairs")
        if policy is Long.WARN and (lengths > self.max_tokens).any():
            warnings.warn(excess_message(lengths, self.max_tokens, "pairs"), PairsTruncated, stacklevel=2)
        scores: NDArray[np.float32] = found[:, 0]
        return scores if logits else ACTIVATIONS[self._activation](scores)

    def count_tokens(self, pairs: Iterable[tuple[str, str]]) -> NDArray[np.int64]:
        """As `CrossEncoder.count_tokens`."""
        (left, rows), (right, others) = map(self._tokenize, _split_pairs(pairs))
        return left.lengths[rows] + right.lengths[others] + self._tokenizer.frame.specials

    def _requests(
        self, firsts: list[str], seconds: list[str], policy: Long, batch_tokens: int, lengths: NDArray[np.int64]
    ) -> Iterator[Request]:
        """Tokenize and pack, a slice of pairs at a time; a text that occurs again is tokenized once."""
        frame = self._tokenizer.frame
        for start in range(0, len(firsts), SLICE):
            stretch = slice(start, start + SLICE)
            left, left_rows = self._tokenize(firsts[stretch])
            right, right_rows = self._tokenize(seconds[stretch])
            counts = left.lengths[left_rows], right.lengths[right_rows]
            lengths[stretch] = counts[0] + counts[1] + frame.specials
            if policy is Long.ERROR and (lengths[stretch] > self.max_tokens).any():
                raise self._too_long(lengths)
            kept = longest_first(*counts, self.max_tokens - frame.specials)
            spans = join(frame, left, right, (left_rows, right_rows), kept, left=self._tokenizer.left)
            items = np.arange(len(spans.lengths)) + start
            yield from pack(spans, items, np.ones(len(items), np.float32), batch_tokens, alone=self._engine.alone)

    def _tokenize(self, texts: list[str]) -> tuple[Tokens, NDArray[np.int64]]:
        """The tokens of different texts, and which of them each text is."""
        different, rows = distinct(texts)
        return self._tokenizer(different), rows

    def _too_long(self, lengths: NDArray[np.int64]) -> PairTooLong:
        position = int(np.argmax(lengths > self.max_tokens))
        why = f"{self.name} reads {self.max_tokens:,} at most, both texts and special tokens included"
        fix = 'shorten it, or use long="head" (the longer text is cut)'
        return PairTooLong(f"pair {position} has {lengths[position]:,} tokens", why=why, fix=fix)


def _split_pairs(pairs: Iterable[tuple[str, str]]) -> tuple[list[str], list[str]]:
    listed = list(pairs)
    for place, pair in enumerate(listed):
        if isinstance(pair, str) or not hasattr(pair, "__len__") or len(pair) != 2:
            raise InputError(f"pair {place} is no pair of texts", fix='give [("query", "text"), ...]')
    return as_texts([first for first, _ in listed], "query"), as_texts([second for _, second in listed])


def longest_first(first: Places, second: Places, room: int) -> tuple[Places, Places]:
    """The tokens left of n pairs of texts, int64, shape (n,), that share some room: the longer is cut first.

    >>> kept = longest_first(np.array([10, 90, 80]), np.array([20, 30, 90]), 101)
    >>> [each.tolist() for each in kept]
    [[10, 71, 50], [20, 30, 51]]
    """
    short, long = np.minimum(first, second), np.maximum(first, second)
    half = room // 2
    fits = first + second <= room
    beside = short <= half  # the shorter one stays whole
    kept_long = np.where(fits, long, np.where(beside, room - short, room - half))
    kept_short = np.where(fits | beside, short, half)
    swapped = first > second
    return np.where(swapped, kept_long, kept_short), np.where(swapped, kept_short, kept_long)


def join(
    frame: PairFrame,
    first: Tokens,
    second: Tokens,
    rows: tuple[Places, Places],
    lengths: tuple[Places, Places],
    *,
    left: bool = False,
) -> Tokens:
    """Pairs of texts, each with the special tokens around and between them: what a cross-encoder reads.

    Of the texts `rows` of `first` and `second` so many tokens as `lengths` says are kept, both int64, shape (n,);
    the last ones with `left`.
    """
    kinds, fixed = frame.types, frame.ids
    whole = lengths[0] + lengths[1] + frame.specials
    begins = np.cumsum(whole) - whole
    joined = Tokens(np.empty(int(whole.sum()), np.int32), whole, np.empty(int(whole.sum()), np.int32))
    at = _put(joined, begins, fixed[0], kinds[0])
    at = _copy(joined, at, first, rows[0], lengths[0], kinds[1], left)
    at = _put(joined, at, fixed[1], kinds[2])
    at = _copy(joined, at, second, rows[1], lengths[1], kinds[3], left)
    _put(joined, at, fixed[2], kinds[4])
    return joined


def _put(joined: Tokens, at: Places, ids: NDArray[np.int32], types: NDArray[np.int32]) -> Places:
    """The same tokens into every pair; where it goes on."""
    assert joined.types is not None
    for place, (token, kind) in enumerate(zip(ids, types, strict=True)):
        joined.ids[at + place], joined.types[at + place] = token, kind
    return at + len(ids)


def _copy(joined: Tokens, at: Places, texts: Tokens, rows: Places, kept: Places, kind: int, left: bool) -> Places:
    """Each pair's own text; where it goes on."""
    assert joined.types is not None
    within = places_within(kept)
    target = np.repeat(at, kept) + within
    starts = texts.starts[rows] + (texts.lengths[rows] - kept if left else 0)
    joined.ids[target] = texts.ids[np.repeat(starts, kept) + within]
    joined.types[target] = kind
    return at + kept
