"""What numpy computes: dense layers, norms and activations after pooling, and static tables of token vectors.

One row a text, exact in float32 whatever the precision of the transformer. How a folder says which: folder.py.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from nearsense.encoders.base import damaged
from nearsense.encoders.packing import Engine, Pooling, Request, every_token
from nearsense.encoders.weights import Weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Pooled = tuple[Request, Floats]


class Module:
    """One step from a text's vector to the next."""

    kind: ClassVar[str]

    def __call__(self, vectors: Floats) -> Floats:
        """Vectors, float32, shape (n, d), to vectors, shape (n, e)."""
        raise NotImplementedError

    def width(self, before: int) -> int:
        """The length of what comes out, where `before` comes in; a ValueError where that does not fit."""
        return before

    def identity(self) -> list[Any]:
        """What decides the result beside the weights' files, as JSON values."""
        return [self.kind]


def _gelu(x: Floats) -> Floats:
    """The input times the normal distribution's cumulative function, to 1e-6 (Abramowitz and Stegun 7.1.26)."""
    z = np.abs(x) / np.float32(np.sqrt(2))
    t: Any = 1 / (1 + np.float32(0.3275911) * z)
    series: Any = np.zeros_like(x)
    for term in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series = (series + np.float32(term)) * t
    erf: Any = np.sign(x) * (1 - series * np.exp(-z * z))
    gelu: Floats = x * (1 + erf) / 2
    return gelu


ACTIVATIONS: dict[str, Callable[[Floats], Floats]] = {
    "identity": lambda x: x,
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": lambda x: np.exp(-np.logaddexp(0, -x)).astype(np.float32),
    "gelu": _gelu,
}
"""By the last part of the name that a configuration gives, in small letters."""


@dataclass(frozen=True, slots=True, eq=False)
class Dense(Module):
    """A product, a bias and an activation."""

    weight: Floats  # shape (out, in)
    bias: Floats | None  # shape (out,)
    activation: str  # one of `ACTIVATIONS`
    kind = "dense"

    def __call__(self, vectors: Floats) -> Floats:
        """Shape (n, in) to shape (n, out)."""
        product = vectors @ self.weight.T
        if self.bias is not None:
            product += self.bias
        return ACTIVATIONS[self.activation](product)

    def width(self, before: int) -> int:
        """The length of what comes out."""
        if before != self.weight.shape[1] or (self.bias is not None and len(self.bias) != len(self.weight)):
            raise ValueError(f"a dense layer of shape {self.weight.shape} follows vectors of length {before}")
        return len(self.weight)

    def identity(self) -> list[Any]:
        """Its activation."""
        return [self.kind, self.activation]


@dataclass(frozen=True, slots=True, eq=False)
class LayerNorm(Module):
    """Layer normalisation (Ba et al. 2016) of a text's vector."""

    weight: Floats  # shape (d,)
    bias: Floats  # shape (d,)
    kind = "layer norm"

    def __call__(self, vectors: Floats) -> Floats:
        """Shape (n, d) to the same."""
        centred = vectors - vectors.mean(axis=1, keepdims=True)
        spread = np.sqrt((centred**2).mean(axis=1, keepdims=True) + np.float32(1e-5))
        normed: Floats = centred / spread * self.weight + self.bias
        return normed

    def width(self, before: int) -> int:
        """The length of what comes out."""
        if not before == len(self.weight) == len(self.bias):
            raise ValueError(f"a layer norm of length {len(self.weight)} follows vectors of length {before}")
        return before


@dataclass(frozen=True, slots=True)
class Unit(Module):
    """Unit length, in the middle of the way; at its end the encoder sees to it."""

    kind = "unit length"

    def __call__(self, vectors: Floats) -> Floats:
        """Shape (n, d) to the same."""
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: Floats = vectors / np.maximum(lengths, np.float32(1e-12))
        return unit


BLOCK = 1024
"""Rows that go through the modules together: each time numpy's threads disturb a transformer's for a while."""


def apply_modules(answers: Iterable[Pooled], modules: Sequence[Module]) -> Iterator[Pooled]:
    """Each answer with its vectors passed through the modules, many answers at a time."""
    waiting: list[Pooled] = []
    for answer in answers:
        waiting.append(answer)
        if sum(len(vectors) for _, vectors in waiting) >= BLOCK:
            yield from _through(waiting, modules)
            waiting = []
    yield from _through(waiting, modules)


def _through(waiting: list[Pooled], modules: Sequence[Module]) -> Iterator[Pooled]:
    if waiting:
        vectors = np.concatenate([each for _, each in waiting])
        for module in modules:
            vectors = module(vectors)
        ends = np.cumsum([len(each) for _, each in waiting])
        yield from zip((request for request, _ in waiting), np.split(vectors, ends[:-1]), strict=True)


MOST_TOKENS = 5_000_000  # more than any vocabulary has


class StaticEngine(Engine):
    """Looks up the vectors of a text's tokens in a table, float32, shape (vocabulary, d), and takes their mean."""

    pooling = (Pooling.MEAN,)
    flat, scale = True, 16

    def __init__(self, table: NDArray[np.float32]) -> None:
        self._table, self._pooled = table, True

    def unpooled(self) -> StaticEngine:
        """The same table; a request's answer is the vectors of all its tokens, end to end."""
        other = copy(self)
        other._pooled = False
        return other

    def run(self, requests: Iterable[Request]) -> Generator[tuple[Request, NDArray[np.float32]], None, None]:
        """Each request with the vectors of its texts, float32, shape (m, d)."""
        for request in requests:
            ids, begins, lengths = request.ids.ravel(), request.begins, request.lengths
            if self._pooled:
                yield request, mean_rows(self._table, ids, begins, lengths)
            else:
                yield request, every_token(self._table[ids], begins, lengths)


LONG = 64
"""Tokens of a text from which on its rows are added by themselves, not token by token with those of others."""


def mean_rows(
    table: Floats, ids: NDArray[np.integer[Any]], begins: NDArray[np.int64], lengths: NDArray[np.int64]
) -> Floats:
    """The mean of each text's rows of a table, float32, shape (m, d).

    Text i has the rows `ids[begins[i]:begins[i] + lengths[i]]`, one at least. `np.add.reduceat` goes through each
    column by itself, and takes several times as long.
    """
    found, order = np.empty((len(lengths), table.shape[1]), np.float32), np.argsort(-lengths, kind="stable")
    alone = int(np.count_nonzero(lengths > LONG))
    for text in order[:alone].tolist():
        np.add.reduce(table[ids[begins[text] : begins[text] + lengths[text]]], axis=0, out=found[text])
    if len(others := order[alone:]):
        starts, sizes = begins[others], lengths[others]
        sums = table[ids[starts]]
        left = np.searchsorted(-sizes, -np.arange(1, int(sizes[0])))  # how many texts have so many tokens and more
        for place, count in enumerate(left.tolist(), 1):
            sums[:count] += table[ids[starts[:count] + place]]
        found[others] = sums
    found /= lengths.astype(np.float32)[:, None]
    return found


def read_table(weights: Weights, vocabulary: int, where: str) -> NDArray[np.float32]:
    """The table of a model, float32, shape (vocabulary or more, d).

    model2vec's may have a row for several tokens (`mapping`), and a weight for each token (`weights`).
    """
    own = "embeddings" in weights
    stored = weights.stored("embeddings" if own else "embedding.weight")
    table = weights["embedding.weight"] if stored is None else stored.astype(np.float32)
    try:
        if own and (mapping := weights.stored("mapping")) is not None:
            if mapping.dtype.kind not in "iu" or mapping.min(initial=0) < 0 or len(mapping) > MOST_TOKENS:
                raise ValueError(f"its mapping is of {mapping.dtype}, shape {mapping.shape}")
            table = table[mapping]
        if own and (counts := weights.stored("weights")) is not None:
            table = table * counts.astype(np.float32)[:, None]
    except (IndexError, ValueError) as error:
        raise damaged(f"{where}: the tensors of its table do not fit together", str(error)) from None
    if table.ndim != 2 or not table.shape[1] or len(table) < vocabulary:
        what = f"{where}: the tokenizer knows {vocabulary:,} tokens, the table has the shape {table.shape}"
        raise damaged(what, "the two are of different models")
    return table
