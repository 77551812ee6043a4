"""From token vectors to a text's vector, in numpy: pooling, then dense layers, norms and activations.

Not how a folder says which: folder.py. What comes after pooling is small (one row a text), and exact in float32
whatever the precision of the transformer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Places = NDArray[np.int64]
    Reduce = Callable[[Floats, Places, Places], Floats]

T = TypeVar("T")


class Pooling(StrEnum):
    """What becomes of the vectors of a text's tokens."""

    MEAN = "mean"
    CLS = "cls"
    """The vector of the first token."""
    MAX = "max"
    """The largest value of each dimension."""
    LAST = "last"
    """The vector of the last token."""
    MEAN_SQRT = "mean_sqrt_len_tokens"
    """The sum, divided by the root of the number of tokens."""
    WEIGHTED_MEAN = "weightedmean"
    """The mean in which the n-th token counts n times (Muennighoff 2022, SGPT)."""


def pool(poolings: Sequence[Pooling], tokens: Floats, begins: Places, lengths: Places) -> Floats:
    """One vector a text, float32, shape (m, p * h), by p ways that are put end to end.

    `tokens` is float32, shape (t, h), padding included; `begins` (ascending) and `lengths` (at least 1) are int64,
    shape (m,).
    """
    parts = [_POOLS[pooling](tokens, begins, lengths) for pooling in poolings]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def every_token(tokens: Floats, begins: Places, lengths: Places) -> Floats:
    """No pooling: the vectors of all tokens of all texts, end to end; shape (sum of lengths, h)."""
    within = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    found: Floats = tokens[np.repeat(begins, lengths) + within]
    return found


def _mean(tokens: Floats, begins: Places, lengths: Places) -> Floats:
    totals = _reduce(np.add, tokens, begins, lengths)
    totals /= lengths[:, None]
    return totals


def _mean_sqrt(tokens: Floats, begins: Places, lengths: Places) -> Floats:
    totals = _reduce(np.add, tokens, begins, lengths)
    totals /= np.sqrt(lengths)[:, None]
    return totals


def _weighted_mean(tokens: Floats, begins: Places, lengths: Places) -> Floats:
    counts = np.zeros((len(tokens), 1), np.float32)
    within = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    counts[np.repeat(begins, lengths) + within, 0] = within + 1
    totals = _reduce(np.add, tokens * counts, begins, lengths)
    totals /= (lengths * (lengths + 1) / 2)[:, None]
    return totals


def _reduce(operation: np.ufunc, tokens: Floats, begins: Places, lengths: Places) -> Floats:
    """Reduce each text's tokens; reduceat takes the gaps between texts for segments too, and they are left out."""
    edges = np.stack([begins, begins + lengths], axis=1).ravel()
    if edges[-1] == len(tokens):
        edges = edges[:-1]
    reduced: Floats = operation.reduceat(tokens, edges, axis=0)[::2]
    return reduced


_POOLS: dict[Pooling, Callable[[Floats, Places, Places], Floats]] = {
    Pooling.MEAN: _mean,
    Pooling.CLS: lambda tokens, begins, lengths: tokens[begins],
    Pooling.MAX: partial(_reduce, np.maximum),
    Pooling.LAST: lambda tokens, begins, lengths: tokens[begins + lengths - 1],
    Pooling.MEAN_SQRT: _mean_sqrt,
    Pooling.WEIGHTED_MEAN: _weighted_mean,
}


class Module(Protocol):
    """One step from a text's vector to the next."""

    def __call__(self, vectors: Floats) -> Floats:
        """Vectors, float32, shape (n, d), to vectors, shape (n, e)."""
        ...  # pragma: no cover

    def width(self, before: int) -> int:
        """The length of what comes out, where `before` comes in; a ValueError where that does not fit."""
        ...  # pragma: no cover

    def identity(self) -> list[Any]:
        """What decides the result beside the weights' files, as JSON values."""
        ...  # pragma: no cover


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
class Dense:
    """A product, a bias and an activation."""

    weight: Floats  # shape (out, in)
    bias: Floats | None  # shape (out,)
    activation: str  # one of `ACTIVATIONS`

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
        return ["dense", self.activation]


@dataclass(frozen=True, slots=True, eq=False)
class LayerNorm:
    """Layer normalisation (Ba et al. 2016) of a text's vector."""

    weight: Floats  # shape (d,)
    bias: Floats  # shape (d,)

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

    def identity(self) -> list[Any]:
        """Its kind."""
        return ["layer norm"]


@dataclass(frozen=True, slots=True)
class Unit:
    """Unit length, in the middle of the way; at its end the encoder sees to it."""

    def __call__(self, vectors: Floats) -> Floats:
        """Shape (n, d) to the same."""
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: Floats = vectors / np.maximum(lengths, np.float32(1e-12))
        return unit

    def width(self, before: int) -> int:
        """The length of what comes out."""
        return before

    def identity(self) -> list[Any]:
        """Its kind."""
        return ["unit length"]


BLOCK = 1024
"""Rows that go through the modules together: each time numpy's threads disturb a transformer's for a while."""


def apply_modules(answers: Iterable[tuple[T, Floats]], modules: Sequence[Module]) -> Iterator[tuple[T, Floats]]:
    """Each answer with its vectors passed through the modules, many answers at a time."""
    if not modules:
        yield from answers
        return
    waiting: list[tuple[T, Floats]] = []
    for answer in answers:
        waiting.append(answer)
        if sum(len(vectors) for _, vectors in waiting) >= BLOCK:
            yield from _through(waiting, modules)
            waiting = []
    yield from _through(waiting, modules)


def _through(waiting: list[tuple[T, Floats]], modules: Sequence[Module]) -> Iterator[tuple[T, Floats]]:
    if waiting:
        done = run(modules, np.concatenate([vectors for _, vectors in waiting]))
        ends = np.cumsum([len(vectors) for _, vectors in waiting])
        yield from zip((request for request, _ in waiting), np.split(done, ends[:-1]), strict=True)


def run(modules: Sequence[Module], vectors: Floats) -> Floats:
    """One module after the other."""
    for module in modules:
        vectors = module(vectors)
    return vectors
