"""The one batch loop that all encoders of token ids share. Not the tokenizer, not the engine."""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from contextvars import ContextVar
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from nearsense._progress import Progress, tracked
from nearsense.checks import positive_int
from nearsense.encoders.base import BATCH_TOKENS, ROLES, Encoder, Loadable, TokenVectors, not_finite, unknown_role
from nearsense.encoders.modules import Module, apply_modules
from nearsense.encoders.packing import (
    Engine,
    Pooling,
    Request,
    Spans,
    Tokens,
    heads,
    pack,
    pool,
    tails,
    whole_texts_only,
    windows,
)
from nearsense.encoders.tokenizer import Tokenizer
from nearsense.encoders.words import NO_WORD, Pieces, Seen, words_of
from nearsense.errors import InputError, RoleWarning, TextTooLong, TruncationWarning, UnknownTextWarning
from nearsense.records import Long, Metric, ReadAs, Vectors, parse
from nearsense.text import as_texts
from nearsense.vectors.rows import distinct, normalize_in_place

if TYPE_CHECKING:
    from nearsense.encoders.packing import Floats, Places


SHORT_WORD = 64  # characters of a word that every tokenizer takes apart: some know no longer ones than 100
SLICE = 8192  # texts that are tokenized at a time: bounds the memory, and lets tokenizing overlap with inference


class TokenEncoder(Loadable, Encoder):
    """Texts to vectors through a tokenizer and an engine. Made by `load`; safe to use from several threads.

    `identity` is everything else that decides a vector, as JSON values: hashes of the files. `modules` come after
    pooling. `check` is called with the different texts of each call, before they are encoded: it may warn.
    """

    changeable = ("long", "similarity", "dimension")
    long: Long

    def __init__(
        self,
        *,
        name: str,
        dimension: int,
        max_tokens: int,
        pooling: Sequence[Pooling],
        prompts: Mapping[str, str],
        tokenizer: Tokenizer,
        engine: Engine,
        identity: Mapping[str, object],
        modules: Sequence[Module] = (),
        source: str = "",
        similarity: Metric = Metric.COSINE,
        needs_role: bool = False,
        check: Callable[[Sequence[str]], None] = lambda texts: None,
        languages: Sequence[str] = (),
    ) -> None:
        self.name, self.dimension, self.max_tokens = name, dimension, max_tokens
        self.similarity, self.needs_role, self.source = similarity, needs_role, source or name
        self._prompts, self.long = dict(prompts), Long.WARN
        self._tokenizer, self._engine, self._modules = tokenizer, engine, modules
        self._check, self.languages = check, tuple(languages)
        self.precision = engine.precision
        self._pooling = pooling if engine.pooling is None else engine.pooling
        self._identity = {
            **identity,
            "pooling": "+".join(pooling),
            "max_tokens": max_tokens,
            "prompts": dict(sorted(prompts.items())),
        }
        if tokenizer.left:
            self._identity["cut"] = "left"
        if modules:
            self._identity["modules"] = [module.identity() for module in modules]

    @property
    def prompts(self) -> dict[str, str]:
        """What is put before a text, by role."""
        return dict(self._prompts)

    @property
    def pooling(self) -> str:
        """What makes a text's vector of those of its tokens: "mean", "cls", ..., "+" between several."""
        return "+".join(self._pooling)

    @property
    def tokenizer(self) -> Tokenizer:
        """What takes its texts apart."""
        return self._tokenizer

    def __repr__(self) -> str:
        return f"Encoder({self.name!r}, {self.dimension} dimensions, {self.max_tokens} tokens at most)"

    def side_by_side(self) -> TokenEncoder:
        """The same encoder, of which each call runs by itself, on a share of the cores."""
        engine = self._engine.side_by_side()
        return self._with(_engine=engine, calls_at_once=engine.calls_at_once)

    def with_similarity(self, similarity: Metric) -> TokenEncoder:
        """The same encoder, its vectors made for another comparison: of unit length for cosine."""
        same = similarity is self.similarity
        return self._with(similarity=similarity, calibration_file=self.calibration_file if same else "")

    def with_dimensions(self, dimensions: int) -> TokenEncoder:
        """The same encoder, which keeps the first so many numbers of a vector (Kusupati et al. 2022)."""
        identity = {**self._identity, "dimensions": dimensions}
        return self._with(dimension=dimensions, calibration_file="", _identity=identity)

    def with_limit(self, max_tokens: int) -> TokenEncoder:
        """The same encoder, which reads so many tokens of a text at most, special ones included."""
        least = self._tokenizer.specials + 1
        if not least <= positive_int(max_tokens, "max_tokens") <= self.max_tokens:
            why = f"{self.name} reads from {least} to {self.max_tokens} tokens"
            raise InputError(
                f"a limit of {max_tokens} tokens is not possible", why=why, fix=f"{self.max_tokens}, say"
            )
        identity = {**self._identity, "max_tokens": max_tokens}
        other = self._with(max_tokens=max_tokens, calibration_file="", _identity=identity)
        for known in ("_room", "_characters_surely_read"):
            other.__dict__.pop(known, None)
        return other

    def without_prompts(self) -> TokenEncoder:
        """The same encoder, which puts nothing before a text, whatever its role."""
        return self._with(_prompts={}, needs_role=False, _identity={**self._identity, "prompts": {}})

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over weights, tokenizer, pooling, normalisation, maximum length and prompts.

        Precision, role and what happens to long texts are not part of it: such vectors still compare.
        """
        return self._fingerprint(normalize=self.similarity is Metric.COSINE)

    def _fingerprint(self, *, normalize: bool) -> str:
        identity = {**self._identity, "normalize": normalize}
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()

    def count_tokens(self, texts: str | Iterable[str]) -> Places:
        """How many tokens each text has, special ones included, before anything is cut: int64, shape (n,)."""
        return self._tokenizer(as_texts(texts)).lengths + self._tokenizer.specials

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
        """As `Encoder.encode`; equal texts are computed once.

        A vector does not depend on which texts it was computed with beyond rounding.

        >>> import nearsense as ns
        >>> ns.load().encode(["hello world", "good morning"])
        Vectors(2 x 384, all-MiniLM-L6-v2 ...)
        """
        policy = self.long if long is None else parse(Long, long, name="long")
        prompt, different = self._prompt(role), distinct(as_texts(texts))
        self.check_language(different[0])
        vectors, lengths = self._encode(different, prompt, policy, batch_tokens, normalize, progress)
        if policy is Long.WARN and (lengths > self.max_tokens).any():
            warnings.warn(excess_message(lengths, self.max_tokens), TruncationWarning, stacklevel=2)
        return vectors

    def encode_and_count(
        self,
        texts: Sequence[str],
        *,
        role: str | None = None,
        long: str | None = None,
        normalize: bool | None = None,
    ) -> tuple[Vectors, Places]:
        """As `Encoder.encode_and_count`, tokenized once; it warns neither of languages nor of what is cut."""
        policy = self.long if long is None else parse(Long, long, name="long")
        return self._encode(distinct(as_texts(texts)), self._prompt(role), policy, BATCH_TOKENS, normalize, False)

    def _encode(
        self,
        different: tuple[list[str], Places],
        prompt: str,
        policy: Long,
        batch_tokens: int,
        normalize: bool | None,
        progress: Progress,
    ) -> tuple[Vectors, Places]:
        """The vectors of n texts, m of them different, and their tokens before anything is cut: int64, (n,)."""
        normalize = self.similarity is Metric.COSINE if normalize is None else normalize
        batch_tokens = positive_int(batch_tokens, "batch_tokens") * self._engine.scale
        unique, rows = different
        lengths = np.zeros(len(unique), np.int64)
        requests = self._requests(different, lengths, prompt, policy, batch_tokens)
        result = self._compute(unique, requests, progress)
        if normalize:
            normalize_in_place(result, zero="keep")
        lengths = lengths[rows]
        truncated = np.zeros(len(rows), np.bool_) if policy is Long.CHUNK else lengths > self.max_tokens
        data = result if len(unique) == len(rows) else result[rows]
        read_as = ReadAs(prompt, policy is Long.CHUNK, self.max_tokens)
        return Vectors(data, self._fingerprint(normalize=normalize), truncated, self.name, read_as), lengths

    def _requests(
        self, different: tuple[list[str], Places], lengths: Places, prompt: str, policy: Long, batch_tokens: int
    ) -> Iterator[Request]:
        """Tokenize and pack, a slice of texts at a time, and note their tokens in `lengths`."""
        (texts, rows), specials = different, self._tokenizer.specials
        for first in range(0, len(texts), SLICE):
            part = texts[first : first + SLICE]
            tokens = self._tokenizer([prompt + text for text in part] if prompt else part)
            lengths[first : first + len(part)] = tokens.lengths + specials
            if policy is Long.ERROR and (tokens.lengths + specials > self.max_tokens).any():
                raise too_long(lengths[rows], self.max_tokens)
            spans = self._spans(tokens, policy)
            framed = self._tokenizer.with_specials(tokens, spans.starts, spans.lengths)
            owners, shares = spans.owners + first, spans.shares
            if not specials and not framed.lengths.all():  # a text without any token is the zero vector
                some = framed.lengths > 0
                framed = Tokens(framed.ids, framed.lengths[some])
                owners, shares = owners[some], shares[some]
            how = {"alone": self._engine.alone, "flat": self._engine.flat}
            yield from pack(framed, owners, shares, batch_tokens, **how)

    def _spans(self, tokens: Tokens, policy: Long) -> Spans:
        """What is read of each text, special tokens not counted."""
        cut = windows if policy is Long.CHUNK else tails if self._tokenizer.left else heads
        return cut(tokens.starts, tokens.lengths, self.max_tokens - self._tokenizer.specials)

    def _compute(self, texts: list[str], requests: Iterator[Request], progress: Progress) -> Floats:
        """The vectors of texts, not yet of unit length."""
        result = np.zeros((len(texts), self.dimension), np.float32)
        with tracked(len(texts), "texts", progress) as update, closing(self._engine.run(requests)) as answers:
            done = 0.0
            for request, whole in apply_modules(answers, self._modules) if self._modules else answers:
                vectors = whole[:, : self.dimension]
                if (request.shares == 1).all():
                    result[request.items] = vectors
                else:  # several windows may be of one text
                    np.add.at(result, request.items, request.shares[:, None] * vectors)
                done += float(request.shares.sum())
                update(round(done))
        if not np.isfinite(result).all():
            raise not_finite(self.name, f"vector for {int((~np.isfinite(result).all(axis=1)).sum()):,} texts")
        return result

    def _prompt(self, role: str | None) -> str:
        if role is not None and role not in ROLES:
            raise unknown_role(role)
        if role is None and self.needs_role and self.name not in _warned_of_roles:
            _warned_of_roles.add(self.name)
            says = f'{self.name} needs to know what a text is: role="query" or role="passage"'
            warnings.warn(says, RoleWarning, stacklevel=3)
        return self._prompts.get(role or "default", "")

    def tokens(
        self, texts: str | Iterable[str], *, role: str | None = None, long: str | None = None
    ) -> list[TokenVectors]:
        """What the model makes of each text before pooling, and which words the tokens belong to.

        All of it is kept in memory. Nothing is warned of: `TokenVectors.truncated` tells.

        >>> import nearsense as ns
        >>> found = ns.load().tokens("unbelievably good")[0]
        >>> found.vectors.shape, found.words.tolist(), found.spans.tolist()
        ((8, 384), [-1, 0, 0, 0, 0, 0, 1, -1], [[0, 12], [13, 17]])
        """
        policy = self.long if long is None else parse(Long, long, name="long")
        prompt, (unique, rows) = self._prompt(role), distinct(as_texts(texts))
        found = self._token_vectors([prompt + text for text in unique], len(prompt), policy)
        return [found[row] for row in rows]

    def _token_vectors(self, texts: list[str], prompt: int, policy: Long) -> list[TokenVectors]:
        """Texts without pooling, packed as `encode` packs them; their first `prompt` characters are the prompt."""
        tokens, pieces = self._tokenizer(texts), self._tokenizer.pieces(texts)
        cut = tokens.lengths + self._tokenizer.specials > self.max_tokens
        if policy is Long.ERROR and cut.any():
            raise too_long(tokens.lengths + self._tokenizer.specials, self.max_tokens)
        spans = self._spans(tokens, policy)
        framed = self._tokenizer.with_specials(tokens, spans.starts, spans.lengths)
        rows, pooling = self._unpooled(framed, spans), () if self._modules else self._pooling
        around = len(self._tokenizer.prefix), len(self._tokenizer.suffix)
        result = []
        for text, (piece, start) in enumerate(zip(pieces, tokens.starts, strict=True)):
            own = np.flatnonzero(spans.owners == text)
            begins = spans.starts[own] - start
            ends = begins + spans.lengths[own]
            read = Pieces(*(each[: ends.max()] for each in (piece.starts, piece.ends, piece.words)))
            owners, words = words_of(texts[text], read, prompt)
            stretches = [owners[begin:end] for begin, end in zip(begins, ends, strict=True)]
            counts = [(spans.shares[span], token_counts(pooling, len(rows[span]))) for span in own]
            scaled = [share * count for share, count in counts if count is not None]
            read_in_full = not self._modules and all(len(rows[span]) for span in own)
            result.append(
                TokenVectors(
                    vectors=np.concatenate([rows[span] for span in own]),
                    words=np.concatenate([np.pad(each, around, constant_values=NO_WORD) for each in stretches]),
                    spans=words,
                    counts=np.concatenate(scaled) if len(scaled) == len(counts) else None,
                    truncated=policy is not Long.CHUNK and bool(cut[text]),
                    whole=self._pooled([rows[span] for span in own], spans.shares[own]) if read_in_full else None,
                )
            )
        return result

    def _pooled(self, parts: list[Floats], shares: Floats) -> Floats:
        """The vector of a text from the token vectors of its windows, by the operations that engines pool with."""
        found, begin = np.zeros(self.dimension, np.float32), np.zeros(1, np.int64)
        for tokens, share in zip(parts, shares, strict=True):
            whole = pool(self._pooling, tokens, begin, np.array([len(tokens)]))[0, : self.dimension]
            found += whole if share == 1 else share * whole
        return found

    def _unpooled(self, framed: Tokens, spans: Spans) -> list[Floats]:
        """The token vectors of each span, as long as a text's vector where no modules follow."""
        some = np.flatnonzero(framed.lengths > 0)
        packed = Tokens(framed.ids, framed.lengths[some])
        requests = pack(packed, some, spans.shares[some], BATCH_TOKENS * self._engine.scale)
        found: dict[int, Floats] = {}
        with closing(self._engine.unpooled().run(requests)) as answers:
            for request, vectors in answers:
                if len(vectors) != request.lengths.sum():  # the graph pools by itself
                    raise whole_texts_only()
                parts = np.split(vectors, np.cumsum(request.lengths)[:-1])
                found.update(zip(request.items.tolist(), parts, strict=True))
        nothing = np.zeros((0, next((each.shape[1] for each in found.values()), 0)), np.float32)
        width = None if self._modules else self.dimension
        return [found.get(span, nothing)[:, :width] for span in range(len(framed.lengths))]

    def sees_all(self, text: str) -> bool:
        """Whether the model certainly reads all of a text, each word as another: a quick look, no tokens.

        >>> import nearsense as ns
        >>> encoder = ns.load()
        >>> encoder.sees_all("Is the free plan free?"), encoder.sees_all("Is the \u2705 plan free?")
        (True, False)
        """
        short = text.isascii() and len(text) <= self._characters_surely_read
        return short and (len(text) <= SHORT_WORD or not _LONG_WORD(text))

    def sees(self, texts: Sequence[str]) -> list[Seen]:
        """What the model sees of each word of each text, without prompts.

        >>> import nearsense as ns
        >>> found = ns.load().sees(["Is the \u2705 plan free?"])[0]
        >>> [word for word, known in zip(found.words, found.known) if not known]
        ['\u2705']
        """
        return self._tokenizer.sees(texts, None if self.long is Long.CHUNK else self._room)

    @cached_property
    def _characters_surely_read(self) -> int:
        """Characters of an ASCII text that the model reads to the end, whatever they are."""
        return self._room if self._tokenizer.knows_ascii else -1

    @cached_property
    def _room(self) -> int:
        """Tokens that are left for a text beside the special ones and the longest prompt."""
        prompts = self._tokenizer(list(self._prompts.values()) or [""]).lengths
        return max(self.max_tokens - self._tokenizer.specials - int(prompts.max()), 0)

    def check_language(self, texts: Sequence[str]) -> None:
        """Warn once where many of a sample of texts are in another language; of those without a known token."""
        if _CHECKED.get():
            return
        self._check(texts)
        strange = [text for text in islice(texts, SLICE) if text.strip() and not _PLAIN(text)]
        if strange and (unknown := int((~self._tokenizer.knows(self._tokenizer(strange))).sum())):
            have = " has" if unknown == 1 else "s have"
            says = f"{unknown:,} text{have} no token that {self.name} knows: such vectors say nothing"
            warnings.warn(says, UnknownTextWarning, stacklevel=3)


_CHECKED: ContextVar[bool] = ContextVar("language_checked", default=False)


@contextmanager
def language_checked() -> Iterator[None]:
    """Encode texts without `check_language`, which was called for all of them."""
    token = _CHECKED.set(True)
    try:
        yield
    finally:
        _CHECKED.reset(token)


_warned_of_roles: set[str] = set()  # the models of which it was said that they need a role; once is enough
_PLAIN = re.compile("[0-9A-Za-z]").search  # a text that matches has a token in every vocabulary

_LONG_WORD = re.compile(rf"\S{{{SHORT_WORD + 1}}}").search


def excess_message(lengths: Places, limit: int, what: str = "texts") -> str:
    """What is cut, in one line."""
    over = int((lengths > limit).sum())
    verb = "exceeds" if over == 1 else "exceed"
    return f"{over:,} of {len(lengths):,} {what} {verb} {limit:,} tokens (longest {lengths.max():,})"


def too_long(lengths: Places, limit: int) -> TextTooLong:
    """The error that names the first text beyond the limit, by its place in `lengths`."""
    position = int(np.argmax(lengths > limit))
    why = f"the model reads {limit:,} at most, special tokens included"
    fix = 'shorten it, or use long="chunk" (all of it, in windows) or long="head" (its head only)'
    return TextTooLong(f"text {position} has {lengths[position]:,} tokens", why=why, fix=fix)


def token_counts(pooling: Sequence[Pooling], length: int) -> Floats | None:
    """How much each token counts in a pooled vector, shape (length,); None where that is no weighted sum.

    >>> token_counts([Pooling.MEAN], 4), token_counts([Pooling.MAX], 4)
    (array([0.25, 0.25, 0.25, 0.25], dtype=float32), None)
    """
    if len(pooling) != 1 or pooling[0] not in _COUNTS:
        return None
    return _COUNTS[pooling[0]](np.arange(1, length + 1, dtype=np.float32))


_COUNTS: dict[Pooling, Callable[[Floats], Floats]] = {
    Pooling.MEAN: lambda places: np.full_like(places, 1 / max(len(places), 1)),
    Pooling.MEAN_SQRT: lambda places: np.full_like(places, 1 / np.sqrt(max(len(places), 1))),
    Pooling.WEIGHTED_MEAN: lambda places: places / places.sum(),
}
"""The count of each token, by its place from 1."""
