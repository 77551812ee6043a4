"""Any server of the OpenAI embeddings API as an ordinary encoder. Not its HTTP and JSON: server.py."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import numpy as np

from nearsense._forks import lock
from nearsense._progress import Progress, tracked
from nearsense.checks import positive_int
from nearsense.encoders.base import BATCH_TOKENS, ROLES, Encoder, unknown_role
from nearsense.encoders.catalog import ModelCard, card_of
from nearsense.encoders.server import (
    Key,
    Limits,
    Refusal,
    Reply,
    Transport,
    Usage,
    question,
    refusal_error,
    run_concurrently,
    too_long,
    vectors_of,
)
from nearsense.errors import InputError, ModelError, ModelNotFound
from nearsense.records import Long, Metric, ReadAs, Vectors, parse
from nearsense.text import as_texts
from nearsense.vectors.rows import distinct
from nearsense.vectors.rows import normalize as unit_length

if TYPE_CHECKING:
    from numpy.typing import NDArray

PREFIX, HOME = "openai:", "https://api.openai.com/v1"
KEY, BASE_URL = "OPENAI_API_KEY", "OPENAI_BASE_URL"

SINGLED_OUT = 4
"""Texts of a refused request that are sent alone, the longest first, to learn which of them is too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """A model, and the server that has it."""

    name: str
    base_url: str  # what comes before `/embeddings`
    dimension: int  # 0 where it is not known
    dimensions: int | None  # the length to ask the server for
    max_tokens: int  # 0 where it is not known
    prompts: Mapping[str, str]
    similarity: Metric
    price: float | None  # US dollars for a million tokens


class RemoteEncoder(Encoder):
    """Texts to vectors through a server. Made by `load_remote`; safe to use from several threads.

    The key stays in the environment: an encoder neither shows nor pickles it, and an unpickled one reads it anew.
    """

    cuts = False
    """No text is ever cut here: one that is too long is refused. So a cache may keep every vector."""

    def __init__(
        self, served: ServedModel, limits: Limits, transport: Callable[..., Transport] = Transport
    ) -> None:
        self._served, self._limits, self._model = served, limits, served.name.removeprefix(PREFIX)
        self.name, self.dimension, self.max_tokens = served.name, served.dimension, served.max_tokens
        self.similarity, self._host = served.similarity, urlsplit(served.base_url).netloc
        self._who = f"{self.name} at {self._host}"
        self._encoding = "base64"
        self._lock, self._usage, self._tokens_known = lock(), Usage(), True
        self._transport = transport(f"{served.base_url}/embeddings", Key(KEY), who=self._who, limits=limits)

    def __repr__(self) -> str:
        return f"Encoder({self.name!r}, {self.dimension} dimensions, at {self._host})"

    def __reduce__(self) -> tuple[object, ...]:
        return RemoteEncoder, (replace(self._served, dimension=self.dimension), self._limits)

    @property
    def prompts(self) -> dict[str, str]:
        """What is put before a text, by role."""
        return dict(self._served.prompts)

    @property
    def usage(self) -> Usage:
        """What this encoder has taken so far."""
        with self._lock:
            price = self._served.price if self._tokens_known else None
            return replace(self._usage, cost=None if price is None else self._usage.tokens * price / 1e6)

    def with_long(self, long: Long) -> RemoteEncoder:
        """The same encoder: what it does with long texts is the server's to say, and cutting them is refused."""
        _require_whole(long)
        return self

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over host and path, model, dimension, normalisation and prompts. The server is not asked.

        The maker may change the model behind a name without notice, so this promises no more than the name does.
        """
        return self._fingerprint(normalize=self.similarity is Metric.COSINE)

    def _fingerprint(self, *, normalize: bool) -> str:
        identity = {
            "provider": self._host.lower() + urlsplit(self._served.base_url).path,
            "model": self._model,
            "dimension": self.dimension,
            "normalize": normalize,
            "prompts": dict(sorted(self._served.prompts.items())),
        }
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()

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
        """As `Encoder.encode`; equal texts are sent, and paid for, once, and what is too long is refused.

        Nothing of a call is kept where it ends in an error, which says how many texts were done. `batch_tokens`
        suits a processor, and is only checked here: `Limits` says what suits a server.
        """
        _require_whole(Long.WARN if long is None else parse(Long, long, name="long"))
        normalize = self.similarity is Metric.COSINE if normalize is None else normalize
        if role is not None and role not in ROLES:
            raise unknown_role(role)
        prompt = self._served.prompts.get(role or "default", "")
        positive_int(batch_tokens, "batch_tokens")
        texts = as_texts(texts)
        unique, rows = distinct(texts)
        if prompt:
            unique = [prompt + text for text in unique]
        result = np.zeros((len(unique), self.dimension), np.float32)
        stop, done = threading.Event(), 0
        ask = partial(self._ask, stop=stop, where=lambda item: int(np.argmax(rows == item)))
        with tracked(len(unique), "texts", progress) as update:
            try:
                with closing(run_concurrently(ask, self._parts(unique), self._limits.flights, stop)) as answers:
                    for part, vectors in answers:
                        result[part.first : part.first + len(vectors)] = vectors
                        done += len(vectors)
                        update(done)
            except ModelError as error:
                what = f"{error.what}; {done:,} of {len(unique):,} texts were done"
                raise type(error)(what, why=error.why, fix=error.fix) from None
        if normalize:
            result = unit_length(result, zero="keep")
        data = result if len(unique) == len(texts) else result[rows]
        truncated, read_as = np.zeros(len(texts), np.bool_), ReadAs(prompt, windows=False, limit=None)
        return Vectors(data, self._fingerprint(normalize=normalize), truncated, self.name, read_as)

    def learn_dimension(self) -> None:
        """Ask for the vector of one word, and take its length as the model's."""
        self.dimension = self._ask(_Part(0, ["word"]), stop=threading.Event(), where=lambda item: item).shape[1]

    def _parts(self, texts: list[str], first: int = 0) -> Iterator[_Part]:
        """The texts in requests that keep to the limits as they are by then."""
        start = tokens = 0
        for end, text in enumerate(texts):
            size = _estimate(text)
            if end > start and (end - start >= self._limits.texts or tokens + size > self._limits.tokens):
                yield _Part(first + start, texts[start:end])
                start, tokens = end, 0
            tokens += size
        if texts:
            yield _Part(first + start, texts[start:])

    def _ask(self, part: _Part, *, stop: threading.Event, where: Callable[[int], int]) -> NDArray[np.float32]:
        """The vectors of one request, or of several where the server takes less at a time."""
        reply = self._post(part, stop)
        if reply.status == 200:
            return self._vectors_of(reply, len(part.texts))
        refusal = Refusal.of(reply)
        if refusal.wrong_format and self._encoding != "float":
            self._encoding = "float"
            return self._ask(part, stop=stop, where=where)
        if refusal.too_many and len(part.texts) > 1:
            self._shrink(part, refusal)
            pieces = self._parts(part.texts, part.first)
            return np.concatenate([self._ask(piece, stop=stop, where=where) for piece in pieces])
        if refusal.too_long or (refusal.too_many and refusal.of_tokens):
            place, refusal = self._single_out(part, refusal, stop)
            raise too_long(refusal, where(part.first + place), self._who, self.max_tokens)
        position = where(part.first + refusal.position) if 0 <= refusal.position < len(part.texts) else -1
        raise refusal_error(refusal, position, self._who, self._transport.key)

    def _post(self, part: _Part, stop: threading.Event) -> Reply:
        body = question(self._model, part.texts, self._served.dimensions, self._encoding)
        return self._transport.post(body, cap=2**20 + len(part.texts) * (self.dimension or 2**16) * 40, stop=stop)

    def _vectors_of(self, reply: Reply, count: int) -> NDArray[np.float32]:
        vectors, tokens = vectors_of(reply.body, count, self.dimension, self._who)
        with self._lock:
            old = self._usage
            self._usage = Usage(old.requests + 1, old.texts + count, old.tokens + (tokens or 0))
            self._tokens_known = self._tokens_known and tokens is not None
        return vectors

    def _shrink(self, part: _Part, refusal: Refusal) -> None:
        """Ask for half as much at a time from now on: fewer tokens where these are too many, else fewer texts."""
        with self._lock:
            limits = self._limits
            if refusal.of_tokens:
                half = max(1, sum(map(_estimate, part.texts)) // 2)
                self._limits = replace(limits, tokens=min(limits.tokens, half))
            else:
                self._limits = replace(limits, texts=min(limits.texts, max(1, len(part.texts) // 2)))

    def _single_out(self, part: _Part, refusal: Refusal, stop: threading.Event) -> tuple[int, Refusal]:
        """Which text of a request is too long: as the server says, else the longest that it refuses alone."""
        if 0 <= refusal.position < len(part.texts):
            return refusal.position, refusal
        longest = sorted(range(len(part.texts)), key=lambda place: -_estimate(part.texts[place]))
        for place in longest[:SINGLED_OUT] if len(longest) > 1 else []:
            reply = self._post(_Part(part.first + place, [part.texts[place]]), stop)
            if reply.status == 200:
                self._vectors_of(reply, 1)
            elif (alone := Refusal.of(reply)).too_long:
                return place, alone
        return longest[0], refusal


class _Part(NamedTuple):
    """The texts of one request, and the place of the first among all."""

    first: int
    texts: list[str]


def _estimate(text: str) -> int:
    """Tokens of a text, rather too many: one for 3 bytes of UTF-8. English has one for 4 to 5, Chinese for 3."""
    return (len(text) if text.isascii() else len(text.encode())) // 3 + 1


def _require_whole(long: Long) -> None:
    if long in (Long.HEAD, Long.CHUNK):
        why = "only its server can count tokens, so nothing here knows where to cut"
        fix = 'split long texts before, and leave long= at "warn" or "error": what is too long is refused'
        raise InputError(f'long="{long.value}" cannot be done with a remote model', why=why, fix=fix)


def require_local(name: str) -> None:
    """Refuse a server on another machine, where the network is forbidden."""
    host = urlsplit(_address(None)).hostname or ""
    if host not in ("localhost", "127.0.0.1", "::1"):
        fix = "leave --offline away, or use a model that is here: nearsense models --here"
        raise ModelNotFound(f"{name} is on a server, {host}, which is not asked", why="offline is set", fix=fix)


def load_remote(
    name: str,
    *,
    dimensions: int | None = None,
    base_url: str | None = None,
    price: float | None = None,
    limits: Limits | None = None,
    transport: Callable[..., Transport] = Transport,
) -> RemoteEncoder:
    """An encoder that asks a server of the OpenAI embeddings API for vectors by the model that `name` ends with.

    The key is read from `OPENAI_API_KEY`; a server that needs none is asked without. `base_url` is what comes
    before `/embeddings`; without it `OPENAI_BASE_URL`, else the maker's own server, the only one whose price the
    catalogue knows. The length of a vector is `dimensions`, else the catalogue's, else that of one word's vector.

    >>> load_remote("openai:my-model", dimensions=64, base_url="http://127.0.0.1:9/v1").encode([])
    Vectors(0 x 64, openai:my-model ...)
    """
    if not name.startswith(PREFIX) or not name.removeprefix(PREFIX).strip():
        fix = f'for example "{PREFIX}text-embedding-3-small"'
        raise InputError(f"{name!r} names no model of a server", fix=fix)
    base = _address(base_url)
    at_home = urlsplit(base).hostname == urlsplit(HOME).hostname
    if at_home and not Key(KEY):
        what = f"{name} cannot be asked without a key"
        why = f"{KEY} is not set"
        raise ModelNotFound(what, why=why, fix=f"export {KEY}=..., or set {BASE_URL} to a server that needs none")
    size = None if dimensions is None else positive_int(dimensions, "dimensions")
    card = card_of(name) or _UNKNOWN_CARD
    served = ServedModel(
        name=name,
        base_url=base,
        dimension=size or card.dimension,
        dimensions=dimensions,
        max_tokens=card.max_tokens,
        prompts=dict(card.prompts),
        similarity=card.similarity,
        price=card.price if price is None and at_home else price,
    )
    encoder = RemoteEncoder(served, limits or Limits.read(), transport)
    if not encoder.dimension:
        encoder.learn_dimension()
    return encoder


_UNKNOWN_CARD = ModelCard(name="", hub="", dimension=0, max_tokens=0, languages=(), licence="", tasks=())


def _address(base_url: str | None) -> str:
    """What comes before `/embeddings`: without the stroke at its end, known to hold no secret."""
    base_url = base_url or os.environ.get(BASE_URL, "").strip() or HOME
    try:
        parts = urlsplit(base_url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
        good = good and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good or not base_url.isprintable() or any(map(str.isspace, base_url)):
        raise InputError("the base URL is no http address", fix='for example "http://127.0.0.1:8000/v1"')
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        why = "a user, a password or a query in it would be shown in messages and logs"
        fix = f"put the key into {KEY}"
        raise InputError(f"the base URL of {parts.hostname} holds more than a host and a path", why=why, fix=fix)
    return base_url.rstrip("/")
